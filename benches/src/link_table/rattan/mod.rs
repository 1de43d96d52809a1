//! rattan's links beside ours: the same profiles, the same probes, in turns. rattan
//! (github.com/stack-rs/rattan, Apache 2.0) emulates links in user space, too; what is asked is whether
//! ours are at least as exact.

mod program;

use std::time::Duration;

use bench_core::judge::stats::median;
use bench_core::record::Row;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_network::Error;
use bench_network::calibrate::loss::look;
use bench_network::calibrate::rate::{SEGMENT_BYTES, goodput_bits};
use bench_network::calibrate::{Bulk, Ends, LossFound, Train, round_trip};
use bench_network::emulated::EmulatedLink;
use bench_network::link::{Capacity, LinkProfile, Loss, Queue, Rate, Way};
use bench_network::tun::Tun;

use self::program::{RATTAN, Rattan, RattanError, version};
use super::figures::{Figure, Line, bare, code, mbit, ms, overflowed, percent, profile, samples};
use super::measure::by_ends;
use crate::front::text::show;
use crate::front::{NOT_MEASURED, told};

const ROUND_TRIPS_MS: [u64; 4] = [10, 50, 120, 180];
const ECHOES: u32 = 40;
const RATES_MBIT: [u64; 3] = [10, 50, 200];
const ROUNDS: usize = 3;
const CONTROL: &str = "cubic";
const PLAN: Bulk =
    Bulk { warm_up: Duration::from_millis(400), duration: Duration::from_millis(900) };
const LOSS: f64 = 0.01;
const TRAIN: Train =
    Train { count: 50_000, payload_bytes: 36, interval: Duration::from_micros(50), burst: 8 };
/// Closer than this nobody is the worse one: what the clock at both ends is good for.
const RESOLUTION: f64 = 0.001;

/// A kind of cell: by a number what is asked, and what each of the two makes of it.
struct Cell {
    id: String,
    what: String,
    unit: &'static str,
    metric: &'static str,
    asked: f64,
    ours: Vec<f64>,
    theirs: Vec<f64>,
    /// How a value is written.
    print: fn(f64) -> String,
    /// How the ends of its echoes waited, where it is made of such.
    ends: Option<Ends>,
    /// Why ours is not valid.
    invalid: Option<String>,
}

/// Whether ours is no further off than theirs.
fn holds(asked: f64, ours: f64, theirs: f64) -> bool {
    (ours - asked).abs() <= (theirs - asked).abs() + RESOLUTION * asked
}

/// Measures all cells; the rows, and the exit code.
///
/// # Errors
/// What the system refused; that rattan made no link.
pub fn measure(seed: u64) -> Result<(Vec<Row>, u8), Failure> {
    let version = match version() {
        Ok(version) => version,
        Err(absent) => return Ok((Vec::new(), told(&absent.to_string(), NOT_MEASURED))),
    };
    EmulatedLink::<Tun>::available()?;
    match cells(seed) {
        Ok(cells) => Ok(tell(&cells, &version, seed)),
        Err(failure) => match failure.downcast_ref::<RattanError>() {
            Some(error) => Ok((Vec::new(), told(&error.to_string(), NOT_MEASURED))),
            None => Err(failure),
        },
    }
}

fn cells(seed: u64) -> Result<Vec<Cell>, Failure> {
    let trips = ROUND_TRIPS_MS.map(|round_trip_ms| (round_trip_cell as Measure, round_trip_ms));
    let rates = RATES_MBIT.map(|rate| (goodput_cell as Measure, rate));
    let all = trips.into_iter().chain(rates).chain([(loss_cell as Measure, 0)]);
    all.map(|(measure, number)| measure(number, seed)).collect()
}

fn tell(cells: &[Cell], version: &str, seed: u64) -> (Vec<Row>, u8) {
    let (title, lines) = ("ours and rattan", cells.iter().map(Cell::line).collect());
    let figure = Figure { title, lines, rows: Vec::new() };
    show(format_args!("TUN emulator and {version}, seed {seed}\n{}", figure.table()));
    let rows = cells.iter().flat_map(|cell| cell.rows(version, seed)).collect();
    (rows, code(&figure.lines))
}

type Measure = fn(u64, u64) -> Result<Cell, Failure>;

fn round_trip_cell(round_trip_ms: u64, seed: u64) -> Result<Cell, Failure> {
    let link = LinkProfile::round_trip(Duration::from_millis(round_trip_ms));
    let (own, peer) = both(&link, seed)?;
    let ns = |time: Duration| time.as_nanos() as f64;
    let p50 = |times| ns(round_trip::look(&link, times).round_trip_p50);
    let (ours, theirs) =
        turns(|| Ok(p50(own.echoes(ECHOES)?)), || Ok(p50(peer.link.echoes(ECHOES)?)))?;
    Ok(Cell {
        id: format!("round_trip/{round_trip_ms}ms"),
        what: format!("round trip p50, {round_trip_ms} ms"),
        unit: "ns",
        metric: "round_trip_p50",
        asked: ns(round_trip::asked(&link)),
        ours,
        theirs,
        print: |ns| ms(Duration::from_nanos(ns as u64)),
        ends: Some(Ends::of(&link)),
        // Being late is in the number.
        invalid: overflowed(&own)?,
    })
}

