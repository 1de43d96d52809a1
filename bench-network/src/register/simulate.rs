//! Copies in all regions at work while a script changes the links between them, simulated: no socket,
//! no clock, no thread. A minute takes milliseconds, and with one seed the history is the same to the
//! byte on every machine.
//!
//! Each way between two copies is a stream, as TCP would make it: what a link drops, or a cut does, is
//! offered to it again after 200 ms and a round trip, then after twice that, and so on up to two
//! minutes; whatever was sent after it waits, and follows as soon as it passes.
//!
//! What it does not model: acknowledgements and windows (no stream is ever full), connecting, and time
//! that hosts need. A way that is cut holds back what goes that way only, where TCP's sender would also
//! send again what it hears nothing of.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use super::clients::{Clients, summed_up};
use super::effect::{Applied, Leg};
use super::run::{Run, RunConfig};
use super::wire::FRAME_BYTES;
use super::{Message, Node, Output, Replica};
use crate::error::Error;
use crate::link::model::{Fate, LinkModel};
use crate::sim::HEADER_BYTES;
use crate::topology::{Change, Script, State, Topology, pairs};

/// What rows call it.
pub const BACKEND: &str = "simulated regions";
/// What it does not model, as rows say it.
pub const NOT_MODELLED: &str = "acknowledgements, windows, hosts that need time";

/// How often copies look at the time, as those at work do.
const TICK: Duration = Duration::from_millis(10);
/// What a sender waits beside the round trip before it sends again, and the most it ever waits.
const PATIENCE: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(120);

/// One copy with its clients.
struct Host {
    replica: Box<dyn Replica>,
    clients: Clients,
}

/// What goes from one copy to another, in order.
struct Way {
    model: LinkModel,
    /// What has not passed: the first of it is sent again, the others wait.
    held: VecDeque<Sent>,
    wait: Duration,
    /// When the last that passed arrives.
    last: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    message: Message,
    at: Duration,
}

/// Of one time in the order in which they were made.
#[derive(Clone, Copy, Debug)]
enum Event {
    Due(Node),
    Tick(Node),
    Hello(Node),
    Again(Node, Node),
    Arrives(Node, Node, Sent),
}

struct World {
    now: Duration,
    /// By time and number; what happens is in `events`.
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    events: BTreeMap<u64, Event>,
    made: u64,
    state: State,
    hosts: Vec<Host>,
    ways: BTreeMap<(Node, Node), Way>,
    applied: Vec<Applied>,
    config: RunConfig,
}

/// As [`run`](super::run::run), in no time.
///
/// # Errors
/// An event that would come after the end, or is about no two regions; links that make no sense.
pub fn simulate(topology: &Topology, script: &Script, config: RunConfig) -> Result<Run, Error> {
    config.check(script)?;
    let mut world = World::new(topology, script, config)?;
    while world.step()? {}
    let logs = world.hosts.into_iter().map(|host| host.clients.end(config.end())).collect();
    Ok(summed_up(topology, world.applied, logs))
}

impl World {
    fn new(topology: &Topology, script: &Script, config: RunConfig) -> Result<Self, Error> {
        let nodes = topology.names().len();
        let host = |me| Host {
            replica: config.mode.replica(me, nodes, config.timing),
            clients: Clients::new(me, nodes, config),
        };
        let mut world = Self {
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            made: 0,
            state: State::new(topology.clone(), script.clone())?,
            hosts: (0..nodes).map(host).collect(),
            ways: BTreeMap::new(),
            applied: Vec::new(),
            config,
        };
        for (a, b) in pairs(nodes) {
            world.link(topology, a, b)?;
        }
        for node in 0..nodes {
            world.at(Duration::ZERO, Event::Hello(node));
            world.at(Duration::ZERO, Event::Tick(node));
            if let Some(due) = world.hosts[node].clients.due() {
                world.at(due, Event::Due(node));
            }
        }
        Ok(world)
    }

    /// Puts this link between two copies, the smaller first. What waits goes on waiting.
    fn link(&mut self, topology: &Topology, a: Node, b: Node) -> Result<(), Error> {
        let [up, down] = LinkModel::both(topology.link(a, b).0, self.config.seed)?;
        for (way, model) in [((a, b), up), ((b, a), down)] {
            let (held, wait, last) = (VecDeque::new(), Duration::ZERO, Duration::ZERO);
            match self.ways.get_mut(&way) {
                Some(known) => known.model = model,
                None => drop(self.ways.insert(way, Way { model, held, wait, last })),
            }
        }
        Ok(())
    }

    fn at(&mut self, time: Duration, event: Event) {
        self.made += 1;
        self.events.insert(self.made, event);
        self.queue.push(Reverse((time, self.made)));
    }

