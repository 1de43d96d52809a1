//! How long a program with a time limit really waits for a peer that never answers.

use std::time::{Duration, Instant};

use bench_core::judge::stats::median;
use bench_core::record::{Data, Metric, Row};
use bench_core::scale::Scale;
use bench_core::units::print_ns;
use bench_core::workload::Failure;
use bench_network::Error;
use bench_network::tcp::silent::{Patient, Silence, SilentPeer};

const LIMIT: Duration = Duration::from_millis(20);

/// One row of times for each way to be silent.
///
/// # Errors
/// What the system refused; an answer where there should be none.
pub fn rows(scale: Scale) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for silence in Silence::ALL {
        let peer = SilentPeer::start(silence)?;
        let mut values = Vec::new();
        for _ in 0..scale.pick(2, 20, 50) {
            values.push(wait(&peer, silence)?.as_nanos() as f64);
        }
        let iterations = vec![1; values.len()];
        let id = format!("network/tcp/time_out/{}", silence.name());
        let data = Data::Samples { values, iterations };
        let mut row = Row::measured(&id, Metric::WallTime, "ns", data);
        let backend = bench_network::socket::BACKEND.to_owned();
        row.dimensions.insert("backend".to_owned(), backend);
        row.dimensions.insert("limit_ns".to_owned(), LIMIT.as_nanos().to_string());
        rows.push(row);
    }
    Ok(rows)
}

/// From the start of the operation that is not answered to its error.
fn wait(peer: &SilentPeer, silence: Silence) -> Result<Duration, Failure> {
    let connected = match silence {
        Silence::Handshake => None,
        Silence::Answer => Some(Patient::connect(peer.address(), LIMIT)?),
    };
    let begun = Instant::now();
    let ended = match connected {
        None => Patient::connect(peer.address(), LIMIT).map(drop),
        Some(mut connection) => connection.exchange(b"?", &mut [0]),
    };
    let took = begun.elapsed();
    match ended {
        Err(Error::NoAnswer { .. }) => Ok(took),
        Err(error) => Err(error.into()),
        Ok(()) => Err("a peer that should be silent answered".into()),
    }
}

/// A line for each of these rows.
pub fn words(rows: &[Row]) -> String {
    let of = rows.iter().filter(|row| row.id.starts_with("network/tcp/time_out/"));
    let lines = of.map(|row| {
        let took = print_ns(median(&row.per_operation()));
        let limit = print_ns(LIMIT.as_nanos() as f64);
        format!("{}: given up after {took} where {limit} was allowed\n", row.id)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_shorter_than_its_limit() {
        let rows = rows(Scale::Smoke).expect("measured");
        assert_eq!(rows.len(), 2);
        for row in &rows {
            row.check().expect("a record takes it");
            let limit = LIMIT.as_nanos() as f64;
            assert!(row.per_operation().iter().all(|took| *took >= limit), "{row:?}");
        }
        assert!(words(&rows).contains("/handshake: given up after "), "{}", words(&rows));
    }
}
