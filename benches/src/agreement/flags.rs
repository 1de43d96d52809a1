//! The command line, and from there to rows, a table and an exit code.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::scale::Scale;
use bench_core::workload::Failure;
use bench_network::backend::Choice;
use clap::Parser;

use super::cell::{Cell, Verdict};
use super::measure::{Compared, Plan, compare};
use crate::front::text::{aligned, show};
use crate::front::{NOT_MEASURED, failed, of_user, open_record, refuse, told, write_record};

/// Exit code: a simulated time stands for no real one.
const DIFFERS: u8 = 3;

const AGREEMENT: Scenario = Scenario {
    id: "agreement",
    run: |scale| {
        let compared = all(&Plan::of(scale))?;
        Ok(compared.iter().flat_map(Compared::rows).collect())
    },
};

/// Times the same workloads over the same links, simulated and real, and says whether they agree.
///
/// A real side that the emulator spoiled is measured again, up to three times in all, and up to five at
/// full scale; then it is no number.
///
/// Exit codes: 0 all agree, 1 it broke, 2 usage, 3 a cell differs by more than it may, 4 a cell could
/// not be compared on this machine or the emulator was too late for its times to mean anything.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_agreement", help_expected = true)]
struct Flags {
    /// What carries the real side: auto, exact:tun, exact:packet, exact:netem or exact:proxy
    /// [default: auto]
    #[arg(long, value_name = "BACKEND")]
    backend: Option<Choice>,
    /// Of both sides [default: 42]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Flags {
    fn plan(&self, scale: Scale) -> Plan {
        let plan = Plan::of(scale);
        let backend = self.backend.unwrap_or(plan.backend);
        Plan { backend, seed: self.seed.unwrap_or(plan.seed), ..plan }
    }
}

/// Compares as the flags ask, or as one scenario, as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_agreement", &[]) else {
        return scenario::main(&[AGREEMENT]);
    };
    let mut record = match open_record(flags.output.as_deref()) {
        Ok(record) => record,
        Err(sentence) => return refuse(&sentence),
    };
    let done = all(&flags.plan(scale)).and_then(|compared| {
        show(table(&compared));
        record.rows = compared.iter().flat_map(Compared::rows).collect();
        write_record(&record, flags.output.as_deref())?;
        Ok(judged(&compared))
    });
    match done {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some((sentence, code))) => ExitCode::from(told(&sentence, code)),
        Err(failure) => ExitCode::from(failed(&failure)),
    }
}

fn all(plan: &Plan) -> Result<Vec<Compared>, Failure> {
    Cell::all().iter().map(|cell| compare(cell, plan)).collect()
}

/// What the verdicts come to: what differs goes before what could not be compared.
fn judged(compared: &[Compared]) -> Option<(String, u8)> {
    let of = |is: fn(&Verdict) -> bool| {
        let names = compared
            .iter()
            .filter(|cell| is(&cell.verdict))
            .map(|cell| format!("{} over {}", cell.cell.work.name(), cell.cell.link.name));
        let names: Vec<String> = names.collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let differs = of(|verdict| *verdict == Verdict::Differs);
    if let Some(names) = differs {
        return Some((format!("simulated and real differ: {names}"), DIFFERS));
    }
    let missing = of(|verdict| matches!(verdict, Verdict::NotCompared(_)))?;
    Some((format!("not compared: {missing}; the table says why"), NOT_MEASURED))
}

fn table(compared: &[Compared]) -> String {
    let titles =
        ["workload", "link", "simulated ms", "real ms", "difference", "allowed", "verdict"];
    let mut lines = vec![titles.map(str::to_owned).to_vec()];
    let ms = |time: Duration| format!("{:.3}", time.as_secs_f64() * 1e3);
    for Compared { cell, simulated, real, verdict, .. } in compared {
        let [simulated, real] = [simulated, real].map(|side| side.middle());
        let apart = (real.as_secs_f64() / simulated.as_secs_f64() - 1.0) * 100.0;
        lines.push(vec![
            cell.work.name().to_owned(),
            cell.link.name.to_string(),
            ms(simulated),
            ms(real),
            format!("{apart:+.2} %"),
            format!("{} ms", ms(cell.work.tolerance(simulated))),
            verdict.to_string(),
        ]);
    }
    let real = compared.first().map(|cell| &cell.real);
    let words = real.map(|real| format!("real: {}, {}\n", real.used.title(), real.reason));
    format!("{}{}", words.unwrap_or_default(), aligned(&lines))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Flags, String> {
        let words = std::iter::once("scenario_agreement").chain(line.split_whitespace());
        Flags::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_go_over_what_the_scale_says() {
        Flags::command().debug_assert();
        let plan = parse("--backend exact:proxy --seed 7").expect("flags").plan(Scale::Quick);
        assert_eq!((plan.backend.to_string(), plan.seed), ("exact:proxy".to_owned(), 7));
        assert!(
            parse("--backend dummynet").expect_err("unknown").contains("'dummynet' is no backend")
        );
    }

    #[test]
    fn what_differs_goes_before_what_is_missing_and_all_of_it_is_named() {
        let plan = parse("--backend exact:simulation").expect("flags").plan(Scale::Smoke);
        let cells = Cell::all();
        let mut compared: Vec<Compared> =
            cells[..2].iter().map(|cell| compare(cell, &plan).expect("compared")).collect();
        let (sentence, code) = judged(&compared).expect("nothing was compared");
        assert_eq!(code, NOT_MEASURED);
        assert!(sentence.contains("unary over rtt_50ms, unary over rtt_70ms"), "{sentence}");
        assert!(table(&compared).contains("+0.00 %"), "{}", table(&compared));
        compared[0].verdict = Verdict::Differs;
        let (sentence, code) = judged(&compared).expect("one differs");
        assert_eq!(
            (sentence.as_str(), code),
            ("simulated and real differ: unary over rtt_50ms", 3)
        );
        compared.iter_mut().for_each(|cell| cell.verdict = Verdict::Agrees);
        assert_eq!(judged(&compared), None);
    }
}