fn goodput_cell(mbits: u64, seed: u64) -> Result<Cell, Failure> {
    let rate = Rate::ip(mbits * 1_000_000);
    let queue = (rate.bits_per_second / 8 / 40).max(64 << 10);
    let link = profile(format!("{mbits}mbit"), Duration::from_millis(10), |link| {
        link.up.capacity = Capacity::Fixed(rate);
        link.up.queue = Queue::Bytes(ByteSize::new(queue));
    });
    let (own, peer) = both(&link, seed)?;
    let (ours, theirs) = turns(
        || Ok(own.goodput(Way::Up, CONTROL, PLAN)?.bits_per_second()),
        || Ok(peer.link.goodput(Way::Up, CONTROL, PLAN)?.bits_per_second()),
    )?;
    Ok(Cell {
        id: format!("goodput/{mbits}Mbit"),
        what: format!("goodput, {mbits} Mbit/s"),
        unit: "bits/s",
        metric: "goodput",
        asked: goodput_bits(rate, SEGMENT_BYTES),
        ours,
        theirs,
        print: mbit,
        ends: None,
        invalid: overflowed(&own)?,
    })
}

fn loss_cell(_: u64, seed: u64) -> Result<Cell, Failure> {
    let loss = Loss::Bernoulli(LOSS);
    let link = profile("bernoulli", Duration::from_millis(10), |link| link.up.loss = loss.clone());
    let (own, peer) = both(&link, seed)?;
    let share = |arrivals| LossFound::share(&look(&loss, &arrivals));
    let (ours, theirs) = turns(
        || Ok(share(own.train(Way::Up, TRAIN)?)),
        || Ok(share(peer.link.train(Way::Up, TRAIN)?)),
    )?;
    Ok(Cell {
        id: "loss/bernoulli".to_owned(),
        what: format!("loss of {} packets", TRAIN.count),
        unit: "1",
        metric: "loss",
        asked: LOSS,
        ours,
        theirs,
        print: |share| format!("{:.4} %", share * 100.0),
        ends: None,
        invalid: overflowed(&own)?,
    })
}

fn both(link: &LinkProfile, seed: u64) -> Result<(EmulatedLink<Tun>, Rattan), Failure> {
    Ok((EmulatedLink::<Tun>::start(link, seed)?, Rattan::start(link)?))
}

/// Each in turn, the first of each thrown away, and who begins changes.
fn turns(
    ours: impl Fn() -> Result<f64, Error>,
    theirs: impl Fn() -> Result<f64, Error>,
) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (first, second) = if round % 2 == 0 {
            let first = ours()?;
            (first, theirs()?)
        } else {
            let second = theirs()?;
            (ours()?, second)
        };
        if round > 0 {
            own.push(first);
            peer.push(second);
        }
    }
    Ok((own, peer))
}

impl Cell {
    fn line(&self) -> Line {
        let (ours, theirs) = (median(&self.ours), median(&self.theirs));
        let told =
            |value: f64| format!("{} ({})", (self.print)(value), percent(value / self.asked - 1.0));
        let line = Line {
            what: self.what.clone(),
            asked: (self.print)(self.asked),
            measured: format!("ours {}, rattan {}", told(ours), told(theirs)),
            must: "no further off than rattan".to_owned(),
            holds: Some(holds(self.asked, ours, theirs)),
            invalid: false,
        };
        line.unless(self.invalid.as_deref())
    }

    fn rows(&self, version: &str, seed: u64) -> Vec<Row> {
        let arms = [("emulator", "TUN emulator", &self.ours), (RATTAN, version, &self.theirs)];
        let rows = arms.into_iter().map(|(arm, backend, values)| {
            let id = format!("rattan/{}/{arm}", self.id);
            let mut row = bare(&id, self.metric, self.unit, samples(values.clone()), backend);
            row.dimensions.insert("link_seed".to_owned(), seed.to_string());
            match self.ends {
                Some(ends) => by_ends(row, ends),
                None => row,
            }
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_further_off_in_either_direction() {
        assert!(holds(100.0, 101.0, 99.0) && holds(100.0, 100.05, 100.0));
        assert!(!holds(100.0, 101.0, 99.5), "the clock's resolution is a tenth of a percent");
        assert!(!holds(100.0, f64::NAN, 99.5), "nothing is not exact");
    }

    #[test]
    fn who_begins_changes_and_the_first_does_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let arm = |name: char, value: f64| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                Ok(value)
            }
        };
        let (ours, theirs) = turns(arm('o', 1.0), arm('r', 2.0)).expect("nothing fails");
        assert_eq!((ours, theirs), (vec![1.0; ROUNDS], vec![2.0; ROUNDS]));
        assert_eq!(*order.borrow(), "orroorro");
    }
}
