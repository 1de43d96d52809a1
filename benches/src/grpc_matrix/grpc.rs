//! A transport profile as an arm: calls of one operation over the connections of a client.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::{Duration, Instant};

use bench_core::measure::drive::{DriveConfig, Stop, WarmUp, drive};
use bench_core::measure::recorder::Dimensions;
use bench_core::measure::schedule::Schedule;
use bench_core::measure::usage::Meter;
use bench_core::workload::Failure;
use bench_grpc::{Error, Operation, Sink};
use tokio::select;
use tokio::sync::Notify;

use super::arm::{Arm, Turn};
use super::caller::Caller;
use super::end::End;
use super::part::Part;
use super::plan;
use super::setup::Setup;
use super::tally;
use super::watch::{STOPPED, Watch, unless_stopped};

/// Calls of one operation, so many at a time. Content is dropped as it comes while the clock runs,
/// and looked at before and after.
pub struct Grpc {
    name: String,
    operation: Operation,
    part: Option<Part>,
    concurrency: usize,
    /// A call that takes longer hangs.
    limit: Duration,
    /// Whether times over a link that was too late are refused.
    judged: bool,
    asked: Dimensions,
    end: End,
}

impl Grpc {
    /// Over the connections of `end`, which is one of this setup.
    pub fn new(name: &str, cell: &plan::Cell, setup: &Setup, end: End) -> Self {
        let (name, concurrency) = (name.to_owned(), setup.concurrency);
        let (operation, part) = (cell.operation, cell.part);
        let limit = setup.time_limit(cell.moved(), end.window(operation), operation);
        let (judged, asked) = (setup.judges_link(), setup.dimensions(cell.moved(), operation));
        Self { name, operation, part, concurrency, limit, judged, asked, end }
    }
}

impl Arm for Grpc {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self, stop: Stop, watch: &dyn Watch) -> Result<Turn, String> {
        let (operation, part, limit) = (self.operation, self.part, self.limit);
        let dropping = |client: Caller| client.with(Sink::Discard, limit);
        let clients: Vec<Caller> = self.end.clients().into_iter().map(dropping).collect();
        let first_byte = RefCell::new(tally::histogram());
        let (hung, given_up) = (Cell::new(false), Notify::new());
        let config = DriveConfig {
            schedule: Schedule::Closed,
            workers: self.concurrency,
            stop,
            warm_up: WarmUp::Operations(0),
        };
        let server = self.end.server();
        let meter = Meter::start(server, Some(self.end.aside()));
        let driving = drive(config, |index| {
            let client = &clients[index.0 as usize % clients.len()];
            let (first_byte, hung, given_up) = (&first_byte, &hung, &given_up);
            async move {
                let began = Instant::now();
                let called = client.call(operation, part).await;
                if let Err(Error::TimeLimit { .. }) = called {
                    hung.set(true);
                    given_up.notify_one();
                }
                let delivery = called.map_err(Kind)?;
                if let Some(at) = delivery.first_byte() {
                    let waited = tally::ns(at.saturating_duration_since(began));
                    first_byte.borrow_mut().saturating_record(waited);
                }
                Ok::<(), Kind>(())
            }
        });
        // Whatever else is under way would hang as long, and so would all that was to come.
        let sound = async {
            select! {
                driven = driving => Some(driven),
                () = given_up.notified() => None,
            }
        };
        let driven = self.end.block_on(unless_stopped(watch, sound));
        let usage = Some(meter.stop());
        if hung.get() {
            return Err(Error::TimeLimit { operation, limit }.to_string());
        }
        let driven = driven.flatten().ok_or(STOPPED)?;
        Ok(Turn {
            operations: driven.operations,
            elapsed: driven.elapsed,
            latency: driven.service_time,
            first_byte: first_byte.into_inner(),
            errors: driven.errors.into_iter().collect(),
            usage,
        })
    }

    fn verify(&mut self, watch: &dyn Watch) -> Result<(), Failure> {
        for client in self.end.clients() {
            let client = client.with(Sink::Verify, self.limit);
            let called = client.call(self.operation, self.part);
            self.end.block_on(unless_stopped(watch, called)).ok_or(STOPPED)??;
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

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
