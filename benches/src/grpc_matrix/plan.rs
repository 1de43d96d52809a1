//! What is to be measured: cells, arms, rounds. Plain data, made of flags or of a scale.

use std::time::Duration;

use bench_core::measure::drive::Stop;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_grpc::{Operation, TransportProfile};

use super::part::Part;

/// One piece of work, which every arm does in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How its ids begin: `grpc/matrix`.
    pub family: &'static str,
    /// What is called.
    pub operation: Operation,
    /// Bytes of the content.
    pub size: ByteSize,
    /// What of it is moved; `None` is all.
    pub part: Option<Part>,
}

impl Cell {
    /// A cell of the matrix of profiles.
    pub const fn of_matrix(operation: Operation, size: ByteSize) -> Self {
        Self { family: "grpc/matrix", operation, size, part: None }
    }

    /// A cell that moves a part of the content. Its ids are not of the matrix: they are not ranked,
    /// and targets are for the whole.
    pub const fn of_part(operation: Operation, size: ByteSize, part: Part) -> Self {
        Self { family: "grpc/range", operation, size, part: Some(part) }
    }

    /// Bytes that it moves.
    pub fn moved(&self) -> ByteSize {
        self.part.map_or(self.size, |part| part.length)
    }

    /// The end of its ids: what is moved, behind where that lies.
    fn place(&self) -> String {
        let (size, moved) = (self.size, self.moved());
        let at = |part: Part| format!("at_{}_of_{size}/{moved}", part.offset);
        self.part.map_or_else(|| moved.to_string(), at)
    }

    /// The id of the cell as a bench: `grpc/matrix/read/64MiB`.
    pub fn scenario(&self) -> String {
        format!("{}/{}/{}", self.family, self.operation, self.place())
    }

    /// The id of what one arm did in it: `grpc/matrix/read/default/64MiB`.
    pub fn id(&self, arm: &str) -> String {
        format!("{}/{}/{arm}/{}", self.family, self.operation, self.place())
    }
}

/// The most operations of a turn that does not end by the clock, however short they are.
const OPERATIONS_MAX: u64 = 20_000;

/// How much an arm does in a cell, beside its warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Turns of each arm, the first one, which is thrown away, not counted.
    pub rounds: u64,
    /// How long one turn should take.
    pub turn: Duration,
    /// Whether a turn ends by the clock. Otherwise it has as many operations as would fit by how long
    /// they took in the warm-up, so that they are the same in all turns of an arm.
    pub by_clock: bool,
    /// Operations of each arm altogether, in place of the time.
    pub operations: Option<u64>,
    /// Operations at a time. A turn has no fewer, or it would be of another concurrency.
    pub concurrency: u64,
    /// Connections that they are spread over.
    pub connections: u64,
}

impl Effort {
    /// By scale: 10 rounds and more, but one that shows that it works.
    pub fn of(scale: Scale) -> Self {
        Self {
            rounds: scale.pick(1, 10, 15),
            turn: Duration::from_millis(scale.pick(1, 100, 400)),
            by_clock: false,
            operations: None,
            concurrency: 1,
            connections: 1,
        }
    }

    /// The fewest operations of an arm that can be shared out: every turn gets all that are under
    /// way at a time.
    pub fn operations_min(&self) -> u64 {
        self.rounds * self.concurrency
    }

    /// Operations of a warm-up: as many as are under way at a time, and one for each connection.
    pub fn warm_up(&self) -> u64 {
        self.concurrency.max(self.connections)
    }

    /// What ends turn `round`, counted from 0, where [`warm_up`](Self::warm_up) operations took this
    /// long.
    pub fn stop(&self, round: u64, warm_up: Duration) -> Stop {
        match self.by_clock {
            true => Stop::After(self.turn),
            false => Stop::Operations(self.operations(round, warm_up)),
        }
    }

    /// Operations of turn `round`, counted from 0, where [`warm_up`](Self::warm_up) of them took
    /// this long: as many as fit, and never fewer than are under way at a time.
    fn operations(&self, round: u64, warm_up: Duration) -> u64 {
        let wanted = match self.operations {
            Some(all) => all / self.rounds + u64::from(round < all % self.rounds),
            None => {
                let took = warm_up.as_nanos().max(1);
                let fit = self.turn.as_nanos() * u128::from(self.warm_up()) / took;
                u64::try_from(fit).unwrap_or(u64::MAX).min(OPERATIONS_MAX)
            }
        };
        wanted.max(self.concurrency)
    }
}

/// Where the payload of every cell comes from.
pub const SEED: u64 = 42;

/// The sizes of the matrix.
pub const SIZES: [ByteSize; 4] =
    [ByteSize::mib(1), ByteSize::mib(16), ByteSize::mib(64), ByteSize::mib(256)];

/// The profiles of the matrix; the first is what the others are measured by.
pub const PROFILES: [TransportProfile; 3] =
    [TransportProfile::DEFAULT, TransportProfile::CONSERVATIVE, TransportProfile::AGGRESSIVE];

/// The largest message of Write and Stream, where nobody says.
pub const CHUNK: ByteSize = ByteSize::mib(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_shared_out_to_the_last() {
        let effort = Effort { operations: Some(23), ..Effort::of(Scale::Quick) };
        let shares: Vec<u64> = (0..10).map(|k| effort.operations(k, Duration::ZERO)).collect();
        assert_eq!(shares, [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn a_turn_has_as_many_operations_as_fit_and_at_least_one() {
        let effort = Effort { turn: Duration::from_millis(100), ..Effort::of(Scale::Quick) };
        let of = |one| effort.operations(0, one);
        assert_eq!(of(Duration::from_millis(30)), 3);
        assert_eq!(of(Duration::from_secs(9)), 1);
        assert_eq!(of(Duration::ZERO), 20_000);
        assert_eq!(effort.stop(0, Duration::from_secs(9)), Stop::Operations(1));
        let by_clock = Effort { by_clock: true, ..effort };
        assert_eq!(
            by_clock.stop(0, Duration::ZERO),
            Stop::After(by_clock.turn),
            "whatever it took"
        );
    }

    #[test]
    fn a_turn_keeps_all_that_are_under_way_at_a_time_busy() {
        let turn = Duration::from_millis(100);
        let effort = Effort { turn, concurrency: 64, connections: 2, ..Effort::of(Scale::Quick) };
        assert_eq!((effort.warm_up(), effort.operations_min()), (64, 640));
        // All 64 of the warm-up took so long, side by side.
        let of = |warm_up| effort.operations(0, warm_up);
        assert_eq!(of(Duration::from_millis(50)), 128);
        assert_eq!(of(Duration::from_secs(9)), 64);
        let shared = Effort { operations: Some(650), ..effort };
        assert!((0..10).all(|round| shared.operations(round, Duration::ZERO) == 65));
        assert_eq!(Effort { concurrency: 1, ..effort }.warm_up(), 2, "every connection once");
    }

    #[test]
    fn ids_end_with_the_size_and_name_the_arm() {
        let cell = Cell::of_matrix(Operation::Stream, ByteSize::mib(64));
        assert_eq!(cell.scenario(), "grpc/matrix/stream/64MiB");
        assert_eq!(cell.id("default"), "grpc/matrix/stream/default/64MiB");
        let part = "1MiB+64KiB".parse().expect("a part");
        let cell = Cell::of_part(Operation::Read, ByteSize::mib(64), part);
        assert_eq!(cell.scenario(), "grpc/range/read/at_1MiB_of_64MiB/64KiB");
        assert_eq!(cell.id("default"), "grpc/range/read/default/at_1MiB_of_64MiB/64KiB");
    }
}
