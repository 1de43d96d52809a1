//! What is to be measured: cells, arms, rounds. Plain data, made of flags or of a scale.

use std::time::Duration;

use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_grpc::{Operation, TransportProfile};

/// One piece of work, which every arm does in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How its ids begin: `grpc/matrix`.
    pub family: &'static str,
    /// What is called.
    pub operation: Operation,
    /// Bytes that it moves.
    pub size: ByteSize,
}

impl Cell {
    /// A cell of the matrix of profiles.
    pub const fn of_matrix(operation: Operation, size: ByteSize) -> Self {
        Self { family: "grpc/matrix", operation, size }
    }

    /// The id of the cell as a bench: `grpc/matrix/read/64MiB`.
    pub fn scenario(&self) -> String {
        format!("{}/{}/{}", self.family, self.operation, self.size)
    }

    /// The id of what one arm did in it: `grpc/matrix/read/default/64MiB`.
    pub fn id(&self, arm: &str) -> String {
        format!("{}/{}/{arm}/{}", self.family, self.operation, self.size)
    }
}

/// How much an arm does in a cell, beside its warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Turns of each arm, the first one, which is thrown away, not counted.
    pub rounds: u64,
    /// How long one turn should take, by how long an operation took in the warm-up.
    pub turn: Duration,
    /// Operations of each arm altogether, in place of the time.
    pub operations: Option<u64>,
}

impl Effort {
    /// By scale: 10 rounds and more, but one that shows that it works.
    pub fn of(scale: Scale) -> Self {
        Self {
            rounds: scale.pick(1, 10, 15),
            turn: Duration::from_millis(scale.pick(1, 100, 400)),
            operations: None,
        }
    }

    /// Rounds, where so many operations are to be shared out among them.
    pub fn rounds(&self) -> u64 {
        self.operations.map_or(self.rounds, |operations| operations.min(self.rounds)).max(1)
    }

    /// Operations of turn `round`, counted from 0, where one takes this long.
    pub fn operations(&self, round: u64, one: Duration) -> u64 {
        match self.operations {
            Some(all) => {
                let rounds = self.rounds();
                all / rounds + u64::from(round < all % rounds)
            }
            None => {
                let fit = self.turn.as_nanos() / one.as_nanos().max(1);
                u64::try_from(fit).unwrap_or(u64::MAX).clamp(1, 20_000)
            }
        }
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
        assert_eq!(effort.rounds(), 10);
        let shares: Vec<u64> = (0..10).map(|k| effort.operations(k, Duration::ZERO)).collect();
        assert_eq!(shares, [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]);
        let few = Effort { operations: Some(3), ..effort };
        assert_eq!(few.rounds(), 3);
        assert!((0..3).all(|k| few.operations(k, Duration::ZERO) == 1));
    }

    #[test]
    fn a_turn_has_as_many_operations_as_fit_and_at_least_one() {
        let effort = Effort { turn: Duration::from_millis(100), ..Effort::of(Scale::Quick) };
        let of = |one| effort.operations(0, one);
        assert_eq!(of(Duration::from_millis(30)), 3);
        assert_eq!(of(Duration::from_secs(9)), 1);
        assert_eq!(of(Duration::ZERO), 20_000);
    }

    #[test]
    fn ids_end_with_the_size_and_name_the_arm() {
        let cell = Cell::of_matrix(Operation::Stream, ByteSize::mib(64));
        assert_eq!(cell.scenario(), "grpc/matrix/stream/64MiB");
        assert_eq!(cell.id("default"), "grpc/matrix/stream/default/64MiB");
    }
}
