//! Whether a link is what it was asked to be, measured before anything else is.
//!
//! - [`round_trip`]: echoes of one byte over TCP.
//! - [`ends`]: how the ends of an echo wait for it.
//! - [`train`]: numbered datagrams at a pace: what the next two look at.
//! - [`rate`]: full datagrams, more than the rate lets through, and how fast they arrive.
//! - [`loss`]: small datagrams, half of what the rate lets through, and which do not arrive.
//! - [`bulk`]: what TCP gets through a link, which is no calibration: it depends on more than the link.
//! - [`ceiling`]: what this machine can carry at all.
//! - [`lateness`]: how late an emulator may be, so that times over its link hold.
//!
//! Judging is pure; each refusal has the number that was asked for and the one that was found.

pub mod bulk;
pub mod ceiling;
pub mod ends;
pub mod lateness;
pub mod loss;
pub mod rate;
pub mod round_trip;
mod spread;
pub mod train;

use std::time::Duration;

pub use self::bulk::{Bulk, Goodput};
pub use self::ceiling::Ceiling;
pub use self::ends::Ends;
pub use self::lateness::LatenessMax;
pub use self::loss::LossFound;
pub use self::rate::RateFound;
pub use self::round_trip::{Calibration, tolerance};
pub(crate) use self::round_trip::{at_last, calibrate};
pub use self::train::{Arrivals, Train};
use crate::error::Error;
use crate::link::{LinkProfile, Way};

/// All that was found of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkCalibration {
    /// Both ways together.
    pub round_trip: Calibration,
    /// Up and down.
    pub ways: [WayCalibration; 2],
}

/// What was found of one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WayCalibration {
    /// Of the rate; `None` where there is no limit, or one that changes with time (a trace), which no
    /// mean over a second can be held against.
    pub rate: Option<RateFound>,
    /// Of the loss; `None` of a script, whose packets have passed when the probe begins.
    pub loss: Option<LossFound>,
}

/// Probes both ways of a link, one after the other, for about two seconds each; `send` sends a train
/// that way.
///
/// # Errors
/// [`Error::OutOfTolerance`] with both numbers; what `send` fails with.
pub fn ways(
    link: &LinkProfile,
    mut send: impl FnMut(Way, Train) -> Result<Arrivals, Error>,
) -> Result<[WayCalibration; 2], Error> {
    let mut probe = |way: Way| -> Result<WayCalibration, Error> {
        let rate = match rate::train(link, way) {
            Some(train) => {
                let found = rate::look(link, way, &send(way, train)?);
                Some(rate::judge(link, way, found)?)
            }
            None => None,
        };
        let loss = match loss::train(link, way) {
            Some(train) => Some(loss::judge(link, way, &send(way, train)?)?),
            None => None,
        };
        Ok(WayCalibration { rate, loss })
    };
    Ok([probe(Way::Up)?, probe(Way::Down)?])
}

/// How long after it was sent a datagram may still arrive over this way.
pub(crate) fn patience(link: &LinkProfile, way: Way) -> Duration {
    const SLACK: Duration = Duration::from_millis(300);
    let direction = link.way(way);
    let queue = link.queue_bytes()[usize::from(way == Way::Down)];
    let rate = direction.capacity.bits_per_second();
    let queued_s = queue.zip(rate).map_or(0.0, |(bytes, rate)| bytes as f64 * 8.0 / rate as f64);
    let jitter = Duration::from_nanos(direction.jitter.reach_ns() as u64);
    SLACK + direction.delay + jitter + direction.reorder.late + Duration::from_secs_f64(queued_s)
}
