//! Requests over a pool of connections: how many connections they take, how long they wait for one, and
//! how long they take with that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use bench_core::measure::drive::{DriveConfig, Stop, WarmUp, drive};
use bench_core::measure::schedule::Schedule;
use bench_core::record::{Data, Metric, Row};
use bench_core::scale::Scale;
use bench_core::units::{ByteSize, print_ns};
use bench_core::workload::Failure;
use bench_network::tcp::reuse::{Counts, Reuse, ReuseConfig};
use hdrhistogram::Histogram;
use tokio::runtime::Builder;

/// Requests under way at once.
const WORKERS: usize = 16;
/// As servers do by default: Apache closes after 100, nginx after 1000.
const REQUESTS_PER_CONNECTION: u64 = 100;
/// Nobody waits that long.
const HIGH_NS: u64 = 3_600_000_000_000;

/// The metric of what a request waits for its connection.
const WAIT: &str = "wait_time";
/// The metric of how long a new connection takes.
const CONNECT: &str = "connect_time";
/// The metric of how many were made.
const CONNECTIONS: &str = "connections";
/// The metric of requests that met a closed connection.
const STALE: &str = "stale";

/// A pool that is too small for its requests, and one that is not.
const POOLS: [(&str, usize); 2] =
    [("network/tcp/reuse/pool_4", 4), ("network/tcp/reuse/pool_16", WORKERS)];

/// The rows of both pools.
///
/// # Errors
/// What the fixture refused, a request that failed, or counts of client and server that differ.
pub fn rows(scale: Scale) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (id, connections) in POOLS {
        rows.extend(pool(id, connections, scale.pick(300, 20_000, 100_000))?);
    }
    Ok(rows)
}

fn pool(id: &str, connections: usize, requests: u64) -> Result<Vec<Row>, Failure> {
    let reuse = Reuse::start(ReuseConfig {
        connections,
        requests_per_connection: NonZeroU64::new(REQUESTS_PER_CONNECTION),
        request: ByteSize::new(64),
        response: ByteSize::kib(1),
        wait_limit: Duration::from_secs(10),
    })?;
    let config = DriveConfig {
        schedule: Schedule::Closed,
        workers: WORKERS,
        stop: Stop::Operations(requests),
        // None, so that all connections are counted that the requests took.
        warm_up: WarmUp::Operations(0),
    };
    let times = RefCell::new((times()?, times()?));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let driven = runtime.block_on(drive(config, |_| async {
        let checkout = reuse.request().await.map_err(|error| error.to_string())?;
        let (waited, connected) = &mut *times.borrow_mut();
        waited.saturating_record(nanoseconds(checkout.waited));
        if let Some(time) = checkout.connecting {
            connected.saturating_record(nanoseconds(time));
        }
        Ok::<(), String>(())
    }));
    let counts = reuse.counts();
    let (waited, connected) = times.into_inner();
    if let Some((kind, count)) = driven.errors.first_key_value() {
        return Err(format!("{count} of {requests} requests failed: {kind}").into());
    }
    if counts.requests != requests || counts.connections != connected.len() {
        let client = format!("{requests} requests over {} connections", connected.len());
        return Err(format!("the client made {client}, and the server saw {counts:?}").into());
    }
    let named = reuse.dimensions().into_iter().map(|(name, value)| (name.to_owned(), value));
    let dimensions: BTreeMap<String, String> = named.collect();
    let mut rows = driven.into_rows(id, &dimensions);
    for mut row in of_counts(id, counts, &waited, &connected) {
        row.dimensions.clone_from(&dimensions);
        rows.push(row);
    }
    Ok(rows)
}

fn of_counts(
    id: &str,
    counts: Counts,
    waited: &Histogram<u64>,
    connected: &Histogram<u64>,
) -> Vec<Row> {
    let other = |name: &str| Metric::Other(name.to_owned());
    let count = |metric, value| Row::measured(id, metric, "1", Data::Count { value });
    let times = |name, of| Row::measured(id, other(name), "ns", Data::from_histogram(of));
    vec![
        times(WAIT, waited),
        times(CONNECT, connected),
        count(Metric::Requests, counts.requests),
        count(other(CONNECTIONS), counts.connections),
        count(other(STALE), counts.stale),
    ]
}

fn times() -> Result<Histogram<u64>, Failure> {
    Ok(Histogram::new_with_bounds(1, HIGH_NS, 3)?)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(HIGH_NS).max(1)
}

/// A line for each pool of these rows.
pub fn words(rows: &[Row]) -> String {
    let mut text = String::new();
    for (id, _) in POOLS {
        let find = |name: &str| rows.iter().find(|row| row.id == id && row.metric.name() == name);
        let count = |name: &str| match find(name)?.data {
            Some(Data::Count { value }) => Some(value),
            _ => None,
        };
        let waited = find(WAIT).and_then(|row| row.data.as_ref()?.histogram().ok());
        let counts = (count(Metric::Requests.name()), count(CONNECTIONS), count(STALE));
        if let ((Some(requests), Some(made), Some(stale)), Some(waited)) = (counts, waited) {
            let again = (1.0 - made as f64 / requests.max(1) as f64) * 100.0;
            let at = |quantile| print_ns(waited.value_at_quantile(quantile) as f64);
            text.push_str(&format!(
                "{id}: {requests} requests over {made} connections ({again:.1} % used one again, {stale} \
                 met a closed one); waited for one {} in the median, {} at the 99th percentile\n",
                at(0.5),
                at(0.99)
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_use_connections_again_and_wait_where_there_are_too_few() {
        let rows = rows(Scale::Smoke).expect("measured");
        for row in &rows {
            row.check().expect("a record takes it");
        }
        let count = |id: &str, name: &str| {
            let row = rows.iter().find(|row| row.id == id && row.metric.name() == name);
            row.expect(name).per_operation()[0]
        };
        for (id, connections) in POOLS {
            // 300 requests, 100 to a connection, and no more at once than the pool has: each of its
            // connections may be at its last request when the run ends.
            let made = count(id, CONNECTIONS);
            assert!(made >= 3.0 && made <= (3 + connections) as f64, "{id}: {made}");
            assert_eq!(count(id, "requests"), 300.0);
        }
        let text = words(&rows);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("300 requests over "), "{text}");
    }
}
