//! What the prefetcher did, as rows beside the times of an arm.

use std::cell::RefCell;
use std::time::Duration;

use bench_core::record::{Data, Metric, Row};
use bench_storage::prefetch::PrefetchStats;

/// What it did for the stream of each turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(RefCell<Vec<PrefetchStats>>);

impl Turns {
    pub(super) fn add(&self, stats: PrefetchStats) {
        self.0.borrow_mut().push(stats);
    }

    /// Chunks by what became of them, as [`PrefetchStats`] has them, over all turns whose times are
    /// kept; the most that was thrown away at once; the largest depth; and how long the reader waited in each turn.
    pub(super) fn rows(&self, time: &Row) -> Vec<Row> {
        let turns = self.0.borrow();
        // The first round is thrown away.
        let kept = turns.get(1..).unwrap_or_default();
        let sum = |of: fn(&PrefetchStats) -> u64| kept.iter().map(of).sum::<u64>();
        let most = |of: fn(&PrefetchStats) -> u64| kept.iter().map(of).max().unwrap_or(0);
        let counts = [
            ("issued", sum(|stats| stats.issued)),
            ("useful", sum(|stats| stats.useful)),
            ("late", sum(|stats| stats.late)),
            ("wasted", sum(|stats| stats.wasted)),
            ("cancelled", sum(|stats| stats.cancelled)),
            ("stolen", sum(|stats| stats.stolen)),
            ("duplicate", sum(|stats| stats.duplicate)),
            ("wasted_at_once", most(|stats| stats.wasted_at_once)),
            ("depth", most(|stats| u64::from(stats.depth_most))),
        ];
        let counts = counts.map(|(name, value)| counted(time, name, value));
        let stalls = samples(time, "stall", kept.iter().map(|stats| stats.stall));
        counts.into_iter().chain([stalls]).collect()
    }
}

/// Times by turn of something else than the arm's own pass.
pub(super) fn samples(time: &Row, name: &str, values: impl Iterator<Item = Duration>) -> Row {
    let values: Vec<f64> = values.map(|value| value.as_nanos() as f64).collect();
    let iterations = vec![1; values.len()];
    beside(time, name, "ns", Data::Samples { values, iterations })
}

/// How many of something there were in all turns.
pub(super) fn counted(time: &Row, name: &str, value: u64) -> Row {
    beside(time, name, "1", Data::Count { value })
}

fn beside(time: &Row, name: &str, unit: &str, data: Data) -> Row {
    let dimensions = time.dimensions.clone();
    Row { dimensions, ..Row::measured(&time.id, Metric::Other(name.to_owned()), unit, data) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_added_up_without_the_first() {
        let turns = Turns::default();
        for n in [100, 1, 2] {
            turns.add(PrefetchStats {
                issued: n,
                wasted: 2 * n,
                wasted_at_once: n,
                depth_most: n as u32,
                stall: Duration::from_nanos(n),
                ..PrefetchStats::default()
            });
        }
        let time = Row::measured("a/b", Metric::WallTime, "ns", Data::Count { value: 1 });
        let rows = turns.rows(&time);
        let of = |name: &str| {
            let found = rows.iter().find(|row| row.metric.name() == name).expect(name);
            found.data.clone().expect("data")
        };
        assert_eq!(of("issued"), Data::Count { value: 3 });
        assert_eq!(of("wasted"), Data::Count { value: 6 });
        assert_eq!(of("wasted_at_once"), Data::Count { value: 2 });
        assert_eq!(of("duplicate"), Data::Count { value: 0 });
        assert_eq!(of("depth"), Data::Count { value: 2 });
        let stalls = Data::Samples { values: vec![1.0, 2.0], iterations: vec![1, 1] };
        assert_eq!(of("stall"), stalls);
    }
}
