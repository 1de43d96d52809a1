//! What the bench targets share: how a workload is put under callgrind. Time is measured through
//! [`bench_core::measure`]; the workloads themselves live in their rooms.

pub mod agreement;
pub mod arms;
mod attempts;
#[cfg(feature = "canary-each")]
pub mod canary;
mod clock;
#[cfg(any(feature = "faults", feature = "canary-benches"))]
pub mod faults;
pub mod fio;
mod front;
pub mod fuse_requests;
pub mod grpc_matrix;
pub mod grpc_server;
#[cfg(any(feature = "peers", feature = "interop"))]
pub mod grpcio;
pub mod link_table;
pub mod load;
pub mod overlap;
pub mod pools;
pub mod regions;
pub mod tcp;
pub mod tiers;
pub mod under_faults;

use bench_core::counting::GLIBC_TUNABLES;
use bench_core::measure::recorder::Recorder;
use bench_core::workload::{self, Workload};
use gungraun::LibraryBenchmarkConfig;

/// How every count bench runs: no cache simulation, because only instructions are judged.
pub fn count_config() -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config
        .env("GLIBC_TUNABLES", GLIBC_TUNABLES)
        .tool(gungraun::Callgrind::with_args(["--cache-sim=no"]));
    config
}

/// A workload ready to be counted: it ran once, so that first-use costs are paid, and is prepared
/// for the operation that counts.
///
/// # Panics
/// When `name` is not the workload's, so that both harnesses measure it under one id; when the
/// parameter does not parse; when set-up, preparation or check fail.
pub fn to_count<W: Workload>(name: &str, parameter: &str) -> W {
    #[cfg(feature = "canary-each")]
    canary::prepare();
    assert_eq!(name, W::NAME, "the count target names the workload differently");
    let text = parameter.trim_start_matches('_').replace("__", "/");
    let parameter: W::Parameter = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(parameter.to_string(), text, "{name}: a second spelling would be a second id");
    let failed = |failure: workload::Failure| -> W { panic!("{name}/{text}: {failure}") };
    let mut workload = workload::run_once::<W>(&parameter).unwrap_or_else(failed);
    workload.prepare().unwrap_or_else(|failure| panic!("{name}/{text}: {failure}"));
    workload
}

/// The check after the operation that counted, outside the count; then hands over what made the
/// number, where somebody collects it.
///
/// # Panics
/// When the answer was wrong, or the dimensions could not be written.
pub fn counted<W: Workload>(mut workload: W) {
    workload.check().unwrap_or_else(|failure| panic!("{}: {failure}", W::NAME));
    if let Some(recorder) = Recorder::from_env() {
        recorder
            .dimensions(W::NAME, workload.dimensions())
            .unwrap_or_else(|error| panic!("{}: {error}", W::NAME));
    }
}

/// The operation that counts.
#[inline(always)]
pub fn operate<W: Workload>(workload: &mut W) {
    workload.run();
    #[cfg(feature = "canary-each")]
    canary::work();
}

/// Declares a count target: `group: function = Workload [parameters]`. The id of each bench is
/// `group/function/parameter`, where a parameter is written as an identifier: `_4KiB` is `4KiB`,
/// and `default__1MiB` is `default/1MiB`.
#[macro_export]
macro_rules! counts {
    ($group:ident: $($function:ident = $workload:ty [$($parameter:ident)+];)+) => {
        $(
            #[::gungraun::library_benchmark(teardown = $crate::counted)]
            $(
                #[bench::$parameter($crate::to_count::<$workload>(
                    concat!(stringify!($group), "/", stringify!($function)),
                    stringify!($parameter),
                ))]
            )+
            fn $function(mut workload: $workload) -> $workload {
                $crate::operate(&mut workload);
                workload
            }
        )+
        // Both macros call themselves by their bare names.
        use ::gungraun::{library_benchmark_group, main};
        library_benchmark_group!(name = $group, benchmarks = [$($function),+]);
        main!(config = $crate::count_config(), library_benchmark_groups = $group);
    };
}

/// The scenarios of a target: each an id and the call that runs it, which gets the id first and the
/// scale last.
#[macro_export]
macro_rules! scenarios {
    ($($id:literal = $run:ident($($argument:expr),*);)+) => {
        [$(::bench_core::measure::scenario::Scenario {
            id: $id,
            run: |scale| $run($id, $($argument,)* scale),
        }),+]
    };
}
