//! The loss of 200,000 packets, each by itself and in bursts.

use std::time::Duration;

use bench_core::record::Data;
use bench_core::workload::Failure;
use bench_network::Error;
use bench_network::calibrate::loss::look;
use bench_network::calibrate::{LossFound, Train};
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::{Loss, Way};

use super::{Figure, Line, overflowed, percent, profile, row};

const PACKETS: u64 = 200_000;
const TRAIN: Train =
    Train { count: PACKETS, payload_bytes: 36, interval: Duration::from_micros(20), burst: 128 };
const BURST_BOUND: f64 = 0.05;

/// Each by itself, in bursts of four (a loss of 0.99 %).
fn losses() -> [(&'static str, Loss); 2] {
    [("bernoulli", Loss::Bernoulli(0.01)), ("gilbert_elliott", Loss::bursts(0.0025, 0.25))]
}

/// Whether as many are lost as asked but for three standard deviations, and a burst is as long as asked
/// but for 5 %. The burst of a loss of each by itself is not asked for.
fn holds(found: &LossFound, in_bursts: bool) -> bool {
    let off = burst_off(found).unwrap_or(f64::NAN);
    found.within() && (!in_bursts || off.abs() <= BURST_BOUND)
}

fn burst_off(found: &LossFound) -> Option<f64> {
    Some(found.mean_burst()? / found.burst_asked? - 1.0)
}

/// # Errors
/// What the system refused.
pub fn figure<C: Carrier>(seed: u64) -> Result<Figure, Failure> {
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for (name, loss) in losses() {
        let profile = profile(name, Duration::ZERO, |link| link.up.loss = loss.clone());
        let in_bursts = matches!(loss, Loss::GilbertElliott { .. });
        let link = EmulatedLink::<C>::start(&profile, seed)?;
        let what = format!("{name}, {PACKETS} packets");
        let arrivals = match link.train(Way::Up, TRAIN) {
            Ok(arrivals) => arrivals,
            Err(error @ Error::Spoiled { .. }) => {
                lines.push(Line::unmeasured(what, error.to_string()));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let found = look(&loss, &arrivals);
        let sigmas = found.sigmas().unwrap_or(f64::NAN);
        let burst = burst_off(&found).map_or_else(String::new, |off| {
            let mean = found.mean_burst().unwrap_or(f64::NAN);
            format!(", burst {mean:.3} ({})", percent(off))
        });
        let invalid = overflowed(&link)?;
        let bound = if in_bursts { "3 sigma, burst 5 %" } else { "3 sigma" };
        let line = Line {
            what,
            asked: format!("{:.4} %", found.asked * 100.0),
            measured: format!("{:.4} % ({sigmas:+.2} sigma){burst}", found.share() * 100.0),
            must: bound.to_owned(),
            holds: Some(holds(&found, in_bursts)),
            invalid: false,
        };
        lines.push(line.unless(invalid.as_deref()));
        let counts = [("sent", found.sent), ("lost", found.lost), ("bursts", found.bursts)];
        for (metric, value) in counts {
            let data = Data::Count { value };
            let id = format!("loss/{name}");
            rows.push(row(&id, metric, "1", data, &link, invalid.as_deref())?);
        }
    }
    Ok(Figure { title: "loss", lines, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_count_where_they_are_asked_for() {
        let found = |lost, bursts| LossFound {
            asked: 0.01,
            sent: 10_000,
            lost,
            bursts,
            tolerance: 30.0,
            burst_asked: Some(4.0),
        };
        assert!(holds(&found(100, 25), true) && holds(&found(126, 31), true));
        assert!(!holds(&found(131, 33), true), "too many");
        assert!(!holds(&found(100, 23), true), "bursts of 4.35");
        assert!(holds(&found(100, 100), false) && !holds(&found(0, 0), true));
    }
}
