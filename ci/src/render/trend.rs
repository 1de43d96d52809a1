//! How one number went over many runs, as plain data: whoever has a history hands it over, the
//! report shows it.

use bench_core::record::Metric;

/// All values of one metric of one id on one environment, the oldest first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trend {
    pub(crate) id: String,
    pub(crate) metric: Metric,
    pub(crate) unit: String,
    /// What the values have in common, in words: host, CPU, compiler. Empty where nobody knows.
    pub(crate) environment: String,
    pub(crate) points: Vec<Step>,
    /// Ascending by `index`.
    pub(crate) changes: Vec<Change>,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Full hash, where the run knew it.
    pub(crate) commit: Option<String>,
    /// RFC 3339.
    pub(crate) at: String,
    pub(crate) value: f64,
}

/// A change point: from this run on the level is another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Of the first run of the new level; at least 1.
    pub(crate) index: usize,
    /// The level before, as the search for change points estimates it.
    pub(crate) before: f64,
    /// The level after.
    pub(crate) after: f64,
    pub(crate) p_value: f64,
    /// What is known of the step: its commits, a change of machine.
    pub(crate) note: Option<String>,
}

impl Trend {
    /// The first characters of the commit of a run, or its day where it has none.
    pub(crate) fn name(&self, index: usize) -> String {
        let step = &self.points[index];
        let (text, length) = step.commit.as_ref().map_or((&step.at, 10), |commit| (commit, 9));
        text.chars().take(length).collect()
    }

    /// The level of each run: that before its change point, or after the last.
    pub(crate) fn level(&self, index: usize) -> Option<f64> {
        let next = self.changes.iter().find(|change| change.index > index);
        next.map(|change| change.before).or_else(|| self.changes.last().map(|last| last.after))
    }
}

/// A trend with two change points, for tests: any number of runs, the same on every machine.
#[cfg(test)]
pub(crate) fn sample(runs: usize) -> Trend {
    let level = |index: usize| match index {
        index if index < runs / 3 => 100.0e3,
        index if index < runs * 3 / 4 => 112.0e3,
        _ => 96.0e3,
    };
    let points = (0..runs).map(|index| {
        let noise = (index * 7_919 % 1_009) as f64 / 1_009.0 - 0.5;
        let day = index * 300 / runs;
        Step {
            commit: Some(
                format!("{:016x}", (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                    .repeat(2),
            ),
            at: format!("2026-{:02}-{:02}T09:12:44Z", day / 28 + 1, day % 28 + 1),
            value: level(index) * (1.0 + 0.03 * noise),
        }
    });
    let change = |index: usize| Change {
        index,
        before: level(index - 1),
        after: level(index),
        p_value: 1e-9,
        note: None,
    };
    Trend {
        id: "storage/write/64KiB".to_owned(),
        metric: Metric::WallTime,
        unit: "ns".to_owned(),
        environment: "Intel(R) Xeon(R) Processor @ 2.70GHz".to_owned(),
        points: points.collect(),
        changes: vec![change(runs / 3), change(runs * 3 / 4)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_the_level_of_its_segment() {
        let trend = sample(12);
        let levels: Vec<f64> = (0..12).filter_map(|index| trend.level(index)).collect();
        let expected = [[100e3; 4].as_slice(), &[112e3; 5], &[96e3; 3]].concat();
        assert_eq!(levels, expected);
        assert_eq!(trend.name(0).len(), 9);
        let quiet = Trend { changes: Vec::new(), ..trend };
        assert_eq!(quiet.level(0), None);
    }
}
