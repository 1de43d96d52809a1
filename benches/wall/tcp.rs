//! How long do 256 connections take, plain and under TLS, a request with its response, and 32 MiB in one
//! direction? Reports; never gates.

use bench_core::measure::wall::{criterion as config, wall};
use bench_network::workloads::{Bulk, Connections, Request, Security};
use criterion::{Criterion, criterion_group, criterion_main};

fn tcp(c: &mut Criterion) {
    // Without the instructions for TLS its ids are missing, and whoever expects them is told.
    for security in Security::ALL.into_iter().filter(|security| security.available().is_ok()) {
        wall::<Connections>(c, &security);
    }
    for layout in ["one_thread", "pinned"] {
        for sizes in ["64B/4KiB", "64B/64KiB", "16KiB/64B"] {
            let cell = format!("request/{layout}/{sizes}").parse();
            wall::<Request>(c, &cell.unwrap_or_else(|error| panic!("{error}")));
        }
    }
    for cell in ["reno/64KiB", "reno/128KiB", "reno/1MiB"] {
        wall::<Bulk>(c, &cell.parse().unwrap_or_else(|error| panic!("{error}")));
    }
}

criterion_group! { name = benches; config = config(); targets = tcp }
criterion_main!(benches);
