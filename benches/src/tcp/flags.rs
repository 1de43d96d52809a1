//! The command line, and from there to rows and a table.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use clap::Parser;

use super::run::{Part, Plan, measure};
use super::table::table;
use crate::front::text::show;
use crate::front::values::{named, or, seconds};
use crate::front::{NOT_MEASURED, failed, of_user, open_record, refuse, write_record};

/// What is sent at once through a receive buffer that is given, as many times its size.
const WINDOWS: u64 = 1024;

const TCP: Scenario = Scenario { id: "network/tcp", run: |scale| measure(&Plan::of(scale)) };

/// Makes connections, plain and under TLS, uses some again, waits for silent peers, and sends in bulk;
/// wrk and iperf3 take turns with it where they are asked for.
///
/// All over loopback, both ends on CPUs of their own. Exit codes: 0 fine, 1 it broke, 2 usage, 4 a
/// program that was asked for is not installed, or this machine cannot have TLS.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_tcp", help_expected = true)]
struct Flags {
    /// Measure wrk (Connection: close, on our server) and iperf3 (same block and congestion control),
    /// too
    ///
    /// They take turns with our own arms, on the same CPUs. What is not installed is told, and the exit
    /// code then is 4.
    #[arg(long)]
    peers: bool,
    /// Only this part: plain, tls, tls_resumed, bulk, reuse or time_outs; may be repeated
    #[arg(long, value_name = "PART", value_parser = part)]
    only: Vec<Part>,
    /// Rounds that count; one before them does not [default: 7]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// How long each arm makes connections in a round, in seconds [default: 1]
    ///
    /// wrk counts in whole seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time: Option<Duration>,
    /// The congestion control of the bulk transfer, by the kernel's name [default: reno]
    #[arg(long, value_name = "NAME")]
    congestion: Option<String>,
    /// What the bulk transfer writes and reads at once [default: 128KiB]
    #[arg(long, value_name = "SIZE")]
    block: Option<ByteSize>,
    /// The receiver's buffer (SO_RCVBUF) of the bulk transfer [default: one that grows]
    ///
    /// A small one limits the transfer, and the table then says so. Not with --peers: iperf3 has no such
    /// setting for the receiver alone.
    #[arg(long, value_name = "SIZE")]
    receive_buffer: Option<ByteSize>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Flags {
    fn plan(&self, scale: Scale) -> Result<Plan, String> {
        if self.peers && self.receive_buffer.is_some() {
            return Err("--receive-buffer cannot be compared with --peers, because iperf3 sets both buffers \
                        at both ends where ours is the receiver's alone; leave one of the two out"
                .into());
        }
        let mut plan = Plan::of(scale);
        plan.parts = or(self.only.clone(), &Part::ALL);
        plan.peers = self.peers;
        plan.rounds = self.rounds.map_or(plan.rounds, |rounds| rounds as usize);
        plan.time = self.time.unwrap_or(plan.time);
        if let Some(control) = &self.congestion {
            plan.bulk.cell.control.clone_from(control);
        }
        plan.bulk.cell.block = self.block.unwrap_or(plan.bulk.cell.block);
        plan.bulk.receive_buffer = self.receive_buffer;
        if let Some(buffer) = self.receive_buffer {
            // As many windows say as much, and a small one lets little through in a second.
            let some =
                ByteSize::new(buffer.bytes().saturating_mul(WINDOWS)).max(plan.bulk.cell.block);
            plan.bulk.total = plan.bulk.total.min(some);
        }
        Ok(plan)
    }
}

fn part(text: &str) -> Result<Part, String> {
    named(text, &Part::ALL.map(|part| (part.name(), part)))
}

/// Measures as its own flags ask, or as one scenario, as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_tcp", &[]) else {
        return scenario::main(&[TCP]);
    };
    let opened = flags.plan(scale);
    let opened = opened.and_then(|plan| Ok((plan, open_record(flags.output.as_deref())?)));
    let (plan, mut record) = match opened {
        Ok(opened) => opened,
        Err(sentence) => return refuse(&sentence),
    };
    let done = measure(&plan).and_then(|rows| {
        show(table(&rows));
        let missing = rows.iter().any(|row| !row.ok);
        record.rows = rows;
        write_record(&record, flags.output.as_deref())?;
        Ok(missing)
    });
    match done {
        Ok(false) => ExitCode::SUCCESS,
        // The table has said which, and what to do.
        Ok(true) => ExitCode::from(NOT_MEASURED),
        Err(failure) => ExitCode::from(failed(&failure)),
    }
}

#[cfg(test)]
mod tests {
    use bench_core::workload::Failure;
    use clap::CommandFactory as _;

    use super::*;
    use crate::front::{USAGE, code_of};

    fn parse(line: &str) -> Result<Flags, String> {
        let words = std::iter::once("scenario_tcp").chain(line.split_whitespace());
        Flags::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_go_over_what_the_scale_says_and_change_nothing_else() {
        Flags::command().debug_assert();
        let plan = parse("").expect("no flags").plan(Scale::Quick).expect("a plan");
        assert_eq!(plan, Plan::of(Scale::Quick));
        assert!(parse("--peers").expect("flags").plan(Scale::Quick).expect("a plan").peers);
        let line = "--only bulk --rounds 3 --time 2 --congestion cubic --block 64KiB \
                    --receive-buffer 4KiB";
        let plan = parse(line).expect("flags").plan(Scale::Quick).expect("a plan");
        assert_eq!((plan.parts, plan.peers, plan.rounds), (vec![Part::Bulk], false, 3));
        assert_eq!(
            (plan.time, plan.bulk.cell.to_string()),
            (Duration::from_secs(2), "cubic/64KiB".into())
        );
        assert_eq!(plan.bulk.receive_buffer, Some(ByteSize::kib(4)));
        assert_eq!(plan.bulk.total, ByteSize::mib(4));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--only udp", "--rounds 0", "--time soon", "--block many"] {
            let said = parse(line).expect_err(line);
            assert!(said.contains("invalid value"), "{said}");
        }
        let refused = |line: &str| -> Failure {
            let plan = parse(line).expect(line).plan(Scale::Smoke).expect(line);
            measure(&plan).expect_err(line)
        };
        let failure = refused("--only bulk --congestion carrier-pigeon");
        let said = failure.to_string();
        assert!(said.contains("'carrier-pigeon'") && said.contains("allowed here: "), "{said}");
        assert_eq!(code_of(&failure), USAGE);
        assert_eq!(code_of(&refused("--only bulk --block 0")), USAGE);
        let both = parse("--peers --receive-buffer 4KiB").expect("flags").plan(Scale::Smoke);
        let said = both.expect_err("two things");
        assert!(said.contains("iperf3 sets both") && said.contains("leave one"), "{said}");
    }
}
