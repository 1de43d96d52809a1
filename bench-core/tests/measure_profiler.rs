//! The flamegraph profiler as criterion drives it with `--profile-time`.

#![cfg(feature = "measure")]

use std::fs;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use bench_core::measure::profiler::{FLAMEGRAPH_FILE, FOLDED_FILE, FlameProfiler, HZ, SAMPLES_MIN};
use criterion::profiler::Profiler;

/// Uses this much CPU time at most, and returns how much work it did.
#[inline(never)]
fn burn_the_processor(time: Duration) -> u64 {
    let start = Instant::now();
    let mut work = 0_u64;
    while start.elapsed() < time {
        for _ in 0..10_000 {
            work = black_box(work.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
    work
}

/// Profiles `work` as criterion does; the panic message where the profiler refuses.
fn profile(id: &str, folder: &Path, work: impl FnOnce()) -> Result<(), String> {
    let mut profiler = FlameProfiler::new(HZ);
    profiler.start_profiling(id, folder);
    work();
    catch_unwind(AssertUnwindSafe(|| profiler.stop_profiling(id, folder)))
        .map_err(|panic| *panic.downcast::<String>().expect("a sentence"))
}

/// One test, since a process has one profiling timer. However slow the machine, either there are
/// enough samples and two whole files, or a refusal and no file.
#[test]
fn there_is_a_flamegraph_with_the_hot_function_or_a_reason() {
    let root = tempfile::tempdir().expect("a folder");

    let idle = root.path().join("idle/profile");
    let refusal = profile("demo/idle/1B", &idle, || {}).expect_err("no work, no samples");
    assert!(refusal.starts_with("demo/idle/1B: "), "{refusal}");
    assert!(refusal.contains(&format!("needs {SAMPLES_MIN}")), "{refusal}");
    assert!(!idle.exists());

    for seconds in [2, 8, 30] {
        let busy = root.path().join("busy/profile");
        let work = || assert!(black_box(burn_the_processor(Duration::from_secs(seconds))) > 0);
        let Err(refusal) = profile("demo/busy/1B", &busy, work) else {
            let svg = fs::read_to_string(busy.join(FLAMEGRAPH_FILE)).expect("a picture");
            assert!(svg.contains("demo/busy/1B") && svg.trim_end().ends_with("</svg>"));
            let folded = fs::read_to_string(busy.join(FOLDED_FILE)).expect("stacks");
            assert!(folded.contains("burn_the_processor"), "{folded}");
            assert_eq!(fs::read_dir(&busy).expect("readable").count(), 2);
            return;
        };
        assert!(refusal.contains("too few") && !busy.exists(), "{refusal}");
    }
    panic!("40 s of work gave fewer than {SAMPLES_MIN} samples");
}
