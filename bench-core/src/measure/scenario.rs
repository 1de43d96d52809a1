//! The `main` of a scenario target: concurrent, scheduled or multi-process runs that neither
//! gungraun nor criterion can express. It takes the flags that cargo and criterion users know.

use std::io::{self, Write};
use std::process::ExitCode;

use super::recorder::Recorder;
use crate::record::Row;
use crate::scale::Scale;
use crate::units::print_ns;
use crate::workload::Failure;

/// Exit code of a filter that matches nothing, as `cargo perf` has it.
const NOT_MEASURED: u8 = 4;

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// `room/workload/parameter…`
    pub id: &'static str,
    /// Runs it and returns its rows.
    pub run: fn(Scale) -> Result<Vec<Row>, Failure>,
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    bench: bool,
    list: bool,
    exact: bool,
    filter: Option<String>,
}

/// Runs the scenarios that the command line selects: `--list` prints their ids, `--exact ID` or a
/// part of an id selects. Without `--bench`, as under `cargo test`, each runs at smoke scale.
///
/// Rows go to the file that [`Recorder::from_env`] names, and in short to standard output.
#[must_use = "the exit code says whether anything was measured"]
pub fn main(scenarios: &[Scenario]) -> ExitCode {
    let flags = parse(std::env::args().skip(1));
    let selected: Vec<&Scenario> =
        scenarios.iter().filter(|scenario| selects(&flags, scenario.id)).collect();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    // A closed pipe at the other end of a remark is not the scenario's failure.
    if flags.list {
        for scenario in selected {
            let _closed = writeln!(out, "{}: benchmark", scenario.id);
        }
        return ExitCode::SUCCESS;
    }
    if selected.is_empty() {
        let _closed = writeln!(err, "no scenario matches; --list prints their ids");
        return ExitCode::from(NOT_MEASURED);
    }
    let scale = if flags.bench { Scale::from_env() } else { Scale::Smoke };
    for scenario in selected {
        if let Err(failure) = run(scenario, scale, &mut out) {
            let _closed = writeln!(err, "{}: {failure}", scenario.id);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(scenario: &Scenario, scale: Scale, out: &mut impl Write) -> Result<(), Failure> {
    let rows = (scenario.run)(scale)?;
    if rows.is_empty() {
        return Err("it measured nothing".into());
    }
    for row in &rows {
        writeln!(out, "{} {}: {}", row.id, row.metric, in_short(row))?;
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

fn parse(arguments: impl Iterator<Item = String>) -> Flags {
    let mut flags = Flags::default();
    for argument in arguments {
        match argument.as_str() {
            "--bench" => flags.bench = true,
            "--list" => flags.list = true,
            "--exact" => flags.exact = true,
            // Flags of the other harnesses mean nothing here and do no harm.
            flag if flag.starts_with('-') => {}
            filter => flags.filter = Some(filter.to_owned()),
        }
    }
    flags
}

fn selects(flags: &Flags, id: &str) -> bool {
    flags.filter.as_deref().is_none_or(
        |filter| {
            if flags.exact { id == filter } else { id.contains(filter) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Data, Metric};

    fn flags(line: &str) -> Flags {
        parse(line.split_whitespace().map(str::to_owned))
    }

    fn good(_scale: Scale) -> Result<Vec<Row>, Failure> {
        Ok(vec![Row::measured("a/b", Metric::Operations, "1", Data::Count { value: 3 })])
    }

    #[test]
    fn ids_are_selected_by_part_or_exactly() {
        assert!(selects(&flags("--bench load"), "grpc/load/closed"));
        assert!(!selects(&flags("--exact load"), "grpc/load/closed"));
        assert!(selects(&flags("--exact grpc/load/closed --noplot"), "grpc/load/closed"));
        assert!(selects(&flags(""), "grpc/load/closed"));
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
