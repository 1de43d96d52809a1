//! TCP through a rate: the emulator and the kernel's token bucket in turns, each held against what
//! follows from the bytes that its rate counts. The first turn of each is thrown away.

use std::time::Duration;

use bench_core::judge::stats::median;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_network::calibrate::Bulk;
use bench_network::calibrate::rate::{SEGMENT_BYTES, goodput_bits};
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::{Capacity, Layer, Queue, Rate, Way};
use bench_network::netem::VethLink;

use super::{Figure, Line, bare, mbit, overflowed, percent, profile, row, samples};

const RATES_MBIT: [u64; 4] = [10, 50, 200, 1000];
const CONTROL: &str = "cubic";
const ROUNDS: usize = 3;
const PLAN: Bulk =
    Bulk { warm_up: Duration::from_millis(400), duration: Duration::from_millis(900) };
/// Of the emulated link.
const ROUND_TRIP: Duration = Duration::from_millis(10);
/// A fortieth of a second, so that what a busy machine hands over late and at once fits; and enough
/// packets at the lowest rate.
const QUEUES_PER_SECOND: u64 = 40;
const QUEUE_BYTES_MIN: u64 = 64 << 10;
const BOUND: f64 = 0.005;
/// Closer than this nobody is the worse one: it is what the clock at both ends is good for.
const RESOLUTION: f64 = 0.001;

/// Whether it is off by at most 0.5 %, and by no more than the kernel's own.
fn holds(own: f64, kernels: Option<f64>) -> bool {
    own.abs() <= BOUND && kernels.is_none_or(|kernels| own.abs() <= kernels.abs() + RESOLUTION)
}

/// # Errors
/// What the system refused.
pub fn figure<C: Carrier>(seed: u64) -> Result<Figure, Failure> {
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for mbits in RATES_MBIT {
        let rate = Rate::ip(mbits * 1_000_000);
        let queue = (rate.bits_per_second / 8 / QUEUES_PER_SECOND).max(QUEUE_BYTES_MIN);
        let profile = profile(format!("{mbits}mbit"), ROUND_TRIP, |link| {
            link.up.capacity = Capacity::Fixed(rate);
            link.up.queue = Queue::Bytes(ByteSize::new(queue));
        });
        let link = EmulatedLink::<C>::start(&profile, seed)?;
        // A kernel without it leaves the emulator alone with theory; its line is then not measured.
        let bucket = VethLink::tbf(rate.bits_per_second, u32::try_from(queue)?);
        let (mut own, mut kernels) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let mut turn = |emulated: bool| -> Result<(), Failure> {
                let found = match (&bucket, emulated) {
                    (_, true) => link.goodput(Way::Up, CONTROL, PLAN)?,
                    (Ok(bucket), false) => bucket.goodput(Way::Up, CONTROL, PLAN)?,
                    (Err(_), false) => return Ok(()),
                };
                let all = if emulated { &mut own } else { &mut kernels };
                if round > 0 {
                    all.push(found.bits_per_second());
                }
                Ok(())
            };
            let first = round % 2 == 0;
            turn(first)?;
            turn(!first)?;
        }
        let theory = goodput_bits(rate, SEGMENT_BYTES);
        let as_ethernet = Rate { layer: Layer::Ethernet, ..rate };
        let theory_of_kernels = goodput_bits(as_ethernet, SEGMENT_BYTES);
        let off = median(&own) / theory - 1.0;
        let off_kernels = (!kernels.is_empty()).then(|| median(&kernels) / theory_of_kernels - 1.0);
        let invalid = overflowed(&link)?;
        let and = if bucket.is_ok() { ", no worse than tbf" } else { "" };
        let line = Line {
            what: format!("{mbits} Mbit/s"),
            asked: mbit(theory),
            measured: format!("{} ({})", mbit(median(&own)), percent(off)),
            must: format!("within 0.5 %{and}"),
            holds: Some(holds(off, off_kernels)),
            invalid: false,
        };
        lines.push(line.unless(invalid.as_deref()));
        let what = format!("{mbits} Mbit/s, kernel tbf");
        lines.push(match (&bucket, off_kernels) {
            (Ok(_), Some(off)) => Line {
                what,
                asked: mbit(theory_of_kernels),
                measured: format!("{} ({})", mbit(median(&kernels)), percent(off)),
                must: String::new(),
                holds: None,
                invalid: false,
            },
            (Err(error), _) => Line::unmeasured(what, error.to_string()),
            (Ok(_), None) => Line::unmeasured(what, "it was never its turn".to_owned()),
        });
        let id = |arm: &str| format!("goodput/{mbits}Mbit/{arm}");
        let (own, invalid) = (samples(own), invalid.as_deref());
        let mut row = row(&id("emulator"), "goodput", "bits/s", own, &link, invalid)?;
        row.dimensions.insert("congestion_control".to_owned(), CONTROL.to_owned());
        rows.push(row);
        if off_kernels.is_some() {
            let mut row = bare(&id("tbf"), "goodput", "bits/s", samples(kernels), "kernel tbf");
            row.dimensions.insert("congestion_control".to_owned(), CONTROL.to_owned());
            rows.push(row);
        }
    }
    Ok(Figure { title: "goodput, cubic", lines, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_percent_and_no_worse_than_the_kernels() {
        assert!(holds(0.004, None) && holds(-0.005, Some(0.02)));
        assert!(!holds(0.0051, None) && !holds(f64::NAN, None));
        assert!(holds(0.001, Some(0.0)), "the clock's resolution is no difference");
        assert!(!holds(-0.004, Some(0.001)), "worse than the kernel's");
    }
}
