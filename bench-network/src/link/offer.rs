//! What a link's model costs: what every emulator pays for each packet beside its own work.

use std::fmt;
use std::str::FromStr;

use bench_core::workload::{Failure, Workload};

use super::model::{Cause, Counts, Fate, LinkModel};
use super::{Capacity, LinkError, LinkProfile, MTU, named};

const SEED: u64 = 42;
/// Packets of one operation: bursts and a full queue are among them.
const PACKETS: u64 = 1_000;
/// How often a packet comes where nothing limits the rate.
const GAP_NS: u64 = 100_000;

/// The link by its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named(LinkProfile);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.name)
    }
}

impl FromStr for Named {
    type Err = LinkError;

    fn from_str(name: &str) -> Result<Self, LinkError> {
        named::find(name).map(Self)
    }
}

/// `link/offer`: asks the model of the way up of a named link what becomes of 1000 full packets,
/// which come a tenth faster than the link carries them.
#[derive(Debug)]
pub struct LinkOffer {
    link: LinkProfile,
    idle: LinkModel,
    model: LinkModel,
    gap_ns: u64,
    fates: Vec<Fate>,
}

impl Workload for LinkOffer {
    const NAME: &'static str = "link/offer";
    type Parameter = Named;

    fn set_up(Named(link): &Named) -> Result<Self, Failure> {
        let [idle, _] = LinkModel::both(link, SEED)?;
        let gap_ns = match link.up.capacity {
            Capacity::Unlimited => GAP_NS,
            _ => {
                let rate = link.up.capacity.bits_per_second().unwrap_or(u64::MAX);
                u64::from(MTU) * 8 * 1_000_000_000 / rate * 9 / 10
            }
        };
        let model = idle.clone();
        Ok(Self {
            link: link.clone(),
            idle,
            model,
            gap_ns,
            fates: Vec::with_capacity(PACKETS as usize),
        })
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.fates.clear();
        Ok(())
    }

    fn run(&mut self) {
        // Each time from the start: a link that goes on would fill its queue and stay full.
        let mut model = self.idle.clone();
        self.fates.clear();
        for number in 0..PACKETS {
            self.fates.push(model.offer(number * self.gap_ns, MTU));
        }
        self.model = model;
    }

    fn check(&mut self) -> Result<(), Failure> {
        let delay_ns = self.link.up.delay.as_nanos() as u64;
        let (mut found, mut last_ns) = (Counts::default(), 0);
        for (number, fate) in (0..).zip(&self.fates) {
            found.offered += 1;
            match fate {
                Fate::Dropped(Cause::Queue) => found.queue_dropped += 1,
                Fate::Dropped(Cause::Loss) => found.lost += 1,
                Fate::Delivered(delivery) => {
                    let earliest_ns = last_ns.max(number * self.gap_ns + delay_ns);
                    if delivery.at_ns < earliest_ns {
                        return Err(format!("packet {number} arrives before it can").into());
                    }
                    last_ns = delivery.at_ns;
                }
            }
        }
        if found.offered != PACKETS || found != self.model.counts() {
            return Err(format!("{found:?}, but the model says {:?}", self.model.counts()).into());
        }
        Ok(())
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = self.link.dimensions();
        dimensions.push(("seed", SEED.to_string()));
        dimensions
    }
}

#[cfg(test)]
mod tests {
    use bench_core::workload::{conforms, run_once};

    use super::*;

    fn offer(name: &str) -> LinkOffer {
        run_once(&name.parse().expect("known")).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    #[test]
    fn every_named_link_is_offered_packets_and_checked() {
        for link in named::all() {
            conforms::<LinkOffer>(&Named(link)).expect("conforms");
        }
    }

    #[test]
    fn the_links_that_are_counted_meet_what_they_are_counted_for() {
        let counts = |name| offer(name).model.counts();
        assert_eq!(counts("regions_70").queue_dropped + counts("regions_70").lost, 0);
        assert!(counts("lte").queue_dropped > 0 && counts("lte").lost == 0);
        assert!(counts("lossy_mobile").queue_dropped > 0 && counts("lossy_mobile").lost > 0);
    }

    #[test]
    fn a_packet_that_arrives_too_soon_is_caught() {
        let mut offer = offer("regions_70");
        let Fate::Delivered(delivery) = &mut offer.fates[500] else { panic!("nothing is lost") };
        delivery.at_ns -= 1;
        let error = offer.check().expect_err("too soon").to_string();
        assert!(error.contains("packet 500"), "{error}");
        offer.fates[500] = Fate::Dropped(Cause::Loss);
        assert!(offer.check().expect_err("not counted").to_string().contains("lost: 1"));
    }
}
