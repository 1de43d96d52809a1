//! What is thought of a matrix of profiles: which is best, how far each cell is from the baseline's,
//! and which acceptance targets hold. A profile that is far from another is a matter of choice and
//! no change, so that distances have no band; those are for two builds.

use bench_core::judge::band::speed_up;
use bench_core::judge::best::{Arm, Ranking, best};
use bench_core::judge::matrix::{arms, baseline, link_in_words, words};
use bench_core::judge::target::{Check, Outcome, check, elsewhere, interrupted};
use bench_core::judge::{Interval, Policy};
use bench_core::record::RunRecord;
use serde_json::{Value, json};

use super::table::{Table, Tone};

/// What is thought of a matrix.
#[derive(Debug)]
pub(crate) struct Matrix {
    ranking: Option<(Ranking, String)>,
    distances: Vec<Distance>,
    checks: Vec<Check>,
    /// Ids whose targets are not for the link they went over.
    elsewhere: usize,
    /// Ids that were not measured to their end.
    interrupted: Vec<String>,
}

/// How far a cell of an arm lies from the baseline's.
#[derive(Debug)]
struct Distance {
    cell: String,
    arm: String,
    ratio: f64,
    interval: Interval,
}

impl Matrix {
    /// What `policy` says to the rows of a matrix; `None` where the record has neither arms nor ids
    /// with a target.
    pub(crate) fn of(record: &RunRecord, policy: &Policy) -> Option<Self> {
        let arms = arms(&record.rows);
        let checks = check(&policy.targets, &record.rows);
        let interrupted = interrupted(&policy.targets, &record.rows);
        if arms.is_empty() && checks.is_empty() && interrupted.is_empty() {
            return None;
        }
        let ranking = baseline(&record.rows, &arms)
            .filter(|_| arms.len() > 1)
            .map(|baseline| (best(&arms, baseline), link_in_words(&record.rows)));
        let baseline = ranking.as_ref().and_then(|(ranking, _)| ranking.baseline.as_deref());
        let distances = baseline.map(|baseline| distances(&arms, baseline)).unwrap_or_default();
        let elsewhere = elsewhere(&policy.targets, &record.rows);
        Some(Self { ranking, distances, checks, elsewhere, interrupted })
    }

    /// The targets that do not hold, as `p50 of grpc/matrix/read/default/1MiB`.
    pub(crate) fn missed(&self) -> Vec<String> {
        let missed = self.checks.iter().filter(|check| check.outcome == Outcome::Missed);
        missed.map(|check| format!("{} of {}", check.what, check.id)).collect()
    }

    /// For the terminal.
    pub(crate) fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        let baseline = self.ranking.as_ref().and_then(|(r, _)| r.baseline.as_deref());
        if let Some(baseline) = baseline.filter(|_| !self.distances.is_empty()) {
            text.push_str(&format!(
                "distance from {baseline}, by throughput in the same rounds:\n"
            ));
            let mut table = Table::new(&["cell", "profile", "distance", "95 %"]);
            for Distance { cell, arm, ratio, interval } in &self.distances {
                let interval = format!("{:.2} to {:.2}", interval.low, interval.high);
                let cells = [cell.clone(), arm.clone(), format!("{ratio:.2} ×"), interval];
                table.push(Tone::Neutral, cells.into());
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
            let [met, missed, unknown] = self.counts();
            text.push_str(&format!("targets: {met} met, {missed} missed, {unknown} unknown\n"));
        }
        if self.elsewhere > 0 {
            let ids = self.elsewhere;
            text.push_str(&format!(
                "{ids} ids went another way than some target of theirs is for\n"
            ));
        }
        for id in &self.interrupted {
            text.push_str(&format!("not judged, interrupted: {id}\n"));
        }
        text
    }

    /// How many targets are met, missed and unknown.
    fn counts(&self) -> [usize; 3] {
        let count = |outcome| self.checks.iter().filter(|check| check.outcome == outcome).count();
        [Outcome::Met, Outcome::Missed, Outcome::Unknown].map(count)
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
        let distances = self.distances.iter().map(|distance| {
            let interval = [distance.interval.low, distance.interval.high];
            json!({
                "cell": distance.cell, "profile": distance.arm, "ratio": distance.ratio,
                "interval": interval,
            })
        });
        let checks = self.checks.iter().map(|check| {
            json!({
                "id": check.id, "target": check.what, "asked": check.bound,
                "found": check.found, "verdict": check.outcome.name(),
            })
        });
        let [met, missed, unknown] = self.counts();
        json!({
            "best_profile": ranking,
            "distances": distances.collect::<Vec<_>>(),
            "targets": checks.collect::<Vec<_>>(),
            "targets_met": met,
            "targets_missed": missed,
            "targets_unknown": unknown,
            "targets_for_another_link": self.elsewhere,
            "targets_not_judged": self.interrupted,
        })
    }
}

