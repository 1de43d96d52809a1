//! What is thought of a matrix of profiles: which is best, how far each cell lies from the
//! baseline's, and which acceptance targets hold.

use bench_core::judge::band::{Bands, Change, speed_up};
use bench_core::judge::best::{Arm, Ranking, best};
use bench_core::judge::matrix::{arms, link, words};
use bench_core::judge::target::{Check, Outcome, check};
use bench_core::judge::{Interval, Policy};
use bench_core::record::RunRecord;
use serde_json::{Value, json};

use super::table::{Table, Tone};

/// The arm that the others are measured by, where it did not fail.
const BASELINE: &str = "default";

/// What is thought of a matrix.
#[derive(Debug)]
pub(crate) struct Matrix {
    ranking: Option<(Ranking, String)>,
    changes: Vec<Distance>,
    checks: Vec<Check>,
}

/// How far a cell of an arm lies from the baseline's.
#[derive(Debug)]
struct Distance {
    cell: String,
    arm: String,
    ratio: f64,
    interval: Interval,
    change: Change,
}

impl Matrix {
    /// What `policy` says to the rows of a matrix; `None` where the record has neither arms nor ids
    /// with a target.
    pub(crate) fn of(record: &RunRecord, policy: &Policy) -> Option<Self> {
        let arms = arms(&record.rows);
        let checks = check(&policy.targets, &record.rows);
        if arms.is_empty() && checks.is_empty() {
            return None;
        }
        let ranking = (arms.len() > 1).then(|| {
            let link = link(&record.rows).unwrap_or("links of more than one kind").to_owned();
            (best(&arms, BASELINE), link)
        });
        let baseline = ranking.as_ref().and_then(|(ranking, _)| ranking.baseline.as_deref());
        let changes = match (policy.bands, baseline) {
            (Some(bands), Some(baseline)) => distances(&arms, baseline, bands),
            _ => Vec::new(),
        };
        Some(Self { ranking, changes, checks })
    }

    /// The targets that do not hold, as `p50 of grpc/matrix/read/default/1MiB`.
    pub(crate) fn missed(&self) -> Vec<String> {
        let missed = self.checks.iter().filter(|check| check.outcome == Outcome::Missed);
        missed.map(|check| format!("{} of {}", check.what, check.id)).collect()
    }

    /// For the terminal.
    pub(crate) fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        if !self.changes.is_empty() {
            let baseline = self.ranking.as_ref().and_then(|(r, _)| r.baseline.as_deref());
            text.push_str(&format!("throughput by that of {}:\n", baseline.unwrap_or(BASELINE)));
            let mut table = Table::new(&["cell", "profile", "ratio", "95 %", "change"]);
            for distance in &self.changes {
                let Interval { low, high, .. } = distance.interval;
                let tone = match distance.change {
                    Change::Improvement => Tone::Good,
                    Change::Warning | Change::Critical => Tone::Bad,
                    Change::Stable | Change::Undecided => Tone::Neutral,
                };
                let cells = [
                    distance.cell.clone(),
                    distance.arm.clone(),
                    format!("{:.2}", distance.ratio),
                    format!("{low:.2} to {high:.2}"),
                    distance.change.name().to_owned(),
                ];
                table.push(tone, cells.into());
            }
            text.push_str(&table.text(colour));
        }
        if let Some((ranking, link)) = &self.ranking {
            text.push_str(&words(ranking, link));
        }
        if !self.checks.is_empty() {
            let mut table = Table::new(&["target", "id", "asked", "found", "verdict"]);
            for check in &self.checks {
                let tone = match check.outcome {
                    Outcome::Met => Tone::Neutral,
                    Outcome::Missed => Tone::Bad,
                    Outcome::Unknown => Tone::Quiet,
                };
                let verdict = check.outcome.name().to_owned();
                let (bound, found) = (check.bound.clone(), check.found.clone());
                table.push(tone, vec![check.what.into(), check.id.clone(), bound, found, verdict]);
            }
            text.push_str(&table.text(colour));
        }
        text
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let ranking = self.ranking.as_ref().map(|(ranking, link)| {
            let standings = ranking.standings.iter().map(|standing| {
                let interval = standing.interval.map(|i| [i.low, i.high]);
                json!({"profile": standing.name, "ratio": standing.ratio, "interval": interval})
            });
            let out = ranking
                .disqualified
                .iter()
                .map(|out| json!({"profile": out.name, "failures": out.failures}));
            json!({
                "link": link,
                "baseline": ranking.baseline,
                "cells": ranking.cells,
                "best": ranking.winners().collect::<Vec<_>>(),
                "standings": standings.collect::<Vec<_>>(),
                "disqualified": out.collect::<Vec<_>>(),
            })
        });
        let changes = self.changes.iter().map(|distance| {
            let interval = [distance.interval.low, distance.interval.high];
            json!({
                "cell": distance.cell, "profile": distance.arm, "ratio": distance.ratio,
                "interval": interval, "change": distance.change.name(),
            })
        });
        let checks = self.checks.iter().map(|check| {
            json!({
                "id": check.id, "target": check.what, "asked": check.bound,
                "found": check.found, "verdict": check.outcome.name(),
            })
        });
        json!({
            "best_profile": ranking,
            "changes": changes.collect::<Vec<_>>(),
            "targets": checks.collect::<Vec<_>>(),
        })
    }
}

