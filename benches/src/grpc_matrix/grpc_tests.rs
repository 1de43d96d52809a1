//! Calls that hang: a server that sends the half of everything and then nothing ever again.

use std::cell::Cell;
use std::net::Ipv4Addr;

use bench_core::fixture::Payload;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_grpc::fault::{self, Fault};
use bench_grpc::{Bind, DataPath, Server, ServerConfig};
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
    let payload = Payload::seeded(SEED, ByteSize::kib(64));
    let config = ServerConfig {
        profile: TransportProfile::DEFAULT,
        address: Bind::Tcp((Ipv4Addr::LOCALHOST, 0).into()),
        path: DataPath::ProstBytes,
        payload,
        workers: 1,
        cpu: None,
        socket_buffer: None,
    };
    let server = fault::start(&config, Fault::Stall).expect("serves");
    let line = format!(
        "scenario_grpc --profile default --size 64KiB --server {} {flags}",
        server.address()
    );
    let flags = Flags::try_parse_from(line.split_whitespace()).expect("flags");
    (server, flags.matrix(Scale::Smoke).expect("a matrix"))
}

fn arm(matrix: &Matrix, cell: &plan::Cell, limit: Duration) -> Grpc {
    let payload = Payload::seeded(SEED, cell.size);
    let (profile, setup) = (matrix.profiles[0], &matrix.setup);
    let end = End::open(setup, profile, (payload, payload.to_bytes()), &Unwatched).expect("opens");
    Grpc { limit, ..Grpc::new("default", cell, setup, &profile, end) }
}

#[test]
fn the_first_call_that_hangs_ends_its_turn_and_takes_the_arm_out() {
    let limit = Duration::from_millis(200);
    for calls in ["", "--concurrency 3 --connections 2"] {
        let (_server, matrix) = stalling(calls);
        for cell in &matrix.cells {
            let mut arm = arm(&matrix, cell, limit);
            // All of them would take an hour and more.
            let why = arm.turn(20_000, &Unwatched).expect_err("it hangs");
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
        assert_eq!(arm.turn(1, &impatient()).err().as_deref(), Some(STOPPED));
        let error = arm.verify(&impatient()).expect_err("nobody waits").to_string();
        assert_eq!(error, STOPPED);
        let setup = &matrix.setup;
        let rows = cell_rows(cell, setup, &matrix.profiles, matrix.effort, &mut impatient());
        assert!(rows.is_empty(), "nothing was measured, and nothing failed: {rows:?}");
    }
}
