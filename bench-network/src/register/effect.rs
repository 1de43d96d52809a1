//! Whether links did what the script says, by the messages that went over them: each carries the time
//! at which it was sent, on the clock that both ends have.
//!
//! - A way that is cut is shown by messages that were sent after the cut and of which none came before
//!   its end; one that nobody wanted to use is not shown.
//! - The end of a cut is shown by a message that comes after it.
//! - Another link is shown by how long messages are on their way: none less than its delay, and that is
//!   more than the one before may take, or one takes less than that had to. One that differs in nothing
//!   that messages as small as these show, as in its rate, is not shown.
//!
//! A link that is cut again and again is judged once for all of it: its cuts together, and the end of
//! the last.

use std::time::Duration;

use super::Node;
use crate::link::Direction;
use crate::topology::{Change, Event, Topology, Ways};

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Who sent it.
    pub from: Node,
    /// To whom.
    pub to: Node,
    /// When, since the start.
    pub sent: Duration,
    /// When it came; `None` where it did not, or where the sender speaks, who cannot know.
    pub came: Option<Duration>,
}

/// An event and when it really was: it began after the first and was in force by the second time.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// As the script has it.
    pub event: Event,
    /// Since the start.
    pub from: Duration,
    /// Since the start.
    pub by: Duration,
}

/// Something that the script did to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What, as in `eu -> us cut 2 times`.
    pub what: String,
    /// By what it is shown, or why it is not.
    pub shown: Result<String, String>,
}

/// Every effect that there should be. `legs` are those of senders and those of receivers, in any order.
pub fn effects(topology: &Topology, applied: &[Applied], legs: &[Leg]) -> Vec<Effect> {
    let nodes = topology.names().len();
    let ways = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b))).filter(|(a, b)| a != b);
    ways.flat_map(|way| {
        let legs: Vec<Leg> = legs.iter().filter(|leg| (leg.from, leg.to) == way).copied().collect();
        let name = format!("{} -> {}", topology.names()[way.0], topology.names()[way.1]);
        let spans = cuts(applied, way);
        let mut effects = cut_effects(&name, &spans, &legs);
        effects.extend(set_effects(&name, topology, applied, way, &spans, &legs));
        effects
    })
    .collect()
}

/// From when a way was cut for certain until when, and when it was whole again; both are the end of
/// time where it stayed so.
type Span = [Duration; 3];

fn cuts(applied: &[Applied], (from, to): (Node, Node)) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut since = None;
    for Applied { event, from: began, by } in applied {
        let about = (event.a, event.b) == (from, to) || (event.b, event.a) == (from, to);
        match event.change {
            Change::Partition(Ways::Both) if about => since = since.or(Some(*by)),
            Change::Partition(Ways::There) if (event.a, event.b) == (from, to) => {
                since = since.or(Some(*by));
            }
            Change::Heal if about => {
                spans.extend(since.take().map(|since| [since, *began, *by]));
            }
            _ => (),
        }
    }
    spans.extend(since.map(|since| [since, Duration::MAX, Duration::MAX]));
    spans
}

fn cut_effects(name: &str, spans: &[Span], legs: &[Leg]) -> Vec<Effect> {
    let Some([_, _, whole]) = spans.last().copied() else { return Vec::new() };
    let during =
        |leg: &&Leg| spans.iter().any(|[since, until, _]| within(leg.sent, *since, *until));
    let tried = legs.iter().filter(|leg| leg.came.is_none()).filter(during).count();
    let leaked = spans.iter().flat_map(|[since, until, _]| {
        legs.iter().filter(move |leg| {
            within(leg.sent, *since, *until) && leg.came.is_some_and(|came| came < *until)
        })
    });
    let times = if spans.len() == 1 { "once".to_owned() } else { format!("{} times", spans.len()) };
    let shown = match (tried, leaked.count()) {
        (0, 0) => Err("nothing was sent while it was cut; cut it for longer".to_owned()),
        (_, 0) => Ok(format!("{tried} messages were sent while it was cut, and none came")),
        (_, leaked) => Err(format!("{leaked} messages came that were sent while it was cut")),
    };
    let mut effects = vec![Effect { what: format!("{name} cut {times}"), shown }];
    if whole < Duration::MAX {
        let first = legs.iter().filter_map(|leg| leg.came).filter(|came| *came >= whole).min();
        let shown = match first {
            Some(first) => Ok(format!("a message came {:?} after it", first - whole)),
            None => Err("nothing came after it; give the run more time".to_owned()),
        };
        effects.push(Effect { what: format!("{name} whole again"), shown });
    }
    effects
}

