//! The `main` of a scenario target: concurrent, scheduled or multi-process runs that neither
//! gungraun nor criterion can express. It takes the flags that cargo and criterion users know.

use std::io::{self, Write};
use std::process::ExitCode;

use super::recorder::Recorder;
use super::selection::Selection;
use super::watch::Watch;
use crate::record::{Row, watched};
use crate::scale::Scale;
use crate::units::print_ns;
use crate::workload::Failure;

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// `room/workload/parameter…`
    pub id: &'static str,
    /// Runs it and returns its rows.
    pub run: fn(Scale) -> Result<Vec<Row>, Failure>,
}

/// Runs the scenarios that the command line selects as it would select criterion's benches: a
/// regular expression, or `--exact ID`. `--list` prints their ids instead. Without `--bench`, as
/// under `cargo test`, each runs at smoke scale. A filter that matches nothing is no failure, since
/// cargo gives one filter to every target; whoever asked for an id has to look for its rows.
///
/// Rows go to the file that [`Recorder::from_env`] names, and in short to standard output. Into the file go
/// also those of a [watch](super::watch) over what the scenario uses, unless the environment has
/// `WEIGHBRIDGE_WATCH=off`.
#[must_use = "the exit code says whether a scenario failed"]
pub fn main(scenarios: &[Scenario]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    // A closed pipe at the other end of a remark is not the scenario's failure.
    let selected = match selected(scenarios, &arguments) {
        Ok(selected) => selected,
        Err(error) => {
            let _closed = writeln!(err, "the filter is no regular expression: {error}");
            return ExitCode::FAILURE;
        }
    };
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if asked("--list") {
        for scenario in selected {
            let _closed = writeln!(out, "{}: benchmark", scenario.id);
        }
        return ExitCode::SUCCESS;
    }
    let scale = if asked("--bench") { Scale::from_env() } else { Scale::Smoke };
    for scenario in selected {
        if let Err(failure) = run(scenario, scale, &mut out) {
            let _closed = writeln!(err, "{}: {failure}", scenario.id);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn selected<'a>(
    scenarios: &'a [Scenario],
    arguments: &[String],
) -> Result<Vec<&'a Scenario>, regex::Error> {
    let selection = Selection::filter(arguments.iter().cloned())?;
    Ok(scenarios.iter().filter(|scenario| selection.contains(scenario.id)).collect())
}

fn run(scenario: &Scenario, scale: Scale, out: &mut impl Write) -> Result<(), Failure> {
    let watch = Watch::from_env();
    let mut rows = (scenario.run)(scale)?;
    let watched = watch.map(Watch::stop);
    if rows.is_empty() {
        return Err("it measured nothing".into());
    }
    for row in &rows {
        writeln!(out, "{} {}: {}", row.id, row.metric, in_short(row))?;
    }
    if let Some(watched) = watched {
        let beside = watched::beside(watched.rows(scenario.id), &rows);
        rows.extend(beside);
    }
    Recorder::from_env().map_or(Ok(()), |recorder| Ok(recorder.rows(rows)?))
}

/// A row as one short text: median and maximum of a latency, or the count.
fn in_short(row: &Row) -> String {
    if let Some(error) = &row.error {
        return error.clone();
    }
    match row.data.as_ref().map(crate::record::Data::histogram) {
        Some(Ok(histogram)) => format!(
            "{} samples, median {}, maximum {}",
            histogram.len(),
            print_ns(histogram.value_at_quantile(0.5) as f64),
            print_ns(histogram.max() as f64)
        ),
        _ => row.per_operation().iter().map(|value| format!("{value} {}", row.unit)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Data, Metric};

    const IDS: [Scenario; 2] =
        [Scenario { id: "grpc/load/closed", run: good }, Scenario { id: "grpc/open", run: good }];

    fn ids(line: &str) -> Vec<&'static str> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let selected = selected(&IDS, &arguments).expect("a pattern");
        selected.into_iter().map(|scenario| scenario.id).collect()
    }

    fn good(_scale: Scale) -> Result<Vec<Row>, Failure> {
        Ok(vec![Row::measured("a/b", Metric::Operations, "1", Data::Count { value: 3 })])
    }

    #[test]
    fn ids_are_selected_as_criterion_selects_them() {
        let all = ["grpc/load/closed", "grpc/open"];
        for line in ["", "--bench --noplot", "--list", "--bench --profile-time 5", "grpc", "o.en|c"]
        {
            assert_eq!(ids(line), all, "{line}");
        }
        for line in [
            "load",
            "--bench --list lo.d",
            "--save-baseline x load -n --bench",
            "--exact grpc/load/closed --noplot",
            "--bench --exact grpc/load/closed --list",
        ] {
            assert_eq!(ids(line), all[..1], "{line}");
        }
        for line in ["--exact load", "another", "--ignored"] {
            assert!(ids(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_filter_that_is_no_pattern_is_refused() {
        selected(&IDS, &["(".to_owned()]).expect_err("no pattern");
    }

    #[test]
    fn a_scenario_without_rows_has_failed() {
        let mut out = Vec::new();
        let empty = Scenario { id: "a/b", run: |_| Ok(Vec::new()) };
        let failure = run(&empty, Scale::Smoke, &mut out).expect_err("nothing was measured");
        assert_eq!(failure.to_string(), "it measured nothing");
        run(&Scenario { id: "a/b", run: good }, Scale::Smoke, &mut out).expect("it measured");
        assert_eq!(String::from_utf8(out).expect("text"), "a/b operations: 3 1\n");
    }
}
