//! The cells as scenarios, one process each under `cargo perf run`, and the way from the command
//! line to either.

use std::process::ExitCode;

use bench_core::measure::scenario::{self, Scenario};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::{Operation, TransportProfile};
use clap::Parser;

use super::flags::Flags;
use super::plan::{Cell, PROFILES};
use super::run::{self, cell_rows};
use super::watch::Unwatched;
use crate::front::{of_user, refuse};

fn rows(operation: Operation, size: ByteSize, scale: Scale) -> Result<Vec<Row>, Failure> {
    let matrix = Flags::parse_from(["scenario_grpc"]).matrix(scale)?;
    let cell = Cell::of_matrix(operation, size);
    let profiles: &[TransportProfile] = &PROFILES;
    Ok(cell_rows(&cell, &matrix.setup, profiles, matrix.effort, &mut Unwatched))
}

macro_rules! cells {
    ($($operation:ident $name:literal: $($mib:literal)+;)+) => {
        [$($(Scenario {
            id: concat!("grpc/matrix/", $name, "/", $mib, "MiB"),
            run: |scale| rows(Operation::$operation, ByteSize::mib($mib), scale),
        }),+),+]
    };
}

const SMOKE: [Scenario; 3] = cells! { Write "write": 1; Read "read": 1; Stream "stream": 1; };
const ALL: [Scenario; 12] = cells! {
    Write "write": 1 16 64 256; Read "read": 1 16 64 256; Stream "stream": 1 16 64 256;
};

/// Runs the matrix as its own flags ask, or single cells as `cargo test` and `cargo perf run` do.
pub fn main() -> ExitCode {
    let Some((flags, scale)) = of_user::<Flags>("scenario_grpc", &[]) else {
        let bench = std::env::args().any(|argument| argument == "--bench");
        let scale = if bench { Scale::from_env() } else { Scale::Smoke };
        return scenario::main(if scale == Scale::Smoke { &SMOKE } else { &ALL });
    };
    match flags.matrix(scale) {
        #[cfg(feature = "peers")]
        Ok(matrix) if matrix.peers => super::peers::run(&matrix),
        Ok(matrix) => run::run(&matrix),
        Err(sentence) => refuse(&sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_plan() {
        let cell = |operation, size| Cell::of_matrix(operation, size).scenario();
        let sizes = super::super::plan::SIZES;
        let planned = Operation::ALL.into_iter().flat_map(|o| sizes.map(|size| cell(o, size)));
        assert!(planned.eq(ALL.iter().map(|scenario| scenario.id.to_owned())));
    }
}
