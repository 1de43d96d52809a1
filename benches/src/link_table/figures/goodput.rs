//! TCP through a rate: the emulator and the kernel's token bucket in turns, each held against what
//! follows from the bytes that its rate counts. The first turn of each is thrown away.

use std::time::Duration;

use bench_core::judge::stats::median;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_network::calibrate::Bulk;
use bench_network::calibrate::rate::{SEGMENT_BYTES, goodput_bits};
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::{Capacity, Layer, LinkProfile, Queue, Rate, Way};
use bench_network::netem::VethLink;

use super::{Figure, Line, bare, mbit, overflowed, percent, row, samples};

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
        let mut profile = LinkProfile::round_trip(ROUND_TRIP);
        profile.name = format!("{mbits}mbit").into();
        profile.up.capacity = Capacity::Fixed(rate);
        profile.up.queue = Queue::Bytes(ByteSize::new(queue));
        let link = EmulatedLink::<C>::start(&profile, seed)?;
        // A kernel without it leaves the emulator alone with theory, and that is told.
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
        let must = "within 0.5 %, no worse than tbf".to_owned();
        lines.push(Line {
            what: format!("{mbits} Mbit/s"),
            asked: mbit(theory),
            measured: format!("{} ({})", mbit(median(&own)), percent(off)),
            must: invalid.clone().unwrap_or(must),
            holds: Some(invalid.is_none() && holds(off, off_kernels)),
        });
        lines.push(Line {
            what: format!("{mbits} Mbit/s, kernel tbf"),
            asked: mbit(theory_of_kernels),
            measured: off_kernels.map_or_else(
                || "-".to_owned(),
                |off| format!("{} ({})", mbit(median(&kernels)), percent(off)),
            ),
            must: bucket.as_ref().err().map_or_else(String::new, ToString::to_string),
            holds: None,
        });
        let id = |arm: &str| format!("goodput/{mbits}Mbit/{arm}");
        let mut row = row(&id("emulator"), "goodput", "bits/s", samples(own), &link)?;
        row.dimensions.insert("congestion_control".to_owned(), CONTROL.to_owned());
        rows.push(row);
        if off_kernels.is_some() {
            let mut row = bare(&id("tbf"), "goodput", "bits/s", samples(kernels));
            row.dimensions.insert("link_backend".to_owned(), "kernel tbf".to_owned());
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
