//! Flamegraphs under `cargo bench --bench wall_… -- --profile-time 5`: criterion's profiler hook
//! filled by pprof, which samples call stacks on a timer of CPU time.
//!
//! The kernel's tick caps the rate (250 Hz on most distributions), so far fewer samples arrive
//! than were asked for, and what only waits is not sampled at all. A picture drawn from a handful
//! of samples looks as sure as a good one; therefore too few are refused.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::profiler::Profiler;
use pprof::flamegraph::Options;
use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};

/// Fewest samples that make a flamegraph. A function that takes a tenth of the time is then seen
/// 10 ± 3 times (binomial), one that takes a hundredth perhaps not at all.
pub const SAMPLES_MIN: u64 = 100;

/// The samples per second to ask for: a prime, so as not to beat with anything periodic.
pub const HZ: i32 = 997;

/// Asks for some more time than the rate so far says is needed.
const MARGIN: f64 = 1.25;

/// The picture's file name in criterion's profile folder of the id.
pub const FLAMEGRAPH_FILE: &str = "flamegraph.svg";
/// The same samples as text, one stack a line, for other tools.
pub const FOLDED_FILE: &str = "flamegraph.folded";

/// Writes `flamegraph.svg` and `flamegraph.folded` into criterion's profile folder of each id.
pub struct FlameProfiler {
    hz: i32,
    running: Option<(ProfilerGuard<'static>, Instant)>,
}

/// Why there is no flamegraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{samples} samples in {seconds} s are too few for a flamegraph, which needs {SAMPLES_MIN}; {}",
    advice(*.profile_seconds)
)]
pub struct TooFewSamples {
    samples: u64,
    seconds: u64,
    profile_seconds: Option<u64>,
}

/// Whether a profile has samples enough, and otherwise what to do.
///
/// # Errors
/// When there are fewer than [`SAMPLES_MIN`].
pub fn enough(samples: u64, elapsed: Duration) -> Result<(), TooFewSamples> {
    if samples >= SAMPLES_MIN {
        return Ok(());
    }
    let longer = elapsed.as_secs_f64() * MARGIN * SAMPLES_MIN as f64 / samples as f64;
    let profile_seconds = (samples > 0).then_some((longer.ceil() as u64).max(2));
    Err(TooFewSamples { samples, seconds: elapsed.as_secs_f64().round() as u64, profile_seconds })
}

fn advice(profile_seconds: Option<u64>) -> String {
    match profile_seconds {
        Some(seconds) => format!("give it --profile-time {seconds}"),
        None => "it uses hardly any CPU time, so profile where it waits instead".to_owned(),
    }
}

impl FlameProfiler {
    /// A profiler that asks for `hz` samples per second of CPU time; see [`HZ`].
    ///
    /// # Panics
    /// When `hz` is not above zero.
    pub fn new(hz: i32) -> Self {
        assert!(hz > 0, "a profiler needs a rate above zero, not {hz}");
        Self { hz, running: None }
    }
}

/// # Panics
/// Criterion's way to refuse: when the signal timer cannot be had, when there are too few samples,
/// or when the files cannot be written. Nothing is left half-written.
impl Profiler for FlameProfiler {
    fn start_profiling(&mut self, id: &str, _folder: &Path) {
        let guard = ProfilerGuardBuilder::default()
            .frequency(self.hz)
            // Unwinding out of these may meet their locks held.
            .blocklist(&["libc", "libgcc", "pthread", "vdso"])
            .build()
            .unwrap_or_else(|error| panic!("{id}: failed to start the profiler: {error}"));
        self.running = Some((guard, Instant::now()));
    }

    fn stop_profiling(&mut self, id: &str, folder: &Path) {
        let Some((guard, started)) = self.running.take() else { return };
        let elapsed = started.elapsed();
        let report = guard.report().build();
        drop(guard);
        let report =
            report.unwrap_or_else(|error| panic!("{id}: failed to read the profile: {error}"));
        let samples = report.data.values().map(|count| count.unsigned_abs() as u64).sum();
        enough(samples, elapsed).unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
        write_files(&report, id, folder).unwrap_or_else(|error| {
            panic!("{id}: failed to write the flamegraph into {}: {error}", folder.display())
        });
    }
}

fn write_files(report: &Report, id: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut svg = Vec::new();
    let mut options = Options::default();
    options.title = id.to_owned();
    report.flamegraph_with_options(&mut svg, &mut options).map_err(io::Error::other)?;
    write_whole(&folder.join(FOLDED_FILE), folded(report).as_bytes())?;
    write_whole(&folder.join(FLAMEGRAPH_FILE), &svg)
}

/// `thread;outer;inner count`, sorted so that two profiles can be put side by side.
fn folded(report: &Report) -> String {
    let line = |(frames, count): (&pprof::Frames, &isize)| {
        let mut stack = vec![frames.thread_name_or_id()];
        let symbols = frames.frames.iter().rev().flat_map(|frame| frame.iter().rev());
        stack.extend(symbols.map(ToString::to_string));
        format!("{} {count}\n", stack.join(";"))
    };
    let mut lines: Vec<String> = report.data.iter().map(line).collect();
    lines.sort_unstable();
    lines.concat()
}

/// All of the file or nothing: written beside its place and moved there.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // As any other file of a build: the process' mask decides who may read it.
    let permissions = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_samples_are_enough() {
        assert_eq!(enough(100, Duration::from_secs(5)), Ok(()));
    }

    #[test]
    fn a_refusal_says_how_many_there_were_and_what_would_do() {
        let refusal = enough(20, Duration::from_secs(5)).expect_err("too few");
        let expected = "20 samples in 5 s are too few for a flamegraph, which needs 100; \
            give it --profile-time 32";
        assert_eq!(refusal.to_string(), expected);
    }

    #[test]
    fn without_samples_no_time_is_enough() {
        let refusal = enough(0, Duration::from_millis(1_400)).expect_err("none").to_string();
        assert!(refusal.starts_with("0 samples in 1 s"), "{refusal}");
        assert!(refusal.contains("hardly any CPU time"), "{refusal}");
        assert!(!refusal.contains("--profile-time"), "{refusal}");
    }

    #[test]
    fn the_time_asked_for_is_never_shorter_than_criterion_takes() {
        let refusal = enough(99, Duration::from_millis(200)).expect_err("too few").to_string();
        assert!(refusal.ends_with("--profile-time 2"), "{refusal}");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        for text in ["one", "two"] {
            write_whole(&path, text.as_bytes()).expect("written");
            assert_eq!(fs::read(&path).expect("readable"), text.as_bytes());
        }
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
        assert!(write_whole(&folder.path().join("missing/f"), b"").is_err());
    }
}
