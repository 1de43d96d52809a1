//! The command line, and from there to rows and a table.

use std::path::PathBuf;
use std::process::ExitCode;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::workload::Failure;
use bench_network::backend::{Choice, Config};
use clap::Parser;

use super::measure::{Plan, measure, rows};
use super::profile::LinkFlags;
use super::table::table;
use super::{figures, rattan};
use crate::front::text::show;
use crate::front::{NOT_MEASURED, USAGE, failed, of_user, open_record, told, write_record};

const LTE: Scenario = Scenario { id: "link/table/lte", run: rows };

/// Puts a link between two networks of its own and measures whether it is what was asked for.
///
/// Exit codes: 0 fine, 1 it broke, 2 usage, 3 a figure is not what it has to be, 4 the link cannot be had
/// here, is not what was asked for, or the machine was too busy to say.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_link", help_expected = true)]
struct Flags {
    #[command(flatten)]
    link: LinkFlags,
    /// What carries it: auto, exact:tun, exact:packet, exact:netem, exact:proxy or exact:simulation
    /// [default: auto]
    ///
    /// `auto` takes the first of these that this machine can do and the link does not ask too much of,
    /// and says which and why.
    #[arg(long, value_name = "BACKEND")]
    backend: Option<Choice>,
    /// The congestion control of both ends, as in cubic [default: the machine's, which is told]
    #[arg(long, value_name = "NAME")]
    congestion_control: Option<String>,
    /// Of loss and jitter [default: 42]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Measure how exact the emulator is, beside theory and the kernel's own; takes three minutes
    ///
    /// Round trips from 1 to 180 ms, goodput from 10 to 1000 Mbit/s in turns with the kernel's token
    /// bucket, loss of 200,000 packets, the ceiling in turns with a bare veth pair, and TCP against
    /// Mathis' formula. Of the other flags only --backend, --seed and --output count.
    #[arg(long)]
    figures: bool,
    /// Measure rattan's links beside ours of the same profile, in turns; takes five minutes
    ///
    /// Round trips, goodput and loss, each by the same probe. rattan has to be installed (`cargo install
    /// rattan`) and root to run it. Of the other flags only --seed and --output count.
    #[arg(long, conflicts_with_all = ["figures", "backend"])]
    rattan: bool,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Flags {
    fn plan(&self, scale: Scale) -> Result<Plan, Failure> {
        let plan = Plan::of(scale, self.link.profile()?);
        Ok(Plan {
            backend: self.backend.unwrap_or(plan.backend),
            config: Config {
                seed: self.seed.unwrap_or(plan.config.seed),
                congestion_control: self.congestion_control.clone(),
            },
            // Whoever asks for a link wants to know.
            judged: true,
            ..plan
        })
    }
}

/// Measures as its own flags ask, or as one scenario, as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_link", &[]) else {
        return scenario::main(&[LTE]);
    };
    let code = run(&flags, scale).unwrap_or_else(|failure| failed(&failure));
    ExitCode::from(code)
}

fn run(flags: &Flags, scale: Scale) -> Result<u8, Failure> {
    let plan = flags.plan(scale)?;
    let output = flags.output.as_deref();
    let mut record = match open_record(output) {
        Ok(record) => record,
        Err(sentence) => return Ok(told(&sentence, USAGE)),
    };
    let code;
    (record.rows, code) = if flags.rattan {
        rattan::measure(plan.config.seed)?
    } else if flags.figures {
        figures::measure(plan.backend, plan.config.seed)?
    } else {
        let rows = measure(&plan)?;
        show(table(&rows));
        let code = code_of_rows(&rows);
        (rows, code)
    };
    write_record(&record, output)?;
    Ok(code)
}

fn code_of_rows(rows: &[Row]) -> u8 {
    if rows.iter().all(|row| row.ok) { 0 } else { NOT_MEASURED }
}

#[cfg(test)]
mod tests {
    use bench_core::record::Metric;
    use clap::CommandFactory as _;

    use super::*;
    use crate::front::code_of;

    fn parse(line: &str) -> Result<Flags, String> {
        let words = std::iter::once("scenario_link").chain(line.split_whitespace());
        Flags::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_go_over_what_the_scale_says() {
        Flags::command().debug_assert();
        let line = "--link wifi --backend exact:packet --congestion-control reno --seed 7";
        let plan = parse(line).expect("flags").plan(Scale::Smoke).expect("a plan");
        assert_eq!(
            (&*plan.link.name, plan.backend.to_string()),
            ("wifi", "exact:packet".to_owned())
        );
        assert_eq!(plan.config.congestion_control.as_deref(), Some("reno"));
        assert_eq!((plan.config.seed, plan.judged), (7, true));
    }

    #[test]
    fn codes_tell_usage_from_what_cannot_be_had_and_from_what_broke() {
        let code = |line: &str| match parse(line).expect(line).plan(Scale::Smoke) {
            Ok(plan) => code_of(&measure(&plan).expect_err(line)),
            Err(failure) => code_of(&failure),
        };
        assert_eq!(code("--link ltee"), USAGE);
        assert_eq!(code("--loss 2"), USAGE);
        assert_eq!(code("--trace-up /nowhere"), USAGE);
        assert_eq!(code("--link wifi --backend exact:proxy"), USAGE);
        assert_eq!(code("--backend exact:simulation --congestion-control bbr"), USAGE);
        assert_eq!(code("--rtt 1ms --backend exact:proxy --congestion-control pigeon"), USAGE);
        let failed = Row::failed("a/b", Metric::Latency, "ns", "too late");
        assert_eq!(code_of_rows(&[failed]), NOT_MEASURED);
        assert!(parse("--backend exact:pigeon").expect_err("unknown").contains("exact:packet"));
    }
}
