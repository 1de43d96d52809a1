//! What this machine can carry over a link at all, and which profiles that is too little for.
//!
//! A link near that ceiling is no longer the one that was asked for: the emulator becomes the
//! bottleneck, with a queue that nobody asked for. A profile above 70 % of it is refused.

use std::time::Duration;

use super::bulk::Bulk;
use super::rate::{SEGMENT_BYTES, goodput_bits, mbit};
use crate::error::Error;
use crate::link::{Capacity, LinkProfile, Rate, Source, Way};

/// Which part of the ceiling a profile may ask for.
pub const SHARE_MAX: f64 = 0.7;
/// Nothing ever waits at this rate, but every segment has a fate of its own, as at any rate.
const RATE: u64 = 1_000_000_000_000;

/// For how long it is measured.
pub const PLAN: Bulk =
    Bulk { warm_up: Duration::from_millis(150), duration: Duration::from_millis(350) };

/// What one connection got through a link without delay or limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    /// Payload bits a second.
    pub bits: f64,
}

/// The link to measure it over: no delay, and a rate that nothing waits for. Without any rate
/// packets would stay as large as TCP makes them, and the ceiling would be that of links without one.
pub fn link() -> LinkProfile {
    let mut link = LinkProfile::round_trip(Duration::ZERO);
    link.name = "ceiling".into();
    link.source = Source::OwnChoice("no delay, and a rate that nothing waits for".into());
    for way in [&mut link.up, &mut link.down] {
        way.capacity = Capacity::Fixed(Rate::ip(RATE));
        way.queue = crate::link::Queue::Bytes(bench_core::units::ByteSize::mib(1024));
    }
    link
}

impl Ceiling {
    /// Whether this machine can carry the link: 70 % of the ceiling, held against what TCP gets
    /// through the faster way. A link without a rate asks for nothing.
    ///
    /// # Errors
    /// [`Error::AboveCeiling`] with both numbers.
    pub fn allows(self, link: &LinkProfile) -> Result<(), Error> {
        let of = |way: Way| match &link.way(way).capacity {
            Capacity::Fixed(rate) => goodput_bits(*rate, SEGMENT_BYTES),
            trace => trace.bits_per_second().unwrap_or(0) as f64,
        };
        let asked = Way::ALL.map(of).into_iter().fold(0.0, f64::max);
        // Not a comparison with "greater", so that a ceiling of NaN allows nothing.
        if asked <= SHARE_MAX * self.bits {
            return Ok(());
        }
        Err(Error::AboveCeiling {
            link: link.name.to_string(),
            asked: mbit(asked),
            ceiling: mbit(self.bits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(kilobits: u64) -> LinkProfile {
        let mut link = LinkProfile::round_trip(Duration::from_millis(1));
        link.name = "thick".into();
        link.down.capacity = Capacity::kbit(kilobits);
        link
    }

    #[test]
    fn a_profile_above_seventy_percent_is_refused_with_both_numbers() {
        // 1448 of 1500 bytes: 725165 kbit/s are 700.03 Mbit/s of payload, one less 699.9999.
        let ceiling = Ceiling { bits: 1e9 };
        ceiling.allows(&limited(725_138)).expect("just below");
        let text = ceiling.allows(&limited(725_200)).expect_err("above").to_string();
        assert!(text.contains("link 'thick' asks for 700.060 Mbit/s"), "{text}");
        assert!(text.contains("1000.000 Mbit/s"), "{text}");
        ceiling.allows(&LinkProfile::round_trip(Duration::ZERO)).expect("asks for nothing");
        Ceiling { bits: f64::NAN }.allows(&limited(1)).expect_err("nothing was measured");
    }

    #[test]
    fn every_segment_of_the_ceilings_link_has_a_fate_of_its_own_and_none_waits() {
        let link = link();
        link.check().expect("sound");
        let [mut up, _] = crate::link::model::LinkModel::both(&link, 1).expect("sound");
        assert!(!up.only_delays());
        let crate::link::model::Fate::Delivered(first) = up.offer(0, 1500) else { panic!("lost") };
        assert_eq!(first.at_ns, 12, "1500 bytes at a terabit");
    }
}
