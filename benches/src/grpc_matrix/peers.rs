//! The segments path beside what others do with the same bytes: plain tonic, raw sockets, grpcio.
//! All of them take turns in every cell, so that their ratios are of one run.

mod grpcio;
mod ratios;
mod served;

use std::process::ExitCode;

use bench_core::fixture::Payload;
use bench_core::measure::usage::resident_bytes;
use bench_core::record::Row;
use bench_grpc::ceiling::CeilingConfig;
use bench_grpc::{DataPath, Layout, TransportProfile, Wire};
use bytes::Bytes;

use self::grpcio::Grpcio;
use self::served::Served;
use super::arm::Arms;
use super::end::End;
use super::flags::Matrix;
use super::grpc::Grpc;
use super::plan::{Cell, SEED};
use super::raw::Raw;
use super::round::measure;
use super::run::{Session, boxed};
use super::setup::{Place, Setup};
use super::table::table;
use super::watch::Watch;
use crate::front::text::show;

/// Ours.
const SEGMENTS: &str = "segments";
/// What tonic generates, without a copy at the receiver.
const BYTES: &str = "bytes";
/// What tonic generates, `Vec<u8>` and a message at a time, with its own settings: what its example
/// servers are made of, so that a Read of 1 KiB is a call of its hello world with a longer greeting.
const TONIC: &str = "tonic";
const RAW_TCP: &str = "raw-tcp";
const RAW_UNIX: &str = "raw-unix";
const GRPCIO: &str = "grpcio";
/// Its server called by our client, where calls are several at a time: of many small ones it is its own
/// client that holds it up.
const GRPCIO_SERVER: &str = "grpcio-server";

