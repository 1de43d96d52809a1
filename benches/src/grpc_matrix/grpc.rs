//! A transport profile as an arm: calls of one operation over the connections of a client.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

use bench_core::measure::drive::{DriveConfig, Stop, WarmUp, drive};
use bench_core::measure::recorder::Dimensions;
use bench_core::measure::schedule::Schedule;
use bench_core::measure::usage::Meter;
use bench_core::workload::Failure;
use bench_grpc::{Error, Operation, Sink, TransportProfile};

use super::arm::{Arm, Turn};
use super::caller::Caller;
use super::end::End;
use super::plan::Cell;
use super::setup::Setup;
use super::tally;

/// Calls of one operation, so many at a time. Content is dropped as it comes while the clock runs,
/// and looked at before and after.
pub struct Grpc {
    name: String,
    operation: Operation,
    concurrency: usize,
    /// A call that takes longer hangs.
    limit: Duration,
    /// Whether times over a link that was too late are refused.
    judged: bool,
    asked: Dimensions,
    end: End,
}

impl Grpc {
    /// Over the connections of `end`, which is one of this setup and profile.
    pub fn new(
        name: &str,
        cell: &Cell,
        setup: &Setup,
        profile: &TransportProfile,
        end: End,
    ) -> Self {
        let (name, concurrency) = (name.to_owned(), setup.concurrency);
        let operation = cell.operation;
        let limit = setup.time_limit(cell.size, profile, operation);
        let (judged, asked) = (setup.judges_link(), setup.dimensions(cell.size));
        Self { name, operation, concurrency, limit, judged, asked, end }
    }
}

impl Arm for Grpc {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self, operations: u64) -> Turn {
        let operation = self.operation;
        let dropping = |client: Caller| client.with(Sink::Discard, self.limit);
        let clients: Vec<Caller> = self.end.clients().into_iter().map(dropping).collect();
        let first_byte = RefCell::new(tally::histogram());
        let config = DriveConfig {
            schedule: Schedule::Closed,
            workers: self.concurrency,
            stop: Stop::Operations(operations),
            warm_up: WarmUp::Operations(0),
        };
        let server = self.end.server();
        let meter = Meter::start(server, Some(self.end.aside()));
        let driven = self.end.block_on(drive(config, |index| {
            let client = &clients[index.0 as usize % clients.len()];
            let first_byte = &first_byte;
            async move {
                let began = Instant::now();
                let delivery = client.call(operation).await.map_err(Kind)?;
                if let Some(at) = delivery.first_byte() {
                    let waited = tally::ns(at.saturating_duration_since(began));
                    first_byte.borrow_mut().saturating_record(waited);
                }
                Ok::<(), Kind>(())
            }
        }));
        let usage = Some(meter.stop());
        Turn {
            operations: driven.operations,
            elapsed: driven.elapsed,
            latency: driven.service_time,
            first_byte: first_byte.into_inner(),
            errors: driven.errors.into_iter().collect(),
            usage,
        }
    }

    fn verify(&mut self) -> Result<(), Failure> {
        for client in self.end.clients() {
            let client = client.with(Sink::Verify, self.limit);
            self.end.block_on(client.call(self.operation))?;
        }
        Ok(())
    }

    fn spoiled(&self) -> Result<Option<String>, Failure> {
        Ok(self.end.spoiled()?.filter(|_| self.judged))
    }

    fn dimensions(&self) -> Dimensions {
        let mut dimensions = self.asked.clone();
        // What runs is known better by itself.
        dimensions.extend(self.end.dimensions());
        dimensions
    }
}

/// An error as a kind: the status by its code, so that a thousand messages are one kind.
struct Kind(Error);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::Status { status, .. } => write!(f, "{:?}", status.code()),
            other => other.fmt(f),
        }
    }
}
