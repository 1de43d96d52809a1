//! How exact the emulators are: against theory, and against the kernel's own in turns in the same run.
//!
//! - [`round_trip`]: echoes from 1 to 180 ms.
//! - [`goodput`]: TCP through rates from 10 to 1000 Mbit/s, beside the kernel's token bucket.
//! - [`loss`]: 200,000 packets, each by itself and in bursts.
//! - [`ceiling`]: TCP without delay or rate, beside a bare veth pair.
//! - [`congestion`]: reno where packets are lost, beside Mathis' formula; bbr on a rate.
//!
//! A figure that the emulator spoiled, by its own word, holds nothing.

pub mod ceiling;
pub mod congestion;
pub mod goodput;
pub mod loss;
pub mod round_trip;

use std::time::Duration;

use bench_core::record::{Data, Metric, Row};
use bench_core::workload::Failure;
use bench_network::Error;
use bench_network::af_packet::AfPacket;
use bench_network::backend::{Choice, Kind};
use bench_network::calibrate::tolerance;
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::tun::Tun;

use super::flags::say;
use crate::front::{USAGE, told};
use crate::grpc_matrix::table::aligned;

/// Exit code: a figure is not what it has to be.
const MISSED: u8 = 3;
const TITLES: [&str; 5] = ["", "asked", "measured", "must", ""];

/// A table of what has to hold.
#[derive(Debug)]
pub struct Figure {
    /// What it is of.
    pub title: &'static str,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What they were derived from.
    pub rows: Vec<Row>,
}

/// One thing that has to hold.
#[derive(Debug)]
pub struct Line {
    /// What was measured.
    pub what: String,
    /// What it was to be.
    pub asked: String,
    /// What it was.
    pub measured: String,
    /// What has to hold of it, or why nothing does.
    pub must: String,
    /// Whether it does; `None` where nothing is asked.
    pub holds: Option<bool>,
}

/// Measures all figures, and tells each as soon as it is there; the rows, and the exit code.
///
/// # Errors
/// What the system refused.
pub fn measure(choice: Choice, seed: u64) -> Result<(Vec<Row>, u8), Failure> {
    match choice {
        Choice::Exact(Kind::Tun) => all::<Tun>(seed),
        Choice::Exact(Kind::Packet) => all::<AfPacket>(seed),
        Choice::Auto if EmulatedLink::<Tun>::available().is_ok() => all::<Tun>(seed),
        Choice::Auto => all::<AfPacket>(seed),
        Choice::Exact(kind) => {
            let sentence = format!("--figures is of the emulators and not of the {}", kind.title());
            Ok((Vec::new(), told(&format!("{sentence}; write exact:tun or exact:packet"), USAGE)))
        }
    }
}

fn all<C: Carrier>(seed: u64) -> Result<(Vec<Row>, u8), Failure> {
    EmulatedLink::<C>::available()?;
    let figures = [
        round_trip::figure::<C>,
        goodput::figure::<C>,
        loss::figure::<C>,
        ceiling::figure::<C>,
        congestion::figure::<C>,
    ];
    let (mut rows, mut holds) = (Vec::new(), true);
    say(&format!("{}, seed {seed}\n", C::BACKEND));
    for figure in figures {
        let found = figure(seed)?;
        say(&found.table());
        holds &= found.lines.iter().all(|line| line.holds != Some(false));
        rows.extend(found.rows);
    }
    Ok((rows, if holds { 0 } else { MISSED }))
}

impl Figure {
    /// For people.
    fn table(&self) -> String {
        let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
        lines[0][0] = self.title.to_owned();
        for line in &self.lines {
            let holds = line.holds.map_or("", |holds| if holds { "holds" } else { "MISSED" });
            let Line { what, asked, measured, must, .. } = line;
            let cells = [what, asked, measured, must].map(String::clone);
            lines.push(cells.into_iter().chain([holds.to_owned()]).collect());
        }
        format!("\n{}", aligned(&lines))
    }
}

/// Why what went over this link is not valid.
fn spoiled<C: Carrier>(link: &EmulatedLink<C>) -> Result<Option<String>, Error> {
    Ok(link.report()?.spoiled(tolerance(link.profile().base_round_trip())))
}

/// As [`spoiled`], but that being late counts for nothing: where a goodput or a count is held against a
/// bound, lateness is in that number.
fn overflowed<C: Carrier>(link: &EmulatedLink<C>) -> Result<Option<String>, Error> {
    Ok(link.report()?.spoiled(Duration::MAX))
}

/// A row of a figure, with what its link says of itself.
fn row<C: Carrier>(
    id: &str,
    metric: &str,
    unit: &str,
    data: Data,
    link: &EmulatedLink<C>,
) -> Result<Row, Error> {
    let mut row = bare(id, metric, unit, data);
    let (own, report) = (link.dimensions(), link.report()?.dimensions());
    let dimensions = own.into_iter().chain(report).chain([("backend", C::BACKEND.to_owned())]);
    row.dimensions.extend(dimensions.map(|(name, value)| (name.to_owned(), value)));
    Ok(row)
}

fn bare(id: &str, metric: &str, unit: &str, data: Data) -> Row {
    Row::measured(&format!("link/figures/{id}"), Metric::from(metric.to_owned()), unit, data)
}

fn samples(values: Vec<f64>) -> Data {
    let iterations = vec![1; values.len()];
    Data::Samples { values, iterations }
}

fn ms(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

fn mbit(bits: f64) -> String {
    format!("{:.2} Mbit/s", bits / 1e6)
}

/// By how much a number is off, with its sign.
fn percent(part: f64) -> String {
    format!("{:+.2} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_holds_and_what_does_not() {
        let line = |what: &str, holds| Line {
            what: what.to_owned(),
            asked: "1".to_owned(),
            measured: "2".to_owned(),
            must: "be 1".to_owned(),
            holds,
        };
        let lines = vec![line("a", Some(true)), line("b", Some(false)), line("c", None)];
        let text = Figure { title: "numbers", lines, rows: Vec::new() }.table();
        let ends: Vec<&str> = text.lines().skip(2).map(|line| &line[line.len() - 5..]).collect();
        assert_eq!(ends, ["holds", "ISSED", " be 1"]);
    }

    #[test]
    fn figures_are_of_the_emulators_alone() {
        let (rows, code) = measure(Choice::Exact(Kind::Simulation), 1).expect("told");
        assert_eq!((rows.len(), code), (0, USAGE));
    }
}