    /// Lets happen what comes next, the script first: what is sent at the time of a cut is sent into it.
    /// Whether that was before the end.
    fn step(&mut self) -> Result<bool, Error> {
        let queued = self.queue.peek().map(|Reverse((at, _))| *at);
        let script = self.state.next();
        let next = [script, queued].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next < self.config.end()) else { return Ok(false) };
        self.now = next;
        if script == Some(next) {
            self.change()?;
        } else if let Some(Reverse((_, number))) = self.queue.pop() {
            let event = self.events.remove(&number).expect("every number has its event");
            self.happen(event);
        }
        Ok(true)
    }

    fn happen(&mut self, event: Event) {
        let (now, mut outputs) = (self.now, Vec::new());
        match event {
            Event::Again(from, to) => self.again(from, to),
            Event::Hello(node) => {
                self.at(now + self.config.timing.heartbeat, Event::Hello(node));
                let others = (0..self.hosts.len()).filter(|to| *to != node).collect::<Vec<_>>();
                others.into_iter().for_each(|to| self.send(node, to, Message::Hello));
            }
            Event::Due(node) => {
                let Host { replica, clients } = &mut self.hosts[node];
                clients.invoke(now, replica.as_mut(), &mut outputs);
                let due = clients.due();
                self.carry_out(node, outputs);
                if let Some(due) = due {
                    self.at(due, Event::Due(node));
                }
            }
            Event::Tick(node) => {
                self.at(now + TICK, Event::Tick(node));
                self.hosts[node].replica.tick(now, &mut outputs);
                self.carry_out(node, outputs);
            }
            Event::Arrives(from, to, Sent { message, at }) => {
                let host = &mut self.hosts[to];
                host.clients.log.legs.push(Leg { from, to, sent: at, came: Some(now) });
                host.replica.receive(now, from, message, &mut outputs);
                self.carry_out(to, outputs);
            }
        }
    }

    fn change(&mut self) -> Result<(), Error> {
        for event in self.state.advance(self.now)? {
            if let Change::Set(_) = event.change {
                let topology = self.state.topology().clone();
                self.link(&topology, event.a.min(event.b), event.a.max(event.b))?;
            }
            self.applied.push(Applied { event, from: self.now, by: self.now });
        }
        Ok(())
    }

    fn carry_out(&mut self, node: Node, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(node, to, message),
                Output::Done { op, outcome } => {
                    self.hosts[node].clients.over(self.now, op, outcome)
                }
                Output::Replicated { after } => self.hosts[node].clients.log.replicated.push(after),
            }
        }
    }

    fn send(&mut self, from: Node, to: Node, message: Message) {
        let sent = Sent { message, at: self.now };
        let leg = Leg { from, to, sent: self.now, came: None };
        self.hosts[from].clients.log.legs.push(leg);
        let way = self.ways.get_mut(&(from, to)).expect("each two copies have a link");
        way.held.push_back(sent);
        // Else it waits for what is sent again.
        if way.held.len() == 1 {
            way.wait = Duration::ZERO;
            self.again(from, to);
        }
    }

    /// Offers the link what has not passed, until something does not.
    fn again(&mut self, from: Node, to: Node) {
        let round_trip = self.state.round_trip(from, to);
        let cut = self.state.way(from, to).is_none();
        let now_ns = self.now.as_nanos() as u64;
        while let Some(way) = self.ways.get_mut(&(from, to)) {
            let Some(sent) = way.held.front().copied() else { return };
            let fate = (!cut).then(|| way.model.offer(now_ns, FRAME_BYTES as u32 + HEADER_BYTES));
            // A wrong checksum is a loss, and what comes twice is taken once.
            let passed = match fate {
                Some(Fate::Delivered(delivery)) if delivery.flipped_bit.is_none() => Some(delivery),
                _ => None,
            };
            let Some(delivery) = passed else {
                way.wait = (way.wait * 2).max(round_trip + PATIENCE).min(WAIT_MAX);
                let at = self.now + way.wait;
                return self.at(at, Event::Again(from, to));
            };
            way.held.pop_front();
            way.wait = Duration::ZERO;
            way.last = Duration::from_nanos(delivery.at_ns).max(way.last);
            let last = way.last;
            self.at(last, Event::Arrives(from, to, sent));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::register::check::linearizable;
    use crate::register::history::print;
    use crate::register::outage::FailOver;
    use crate::register::{Mode, Timing};
    use crate::topology::file;

    const MS: Duration = Duration::from_millis(1);
    const REGIONS: &str = "region eu\nregion us\nregion asia\nrtt eu us 70ms\nrtt eu asia 120ms\n\
                           rtt us asia 180ms\n";
    const CUT: &str = "at 2s partition eu us\nat 2s partition eu asia\nat 4s heal eu us\n\
                       at 4s heal eu asia\n";

    fn simulated(mode: Mode, script: &str, seed: u64) -> Run {
        let (topology, script) = file::parse("t", &format!("{REGIONS}{script}")).expect("sound");
        let timing = Timing::of(180 * MS, 100 * MS);
        let length = Duration::from_secs(8);
        let config = RunConfig { mode, timing, every: 20 * MS, writes: 0.5, length, seed };
        simulate(&topology, &script, config).expect("simulated")
    }

    #[test]
    fn a_quorum_takes_the_round_trips_that_it_needs() {
        let run = simulated(Mode::Quorum, "", 1);
        let took = |node, function| {
            let of = run.samples.iter().filter(move |s| s.node == node && s.function == function);
            of.map(|sample| sample.took).min().expect("there are some")
        };
        use crate::register::history::Function::{Read, Write};
        // The nearest other copy makes a majority; a write asks it twice, a read at least once.
        for (node, round_trip) in [(0, 70 * MS), (1, 70 * MS), (2, 120 * MS)] {
            assert_eq!([took(node, Read), took(node, Write)], [round_trip, 2 * round_trip]);
            assert_eq!(run.replicated[node].iter().min(), Some(&round_trip));
        }
        assert!(run.samples.iter().all(|sample| sample.served));
    }

    #[test]
    fn a_cut_is_shown_and_the_two_ways_to_agree_bear_it_as_they_say() {
        for mode in Mode::ALL {
            let run = simulated(mode, CUT, 1);
            assert!(run.effects.len() == 8 && run.effects.iter().all(|it| it.shown.is_ok()));
            let outage = &run.outages[0];
            match mode {
                Mode::Quorum => {
                    linearizable(&run.history).expect("as it promises");
                    assert_eq!(outage.fail_over[0], FailOver::Never, "no majority is reached");
                    assert_eq!(outage.fail_over[1..], [FailOver::Untouched; 2]);
                }
                Mode::Primary => {
                    linearizable(&run.history).expect_err("reads are stale");
                    assert_eq!(outage.fail_over[0], FailOver::Untouched, "it is the primary");
                    // Three heartbeats and the longest round trip after it was last heard, and what a
                    // write takes from there.
                    let FailOver::After(after) = outage.fail_over[1] else { panic!("{outage:?}") };
                    assert!(after >= 400 * MS && after <= 600 * MS, "{after:?}");
                }
            }
            assert!(outage.recovery.iter().all(Option::is_some));
        }
    }

    #[test]
    fn what_is_sent_at_the_time_of_a_cut_is_sent_into_it() {
        // What asia sends at 2760 ms is answered at 2820 ms, and the cut is long enough for the answer.
        let script = "at 2765ms heal us asia\nat 2820ms partition eu -> asia\n\
                      at 2881ms heal eu asia\n";
        let run = simulated(Mode::Quorum, script, 1);
        let cut = run.effects.iter().find(|effect| effect.what == "eu -> asia cut once");
        assert!(cut.is_some_and(|cut| cut.shown.is_ok()), "{cut:?}");
    }

    #[test]
    fn one_seed_is_one_history_and_another_is_another() {
        let script = "at 1s set eu us wifi\nat 2s flap us asia every 300ms until 4s\n";
        for mode in Mode::ALL {
            let run = |seed| print(&simulated(mode, script, seed).history);
            assert_eq!(run(7), run(7));
            assert_ne!(run(7), run(8));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_cut_when_a_quorum_is_linearizable(
            cuts in prop::collection::vec((0..7_000_u32, 1..2_000_u32, 0..6_usize, any::<bool>()), 0..8),
            seed: u64,
        ) {
            let names = ["eu", "us", "asia"];
            let line = |(at, length, pair, both): (u32, u32, usize, bool)| {
                let (a, b) = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)][pair];
                let arrow = if both { " " } else { " -> " };
                let (a, b, heal) = (names[a], names[b], (at + length).min(7_900));
                format!("at {at}ms partition {a}{arrow}{b}\nat {heal}ms heal {a} {b}\n")
            };
            let script: String = cuts.into_iter().map(line).collect();
            let run = simulated(Mode::Quorum, &script, seed);
            let checked = linearizable(&run.history);
            prop_assert!(checked.is_ok(), "{:?}", checked);
            let leaks = run.effects.iter().any(|effect| {
                effect.shown.as_ref().is_err_and(|why| why.contains("messages came that"))
            });
            prop_assert!(!leaks, "{:?}", run.effects);
        }
    }
}