fn distances(arms: &[Arm], baseline: &str, bands: Bands) -> Vec<Distance> {
    let Some(base) = arms.iter().find(|arm| arm.name == baseline) else { return Vec::new() };
    let mut distances = Vec::new();
    for arm in arms.iter().filter(|arm| arm.name != baseline) {
        for (cell, trial) in &arm.cells {
            let times =
                base.cells.get(cell).and_then(|base| base.as_ref().ok()).zip(trial.as_ref().ok());
            if let Some((ratio, interval)) = times.and_then(|(base, own)| speed_up(base, own)) {
                let change = bands.of(Some(interval));
                let (cell, arm) = (cell.clone(), arm.name.clone());
                distances.push(Distance { cell, arm, ratio, interval, change });
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Environment, Metric, Row};

    use super::*;
    use crate::policy;

    fn record(profiles: &[(&str, f64)]) -> RunRecord {
        let mut record = RunRecord::begin(Environment::default());
        for (profile, ms) in profiles {
            let id = format!("grpc/matrix/read/{profile}/1MiB");
            let data = Data::Samples { values: vec![ms * 1e6; 5], iterations: vec![1; 5] };
            let mut row = Row::measured(&id, Metric::WallTime, "ns", data);
            let dimensions = [
                ("profile", *profile),
                ("scenario", "grpc/matrix/read/1MiB"),
                ("link", "tcp here"),
            ];
            row.dimensions
                .extend(dimensions.map(|(name, value)| (name.to_owned(), value.to_owned())));
            record.rows.push(row);
        }
        record
    }

    fn built_in() -> Policy {
        policy::read(std::path::Path::new("/nonexistent")).expect("sound")
    }

    #[test]
    fn best_change_and_targets_are_told() {
        let record = record(&[("default", 1.0), ("conservative", 4.0), ("aggressive", 0.5)]);
        let matrix = Matrix::of(&record, &built_in()).expect("a matrix");
        let text = matrix.text(false);
        for part in ["best profile for tcp here: aggressive", "critical", "improvement"] {
            assert!(text.contains(part), "no '{part}' in {text}");
        }
        // 1 MiB in 1 ms is 1,000 MiB/s, above the 600 that are asked of reads.
        assert!(text.contains("1000 MiB/s") && matrix.missed().is_empty(), "{text}");
        let json = matrix.json();
        assert_eq!(json["best_profile"]["best"][0], "aggressive");
        assert_eq!(json["changes"][0]["change"], "critical");
    }

    #[test]
    fn a_target_that_does_not_hold_is_missed_by_name() {
        let matrix = Matrix::of(&record(&[("default", 2.0)]), &built_in()).expect("a target");
        assert_eq!(matrix.missed(), ["throughput of grpc/matrix/read/default/1MiB"]);
        assert!(matrix.json()["best_profile"].is_null(), "there is nothing to choose from");
    }

    #[test]
    fn a_record_without_a_matrix_has_nothing_to_say() {
        let record = RunRecord::begin(Environment::default());
        assert!(Matrix::of(&record, &built_in()).is_none());
    }
}