fn set_effects(
    name: &str,
    topology: &Topology,
    applied: &[Applied],
    (from, to): (Node, Node),
    spans: &[Span],
    legs: &[Leg],
) -> Vec<Effect> {
    let mut way = topology.way(from, to).clone();
    let is_set = |applied: &&Applied| {
        let Event { a, b, ref change, .. } = applied.event;
        matches!(change, Change::Set(_)) && (a.min(b), a.max(b)) == (from.min(to), from.max(to))
    };
    let sets: Vec<&Applied> = applied.iter().filter(is_set).collect();
    let ends = sets.iter().skip(1).map(|next| next.from).chain([Duration::MAX]);
    let mut effects = Vec::new();
    for (set, end) in sets.iter().zip(ends) {
        let Change::Set(profile) = &set.event.change else { continue };
        let new = if set.event.a == from { &profile.up } else { &profile.down };
        let free = |leg: &&Leg| {
            let cut = |[since, _, whole]: &Span| within(leg.sent, *since, *whole);
            within(leg.sent, set.by, end) && !spans.iter().any(cut)
        };
        let took = legs.iter().filter(free).filter_map(|leg| Some(leg.came? - leg.sent)).min();
        let what = format!("{name} set to {}", profile.name);
        effects.push(Effect { what, shown: delay_shown(&way, new, took) });
        way = new.clone();
    }
    effects
}

fn delay_shown(old: &Direction, new: &Direction, took: Option<Duration>) -> Result<String, String> {
    let took = took.ok_or("nothing came over it; give the run more time")?;
    let [before, least] = [old, new].map(shortest);
    let seen = format!("messages took {took:?} at least");
    if took < least {
        return Err(format!("{seen}, and its delay is {:?}", new.delay));
    }
    if least > old.delay || took < before || new == old {
        return Ok(format!("{seen}, of a delay of {:?}", new.delay));
    }
    if new.delay < old.delay {
        return Err(format!("{seen}, and its delay is {:?}", new.delay));
    }
    Err(format!(
        "{seen}, and so they may have before: its delay is {:?} and was {:?}, and nothing else of a link is \
         looked at; set one of another delay",
        new.delay, old.delay
    ))
}

/// The least that a message may take: jitter takes some of the delay away.
fn shortest(way: &Direction) -> Duration {
    way.delay.saturating_sub(Duration::from_nanos(way.jitter.reach_ns() as u64))
}

