//! The book of one thread of a job: every operation's times, by direction, as fio keeps them.

use bench_storage::files::job::{Done, Kind};
use hdrhistogram::Histogram;

/// How long a piece of the bandwidth over time is: fio's `bwavgtime`.
pub(super) const WINDOW_NS: u64 = 500_000_000;
/// Bounds of a latency: an hour, to three digits.
const HOUR_NS: u64 = 3_600_000_000_000;
/// Levels of a queue depth: 1, 2, 4, 8, 16, 32, and all above.
pub const LEVELS: usize = 7;

/// Smallest, largest, and the sums that mean and deviation are made of.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// Values.
    pub count: u64,
    /// The smallest; 0 without values.
    pub min: u64,
    /// The largest.
    pub max: u64,
    sum: u128,
    squares: u128,
}

impl Moments {
    #[inline]
    pub(super) fn add(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += u128::from(value);
        self.squares += u128::from(value) * u128::from(value);
    }

    fn join(&mut self, other: &Self) {
        if other.count > 0 {
            self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        }
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// The mean; 0 without values.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The standard deviation of the sample; 0 of fewer than two values.
    pub fn deviation(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let count = u128::from(self.count);
        // Exact in whole numbers: n Σx² − (Σx)².
        let spread = (count * self.squares).saturating_sub(self.sum * self.sum) as f64;
        (spread / (self.count as f64 * (self.count - 1) as f64)).sqrt()
    }
}

/// What was done in one direction.
#[derive(Clone, Debug)]
pub struct Book {
    /// Bytes.
    pub bytes: u64,
    /// From the start of an operation to where it was handed over, or stands in the queue.
    pub submission: Moments,
    /// From there to its end.
    pub completion: Moments,
    /// Both.
    pub total: Moments,
    /// The same by value.
    pub completions: Histogram<u64>,
    /// The same by value.
    pub totals: Histogram<u64>,
    /// Bytes and operations of each whole half second.
    pub windows: Vec<(u64, u64)>,
    pub(super) window: (u64, u64),
}

impl Book {
    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, HOUR_NS, 3).expect("sound bounds");
        Self {
            bytes: 0,
            submission: Moments::default(),
            completion: Moments::default(),
            total: Moments::default(),
            completions: histogram.clone(),
            totals: histogram,
            windows: Vec::new(),
            window: (0, 0),
        }
    }

    /// Operations.
    pub const fn operations(&self) -> u64 {
        self.total.count
    }

    #[inline]
    pub(super) fn add(&mut self, done: &Done) {
        let (completion, total) = (done.ended - done.queued, done.ended - done.began);
        self.bytes += done.bytes as u64;
        self.window.0 += done.bytes as u64;
        self.window.1 += 1;
        // A call is submitted and completed in one: fio counts no submission then.
        if done.queued > done.began {
            self.submission.add(done.queued - done.began);
        }
        self.completion.add(completion);
        self.total.add(total);
        self.completions.saturating_record(completion);
        self.totals.saturating_record(total);
    }

    fn join(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.submission.join(&other.submission);
        self.completion.join(&other.completion);
        self.total.join(&other.total);
        self.completions.add(&other.completions).expect("equal bounds");
        self.totals.add(&other.totals).expect("equal bounds");
        // Of threads that began together.
        let longer = self.windows.len().max(other.windows.len());
        self.windows.resize(longer, (0, 0));
        for (window, other) in self.windows.iter_mut().zip(&other.windows) {
            *window = (window.0 + other.0, window.1 + other.1);
        }
    }
}

/// How often a number of operations was met, by level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Levels(pub [u64; LEVELS]);

impl Levels {
    pub(super) fn add(&mut self, depth: usize, times: u64) {
        let level = (usize::BITS - 1 - depth.max(1).leading_zeros()) as usize;
        self.0[level.min(LEVELS - 1)] += times;
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own += other);
    }
}

/// The book of a thread, or of several.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Reads, writes, syncs.
    pub books: [Book; 3],
    /// Operations under way, met by each that began.
    pub depths: Levels,
    /// Operations handed over at once.
    pub submits: Levels,
    /// Operations that were seen to have ended at once.
    pub completes: Levels,
    /// When the first began and the last ended, in nanoseconds since the clock was made.
    pub span: Option<(u64, u64)>,
    /// Told to stop before all was done.
    pub interrupted: bool,
}

impl Meter {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            books: [(); 3].map(|()| Book::new()),
            depths: Levels::default(),
            submits: Levels::default(),
            completes: Levels::default(),
            span: None,
            interrupted: false,
        }
    }

    /// Reads, writes or syncs.
    pub const fn book(&self, kind: Kind) -> &Book {
        &self.books[kind as usize]
    }

    /// From the first start to the last end.
    pub fn elapsed_ns(&self) -> u64 {
        self.span.map_or(0, |(first, last)| last - first)
    }

    /// Takes in what another thread did at the same time.
    pub fn join(&mut self, other: &Self) {
        self.books.iter_mut().zip(&other.books).for_each(|(own, other)| own.join(other));
        self.depths.join(&other.depths);
        self.submits.join(&other.submits);
        self.completes.join(&other.completes);
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((other_first, other_last))) => {
                Some((first.min(other_first), last.max(other_last)))
            }
            (own, other) => own.or(other),
        };
        self.interrupted |= other.interrupted;
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_values() {
        let mut moments = Moments::default();
        assert_eq!((moments.mean(), moments.deviation()), (0.0, 0.0));
        [2, 4, 4, 4, 5, 5, 7, 9].into_iter().for_each(|value| moments.add(value));
        assert_eq!((moments.min, moments.max, moments.mean()), (2, 9, 5.0));
        // Σ(x−5)² = 32, over 7.
        assert!((moments.deviation() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        let mut two = Moments::default();
        two.join(&moments);
        two.join(&Moments::default());
        two.join(&moments);
        assert_eq!((two.count, two.min, two.max, two.mean()), (16, 2, 9, 5.0));
    }
}
