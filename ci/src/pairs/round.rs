//! One round: a slice of each arm in random order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::arm::{Arm, lay_out};
use super::machine::Moment;
use super::probe::probe;
use super::slice::{Bench, Settings, Slice, slice};

/// The environment is padded by fewer bytes than this: a page, so that the stack begins at any
/// offset in one.
const PADDING_END: usize = 4096;

/// What came of one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) id: String,
    /// From 0; the first is for warming up and is never judged.
    pub(crate) round: u32,
    /// Milliseconds since the epoch at its end.
    pub(crate) at_ms: u64,
    /// How long it took; 0 in a journal of before this was kept.
    #[serde(default)]
    pub(crate) took_ms: u64,
    /// The arms in the order they were measured.
    pub(crate) order: String,
    /// By how many bytes the environment of every arm was padded.
    pub(crate) padding: usize,
    /// How long the machine was suspended meanwhile.
    pub(crate) suspended_ns: u64,
    /// By how much the clock was set meanwhile.
    pub(crate) clock_set_ns: u64,
    /// How many ticks the hypervisor gave to others meanwhile.
    pub(crate) steal_ticks: u64,
    /// How long the [probe](mod@super::probe) took before it and after it, added up; 0 where that is
    /// not known, as in a journal of before this was kept.
    #[serde(default)]
    pub(crate) probe_ns: u64,
    /// By arm.
    pub(crate) slices: BTreeMap<char, Slice>,
}

/// Measures one round; `None` when the user interrupted.
pub(crate) fn round(
    arms: &[Arm],
    bench: Bench<'_>,
    number: u32,
    seed: u64,
    settings: &Settings,
    folder: &Path,
) -> Option<Round> {
    let Draw { order, padding } = draw(seed, bench.id, number, arms.len());
    let probed = probe(&settings.cpus);
    let (before, began) = (Moment::now(), Instant::now());
    let in_order = order.iter().map(|&index| &arms[index]);
    let laid_out = lay_out(in_order.clone(), bench.target);
    let mut slices = BTreeMap::new();
    for arm in in_order {
        let slice = match &laid_out {
            Ok(()) => slice(arm, bench, settings, folder, padding)?,
            Err(error) => Slice::Error(format!("{error:#}")),
        };
        slices.insert(arm.letter, slice);
    }
    let meanwhile = Moment::now().since(before);
    let probes = probed.zip(probe(&settings.cpus));
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Round {
        id: bench.id.to_owned(),
        round: number,
        at_ms: since_epoch.as_millis() as u64,
        took_ms: began.elapsed().as_millis() as u64,
        order: order.iter().map(|&index| arms[index].letter).collect(),
        padding,
        suspended_ns: meanwhile.suspended_ns,
        clock_set_ns: meanwhile.clock_set_ns,
        steal_ticks: meanwhile.steal_ticks,
        probe_ns: probes.map_or(0, |(before, after)| before + after),
        slices,
    })
}

/// What chance decides in a round.
#[derive(Debug, PartialEq, Eq)]
struct Draw {
    order: Vec<usize>,
    padding: usize,
}

/// Drawn from a hash of seed, id and number, so that a resumed run draws what it would have drawn.
/// The bias of taking a remainder of 64 bits is below 2⁻⁵⁰.
fn draw(seed: u64, id: &str, number: u32, arms: usize) -> Draw {
    let mut drawn = 0_u32;
    let mut below = |end: usize| {
        drawn += 1;
        let hash = Sha256::digest(format!("{seed}/{number}/{drawn}/{id}"));
        let word: [u8; 8] = hash[..8].try_into().expect("a hash has 32 bytes");
        (u64::from_le_bytes(word) % end as u64) as usize
    };
    let mut order: Vec<usize> = (0..arms).collect();
    // Fisher and Yates, Durstenfeld's form.
    for last in (1..arms).rev() {
        order.swap(last, below(last + 1));
    }
    Draw { order, padding: below(PADDING_END) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_repeats_and_another_round_draws_another() {
        assert_eq!(draw(1, "a/b", 7, 4), draw(1, "a/b", 7, 4));
        assert_ne!(draw(1, "a/b", 7, 4).padding, draw(1, "a/b", 8, 4).padding);
        assert_ne!(draw(1, "a/b", 7, 4).padding, draw(2, "a/b", 7, 4).padding);
    }

    #[test]
    fn every_arm_is_first_as_often_as_any_other() {
        let mut first = [0; 3];
        for number in 0..3_000 {
            let draw = draw(1, "a/b", number, 3);
            let mut sorted = draw.order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            assert!(draw.padding < PADDING_END);
            first[draw.order[0]] += 1;
        }
        // 1000 are due; five standard deviations of a binomial are 129.
        assert!(first.iter().all(|count| (871..=1129).contains(count)), "{first:?}");
    }
}
