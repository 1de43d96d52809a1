//! How different two neighbouring pieces of a window are.
//!
//! Of the pieces `X` with `n` values and `Y` with `m`, that which follows it, the divergence of
//! Matteson and James with the exponent 1 is, up to their factor,
//!
//! ```text
//! Q = 2 / (n + m) × ( Σ |x - y|  -  m / (n - 1) × Σ |x - x'|  -  n / (m - 1) × Σ |y - y'| )
//! ```
//!
//! the sums over the pairs between the pieces and, each pair once, within them; a piece of one
//! value has no pairs, and its term is 0. `Y` need not reach to the end: a level that lasts for a
//! while is not hidden by what comes after it.
//!
//! With `S(a, b)` the sum within the values `a..b`, the sum between `s..τ` and `τ..κ` is
//! `S(s, κ) - S(s, τ) - S(τ, κ)`, and what remains is
//!
//! ```text
//! Q = 2 / (n + m) × S(s, κ)  -  2 (n + m - 1) / (n + m) × ( S(s, τ) / (n - 1) + S(τ, κ) / (m - 1) )
//! ```
//!
//! so one table of `S` holds all that any piece of the window needs. It is filled by length, from
//! `S(a, b) = S(a, b-1) + S(a+1, b) - S(a+1, b-1) + |x_a - x_(b-1)|`: no value waits for the one
//! beside it, which leaves both loops to the vector unit.

/// The sums within all pieces of one window, and what is needed to work with them.
pub(super) struct Divergence {
    length: usize,
    /// `S(a, a + d)` at `starts[d] + a`: by length `d`, then by start `a`.
    sums: Vec<f64>,
    starts: Vec<usize>,
    /// Of the piece at hand: `2 / n × S(s, s + n)` and `S(s, s + n) / (n - 1)`, by `n`.
    whole: Vec<f64>,
    left: Vec<f64>,
    /// The largest `Q` over all `κ`, by `τ`.
    best: Vec<f64>,
    /// By `n`: `2 (n - 1) / n`, `2 / n`, and `1 / (n - 1)` with 0 where there are no pairs.
    weight: Vec<f64>,
    twice_per: Vec<f64>,
    per_other: Vec<f64>,
}

impl Divergence {
    /// Room for windows of up to `longest` values.
    pub(super) fn new(longest: usize) -> Self {
        let room = || vec![0.0; longest + 1];
        let by_count = |of: fn(f64) -> f64| (0..=longest).map(|n| of(n as f64)).collect();
        Self {
            length: 0,
            sums: Vec::new(),
            starts: Vec::new(),
            whole: room(),
            left: room(),
            best: room(),
            weight: by_count(|n| 2.0 * (n - 1.0) / n),
            twice_per: by_count(|n| 2.0 / n),
            per_other: by_count(|n| if n > 1.0 { 1.0 / (n - 1.0) } else { 0.0 }),
        }
    }

    /// Fills the table for a window.
    pub(super) fn load(&mut self, window: &[f64]) {
        let length = window.len();
        if self.length != length {
            self.length = length;
            // Length d has room for length + 1 - d starts.
            self.starts =
                (0..=length).map(|d| d * (length + 1) - d * d.saturating_sub(1) / 2).collect();
            self.sums = vec![0.0; (length + 1) * (length + 2) / 2];
        }
        for d in 2..=length {
            let (done, rest) = self.sums.split_at_mut(self.starts[d]);
            let (one_less, two_less) = (&done[self.starts[d - 1]..], &done[self.starts[d - 2]..]);
            lengthen(&mut rest[..length + 1 - d], one_less, two_less, window, &window[d - 1..]);
        }
    }

    /// The place that best divides the values `from..to` of the window, and how large `Q` is
    /// there: of equal ones the first. `None` for fewer than two values.
    pub(super) fn strongest(&mut self, from: usize, to: usize) -> Option<(usize, f64)> {
        let places = to.checked_sub(from + 1).filter(|&places| places > 0)?;
        let starts = self.starts[..=to - from].iter().enumerate().skip(1);
        for (n, start) in starts {
            let sum = self.sums[start + from];
            self.whole[n] = sum * self.twice_per[n];
            self.left[n] = sum * self.per_other[n];
        }
        self.best[1..=places].fill(f64::NEG_INFINITY);
        for m in 1..=places {
            let n = places + 1 - m;
            let right = &self.sums[self.starts[m] + from + 1..][..n];
            let (whole, weight) = (&self.whole[m + 1..], &self.weight[m + 1..]);
            follow(&mut self.best[1..], whole, weight, &self.left[1..], right, self.per_other[m]);
        }
        let mut strongest = (from, f64::NEG_INFINITY);
        for (place, &q) in (from + 1..to).zip(&self.best[1..]) {
            if q > strongest.1 {
                strongest = (place, q);
            }
        }
        (strongest.0 > from).then_some(strongest)
    }
}