/// Measures the cells, prints the table and the ratios; the exit code says how it went.
pub fn run(matrix: &Matrix) -> ExitCode {
    let Place::Here { layout, .. } = matrix.setup.place else {
        return crate::front::refuse("--peers are measured on this machine; leave out --server");
    };
    // Raw sockets, or in their place the path that prost encodes to `Bytes`.
    let (more, grpcio) = if matrix.setup.ceiling().is_ok() { (2, 1) } else { (1, 2) };
    let arms = 2 + more + if layout == Layout::Processes { grpcio } else { 0 };
    measured(matrix, layout, arms).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

fn measured(matrix: &Matrix, layout: Layout, arms: usize) -> Result<(), u8> {
    let mut session = Session::open(matrix, arms)?;
    for cell in &matrix.cells {
        let cell = Cell { family: "grpc/peers", ..*cell };
        let rows = |watch: &mut dyn Watch| cell_rows(&cell, matrix, layout, watch);
        session.cell(&cell, rows)?;
    }
    let rows = session.rows();
    let no_ceiling = matrix.setup.ceiling().err().map(|why| format!("{why}\n"));
    let text =
        format!("{}{}\n{}", table(rows), no_ceiling.unwrap_or_default(), ratios::table(rows));
    show(text);
    session.end()
}

fn cell_rows(cell: &Cell, matrix: &Matrix, layout: Layout, watch: &mut dyn Watch) -> Vec<Row> {
    let payload = Payload::seeded(SEED, cell.size);
    let content = (payload, payload.to_bytes());
    let base = resident_bytes();
    let mut arms = start(cell, matrix, layout, content, watch);
    let mut tallies = measure(&mut arms, matrix.effort, watch);
    tallies.iter_mut().for_each(|tally| tally.stand_on(base));
    let raw = tallies.iter().find(|tally| tally.name == RAW_TCP && tally.is_sound());
    let link = matrix.setup.link();
    tallies.iter().flat_map(|tally| tally.rows(cell, &link, raw)).collect()
}

fn start(
    cell: &Cell,
    matrix: &Matrix,
    layout: Layout,
    content: (Payload, Bytes),
    watch: &dyn Watch,
) -> Arms {
    let grpc = |name, path, profile| {
        let setup = Setup { path, ..matrix.setup.clone() };
        let end = End::open(&setup, profile, content.clone(), watch);
        boxed(end.map(|end| Grpc::new(name, cell, &setup, end)))
    };
    let raw = |name, wire| {
        let (pinned, payload, socket_buffer) = (true, content.0, None);
        let config = CeilingConfig { layout, pinned, wire, payload, socket_buffer };
        boxed(Raw::start(name, cell.operation, config, content.1.clone()))
    };
    // First, while this thread may still run anywhere: its processes inherit where.
    let mut others = Arms::new();
    if layout == Layout::Processes {
        let Setup { chunk, concurrency, .. } = matrix.setup;
        let chunk = chunk.min(cell.size);
        let grpcio = Grpcio::start(GRPCIO, cell.operation, concurrency, &content.1, chunk);
        others.push((GRPCIO.to_owned(), boxed(grpcio)));
        if matrix.setup.ceiling().is_err() {
            let (setup, profile) = (&matrix.setup, matrix.profiles[0]);
            let of = content.clone();
            let served = Served::start(GRPCIO_SERVER, cell, setup, profile, of, watch);
            others.push((GRPCIO_SERVER.to_owned(), boxed(served)));
        }
    }
    let mut arms = vec![
        (SEGMENTS.to_owned(), grpc(SEGMENTS, DataPath::Segments, matrix.profiles[0])),
        (TONIC.to_owned(), grpc(TONIC, DataPath::ProstVec, TransportProfile::TONIC)),
    ];
    if matrix.setup.ceiling().is_ok() {
        arms.push((RAW_TCP.to_owned(), raw(RAW_TCP, Wire::Tcp)));
        arms.push((RAW_UNIX.to_owned(), raw(RAW_UNIX, Wire::Unix)));
    } else {
        let bytes = grpc(BYTES, DataPath::ProstBytes, matrix.profiles[0]);
        arms.push((BYTES.to_owned(), bytes));
    }
    arms.extend(others);
    arms
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bench_core::measure::drive::Stop;
    use bench_core::scale::Scale;
    use clap::Parser;

    use super::*;
    use crate::grpc_matrix::flags::Flags;
    use crate::grpc_matrix::watch::Unwatched;

    #[test]
    fn raw_sockets_stand_beside_single_calls_and_every_arm_moves_the_content() {
        for (calls, names) in [
            (1, [SEGMENTS, TONIC, RAW_TCP, RAW_UNIX].as_slice()),
            (8, [SEGMENTS, TONIC, BYTES].as_slice()),
        ] {
            let line =
                format!("scenario_grpc --peers --only read --size 1KiB --concurrency {calls}");
            let flags = Flags::try_parse_from(line.split_whitespace()).expect("flags");
            let matrix = flags.matrix(Scale::Smoke).expect("they make sense");
            let payload = Payload::seeded(SEED, matrix.cells[0].size);
            let content = (payload, payload.to_bytes());
            let arms = start(&matrix.cells[0], &matrix, Layout::TwoThreads, content, &Unwatched);
            let started: Vec<&str> = arms.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(started, names);
            for (name, arm) in arms {
                let mut arm = arm.unwrap_or_else(|error| panic!("{name}: {error}"));
                arm.verify(&Unwatched).unwrap_or_else(|error| panic!("{name}: {error}"));
                let mut turn = |stop| arm.turn(stop, &Unwatched).expect("it ends");
                let counted = turn(Stop::Operations(20));
                assert_eq!((counted.latency.len(), counted.errors.len()), (20, 0), "{name}");
                let timed = turn(Stop::After(Duration::from_millis(50)));
                assert!(timed.operations > 0, "{name}");
                assert_eq!(timed.latency.len(), timed.operations, "{name}");
                let (dimensions, placed) = (arm.dimensions(), ["server", "path", "chunk"]);
                for known in placed.into_iter().chain(["rtt_added", "server_address", "wire"]) {
                    assert!(dimensions.contains_key(known), "{name} does not tell its {known}");
                }
            }
        }
    }
}
