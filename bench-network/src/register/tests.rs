//! The state machines without sockets, over messages that come in any order, twice or not at all.

use proptest::prelude::*;

use super::check::{linearizable, stale_reads};
use super::history::{Entry, Function, Kind};
use super::*;

const TICK: Duration = Duration::from_millis(10);

/// Copies, what is on its way between them, and what clients saw.
struct Cluster {
    replicas: Vec<Box<dyn Replica>>,
    flight: Vec<(Node, Node, Message)>,
    now: Duration,
    steps: u64,
    operations: u64,
    history: Vec<Entry>,
    actions: Vec<Action>,
}

impl Cluster {
    fn new(mode: Mode, nodes: usize, timing: Timing) -> Self {
        Self {
            replicas: (0..nodes).map(|me| mode.replica(me, nodes, timing)).collect(),
            flight: Vec::new(),
            now: Duration::ZERO,
            steps: 0,
            operations: 0,
            history: Vec::new(),
            actions: Vec::new(),
        }
    }

    fn note(&mut self, op: u64, kind: Kind, read: Option<u64>) {
        self.steps += 1;
        let (function, value) = match self.actions[op as usize - 1] {
            Action::Read => (Function::Read, read),
            Action::Write(value) => (Function::Write, Some(value)),
        };
        let (time_ns, process, error) = (self.steps, op, None);
        self.history.push(Entry { time_ns, process, kind, function, value, error });
    }

    fn after(&mut self, node: Node, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { to, message } => self.flight.push((node, to, message)),
                Output::Done { op, outcome: Outcome::Read(value) } => {
                    self.note(op, Kind::Ok, Some(value));
                }
                Output::Done { op, outcome: Outcome::Written } => self.note(op, Kind::Ok, None),
                Output::Done { op, outcome: Outcome::Failed(_) } => self.note(op, Kind::Fail, None),
                Output::Done { op, outcome: Outcome::Unknown(_) } => {
                    self.note(op, Kind::Info, None)
                }
                Output::Replicated { after } => assert!(after <= self.now),
            }
        }
    }

    fn invoke(&mut self, node: Node, write: bool) {
        self.operations += 1;
        let op = self.operations;
        let action = if write { Action::Write(op) } else { Action::Read };
        self.actions.push(action);
        self.note(op, Kind::Invoke, None);
        let mut outputs = Vec::new();
        self.replicas[node].invoke(self.now, op, action, &mut outputs);
        self.after(node, outputs);
    }

    fn deliver(&mut self, index: usize) {
        let (from, to, message) = self.flight.swap_remove(index);
        let (mut outputs, before) = (Vec::new(), self.replicas[to].stored().version);
        self.replicas[to].receive(self.now, from, message, &mut outputs);
        assert!(self.replicas[to].stored().version >= before, "a version never goes back");
        self.after(to, outputs);
    }

    fn tick(&mut self, node: Node) {
        let mut outputs = Vec::new();
        self.replicas[node].tick(self.now, &mut outputs);
        self.after(node, outputs);
    }

    /// Lets everything that is on its way arrive, and what that leads to.
    fn settle(&mut self) {
        while !self.flight.is_empty() {
            self.deliver(0);
        }
    }

    /// One thing happens, by a number without a meaning of its own.
    fn step(&mut self, number: u32, twice: bool) {
        let (what, which) = (number % 100, number as usize / 100);
        let nodes = self.replicas.len();
        match what {
            0..20 => self.invoke(which % nodes, (which / nodes).is_multiple_of(2)),
            20..28 => {
                self.now += TICK;
                self.tick(which % nodes);
            }
            _ if self.flight.is_empty() => (),
            28..36 => drop(self.flight.swap_remove(which % self.flight.len())),
            36..40 if twice => self.flight.push(self.flight[which % self.flight.len()]),
            _ => self.deliver(which % self.flight.len()),
        }
    }

    fn count(&self, kind: Kind) -> usize {
        self.history.iter().filter(|entry| entry.kind == kind).count()
    }
}

fn timing(patience: u32) -> Timing {
    Timing { heartbeat: TICK * 2, patience: TICK * patience, give_up: TICK * 8 }
}

/// What every copy does, however it agrees.
fn conforms(mode: Mode) {
    for nodes in [2, 3, 5] {
        let mut cluster = Cluster::new(mode, nodes, timing(5));
        for node in (0..nodes).rev() {
            cluster.invoke(node, true);
            cluster.settle();
            cluster.invoke(node, false);
            cluster.settle();
        }
        assert_eq!(cluster.count(Kind::Ok), 2 * nodes, "{mode}: all is served, one after another");
        linearizable(&cluster.history).unwrap_or_else(|anomaly| panic!("{mode}: {anomaly}"));
        // Nobody answers: what waits is given up, and that is the end of it.
        (0..nodes).for_each(|node| cluster.invoke(node, true));
        cluster.flight.clear();
        cluster.now += timing(5).give_up;
        (0..nodes).for_each(|node| cluster.tick(node));
        let over = [Kind::Ok, Kind::Fail, Kind::Info].map(|kind| cluster.count(kind));
        assert_eq!(over.iter().sum::<usize>(), 3 * nodes, "{mode}: {over:?}");
        // What nobody knows is left over and changes nothing.
        cluster.settle();
    }
}

