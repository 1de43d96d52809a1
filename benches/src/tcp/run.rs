//! The parts, each with its arms in turns, and their rows.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use bench_core::fixture::cpus::Placement;
use bench_core::judge::matrix::CELL;
use bench_core::record::{Metric, Row};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};
use bench_network::tcp::bulk::{Bulk, BulkCell, BulkConfig};
use bench_network::tcp::rate::{Connections, Security};

use super::peers::{self, Iperf3};
use super::{reuse, time_outs};
use crate::arms::{Arm, Pass, interleaved};

/// The dimension that names the arm.
pub const ARM: &str = "arm";
/// Our own.
pub const OWN: &str = "own";

/// What made a number, by name.
type Dimensions = Vec<(&'static str, String)>;

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Connections in a second.
    Rate(Security),
    /// One direction.
    Bulk,
    /// Requests over a pool of connections.
    Reuse,
    /// Peers that never answer.
    TimeOuts,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Rate(Security::Plain),
        Self::Rate(Security::Tls),
        Self::Rate(Security::TlsResumed),
        Self::Bulk,
        Self::Reuse,
        Self::TimeOuts,
    ];

    /// As the command line has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate(security) => security.name(),
            Self::Bulk => "bulk",
            Self::Reuse => "reuse",
            Self::TimeOuts => "time_outs",
        }
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In this order.
    pub parts: Vec<Part>,
    /// Whether wrk and iperf3 take turns with us.
    pub peers: bool,
    /// Rounds that count; one before them does not.
    pub rounds: usize,
    /// Of each arm in each round, of those that make connections.
    pub time: Duration,
    /// What is sent at once.
    pub bulk: BulkConfig,
    /// How often that is sent, in each round.
    pub times: u64,
    /// By which the parts without arms go.
    pub scale: Scale,
}

impl Plan {
    /// What is measured where nobody says otherwise.
    pub fn of(scale: Scale) -> Self {
        let mib = ByteSize::mib;
        let cell = BulkCell { control: "reno".to_owned(), block: ByteSize::kib(128) };
        let total = scale.pick(mib(4), mib(256), mib(256));
        Self {
            parts: Part::ALL.to_vec(),
            peers: false,
            rounds: scale.pick(1, 7, 15),
            time: scale.pick(
                Duration::from_millis(20),
                Duration::from_secs(1),
                Duration::from_secs(2),
            ),
            bulk: BulkConfig { cell, total, receive_buffer: None },
            times: scale.pick(1, 8, 16),
            scale,
        }
    }
}

/// The rows of all parts. A peer that is not installed leaves a failed row.
///
/// # Errors
/// What a fixture or an arm failed with.
pub fn measure(plan: &Plan) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for part in &plan.parts {
        rows.extend(match part {
            Part::Rate(security) => rate(*security, plan)?,
            Part::Bulk => bulk(plan)?,
            Part::Reuse => reuse::rows(plan.scale)?,
            Part::TimeOuts => time_outs::rows(plan.scale)?,
        });
    }
    Ok(rows)
}

fn rate(security: Security, plan: &Plan) -> Result<Vec<Row>, Failure> {
    let cell = format!("network/tcp/rate/{security}");
    if let Err(reason) = security.available() {
        return named(&cell, Vec::new(), Some((OWN, reason.to_string())));
    }
    let connections = RefCell::new(Connections::start(security)?);
    let [of_own, of_wrk] = of_rate(connections.borrow().dimensions(), security);
    let own = || -> Result<Pass, Failure> {
        let mut connections = connections.borrow_mut();
        let (begun, mut operations) = (Instant::now(), 0);
        // A few times what is under way at once, so that it is drained seldom.
        let step = 32 * security.window() as u64;
        while begun.elapsed() < plan.time {
            connections.make(step)?;
            operations += step;
        }
        Ok(Pass { time: begun.elapsed(), operations })
    };
    let theirs = || -> Result<Pass, Failure> {
        let connections = connections.borrow();
        let server = connections.server();
        let before = server.accepted();
        let pass = peers::wrk(server.address(), security.window(), plan.time)?;
        let accepted = server.accepted() - before;
        if accepted < pass.operations {
            let (said, program) =
                (format!("{} requests, {accepted} accepted", pass.operations), "wrk");
            return Err(peers::PeerError::Failed { program, said }.into());
        }
        Ok(pass)
    };
    let mut arms = vec![arm(OWN, of_own, own)];
    // wrk's build of Debian has another TLS than ours: it would be compared and not the connections.
    let asked = plan.peers && security == Security::Plain;
    let missing = peer(&mut arms, asked, "wrk", of_wrk, theirs);
    named(&cell, interleaved(&cell, plan.rounds, arms)?, missing)
}

