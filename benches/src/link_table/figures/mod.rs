//! How exact the emulators are: against theory, and against the kernel's own in turns in the same run.
//!
//! - [`round_trip`]: echoes from 1 to 180 ms.
//! - [`goodput`]: TCP through rates from 10 to 1000 Mbit/s, beside the kernel's token bucket.
//! - [`loss`]: 200,000 packets, each by itself and in bursts.
//! - [`ceiling`]: TCP without delay or rate, beside a bare veth pair.
//! - [`congestion`]: reno where packets are lost, beside Mathis' formula; bbr on a rate.
//!
//! A line that the emulator spoiled, by its own word, holds nothing and has no number in the record; one
//! that this kernel does not let us measure is told, and the others are measured all the same.

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
use bench_network::calibrate::LatenessMax;
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::{LinkProfile, Source};
use bench_network::tun::Tun;

use super::measure::refuse;
use crate::front::text::{aligned, show};
use crate::front::{NOT_MEASURED, USAGE, failed, told};

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
    /// What has to hold of it, or why it was not measured.
    pub must: String,
    /// Whether it does; `None` where nothing is asked.
    pub holds: Option<bool>,
    /// It was not measured, or what was is not valid: it neither holds nor misses.
    pub invalid: bool,
}

impl Line {
    /// What is not valid holds nothing, and says why in place of what must.
    pub(super) fn unless(self, invalid: Option<&str>) -> Self {
        match invalid {
            None => self,
            Some(why) => Self { must: why.to_owned(), holds: None, invalid: true, ..self },
        }
    }

    /// Of what there is no number of.
    fn unmeasured(what: String, why: String) -> Self {
        let (asked, measured) = (String::new(), "-".to_owned());
        Self { what, asked, measured, must: why, holds: None, invalid: true }
    }
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
    let (mut rows, mut lines, mut broke) = (Vec::new(), Vec::new(), None);
    show(format_args!("{}, seed {seed}\n", C::BACKEND));
    for figure in figures {
        match figure(seed) {
            Ok(found) => {
                show(found.table());
                lines.extend(found.lines);
                rows.extend(found.rows);
            }
            // What the others found is worth its minutes.
            Err(failure) => broke = Some(failed(&failure)),
        }
    }
    for row in &mut rows {
        row.dimensions.insert("link_seed".to_owned(), seed.to_string());
    }
    Ok((rows, broke.unwrap_or_else(|| code(&lines))))
}

/// What is wrong counts before what is not known.
pub(super) fn code(lines: &[Line]) -> u8 {
    if lines.iter().any(|line| line.holds == Some(false)) {
        return MISSED;
    }
    if lines.iter().any(|line| line.invalid) { NOT_MEASURED } else { 0 }
}

/// The line of a congestion control that this kernel does not let us have; whatever else failed stays a
/// failure.
fn without_control(what: String, failure: Failure) -> Result<Line, Failure> {
    match failure.downcast_ref::<Error>() {
        Some(Error::CongestionControlRefused { .. }) => {
            Ok(Line::unmeasured(what, failure.to_string()))
        }
        _ => Err(failure),
    }
}

/// A link that is there for one figure: a round trip, and what else `change` makes of it.
pub(super) fn profile(
    name: impl Into<String>,
    round_trip: Duration,
    change: impl FnOnce(&mut LinkProfile),
) -> LinkProfile {
    let mut link = LinkProfile::round_trip(round_trip);
    link.name = name.into().into();
    link.source = Source::OwnChoice("as this figure needs it".into());
    change(&mut link);
    link
}

impl Figure {
    /// For people.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
        lines[0][0] = self.title.to_owned();
        for line in &self.lines {
            let holds = match (line.invalid, line.holds) {
                (true, _) => "not measured",
                (_, Some(true)) => "holds",
                (_, Some(false)) => "MISSED",
                (_, None) => "",
            };
            let Line { what, asked, measured, must, .. } = line;
            let cells = [what, asked, measured, must].map(String::clone);
            lines.push(cells.into_iter().chain([holds.to_owned()]).collect());
        }
        format!("\n{}", aligned(&lines))
    }
}

/// Why what went over this link is not valid.
fn spoiled<C: Carrier>(link: &EmulatedLink<C>) -> Result<Option<String>, Error> {
    Ok(link.report()?.spoiled(LatenessMax::of(link.profile().base_round_trip())))
}