#[test]
fn a_quorum_conforms() {
    conforms(Mode::Quorum);
}

#[test]
fn a_primary_conforms() {
    conforms(Mode::Primary);
}

#[test]
fn without_a_majority_nothing_is_served_and_nothing_is_made_up() {
    let mut cluster = Cluster::new(Mode::Quorum, 3, timing(5));
    cluster.invoke(0, true);
    cluster.invoke(0, false);
    cluster.flight.clear();
    cluster.now += timing(5).give_up;
    cluster.tick(0);
    assert_eq!((cluster.count(Kind::Ok), cluster.count(Kind::Fail)), (0, 2));
}

#[test]
fn two_writes_of_one_node_at_once_have_two_versions() {
    let mut cluster = Cluster::new(Mode::Quorum, 3, timing(5));
    cluster.invoke(0, true);
    cluster.invoke(0, true);
    cluster.settle();
    assert_eq!(cluster.count(Kind::Ok), 2);
    assert_eq!(cluster.replicas[1].stored().version, Version(2, 0));
}

#[test]
fn a_backup_that_has_not_heard_yet_is_stale_and_the_check_says_so() {
    let mut cluster = Cluster::new(Mode::Primary, 3, timing(5));
    cluster.invoke(0, true);
    cluster.invoke(1, false);
    assert_eq!(stale_reads(&cluster.history).expect("a history").len(), 1);
    linearizable(&cluster.history).expect_err("the documentation says so");
}

#[test]
fn a_backup_takes_over_and_what_it_had_not_heard_of_is_lost() {
    let mut cluster = Cluster::new(Mode::Primary, 3, timing(5));
    cluster.invoke(0, true);
    cluster.settle();
    cluster.invoke(0, true);
    cluster.flight.clear();
    // The first backup loses patience before the second does.
    cluster.now += timing(5).patience;
    cluster.tick(2);
    assert!(cluster.flight.is_empty());
    cluster.tick(1);
    cluster.settle();
    for replica in &cluster.replicas {
        assert_eq!(replica.stored(), Stored { version: Version(1, 0), value: 1 });
    }
    cluster.invoke(2, true);
    cluster.settle();
    assert_eq!(cluster.count(Kind::Ok), 3, "and the new primary is the one that is asked");
    cluster.invoke(0, false);
    linearizable(&cluster.history[..4]).expect("sound until then");
    assert_eq!(cluster.replicas[0].stored().version, Version(1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_majority_never_returns_a_stale_value(
        steps in prop::collection::vec(any::<u32>(), 0..400), nodes in 2..6_usize
    ) {
        let mut cluster = Cluster::new(Mode::Quorum, nodes, timing(5));
        steps.iter().for_each(|&number| cluster.step(number, true));
        let checked = linearizable(&cluster.history);
        prop_assert!(checked.is_ok(), "{:?} of {:#?}", checked, cluster.history);
    }

    #[test]
    fn a_primary_does_what_it_promises(steps in prop::collection::vec(any::<u32>(), 0..400)) {
        let mut cluster = Cluster::new(Mode::Primary, 3, timing(5));
        steps.iter().for_each(|&number| cluster.step(number, false));
        let written = |value: u64| value == 0 || {
            cluster.actions.get(value as usize - 1) == Some(&Action::Write(value))
        };
        for entry in cluster.history.iter().filter(|entry| entry.kind == Kind::Ok) {
            prop_assert!(entry.value.is_some_and(written), "{:?}", entry);
        }
        // Whole again, all nodes come to hold the same.
        for _ in 0..4 {
            cluster.settle();
            cluster.now += TICK * 3;
            (0..3).for_each(|node| cluster.tick(node));
        }
        cluster.settle();
        let held: Vec<Stored> = cluster.replicas.iter().map(|replica| replica.stored()).collect();
        prop_assert!(held.iter().all(|stored| *stored == held[0]), "{:?}", held);
    }

    #[test]
    fn while_there_is_one_epoch_a_primary_sees_its_own_writes_in_real_time(
        steps in prop::collection::vec(any::<u32>(), 0..200)
    ) {
        let mut cluster = Cluster::new(Mode::Primary, 3, timing(1_000_000));
        let mut here = Vec::new();
        for number in steps {
            let (what, which) = (number % 100, number as usize / 100);
            cluster.step(number, false);
            if what < 20 && which % 3 == 0 {
                here.push(cluster.operations);
            }
        }
        let at_others = |entry: &Entry| {
            // Their reads may be stale; their writes are the primary's, too.
            entry.function == Function::Read && !here.contains(&entry.process)
        };
        cluster.history.retain(|entry| !at_others(entry));
        let checked = linearizable(&cluster.history);
        prop_assert!(checked.is_ok(), "{:?} of {:#?}", checked, cluster.history);
    }
}
