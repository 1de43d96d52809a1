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

/// Profiles each of `works` as criterion does, in its folder below `root`; what the profiler says
/// at the end where it refuses.
fn profile(root: &Path, works: [(&str, &dyn Fn()); 2]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut profiler = FlameProfiler::new(HZ);
        for (id, work) in works {
            let folder = root.join(id);
            profiler.start_profiling(id, &folder);
            work();
            profiler.stop_profiling(id, &folder);
        }
    }))
    .map_err(|panic| *panic.downcast::<String>().expect("a sentence"))
}

/// One test, since a process has one profiling timer. The id without samples must not cost the one
/// behind it its picture. However slow the machine, that one has samples enough and two whole
/// files, or a refusal and no file.
#[test]
fn there_is_a_flamegraph_with_the_hot_function_or_a_reason() {
    let root = tempfile::tempdir().expect("a folder");
    let busy = root.path().join("demo/busy/1B");
    for seconds in [2, 8, 30] {
        let work = || assert!(black_box(burn_the_processor(Duration::from_secs(seconds))) > 0);
        let works: [(&str, &dyn Fn()); 2] = [("demo/idle/1B", &|| {}), ("demo/busy/1B", &work)];
        let refusal = profile(root.path(), works).expect_err("no work, no samples");
        let lines: Vec<&str> = refusal.lines().collect();
        assert!(lines[0].starts_with("demo/idle/1B: 0 samples"), "{refusal}");
        assert!(lines[0].contains(&format!("needs {SAMPLES_MIN}")), "{refusal}");
        assert!(!root.path().join("demo/idle").exists());
        if lines.len() == 1 {
            let svg = fs::read_to_string(busy.join(FLAMEGRAPH_FILE)).expect("a picture");
            assert!(svg.contains("demo/busy/1B") && svg.trim_end().ends_with("</svg>"));
            assert!(svg.contains(" samples cover "), "the picture says what it covers");
            let folded = fs::read_to_string(busy.join(FOLDED_FILE)).expect("stacks");
            assert!(folded.contains("burn_the_processor"), "{folded}");
            assert_eq!(fs::read_dir(&busy).expect("readable").count(), 2);
            return;
        }
        assert!(lines[1].starts_with("demo/busy/1B: ") && !busy.exists(), "{refusal}");
    }
    panic!("40 s of work gave fewer than {SAMPLES_MIN} samples");
}
