//! How long do reads and writes of a file take by engine, order, block, queue depth, page-cache state
//! and fsync policy; readers and writers at once; a thousand small files? Reports; never gates.

use bench_core::measure::wall::{criterion as config, wall};
use bench_core::scale::Scale;
use bench_core::workload::Workload;
use bench_storage::cache_state::{Cold, Direct, Warm};
use bench_storage::files::{Concurrent, FileRead, FileWrite, Storm};
use criterion::{Criterion, criterion_group, criterion_main};

const THROUGH_THE_PAGE_CACHE: [&str; 6] = [
    "psync/sequential/bs64KiB/qd1",
    "psync/sequential/bs1MiB/qd1",
    "psync/random/bs4KiB/qd1",
    "mmap/sequential/bs64KiB/qd1",
    "io_uring/sequential/bs64KiB/qd4",
    "tokio/sequential/bs64KiB/qd1",
];
const PAST_IT: [&str; 4] = [
    "psync/sequential/bs1MiB/qd1",
    "psync/random/bs4KiB/qd1",
    "io_uring/sequential/bs1MiB/qd4",
    "io_uring/random/bs4KiB/qd32",
];
const WRITES: [&str; 5] = [
    "psync/sequential/nosync/bs64KiB/qd1",
    "psync/sequential/fdatasync/bs64KiB/qd1",
    "psync/random/fdatasync_each/bs64KiB/qd1",
    "io_uring/sequential/nosync/bs64KiB/qd4",
    "tokio/sequential/nosync/bs64KiB/qd1",
];
const DIRECT_WRITES: [&str; 3] = [
    "psync/random/nosync/bs4KiB/qd1",
    "io_uring/sequential/nosync/bs1MiB/qd4",
    "io_uring/sequential/fdatasync/bs1MiB/qd4",
];
const CONCURRENT: [&str; 5] = [
    "2r0w/one/bs64KiB",
    "2r0w/many/bs64KiB",
    "1r1w/one/bs64KiB",
    "1r1w/many/bs64KiB",
    "0r2w/one/bs64KiB",
];
const STORMS: [&str; 5] = ["create", "open", "stat", "rename", "unlink"];

fn each<W: Workload>(c: &mut Criterion, cells: &[&str], last: &str) {
    for cell in cells {
        let parameter = format!("{cell}/{last}").parse();
        wall::<W>(c, &parameter.unwrap_or_else(|error| panic!("{cell}: {error}")));
    }
}

fn files(c: &mut Criterion) {
    // Every scale measures what the ones below it do, too.
    let rungs = Scale::from_env().pick(1, 2, 3);
    for size in &["1MiB", "16MiB", "256MiB"][..rungs] {
        each::<FileRead<Cold>>(c, &THROUGH_THE_PAGE_CACHE, size);
        each::<FileRead<Warm>>(c, &THROUGH_THE_PAGE_CACHE, size);
        each::<FileRead<Direct>>(c, &PAST_IT, size);
        each::<FileWrite<Warm>>(c, &WRITES, size);
        each::<FileWrite<Direct>>(c, &DIRECT_WRITES, size);
        each::<Concurrent>(c, &CONCURRENT, size);
    }
    for count in &["10", "1000", "10000"][..rungs] {
        each::<Storm>(c, &STORMS, count);
    }
}

criterion_group! { name = benches; config = config(); targets = files }
criterion_main!(benches);
