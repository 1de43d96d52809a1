//! TCP without delay or rate: through the emulator, and through a bare veth pair, in turns. The first
//! turn of each is thrown away.

use std::time::Duration;

use bench_core::judge::stats::median;
use bench_core::workload::Failure;
use bench_network::calibrate::{Bulk, ceiling};
use bench_network::emulated::{Carrier, EmulatedLink};
use bench_network::link::{LinkProfile, Way};
use bench_network::netem::VethLink;

use super::{Figure, Line, bare, mbit, row, samples, without_control};

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
        let [own, kernels, single] = match turns(control, &link, &bare_link, &shaped) {
            Ok(turns) => turns,
            Err(failure) => {
                lines.push(without_control(format!("{control}, no delay"), failure)?);
                continue;
            }
        };
        let ratio = median(&own) / median(&kernels);
        // Overflow is what a ceiling consists of; only what it dropped unseen would be a lie, and TCP
        // sends that again.
        lines.push(Line {
            what: format!("{control}, no delay"),
            asked: format!("veth {}", mbit(median(&kernels))),
            measured: format!("{} ({ratio:.3} of it)", mbit(median(&own))),
            must: format!("{share:.2} of veth"),
            holds: Some(ratio >= share),
            invalid: false,
        });
        let usable = median(&single) * ceiling::SHARE_MAX;
        lines.push(Line {
            what: format!("{control}, segments alone"),
            asked: String::new(),
            measured: mbit(median(&single)),
            must: format!("rates to {} are taken", mbit(usable)),
            holds: None,
            invalid: false,
        });
        let id = |arm: &str| format!("ceiling/{control}/{arm}");
        rows.push(row(&id("emulator"), "goodput", "bits/s", samples(own), &link, None)?);
        rows.push(row(&id("segments"), "goodput", "bits/s", samples(single), &shaped, None)?);
        rows.push(bare(&id("veth"), "goodput", "bits/s", samples(kernels), "veth"));
        for row in rows.iter_mut().rev().take(3) {
            row.dimensions.insert("congestion_control".to_owned(), control.to_owned());
        }
    }
    Ok(Figure { title: "ceiling", lines, rows })
}

/// What each gets through in its turns: the emulator, the bare pair, the emulator segment by segment.
fn turns<C: Carrier>(
    control: &str,
    link: &EmulatedLink<C>,
    bare: &VethLink,
    shaped: &EmulatedLink<C>,
) -> Result<[Vec<f64>; 3], Failure> {
    let mut all = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        let turns = [
            link.goodput(Way::Up, control, PLAN)?,
            bare.goodput(Way::Up, control, PLAN)?,
            shaped.goodput(Way::Up, control, PLAN)?,
        ];
        if round > 0 {
            for (all, found) in all.iter_mut().zip(turns) {
                all.push(found.bits_per_second());
            }
        }
    }
    Ok(all)
}
