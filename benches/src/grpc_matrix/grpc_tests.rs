//! Calls that hang: a server that sends the half of everything and then nothing ever again.

use std::cell::Cell;
use std::net::Ipv4Addr;

use bench_core::fixture::Payload;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_grpc::fault::{self, Fault};
use bench_grpc::{Bind, DataPath, Error, Server, ServerConfig, TransportProfile};
use clap::Parser;

use super::super::flags::{Flags, Matrix};
use super::super::plan::SEED;
use super::super::round::measure;
use super::super::run::{boxed, cell_rows};
use super::super::watch::Unwatched;
use super::*;

/// Wants to stop once it has been asked some times.
struct Impatient(Cell<u32>);

impl Watch for Impatient {
    fn turned(&mut self, _arm: &str) {}
    fn stopped(&self) -> bool {
        self.0.set(self.0.get() + 1);
        self.0.get() > 3
    }
}

fn stalling(flags: &str) -> (Server, Matrix) {
    serving(|config| fault::start(config, Fault::Stall), flags)
}

fn serving(
    start: impl FnOnce(&ServerConfig) -> Result<Server, Error>,
    flags: &str,
) -> (Server, Matrix) {
    let payload = Payload::seeded(SEED, ByteSize::kib(64));
    let config = ServerConfig {
        profile: TransportProfile::CONSERVATIVE,
        address: Bind::Tcp((Ipv4Addr::LOCALHOST, 0).into()),
        path: DataPath::ProstBytes,
        payload,
        workers: 1,
        cpu: None,
        socket_buffer: None,
    };
    let server = start(&config).expect("serves");
    let line = format!(
        "scenario_grpc --profile aggressive --size 64KiB --server {} {flags}",
        server.address()
    );
    let flags = Flags::try_parse_from(line.split_whitespace()).expect("flags");
    (server, flags.matrix(Scale::Smoke).expect("a matrix"))
}

fn arm(matrix: &Matrix, cell: &plan::Cell, limit: Duration) -> Grpc {
    let payload = Payload::seeded(SEED, cell.size);
    let (profile, setup) = (matrix.profiles[0], &matrix.setup);
    let end = End::open(setup, profile, (payload, payload.to_bytes()), &Unwatched).expect("opens");
    Grpc { limit, ..Grpc::new("default", cell, setup, end) }
}

#[test]
fn the_first_call_that_hangs_ends_its_turn_and_takes_the_arm_out() {
    let limit = Duration::from_millis(200);
    for calls in ["", "--concurrency 3 --connections 2"] {
        let (_server, matrix) = stalling(calls);
        for cell in &matrix.cells {
            let mut arm = arm(&matrix, cell, limit);
            // All of them would take an hour and more.
            let why = arm.turn(Stop::Operations(20_000), &Unwatched).expect_err("it hangs");
            assert!(why.ends_with("had not ended after 200ms and was given up"), "{why}");
            let mut arms = [("default".to_owned(), boxed(Ok(arm)))];
            let tally = &measure(&mut arms, matrix.effort, &mut Unwatched)[0];
            assert!(!tally.is_running(), "{cell:?}");
        }
    }
}

#[test]
fn an_interrupt_is_seen_while_a_call_hangs_and_is_no_failure() {
    let (_server, matrix) = stalling("");
    let impatient = || Impatient(Cell::new(0));
    for cell in &matrix.cells {
        let mut arm = arm(&matrix, cell, Duration::from_secs(3600));
        assert_eq!(arm.turn(Stop::Operations(1), &impatient()).err().as_deref(), Some(STOPPED));
        let error = arm.verify(&impatient()).expect_err("nobody waits").to_string();
        assert_eq!(error, STOPPED);
        let setup = &matrix.setup;
        let rows = cell_rows(cell, setup, &matrix.profiles, matrix.effort, &mut impatient());
        assert!(rows.is_empty(), "nothing was measured, and nothing failed: {rows:?}");
    }
}

#[test]
fn a_call_has_the_time_that_the_window_of_the_end_that_receives_takes() {
    let (_server, matrix) = serving(|config| Server::start(config.clone()), "--rtt 200");
    let opened = |cell: &plan::Cell| {
        let payload = Payload::seeded(SEED, cell.size);
        let content = (payload, payload.to_bytes());
        let end = End::open(&matrix.setup, matrix.profiles[0], content, &Unwatched);
        Grpc::new("aggressive", cell, &matrix.setup, end.expect("opens")).limit
    };
    for cell in &matrix.cells {
        // The server is somebody else's and has small windows, whatever ours are.
        let window = match cell.operation {
            Operation::Write => ByteSize::kib(64),
            Operation::Read | Operation::Stream => ByteSize::mib(16),
        };
        let expected = matrix.setup.time_limit(cell.size, window, cell.operation);
        assert_eq!(opened(cell), expected, "{cell:?}");
    }
    let limit = |window| matrix.setup.time_limit(ByteSize::mib(1), window, Operation::Write);
    assert_ne!(limit(ByteSize::kib(64)), limit(ByteSize::mib(16)));
}