/// As [`spoiled`], but that being late counts for nothing: where a goodput or a count is held against a
/// bound, lateness is in that number.
pub(super) fn overflowed<C: Carrier>(link: &EmulatedLink<C>) -> Result<Option<String>, Error> {
    Ok(link.report()?.spoiled(LatenessMax::ANY))
}

/// A row of a figure, with what its link says of itself, and without its number where that is not valid.
fn row<C: Carrier>(
    id: &str,
    metric: &str,
    unit: &str,
    data: Data,
    link: &EmulatedLink<C>,
    invalid: Option<&str>,
) -> Result<Row, Error> {
    let mut row = bare(id, metric, unit, data, C::BACKEND);
    let (own, report) = (link.dimensions(), link.report()?.dimensions());
    let dimensions = own.into_iter().chain(report);
    row.dimensions.extend(dimensions.map(|(name, value)| (name.to_owned(), value)));
    if let Some(why) = invalid {
        refuse(&mut row, why);
    }
    Ok(row)
}

/// By `backend` records of different ones never compare.
pub(super) fn bare(id: &str, metric: &str, unit: &str, data: Data, backend: &str) -> Row {
    let metric = Metric::from(metric.to_owned());
    let mut row = Row::measured(&format!("link/figures/{id}"), metric, unit, data);
    for name in ["backend", "link_backend"] {
        row.dimensions.insert(name.to_owned(), backend.to_owned());
    }
    row
}

pub(super) fn samples(values: Vec<f64>) -> Data {
    let iterations = vec![1; values.len()];
    Data::Samples { values, iterations }
}

pub(super) fn ms(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

pub(super) fn mbit(bits: f64) -> String {
    format!("{:.2} Mbit/s", bits / 1e6)
}

/// By how much a number is off, with its sign.
pub(super) fn percent(part: f64) -> String {
    format!("{:+.2} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: &str, holds: Option<bool>) -> Line {
        let [what, asked, measured, must] = [what, "1", "2", "be 1"].map(str::to_owned);
        Line { what, asked, measured, must, holds, invalid: false }
    }

    #[test]
    fn what_is_not_valid_neither_holds_nor_misses() {
        let invalid = || line("a", Some(false)).unless(Some("too late"));
        assert_eq!((invalid().holds, &*invalid().must), (None, "too late"));
        assert_eq!(line("a", Some(false)).unless(None).holds, Some(false));
        assert_eq!(code(&[line("a", Some(true)), line("b", None)]), 0);
        assert_eq!(code(&[invalid(), line("a", Some(true))]), NOT_MEASURED);
        assert_eq!(code(&[invalid(), line("a", Some(false))]), MISSED);
        let lines = vec![invalid()];
        let text = Figure { title: "numbers", lines, rows: Vec::new() }.table();
        assert!(text.trim_end().ends_with("too late  not measured"), "{text}");
    }

    #[test]
    fn a_spoiled_row_has_no_number_and_every_row_names_its_backend() {
        let link = profile("numbers", Duration::ZERO, |_| ());
        assert!(!link.source.to_string().contains("nothing else"), "{}", link.source);
        let Ok(link) = EmulatedLink::<Tun>::start(&link, 1) else { return };
        for invalid in [None, Some("too late")] {
            let data = Data::Count { value: 1 };
            let row = row("a", "lost", "1", data, &link, invalid).expect("it can tell");
            row.check().expect("a record takes it");
            assert_eq!((row.ok, row.data.is_none()), (invalid.is_none(), invalid.is_some()));
            assert_eq!(row.dimensions["backend"], row.dimensions["link_backend"]);
        }
    }

    #[test]
    fn a_congestion_control_that_is_refused_is_a_line_and_nothing_else_is() {
        let refused = Error::CongestionControlRefused {
            control: "bbr".to_owned(),
            allowed: "reno".to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        };
        let line = without_control("bbr".to_owned(), refused.into()).expect("a line");
        assert!(line.invalid && line.must.contains("'bbr'"), "{line:?}");
        without_control("bbr".to_owned(), Error::NotConnected.into()).expect_err("a failure");
    }

    #[test]
    fn a_table_says_what_holds_and_what_does_not() {
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
