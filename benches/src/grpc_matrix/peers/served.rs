//! Our client at grpcio's server: what that server can do where its own client holds it up, as it does
//! with many small calls at a time.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::fixture::cpus::{Pinned, Placement};
use bench_core::measure::drive::Stop;
use bench_core::measure::recorder::Dimensions;
use bench_core::workload::Failure;
use bench_grpc::{Layout, Target, TransportProfile};
use bytes::Bytes;
use tempfile::NamedTempFile;

use crate::grpc_matrix::arm::{Arm, Turn};
use crate::grpc_matrix::end::End;
use crate::grpc_matrix::grpc::Grpc;
use crate::grpc_matrix::plan::Cell;
use crate::grpc_matrix::setup::{Place, Setup};
use crate::grpc_matrix::watch::Watch;
use crate::grpcio::{self, peer::Peer};

/// How long an interpreter may take until it serves.
const START_BOUND: Duration = Duration::from_secs(120);

/// A client of ours and the server that it calls.
pub(super) struct Served {
    // Dropped in this order: the client, then its server.
    arm: Grpc,
    _server: Peer,
    _content: NamedTempFile,
    /// Of the server, and of the thread that calls it.
    placement: (Placement, Pinned),
}

impl Served {
    /// Starts the server with all its threads on the CPU that ours has, and connects.
    ///
    /// # Errors
    /// That there is no grpcio, and how to get it; what it said when it ended; that whoever watches
    /// wants to stop.
    pub(super) fn start(
        name: &str,
        cell: &Cell,
        setup: &Setup,
        profile: TransportProfile,
        content: (Payload, Bytes),
        watch: &dyn Watch,
    ) -> Result<Self, Failure> {
        let file = grpcio::content_file(&content.1)?;
        let placement = Placement::choose()?;
        let mut script = Command::new(grpcio::python()?);
        script.arg(grpcio::SCRIPT).arg("serve").arg(file.path()).arg(placement.server.to_string());
        let mut server = Peer::start(&mut script)?;
        let port = server.line(START_BOUND).map_err(|why| format!("grpcio: {why}"))?;
        let port: u16 = port.parse().map_err(|_| format!("grpcio serves at port '{port}'"))?;
        let place = Place::Elsewhere(Target::Tcp((Ipv4Addr::LOCALHOST, port).into()));
        let setup = Setup { place, ..setup.clone() };
        let pinned = Pinned::to(placement.client)?;
        let end = End::open(&setup, profile, content, watch)?;
        let arm = Grpc::new(name, cell, &setup, end);
        Ok(Self { arm, _server: server, _content: file, placement: (placement, pinned) })
    }
}

impl Arm for Served {
    fn name(&self) -> &str {
        self.arm.name()
    }

    fn turn(&mut self, stop: Stop, watch: &dyn Watch) -> Result<Turn, String> {
        self.arm.turn(stop, watch)
    }

    fn verify(&mut self, watch: &dyn Watch) -> Result<(), Failure> {
        self.arm.verify(watch)
    }

    fn dimensions(&self) -> Dimensions {
        let own = [
            ("backend", "grpcio's server, a client of ours".to_owned()),
            ("server", "grpcio's".to_owned()),
            ("layout", Layout::Processes.to_string()),
            ("cpus", self.placement.0.describe()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        self.arm.dimensions().into_iter().chain(own).collect()
    }
}
