//! Whether kernel TCP does over the emulator what theory says: reno where packets are lost, and bbr on
//! a rate.

use std::time::Duration;

use bench_core::judge::stats::median;
use bench_core::workload::Failure;
use bench_network::calibrate::Bulk;
use bench_network::calibrate::rate::{SEGMENT_BYTES, goodput_bits};
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::{Capacity, Loss, Queue, Rate, Way};

use super::{Figure, Line, mbit, overflowed, percent, profile, row, samples, without_control};

const ROUND_TRIP: Duration = Duration::from_millis(20);
const LOSS: f64 = 0.01;
/// A loss in a hundred is every sixth of a second: it takes many for a mean.
const LONG: Bulk = Bulk { warm_up: Duration::from_secs(1), duration: Duration::from_secs(20) };
const SHORT: Bulk = Bulk { warm_up: Duration::from_secs(1), duration: Duration::from_secs(2) };
const ECHOES: u32 = 31;
const MATHIS_BOUND: f64 = 0.10;
const RATE: Rate = Rate::ip(50_000_000);
const SHAPED_SHARE: f64 = 0.95;

/// What a sender gets that halves its window at each loss and adds a segment in each round trip (Mathis,
/// Semke, Mahdavi and Ott, "The macroscopic behavior of the TCP congestion avoidance algorithm", 1997):
///
/// `segment / round_trip * sqrt(3 / 2) / sqrt(loss)`
///
/// The constant is that of a receiver whose acknowledgements, late or not, count every segment, as
/// Linux counts them. Infinite where nothing is lost: then something else is the bound.
fn mathis_bits(segment_bytes: u32, round_trip: Duration, loss: f64) -> f64 {
    let per_second = f64::from(segment_bytes) * 8.0 / round_trip.as_secs_f64();
    per_second * 1.5_f64.sqrt() / loss.sqrt()
}

/// # Errors
/// What the system refused.
pub fn figure<C: Carrier>(seed: u64) -> Result<Figure, Failure> {
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for (control, measured) in [("reno", reno::<C>(seed)), ("bbr", bbr::<C>(seed))] {
        match measured {
            Ok((line, row)) => {
                lines.push(line);
                rows.push(row);
            }
            Err(failure) => lines.push(without_control(control.to_owned(), failure)?),
        }
    }
    Ok(Figure { title: "kernel TCP", lines, rows })
}

/// Where each packet up is lost by itself; loss and round trip are the measured ones.
fn reno<C: Carrier>(seed: u64) -> Result<(Line, bench_core::record::Row), Failure> {
    let profile = profile("reno", ROUND_TRIP, |link| link.up.loss = Loss::Bernoulli(LOSS));
    let link = EmulatedLink::<C>::start(&profile, seed)?;
    let times = link.echoes(ECHOES)?.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
    let round_trip = Duration::from_secs_f64(median(&times));
    let bits = link.goodput(Way::Up, "reno", LONG)?.bits_per_second();
    let up = link.report()?.up.segments;
    let loss = up.lost as f64 / up.offered as f64;
    let theory = mathis_bits(SEGMENT_BYTES, round_trip, loss);
    let (off, invalid) = (bits / theory - 1.0, overflowed(&link)?);
    let line = Line {
        what: format!("reno, {} and {:.2} % lost", super::ms(round_trip), loss * 100.0),
        asked: format!("Mathis {}", mbit(theory)),
        measured: format!("{} ({})", mbit(bits), percent(off)),
        must: "within 10 %".to_owned(),
        holds: Some(off.abs() <= MATHIS_BOUND),
        invalid: false,
    };
    let (data, invalid) = (samples(vec![bits]), invalid.as_deref());
    let mut row = row("mathis/reno", "goodput", "bits/s", data, &link, invalid)?;
    let named = [("congestion_control", "reno".to_owned()), ("mathis_bits", theory.to_string())];
    row.dimensions.extend(named.map(|(name, value)| (name.to_owned(), value)));
    Ok((line.unless(invalid), row))
}

fn bbr<C: Carrier>(seed: u64) -> Result<(Line, bench_core::record::Row), Failure> {
    let profile = profile("bbr", ROUND_TRIP, |link| {
        (link.up.capacity, link.up.queue) = (Capacity::Fixed(RATE), Queue::Bdp(1.0));
    });
    let link = EmulatedLink::<C>::start(&profile, seed)?;
    let bits = link.goodput(Way::Up, "bbr", SHORT)?.bits_per_second();
    let theory = goodput_bits(RATE, SEGMENT_BYTES);
    let (share, invalid) = (bits / theory, overflowed(&link)?);
    let line = Line {
        what: "bbr, 20 ms and 50 Mbit/s".to_owned(),
        asked: mbit(theory),
        measured: format!("{} ({share:.3} of it)", mbit(bits)),
        must: format!("{SHAPED_SHARE:.2} of it"),
        holds: Some(share >= SHAPED_SHARE),
        invalid: false,
    };
    let (data, invalid) = (samples(vec![bits]), invalid.as_deref());
    let mut row = row("shaped/bbr", "goodput", "bits/s", data, &link, invalid)?;
    row.dimensions.insert("congestion_control".to_owned(), "bbr".to_owned());
    Ok((line.unless(invalid), row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_by_hand() {
        // 1448 * 8 / 0.02 = 579200; * 1.2247449 / 0.1.
        let bits = mathis_bits(1_448, Duration::from_millis(20), 0.01);
        assert!((bits - 7_093_722.3).abs() < 1.0, "{bits}");
        // Of the prototype: 20.9 ms and 0.95 % are 6.96 Mbit/s.
        let bits = mathis_bits(1_448, Duration::from_micros(20_900), 0.0095);
        assert!((bits / 1e6 - 6.96).abs() < 0.01, "{bits}");
        assert!(mathis_bits(1_448, Duration::from_millis(20), 0.0).is_infinite());
    }
}