fn bulk(plan: &Plan) -> Result<Vec<Row>, Failure> {
    let cell = format!("network/tcp/throughput/{}", plan.bulk.cell);
    let transfer = RefCell::new(Bulk::start(plan.bulk.clone())?);
    let block = plan.bulk.cell.block.bytes();
    let blocks = plan.bulk.total.bytes() / block * plan.times;
    let own = || -> Result<Pass, Failure> {
        let (mut transfer, mut time) = (transfer.borrow_mut(), Duration::ZERO);
        for _ in 0..plan.times {
            transfer.prepare()?;
            let begun = Instant::now();
            transfer.run();
            time += begun.elapsed();
            transfer.check()?;
        }
        Ok(Pass { time, operations: blocks })
    };
    let wanted = plan.peers.then(|| peers::installed("iperf3"));
    let server = match wanted {
        Some(Ok(())) => Some(Iperf3::start(Placement::choose()?)?),
        _ => None,
    };
    let theirs = || -> Result<Pass, Failure> {
        let server = server.as_ref().ok_or("its server does not run")?;
        Ok(server.send(&plan.bulk, blocks * block)?)
    };
    let mut dimensions = of_bulk(&transfer.borrow().dimensions());
    dimensions.push(("bytes", block.to_string()));
    let mut arms = vec![arm(OWN, dimensions.clone(), own)];
    let missing = peer(&mut arms, plan.peers, "iperf3", dimensions, theirs);
    let mut rows = interleaved(&cell, plan.rounds, arms)?;
    // What limited it is known when it is over.
    let after = transfer.borrow().dimensions().into_iter();
    rows[0].dimensions.extend(after.map(|(name, value)| (name.to_owned(), value)));
    named(&cell, rows, missing)
}

/// What our own arm of a rate tells of client and server, and what wrk does before the same server.
fn of_rate(mut own: Dimensions, security: Security) -> [Dimensions; 2] {
    // An operation of an arm is one connection.
    own.retain(|(name, _)| *name != "connections_per_operation");
    let mut wrk = shared(&own, &["backend", "congestion_control", "cpus", "security", "close"]);
    // By its own word for it: it waits for all of them at once.
    wrk.push(("connections", security.window().to_string()));
    [own, wrk]
}

/// What is set for iperf3 as for our own connection.
fn of_bulk(own: &Dimensions) -> Dimensions {
    shared(own, &["backend", "congestion_control", "cpus", "block_size", "receive_buffer"])
}

/// Those that have these names.
fn shared(dimensions: &Dimensions, names: &[&str]) -> Dimensions {
    dimensions.iter().filter(|(name, _)| names.contains(name)).cloned().collect()
}

fn arm<'a>(
    name: &str,
    dimensions: Dimensions,
    once: impl FnMut() -> Result<Pass, Failure> + 'a,
) -> Arm<'a, Pass> {
    Arm { name: name.to_owned(), dimensions, once: Box::new(once) }
}

/// Adds the arm of a program that is asked for; what is told where it is not there.
fn peer<'a>(
    arms: &mut Vec<Arm<'a, Pass>>,
    asked: bool,
    program: &'static str,
    dimensions: Dimensions,
    once: impl FnMut() -> Result<Pass, Failure> + 'a,
) -> Option<(&'static str, String)> {
    if !asked {
        return None;
    }
    if let Err(missing) = peers::installed(program) {
        return Some((program, missing.to_string()));
    }
    arms.push(arm(program, dimensions, once));
    None
}

/// Rows by cell and arm, and a failed one for an arm that could not be.
fn named(
    cell: &str,
    mut rows: Vec<Row>,
    missing: Option<(&'static str, String)>,
) -> Result<Vec<Row>, Failure> {
    if let Some((program, why)) = missing {
        let mut row = Row::failed(cell, Metric::WallTime, "ns", &why);
        row.dimensions.insert(ARM.to_owned(), program.to_owned());
        rows.push(row);
    }
    for row in &mut rows {
        row.id = format!("{cell}/{}", row.dimensions[ARM]);
        row.dimensions.insert(CELL.to_owned(), cell.to_owned());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_with_arms_leaves_rows_that_a_record_takes() {
        let parts = Part::ALL[..4].to_vec();
        let plan = Plan { rounds: 2, parts, ..Plan::of(Scale::Smoke) };
        let rows = measure(&plan).expect("measured");
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "network/tcp/rate/plain/own",
                "network/tcp/rate/tls/own",
                "network/tcp/rate/tls_resumed/own",
                "network/tcp/throughput/reno/128KiB/own",
            ]
        );
        for row in &rows {
            row.check().expect("a record takes it");
            assert_eq!(row.per_operation().len(), 2, "{row:?}");
        }
        assert!(rows[3].dimensions.contains_key("limited_by"));
    }

    #[test]
    fn peers_name_what_carried_them_and_not_what_is_ours() {
        let has =
            |dimensions: &Dimensions, name| dimensions.iter().any(|(known, _)| *known == name);
        let ours = Connections::start(Security::Plain).expect("start").dimensions();
        let [own, wrk] = of_rate(ours, Security::Plain);
        assert!(has(&own, "under_way") && !has(&wrk, "under_way"), "{wrk:?}");
        let cell = Plan::of(Scale::Smoke).bulk.cell;
        let both = of_bulk(&Bulk::set_up(&cell).expect("start").dimensions());
        assert!(has(&both, "receive_buffer") && !has(&both, "limited_by"), "{both:?}");
        for dimensions in [own, wrk, both] {
            assert!(!has(&dimensions, "connections_per_operation"), "{dimensions:?}");
            for name in ["backend", "congestion_control", "cpus"] {
                assert!(has(&dimensions, name), "no {name}: {dimensions:?}");
            }
        }
    }

    #[test]
    fn a_peer_that_is_not_there_is_a_failed_row_and_no_missing_one() {
        let mut arms = Vec::new();
        let never = || Err("it must not be run".into());
        let missing = peer(&mut arms, true, "no-such-load-generator", Vec::new(), never);
        assert!(arms.is_empty());
        let rows = named("a/b", Vec::new(), missing).expect("rows");
        assert_eq!(rows[0].id, "a/b/no-such-load-generator");
        assert!(!rows[0].ok && rows[0].error.as_ref().expect("why").contains("not installed"));
    }
}