/// The sums within the pieces of one length from those of the two lengths below it.
fn lengthen(sums: &mut [f64], one_less: &[f64], two_less: &[f64], first: &[f64], last: &[f64]) {
    let n = sums.len();
    let (early, late) = (&one_less[..n], &one_less[1..=n]);
    let (common, first, last) = (&two_less[1..=n], &first[..n], &last[..n]);
    for i in 0..n {
        sums[i] = early[i] + late[i] - common[i] + (first[i] - last[i]).abs();
    }
}

/// Raises `best` by the pieces of one length, `right`, after each of the first places.
fn follow(
    best: &mut [f64],
    whole: &[f64],
    weight: &[f64],
    left: &[f64],
    right: &[f64],
    per_other: f64,
) {
    let n = right.len();
    let (best, whole, weight, left) = (&mut best[..n], &whole[..n], &weight[..n], &left[..n]);
    for i in 0..n {
        let q = whole[i] - weight[i] * (left[i] + right[i] * per_other);
        best[i] = if q > best[i] { q } else { best[i] };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, pair by pair.
    fn reference(x: &[f64], y: &[f64]) -> f64 {
        let within = |piece: &[f64]| -> f64 {
            let pairs = piece
                .iter()
                .enumerate()
                .flat_map(|(i, a)| piece[..i].iter().map(move |b| (a - b).abs()));
            let n = piece.len() as f64;
            if n > 1.0 { pairs.sum::<f64>() / (n - 1.0) } else { 0.0 }
        };
        let between: f64 = x.iter().flat_map(|a| y.iter().map(move |b| (a - b).abs())).sum();
        let (n, m) = (x.len() as f64, y.len() as f64);
        2.0 / (n + m) * (between - m * within(x) - n * within(y))
    }

    fn strongest(window: &[f64], from: usize, to: usize) -> Option<(usize, f64)> {
        let mut divergence = Divergence::new(window.len());
        divergence.load(window);
        divergence.strongest(from, to)
    }

    #[test]
    fn by_hand() {
        // X = {1}, Y = {4}: 2/2 × 3. X = {1, 2}, Y = {6}: 2/3 × (9 - 1/1 × 1) is the larger one,
        // and X = {1}, Y = {2, 6} with 2/3 × (6 - 1/1 × 4) is not.
        assert_eq!(strongest(&[1.0, 4.0], 0, 2), Some((1, 3.0)));
        assert_eq!(strongest(&[1.0, 2.0, 6.0], 0, 3), Some((2, 16.0 / 3.0)));
        assert_eq!(strongest(&[1.0, 2.0, 6.0], 1, 2), None);
        assert_eq!(strongest(&[1.0; 9], 0, 9), Some((1, 0.0)));
    }

    #[test]
    fn a_window_after_a_longer_one_knows_nothing_of_it() {
        let mut divergence = Divergence::new(6);
        divergence.load(&[9.0, 8.0, 1.0, 5.0, 4.0, 7.0]);
        divergence.strongest(0, 6);
        divergence.load(&[1.0, 2.0, 6.0]);
        assert_eq!(divergence.strongest(0, 3), Some((2, 16.0 / 3.0)));
    }

    proptest! {
        #[test]
        fn the_strongest_place_is_that_of_the_definition(
            window in proptest::collection::vec(-100_i32..100, 2..24),
            (a, b) in (0_usize..24, 0_usize..24),
        ) {
            let window: Vec<f64> = window.into_iter().map(f64::from).collect();
            let (from, to) = (a.min(b).min(window.len()), a.max(b).min(window.len()));
            let mut expected: Option<(usize, f64)> = None;
            for tau in from + 1..to {
                for kappa in tau + 1..=to {
                    let q = reference(&window[from..tau], &window[tau..kappa]);
                    if expected.is_none_or(|(_, best)| q > best + 1e-9) {
                        expected = Some((tau, q));
                    }
                }
            }
            let found = strongest(&window, from, to);
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let (Some((place, q)), Some((_, best))) = (found, expected) {
                prop_assert!((q - best).abs() <= 1e-9 * best.abs().max(1.0), "{} {}", q, best);
                let here = (place + 1..=to).map(|end| reference(&window[from..place], &window[place..end]));
                prop_assert!(here.fold(f64::NEG_INFINITY, f64::max) >= best - 1e-9 * best.abs().max(1.0));
            }
        }
    }
}