fn within(time: Duration, from: Duration, until: Duration) -> bool {
    from <= time && time < until
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LinkProfile;

    const MS: Duration = Duration::from_millis(1);

    fn topology() -> Topology {
        let (topology, _) =
            crate::topology::file::parse("t", "region eu\nregion us\nrtt eu us 20ms\n")
                .expect("sound");
        topology
    }

    fn applied(at: u32, change: Change) -> Applied {
        let event = Event { at: at * MS, a: 0, b: 1, change };
        Applied { event, from: at * MS, by: at * MS + MS }
    }

    /// A message as both ends know it.
    fn leg(from: Node, sent: u32, came: Option<u32>) -> Vec<Leg> {
        let sender = Leg { from, to: 1 - from, sent: sent * MS, came: None };
        let receiver = came.map(|came| Leg { came: Some(came * MS), ..sender });
        std::iter::once(sender).chain(receiver).collect()
    }

    fn shown(applied: &[Applied], legs: &[Vec<Leg>]) -> Vec<(String, bool)> {
        let effects = effects(&topology(), applied, &legs.concat());
        effects.into_iter().map(|effect| (effect.what, effect.shown.is_ok())).collect()
    }

    fn said(what: &str, shown: bool) -> (String, bool) {
        (what.to_owned(), shown)
    }

    #[test]
    fn a_cut_is_shown_by_what_was_sent_into_it_and_did_not_come() {
        let cut = [applied(100, Change::Partition(Ways::There)), applied(200, Change::Heal)];
        let good = [leg(0, 95, Some(105)), leg(0, 120, Some(230)), leg(1, 120, Some(130))];
        let [there, whole] = ["eu -> us cut once", "eu -> us whole again"];
        assert_eq!(shown(&cut, &good), [said(there, true), said(whole, true)]);
        let leaks = [leg(0, 120, Some(130)), leg(0, 220, Some(230))];
        assert_eq!(shown(&cut, &leaks), [said(there, false), said(whole, true)]);
        let nobody = [leg(0, 95, Some(105))];
        assert_eq!(shown(&cut, &nobody), [said(there, false), said(whole, false)]);
        assert_eq!(shown(&[], &good), []);
    }

    #[test]
    fn a_link_that_flaps_is_judged_once_and_both_ways() {
        let turns = [100, 300].map(|at| {
            [applied(at, Change::Partition(Ways::Both)), applied(at + 100, Change::Heal)]
        });
        let legs = [leg(0, 150, Some(450)), leg(1, 350, Some(460))];
        let effects = shown(&turns.concat(), &legs);
        assert!(effects.iter().all(|(_, shown)| *shown), "{effects:?}");
        assert_eq!(effects[0].0, "eu -> us cut 2 times");
        assert_eq!(effects.len(), 4);
    }

    #[test]
    fn a_link_is_shown_by_the_time_that_messages_take() {
        let set = |ms: u32| Change::Set(Box::new(LinkProfile::round_trip(ms * MS)));
        let slower = [applied(100, set(100))];
        let both =
            |there: u32, back: u32| [leg(0, 110, Some(110 + there)), leg(1, 110, Some(110 + back))];
        let all = |legs: &[Vec<Leg>], applied: &[Applied]| {
            shown(applied, legs).iter().map(|(_, shown)| *shown).collect::<Vec<_>>()
        };
        assert_eq!(all(&both(50, 49), &slower), [true, false]);
        let quicker = [applied(100, set(10))];
        assert_eq!(all(&both(9, 10), &quicker), [true, false], "10 ms is what it was before");
        assert_eq!(all(&[], &quicker), [false, false]);
        let mut thin = LinkProfile::round_trip(20 * MS);
        assert_eq!(thin.up, topology().way(0, 1).clone());
        let same = [applied(100, Change::Set(Box::new(thin.clone())))];
        assert_eq!(all(&both(10, 10), &same), [true, true], "there is nothing to show");
        thin.up.capacity = crate::link::Capacity::kbit(100);
        let thin = [applied(100, Change::Set(Box::new(thin)))];
        assert_eq!(all(&both(10, 10), &thin), [false, true], "a rate is not shown by a delay");
        let mut shaky = LinkProfile::round_trip(40 * MS);
        for way in [&mut shaky.up, &mut shaky.down] {
            way.jitter = crate::link::Jitter::uniform(15 * MS);
        }
        let shaky = [applied(100, Change::Set(Box::new(shaky)))];
        assert_eq!(all(&both(12, 9), &shaky), [false, true], "less than before, or as before");
        let cut = [slower.to_vec(), vec![applied(105, Change::Partition(Ways::Both))]].concat();
        assert!(!all(&both(50, 50), &cut)[0], "a message of a time in which nothing came");
    }
}
