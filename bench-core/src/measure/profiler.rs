//! Flamegraphs under `cargo bench --bench wall_… -- --profile-time 5`: criterion's profiler hook
//! filled by pprof, which samples call stacks on a timer of CPU time.
//!
//! The kernel's tick caps the rate (250 Hz on most distributions), so far fewer samples arrive
//! than were asked for, and what only waits is not sampled at all. Stacks are not unwound out of
//! every library (see `BLOCKED`), and samples that fall there are lost. A picture drawn from a
//! handful of samples, or of a part of the time, looks as sure as a good one; therefore too few are
//! refused, and each picture says how much of the CPU time it covers.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::profiler::Profiler;
use pprof::flamegraph::Options;
use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::environment::glibc;

/// Fewest samples that make a flamegraph. A function that takes a tenth of the time is then seen
/// 10 ± 3 times (binomial), one that takes a hundredth perhaps not at all.
pub const SAMPLES_MIN: u64 = 100;

/// The samples per second to ask for: a prime, so as not to beat with anything periodic.
pub const HZ: i32 = 997;

/// Libraries out of which no stack is unwound, by parts of their names: the unwinder itself, and
/// what may hold a lock that it needs.
const BLOCKED: [&str; 3] = ["libgcc", "pthread", "vdso"];
/// The C library, blocked before [`GLIBC_SAFE`].
const LIBC: &str = "libc";
/// From here on the unwinder finds its tables without a lock (`_dl_find_object`), and so may be
/// started from a signal that met the C library anywhere. There system calls, copies and the
/// allocator are in the picture.
const GLIBC_SAFE: (u32, u32) = (2, 35);

/// Asks for some more time than the rate so far says is needed.
const MARGIN: f64 = 1.25;

/// The picture's file name in criterion's profile folder of the id.
pub const FLAMEGRAPH_FILE: &str = "flamegraph.svg";
/// The same samples as text, one stack a line, for other tools.
pub const FOLDED_FILE: &str = "flamegraph.folded";

/// Writes `flamegraph.svg` and `flamegraph.folded` into criterion's profile folder of each id.
///
/// An id that cannot have a picture does not keep the next ones from theirs: see
/// [`Drop`](#impl-Drop-for-FlameProfiler).
pub struct FlameProfiler {
    hz: i32,
    running: Option<Running>,
    refused: Vec<String>,
}

struct Running {
    guard: ProfilerGuard<'static>,
    started: Instant,
    cpu: Duration,
}

/// What came of sampling.
#[derive(Clone, Copy, Debug)]
struct Sampled {
    samples: u64,
    elapsed: Duration,
    /// Of all threads.
    cpu: Duration,
    /// Samples that a second of CPU time should have given.
    rate: f64,
}

impl FlameProfiler {
    /// A profiler that asks for `hz` samples per second of CPU time; see [`HZ`].
    ///
    /// # Panics
    /// When `hz` is not above zero.
    pub fn new(hz: i32) -> Self {
        assert!(hz > 0, "a profiler needs a rate above zero, not {hz}");
        Self { hz, running: None, refused: Vec::new() }
    }

    fn draw(&self, running: Running, id: &str, folder: &Path) -> Result<(), String> {
        let Running { guard, started, cpu } = running;
        let (elapsed, cpu) = (started.elapsed(), cpu_time().saturating_sub(cpu));
        let report = guard.report().build();
        drop(guard);
        let report = report.map_err(|error| format!("failed to read the profile: {error}"))?;
        let samples = report.data.values().map(|count| count.unsigned_abs() as u64).sum();
        let sampled = Sampled { samples, elapsed, cpu, rate: rate(self.hz) };
        sampled.enough()?;
        write_files(&report, id, &sampled.to_string(), folder).map_err(|error| {
            format!("failed to write the flamegraph into {}: {error}", folder.display())
        })
    }
}

impl Profiler for FlameProfiler {
    fn start_profiling(&mut self, id: &str, _folder: &Path) {
        let builder = ProfilerGuardBuilder::default().frequency(self.hz);
        match builder.blocklist(&blocklist(glibc().as_deref())).build() {
            Ok(guard) => {
                let (started, cpu) = (Instant::now(), cpu_time());
                self.running = Some(Running { guard, started, cpu });
            }
            Err(error) => self.refused.push(format!("{id}: failed to start the profiler: {error}")),
        }
    }

    fn stop_profiling(&mut self, id: &str, folder: &Path) {
        let Some(running) = self.running.take() else { return };
        if let Err(refusal) = self.draw(running, id, folder) {
            self.refused.push(format!("{id}: {refusal}"));
        }
    }
}

/// # Panics
/// Criterion's profilers have no other way to refuse: after the last id, when one had no signal
/// timer, too few samples, or a folder that could not be written, with a line for each. Of a
/// refused id nothing is left half-written.
impl Drop for FlameProfiler {
    fn drop(&mut self) {
        // A second panic would end the process before the first is told.
        if !self.refused.is_empty() && !std::thread::panicking() {
            panic!("{}", self.refused.join("\n"));
        }
    }
}

impl Sampled {
    /// Samples that the CPU time should have given.
    fn expected(&self) -> f64 {
        self.cpu.as_secs_f64() * self.rate
    }

    /// The share of the CPU time that has samples.
    fn share(&self) -> f64 {
        let expected = self.expected();
        if expected > 0.0 { (self.samples as f64 / expected).min(1.0) } else { 1.0 }
    }

