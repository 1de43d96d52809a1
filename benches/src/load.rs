//! A gRPC server under a schedule: where the load driver and the gRPC room meet.

use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::measure::drive::{DriveConfig, Stop, WarmUp, drive};
use bench_core::measure::schedule::Schedule;
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::{DataPath, Layout, Loopback, LoopbackConfig, Operation, TransportProfile, Wire};

const SEED: u64 = 42;
const SIZE: ByteSize = ByteSize::kib(64);

/// The rows of reads of 64 KiB from a server on a thread of its own. Status, length and number of
/// messages of every call are checked under the clock, the content before and after.
///
/// # Errors
/// When the fixture does not start, or a verified call fails. A failed call under load is counted.
pub fn grpc_reads(
    id: &str,
    schedule: Schedule,
    workers: usize,
    scale: Scale,
) -> Result<Vec<Row>, Failure> {
    let mut loopback = Loopback::start(LoopbackConfig {
        profile: TransportProfile::DEFAULT,
        layout: Layout::TwoThreads,
        pinned: false,
        wire: Wire::Tcp,
        path: DataPath::ProstBytes,
        payload: Payload::seeded(SEED, SIZE),
        chunk: SIZE,
        socket_buffer: None,
    })?;
    let time =
        scale.pick(Duration::from_millis(50), Duration::from_secs(4), Duration::from_secs(30));
    let (stop, warm_up) = (Stop::After(time), WarmUp::Time(time / 10));
    let client = loopback.client();
    let driven = loopback.block_on(drive(DriveConfig { schedule, workers, stop, warm_up }, |_| {
        let client = client.clone();
        async move { client.call(Operation::Read).await.map(drop) }
    }));
    loopback.call_verified(Operation::Read)?;
    let dimensions = loopback.dimensions().into_iter().map(|(name, value)| (name.into(), value));
    Ok(driven.into_rows(id, &dimensions.chain([("size".into(), SIZE.to_string())]).collect()))
}