fn distances(arms: &[Arm], baseline: &str) -> Vec<Distance> {
    let Some(base) = arms.iter().find(|arm| arm.name == baseline) else { return Vec::new() };
    let mut distances = Vec::new();
    for arm in arms.iter().filter(|arm| arm.name != baseline) {
        for (cell, trial) in &arm.cells {
            let times =
                base.cells.get(cell).and_then(|base| base.as_ref().ok()).zip(trial.as_ref().ok());
            if let Some((ratio, interval)) = times.and_then(|(base, own)| speed_up(base, own)) {
                let (cell, arm) = (cell.clone(), arm.name.clone());
                distances.push(Distance { cell, arm, ratio, interval });
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
    fn best_distance_and_targets_are_told() {
        let record = record(&[("default", 1.0), ("conservative", 4.0), ("aggressive", 0.5)]);
        let matrix = Matrix::of(&record, &built_in()).expect("a matrix");
        let text = matrix.text(false);
        for part in [
            "best profile for tcp here (its rate was not measured): aggressive",
            "distance from default",
            "0.25 ×",
        ] {
            assert!(text.contains(part), "no '{part}' in {text}");
        }
        // A slow profile is no change of the code: no word of the bands is there.
        for word in ["critical", "warning", "improvement", "stable"] {
            assert!(!text.contains(word), "'{word}' in {text}");
        }
        // 1 MiB in 1 ms is 1,000 MiB/s, above the 572.2 that are asked of reads.
        assert!(text.contains("1000 MiB/s") && matrix.missed().is_empty(), "{text}");
        assert!(text.contains("targets: 1 met, 0 missed, 5 unknown"), "{text}");
        let json = matrix.json();
        assert_eq!(json["best_profile"]["best"][0], "aggressive");
        assert_eq!((&json["targets_met"], &json["targets_unknown"]), (&json!(1), &json!(5)));
        assert!((json["distances"][0]["ratio"].as_f64().expect("a number") - 0.25).abs() < 1e-9);
    }

    #[test]
    fn distances_are_from_the_baseline_that_was_measured_by() {
        let mut record = record(&[("default", 1.0), ("aggressive", 0.5)]);
        for row in &mut record.rows {
            row.dimensions.insert("baseline".to_owned(), "aggressive".to_owned());
        }
        let matrix = Matrix::of(&record, &built_in()).expect("a matrix");
        assert_eq!(matrix.json()["best_profile"]["baseline"], "aggressive");
        assert!(matrix.text(false).contains("distance from aggressive"));
    }

    #[test]
    fn a_target_that_does_not_hold_is_missed_by_name_and_elsewhere_none() {
        let mut record = record(&[("default", 2.0)]);
        let matrix = Matrix::of(&record, &built_in()).expect("a target");
        assert_eq!(matrix.missed(), ["throughput of grpc/matrix/read/default/1MiB"]);
        assert!(matrix.json()["best_profile"].is_null(), "there is nothing to choose from");
        record.rows[0].dimensions.insert("rtt_added".to_owned(), "20 ms".to_owned());
        let matrix = Matrix::of(&record, &built_in()).expect("success is asked of every link");
        assert!(matrix.missed().is_empty());
        assert!(matrix.text(false).contains("1 ids went another way"), "{}", matrix.text(false));
    }

    #[test]
    fn what_was_interrupted_is_named_as_not_judged() {
        let mut record = record(&[("default", 2.0)]);
        let had = "3 of 10 rounds";
        record.rows[0].dimensions.insert("interrupted".to_owned(), had.to_owned());
        let matrix = Matrix::of(&record, &built_in()).expect("a matrix");
        assert!(matrix.missed().is_empty(), "{:?}", matrix.missed());
        let told = format!("not judged, interrupted: {} ({had})", record.rows[0].id);
        assert!(matrix.text(false).contains(&told), "{}", matrix.text(false));
        assert_eq!(
            matrix.json()["targets_not_judged"][0],
            format!("{} ({had})", record.rows[0].id)
        );
    }

    #[test]
    fn a_record_without_a_matrix_has_nothing_to_say() {
        let record = RunRecord::begin(Environment::default());
        assert!(Matrix::of(&record, &built_in()).is_none());
    }
}