    /// Whether there are samples enough, and otherwise why not and what to do.
    fn enough(&self) -> Result<(), String> {
        if self.samples >= SAMPLES_MIN {
            return Ok(());
        }
        // The CPU time would have done, had all of it been seen.
        let cause = if self.expected() >= SAMPLES_MIN as f64 {
            format!(
                "{:.0} % of the {:.1} s of CPU time went into libraries that can't be sampled, \
                 such as the C library; ",
                100.0 * (1.0 - self.share()),
                self.cpu.as_secs_f64()
            )
        } else {
            String::new()
        };
        Err(format!(
            "{} samples in {:.0} s are too few for a flamegraph, which needs {SAMPLES_MIN}; \
             {cause}{}",
            self.samples,
            self.elapsed.as_secs_f64(),
            self.advice()
        ))
    }

    fn advice(&self) -> String {
        if self.samples == 0 {
            return "it runs hardly any code of its own, so look at where it waits instead"
                .to_owned();
        }
        let longer = self.elapsed.as_secs_f64() * MARGIN * SAMPLES_MIN as f64 / self.samples as f64;
        format!("give it --profile-time {}", (longer.ceil() as u64).max(2))
    }
}

/// What the picture covers.
impl std::fmt::Display for Sampled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (percent, cpu) = (100.0 * self.share(), self.cpu.as_secs_f64());
        write!(f, "{} samples cover {percent:.0} % of {cpu:.2} s of CPU time", self.samples)
    }
}

/// CPU time of all threads of this process so far.
fn cpu_time() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// Samples per second of CPU time: as asked for, but no more than the kernel ticks. The coarse
/// clock moves with the tick.
fn rate(hz: i32) -> f64 {
    let tick = duration(clock_getres(ClockId::MonotonicCoarse)).as_secs_f64();
    if tick > 0.0 { f64::from(hz).min(1.0 / tick) } else { f64::from(hz) }
}

fn duration(time: Timespec) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}

/// The libraries out of which no stack is unwound under this version of glibc. Another C library,
/// or an unknown version, is taken for an old one.
fn blocklist(glibc: Option<&str>) -> Vec<&'static str> {
    let version = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        let minor = minor.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let safe = glibc.and_then(version).is_some_and(|version: (u32, u32)| version >= GLIBC_SAFE);
    BLOCKED.into_iter().chain((!safe).then_some(LIBC)).collect()
}

fn write_files(report: &Report, id: &str, covers: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut svg = Vec::new();
    let mut options = Options::default();
    options.title = id.to_owned();
    options.subtitle = Some(covers.to_owned());
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

    fn sampled(samples: u64, cpu_ms: u64) -> Sampled {
        let (elapsed, cpu) = (Duration::from_secs(5), Duration::from_millis(cpu_ms));
        Sampled { samples, elapsed, cpu, rate: 250.0 }
    }

    #[test]
    fn a_hundred_samples_are_enough() {
        assert_eq!(sampled(100, 5_000).enough(), Ok(()));
    }

    #[test]
    fn a_refusal_says_how_many_there_were_and_what_would_do() {
        let expected = "20 samples in 5 s are too few for a flamegraph, which needs 100; \
            give it --profile-time 32";
        assert_eq!(sampled(20, 80).enough().expect_err("too few"), expected);
    }

    #[test]
    fn a_refusal_names_the_share_that_could_not_be_sampled() {
        let expected = "20 samples in 5 s are too few for a flamegraph, which needs 100; \
            98 % of the 4.0 s of CPU time went into libraries that can't be sampled, such as the \
            C library; give it --profile-time 32";
        assert_eq!(sampled(20, 4_000).enough().expect_err("too few"), expected);
    }

    #[test]
    fn without_samples_no_time_is_enough() {
        let refusal = sampled(0, 0).enough().expect_err("none");
        assert!(refusal.starts_with("0 samples in 5 s"), "{refusal}");
        assert!(!refusal.contains("CPU time went"), "there was none: {refusal}");
        assert!(!refusal.contains("--profile-time"), "{refusal}");
    }

    #[test]
    fn the_time_asked_for_is_never_shorter_than_criterion_takes() {
        let short = Sampled { elapsed: Duration::from_millis(200), ..sampled(99, 400) };
        let refusal = short.enough().expect_err("too few");
        assert!(refusal.ends_with("--profile-time 2"), "{refusal}");
    }

    #[test]
    fn a_picture_says_what_it_covers() {
        assert_eq!(sampled(250, 4_000).to_string(), "250 samples cover 25 % of 4.00 s of CPU time");
        assert_eq!(
            sampled(251, 1_000).to_string(),
            "251 samples cover 100 % of 1.00 s of CPU time"
        );
    }

    #[test]
    fn the_c_library_is_left_out_where_its_locks_could_be_met() {
        for safe in ["2.35", "2.36", "2.42.9000", "3.0"] {
            assert_eq!(blocklist(Some(safe)), BLOCKED, "{safe}");
        }
        for old in [Some("2.31"), Some("2.34"), Some("1.99"), Some("2"), Some(""), None] {
            assert!(blocklist(old).contains(&LIBC), "{old:?}");
        }
    }

    #[test]
    fn the_rate_is_capped_by_the_tick() {
        assert!((rate(1) - 1.0).abs() < 1e-9);
        assert!((10.0..=1_000_000.0).contains(&rate(1_000_000)), "{}", rate(1_000_000));
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
