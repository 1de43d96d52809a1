//! TCP without delay or rate: through the emulator, and through a bare veth pair, in turns. The first
//! turn of each is thrown away.

use std::time::Duration;

use bench_core::judge::stats::median;
use bench_core::workload::Failure;
use bench_network::calibrate::{Bulk, ceiling};
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::{LinkProfile, Way};
use bench_network::netem::VethLink;

use super::{Figure, Line, bare, mbit, row, samples};

/// Of the veth pair's goodput, by congestion control.
const SHARES: [(&str, f64); 2] = [("cubic", 0.92), ("bbr", 0.80)];
const ROUNDS: usize = 3;
const PLAN: Bulk =
    Bulk { warm_up: Duration::from_millis(200), duration: Duration::from_millis(600) };

/// # Errors
/// What the system refused.
pub fn figure<C: Carrier>(seed: u64) -> Result<Figure, Failure> {
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    let link = EmulatedLink::<C>::start(&LinkProfile::round_trip(Duration::ZERO), seed)?;
    let shaped = EmulatedLink::<C>::start(&ceiling::link(), seed)?;
    let bare_link = VethLink::direct()?;
    for (control, share) in SHARES {
        let (mut own, mut single, mut kernels) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let turns = [
                link.goodput(Way::Up, control, PLAN)?,
                bare_link.goodput(Way::Up, control, PLAN)?,
                shaped.goodput(Way::Up, control, PLAN)?,
            ];
            if round > 0 {
                for (all, found) in [&mut own, &mut kernels, &mut single].into_iter().zip(turns) {
                    all.push(found.bits_per_second());
                }
            }
        }
        let ratio = median(&own) / median(&kernels);
        // Overflow is what a ceiling consists of; only what it dropped unseen would be a lie, and TCP
        // sends that again.
        lines.push(Line {
            what: format!("{control}, no delay"),
            asked: format!("veth {}", mbit(median(&kernels))),
            measured: format!("{} ({ratio:.3} of it)", mbit(median(&own))),
            must: format!("{share:.2} of veth"),
            holds: Some(ratio >= share),
        });
        let usable = median(&single) * ceiling::SHARE_MAX;
        lines.push(Line {
            what: format!("{control}, segments alone"),
            asked: String::new(),
            measured: mbit(median(&single)),
            must: format!("rates to {} are taken", mbit(usable)),
            holds: None,
        });
        let id = |arm: &str| format!("ceiling/{control}/{arm}");
        rows.push(row(&id("emulator"), "goodput", "bits/s", samples(own), &link)?);
        rows.push(row(&id("segments"), "goodput", "bits/s", samples(single), &shaped)?);
        let mut row = bare(&id("veth"), "goodput", "bits/s", samples(kernels));
        row.dimensions.insert("link_backend".to_owned(), "veth".to_owned());
        rows.push(row);
        for row in rows.iter_mut().rev().take(3) {
            row.dimensions.insert("congestion_control".to_owned(), control.to_owned());
        }
    }
    Ok(Figure { title: "ceiling", lines, rows })
}
