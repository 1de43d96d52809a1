//! The command line, and from there to rows and a table.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_network::fault::FaultSpec;
use clap::Parser;

use super::run::{Plan, measure};
use super::table::table;
use crate::front::text::show;
use crate::front::values::seconds;
use crate::front::{NOT_MEASURED, failed, of_user, open_record, refuse, told, write_record};

/// A fault at its usual strength.
macro_rules! usual {
    ($($name:literal)+) => {
        [$(Scenario {
            id: concat!("faults/", $name),
            run: |scale| {
                let rows = measure($name.parse()?, &Plan::of(scale))?;
                unmeasured(&rows).map_or(Ok(rows), |sentence| Err(sentence.into()))
            },
        }),+]
    };
}

const SCENARIOS: [Scenario; 11] = usual!(
    "latency" "bandwidth" "slow_close" "reset" "time_out" "slicer" "limit_data" "slow_accept"
    "cpu_overload" "memory_pressure" "disk_pressure"
);

/// Measures an echo service before, under and after one fault after another, each of which is shown to
/// have happened.
///
/// Exit codes: 0 fine, 1 it broke, 2 usage, 4 a fault was not injected or cannot be had here, or no
/// request succeeded before it or after it.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_faults", help_expected = true)]
struct Flags {
    /// This fault only; may be repeated [default: each kind at its usual strength]
    ///
    /// latency:20ms, latency:20ms:5ms (with a jitter), bandwidth:1MiB (a second), slow_close:20ms,
    /// reset:50ms and time_out:50ms (after so long), slicer:1KiB:1ms, limit_data:40KiB, slow_accept:20ms,
    /// cpu_overload:4:100 (threads and percent), memory_pressure:64MiB, disk_pressure:16MiB; or the name
    /// alone.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<FaultSpec>,
    /// How long each of the three phases of a round is, in seconds [default: 0.3]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// How many rounds count; one more goes before them [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Of a request and of its answer [default: 16KiB]
    #[arg(long, value_name = "SIZE")]
    size: Option<ByteSize>,
    /// How many requests are under way at a time [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Where a disk pressure writes its file, which has no name there [default: a scratch directory]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Flags {
    /// The faults and how they are measured.
    fn plan(&self, scale: Scale) -> Result<(Vec<FaultSpec>, Plan), String> {
        let plan = Plan::of(scale);
        let plan = Plan {
            time: self.duration.unwrap_or(plan.time),
            rounds: self.rounds.unwrap_or(plan.rounds),
            size: self.size.unwrap_or(plan.size),
            workers: self.workers.map_or(plan.workers, usize::from),
            folder: self.folder.clone(),
            ..plan
        };
        if plan.size.is_empty() {
            return Err("a request of 0 bytes has no answer; choose a --size of at least 1B".into());
        }
        let mut faults = self.faults.clone();
        if faults.is_empty() {
            faults = FaultSpec::names().filter_map(FaultSpec::usual).collect();
        }
        let mut names: Vec<_> = faults.iter().map(FaultSpec::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let name = twice[0];
            return Err(format!("--fault {name} is there twice; run the scenario once for each"));
        }
        Ok((faults, plan))
    }
}

/// Says which phases have nothing to compare with; `None` where each has. Under a fault that nothing
/// survives there is no such row.
fn unmeasured(rows: &[Row]) -> Option<String> {
    let failed = rows.iter().filter(|row| !row.ok).map(|row| row.id.as_str());
    let mut failed: Vec<&str> = failed.collect();
    failed.dedup();
    let ids = failed.join(", ");
    (!failed.is_empty()).then(|| {
        format!(
            "no request of {ids} succeeded, so there is nothing to hold the fault against; allow more time \
             (--duration), or see the errors of the phase"
        )
    })
}

/// Measures as its own flags ask, or as scenarios, as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_faults", &[]) else {
        return scenario::main(&SCENARIOS);
    };
    let opened = flags.plan(scale);
    let opened = opened.and_then(|plan| Ok((plan, open_record(flags.output.as_deref())?)));
    let ((faults, plan), mut record) = match opened {
        Ok(opened) => opened,
        Err(sentence) => return refuse(&sentence),
    };
    let mut missing = Vec::new();
    let done = faults.into_iter().try_for_each(|fault| -> Result<(), Failure> {
        let rows: Vec<Row> = measure(fault, &plan)?;
        show(table(&rows) + "\n");
        missing.extend(unmeasured(&rows));
        record.rows.extend(rows);
        Ok(write_record(&record, flags.output.as_deref())?)
    });
    match done {
        Ok(()) if missing.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(told(&missing.join("; "), NOT_MEASURED)),
        Err(failure) => ExitCode::from(failed(&failure)),
    }
}

#[cfg(test)]
mod tests {
    use bench_core::record::Metric;
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Flags, String> {
        let words = std::iter::once("scenario_faults").chain(line.split_whitespace());
        Flags::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_go_over_what_the_scale_says() {
        Flags::command().debug_assert();
        let line = "--fault latency:30ms --fault reset --size 4KiB --workers 2 --rounds 1";
        let (faults, plan) = parse(line).expect("flags").plan(Scale::Quick).expect("a plan");
        assert_eq!(faults.len(), 2);
        assert_eq!((plan.size, plan.workers, plan.rounds), (ByteSize::kib(4), 2, 1));
        let (faults, plan) = parse("").expect("flags").plan(Scale::Smoke).expect("a plan");
        assert_eq!((faults.len(), plan), (SCENARIOS.len(), Plan::of(Scale::Smoke)));
    }

    #[test]
    fn a_phase_that_measured_nothing_is_named() {
        let count = |id: &str| {
            let data = bench_core::record::Data::Count { value: 0 };
            Row::measured(id, Metric::Operations, "1", data)
        };
        let none = |id: &str, metric| Row::failed(id, metric, "ns", "no operation succeeded");
        let mut rows = vec![count("faults/reset/baseline"), count("faults/reset/after")];
        assert_eq!(unmeasured(&rows), None);
        rows.push(none("faults/reset/after", Metric::Latency));
        rows.push(none("faults/reset/after", Metric::Other("service_time".to_owned())));
        let said = unmeasured(&rows).expect("nothing after it");
        assert!(said.starts_with("no request of faults/reset/after succeeded, so"), "{said}");
    }

    #[test]
    fn phases_without_a_request_are_not_measured() {
        // Memory that is taken is shown without a request.
        let plan = Plan { time: Duration::ZERO, ..Plan::of(Scale::Smoke) };
        let spec = "memory_pressure:1MiB".parse().expect("a fault");
        let rows = measure(spec, &plan).expect("shown");
        let said = unmeasured(&rows).expect("nothing succeeded");
        assert!(said.contains("/baseline") && said.contains("/after"), "{said}");
        assert!(!said.contains("/under"), "{said}");
    }

    #[test]
    fn every_kind_is_a_scenario() {
        let names = FaultSpec::names().map(|name| format!("faults/{name}"));
        assert!(names.eq(SCENARIOS.iter().map(|scenario| scenario.id.to_owned())));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, said) in [
            ("--fault rain", "no fault is called 'rain'"),
            ("--fault latency:soon", "write it as in latency:20ms"),
            ("--rounds 0", "invalid value"),
            ("--workers 0", "invalid value"),
            ("--duration 0", "more than 0"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(said), "{error}");
        }
        for (line, said) in
            [("--size 0B", "at least 1B"), ("--fault reset --fault reset:1ms", "there twice")]
        {
            let error = parse(line).expect("flags").plan(Scale::Smoke).expect_err(line);
            assert!(error.contains(said), "{error}");
        }
    }
}
