//! The command line of the tiers, and what of it makes no sense.

use std::path::PathBuf;
use std::time::Duration;

use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_storage::source::DelayConfig;
use bench_storage::tiers::{Objects, TieredConfig};
use clap::Parser;

use crate::front::values::{milliseconds, named, or, seconds};

const SEED: u64 = 42;
/// The far store is in memory.
const STORE_MAX: ByteSize = ByteSize::mib(4096);

/// Reads far objects through tiers of memory and disk, and through none, in turns.
///
/// Exit codes: 0 fine, 1 a read failed or was wrong, 2 usage, 4 interrupted, or what is on the disk
/// stays in the page cache.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_tiers", help_expected = true)]
pub struct Flags {
    /// How many objects the far store has [default: 256]
    #[arg(long, value_name = "N")]
    objects: Option<u64>,
    /// The size of each [default: 64KiB]
    #[arg(long, value_name = "SIZE")]
    size: Option<ByteSize>,
    /// How much memory keeps objects [default: 2MiB]
    #[arg(long, value_name = "SIZE")]
    l0: Option<ByteSize>,
    /// How much disk keeps objects [default: 6MiB]
    #[arg(long, value_name = "SIZE")]
    l1: Option<ByteSize>,
    /// Where the disk tiers lie [default: a scratch directory]
    ///
    /// Each arm has a folder of its own in it, and finds there what an earlier run left; how much, its
    /// rows say.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// What the far store waits before its first byte, in milliseconds [default: 5]
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    remote_latency: Option<Duration>,
    /// What is added to that at most, by object, in milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    remote_jitter: Option<Duration>,
    /// How much comes from the far store in a second, as in 100MiB
    #[arg(long, value_name = "SIZE")]
    remote_bandwidth: Option<ByteSize>,
    /// How unequal objects are read: 0 for all alike, up to 5 [default: 0.9]
    ///
    /// The exponent of Zipf's law: the n-th most popular is read n^-S times as often as the first.
    #[arg(long, value_name = "S", value_parser = exponent)]
    zipf: Option<f64>,
    /// Reads of each arm, in place of a time
    #[arg(long, value_name = "N")]
    iterations: Option<u64>,
    /// How long each arm reads, in seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "iterations", value_parser = seconds)]
    duration: Option<Duration>,
    /// Only this arm: own, none, or foyer where it is built in; may be repeated
    #[arg(long, value_name = "ARM", value_parser = arm)]
    only: Vec<Way>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Our tiers.
    Own,
    /// Foyer's.
    #[cfg(feature = "foyer")]
    Foyer,
    /// No cache.
    None,
}

impl Way {
    /// All that are built in.
    pub const ALL: &[Self] = &[
        Self::Own,
        #[cfg(feature = "foyer")]
        Self::Foyer,
        Self::None,
    ];

    /// The last part of the id.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            #[cfg(feature = "foyer")]
            Self::Foyer => "foyer",
            Self::None => "none",
        }
    }
}

/// How much an arm does in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// So many reads.
    Reads(u64),
    /// For so long, and at least one read.
    Time(Duration),
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the far store has.
    pub objects: Objects,
    /// What the tiers hold.
    pub tiers: TieredConfig,
    /// Where L1 lies; nothing for a scratch directory.
    pub folder: Option<PathBuf>,
    /// The far store's wait.
    pub delay: DelayConfig,
    /// The exponent of Zipf's law.
    pub zipf: f64,
    /// The arms.
    pub ways: Vec<Way>,
    /// Of each arm in each round.
    pub effort: Effort,
    /// Rounds that count; one before them fills the tiers.
    pub rounds: u32,
}

impl Plan {
    /// What is measured where nobody says otherwise.
    pub fn of(scale: Scale) -> Self {
        let (kib, mib) = (ByteSize::kib, ByteSize::mib);
        let latency = DelayConfig::latency(Duration::from_micros(scale.pick(200, 5000, 5000)));
        Self {
            objects: Objects { count: scale.pick(32, 256, 256), size: kib(64), seed: SEED },
            tiers: TieredConfig {
                memory: scale.pick(kib(256), mib(2), mib(2)),
                disk: scale.pick(mib(1), mib(6), mib(6)),
            },
            folder: None,
            delay: DelayConfig { seed: SEED, ..latency },
            zipf: 0.9,
            ways: Way::ALL.to_vec(),
            effort: Effort::Reads(scale.pick(8, 40, 200)),
            rounds: scale.pick(2, 9, 15),
        }
    }
}

impl Flags {
    /// What the flags ask for, where they say nothing as the scale does; and where the record goes.
    ///
    /// # Errors
    /// Flags that make no sense together, in one sentence.
    pub fn plan(self, scale: Scale) -> Result<(Plan, Option<PathBuf>), String> {
        let mut plan = Plan::of(scale);
        let objects = &mut plan.objects;
        objects.count = self.objects.unwrap_or(objects.count);
        objects.size = self.size.unwrap_or(objects.size);
        if objects.count == 0 || objects.size.is_empty() {
            return Err(NOTHING.to_owned());
        }
        let all = objects.size.bytes().checked_mul(objects.count);
        if all.is_none_or(|all| all > STORE_MAX.bytes()) {
            return Err(format!(
                "--objects {} of --size {}: the far store is in memory, write {STORE_MAX} in all \
                 at most",
                objects.count, objects.size
            ));
        }
        if self.remote_bandwidth.is_some_and(ByteSize::is_empty) {
            return Err("--remote-bandwidth 0B: nothing would ever come; leave it out".to_owned());
        }
        plan.tiers.memory = self.l0.unwrap_or(plan.tiers.memory);
        plan.tiers.disk = self.l1.unwrap_or(plan.tiers.disk);
        plan.folder = self.folder;
        plan.delay.latency = self.remote_latency.unwrap_or(plan.delay.latency);
        plan.delay.jitter = self.remote_jitter.unwrap_or(plan.delay.jitter);
        plan.delay.bytes_per_second = self.remote_bandwidth.map(ByteSize::bytes);
        plan.zipf = self.zipf.unwrap_or(plan.zipf);
        plan.ways = or(self.only, Way::ALL);
        let rounds = plan.rounds;
        if let Some(few) = self.iterations.filter(|iterations| *iterations < rounds.into()) {
            return Err(format!("--iterations {few}: {rounds} rounds take at least {rounds}"));
        }
        let reads = self.iterations.map(|iterations| Effort::Reads(iterations / u64::from(rounds)));
        let time = self.duration.map(|duration| Effort::Time(duration / rounds));
        plan.effort = reads.or(time).unwrap_or(plan.effort);
        Ok((plan, self.output))
    }
}

const NOTHING: &str = "--objects and --size: write at least one object of at least one byte";

fn arm(text: &str) -> Result<Way, String> {
    let known: Vec<(&str, Way)> = Way::ALL.iter().map(|way| (way.name(), *way)).collect();
    match text {
        "foyer" if !cfg!(feature = "foyer") => {
            Err("it is not built in; add --features foyer to cargo's flags".to_owned())
        }
        _ => named(text, &known),
    }
}

fn exponent(text: &str) -> Result<f64, String> {
    let exponent = text.parse().ok().filter(|exponent| (0.0..=5.0).contains(exponent));
    exponent.ok_or_else(|| "write 0 to 5, as in 0.9".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Result<Plan, String> {
        let words = std::iter::once("scenario_tiers").chain(line.split_whitespace());
        let flags = Flags::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(flags.plan(Scale::Quick)?.0)
    }

    #[test]
    fn flags_change_what_they_name_and_nothing_else() {
        assert_eq!(plan(""), Ok(Plan::of(Scale::Quick)));
        let asked = plan(
            "--objects 10 --size 4KiB --l0 8KiB --l1 16KiB --folder f --remote-latency 2 \
             --remote-jitter 1 --remote-bandwidth 1MiB --zipf 1.5 --iterations 90 --only none \
             --only none",
        );
        let ms = Duration::from_millis;
        let delay = DelayConfig {
            latency: ms(2),
            jitter: ms(1),
            bytes_per_second: Some(1 << 20),
            seed: SEED,
        };
        let expected = Plan {
            objects: Objects { count: 10, size: ByteSize::kib(4), seed: SEED },
            tiers: TieredConfig { memory: ByteSize::kib(8), disk: ByteSize::kib(16) },
            folder: Some("f".into()),
            delay,
            zipf: 1.5,
            ways: vec![Way::None],
            effort: Effort::Reads(10),
            rounds: 9,
        };
        assert_eq!(asked, Ok(expected));
        assert_eq!(plan("--duration 9").expect("a plan").effort, Effort::Time(ms(1000)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_a_sentence() {
        for (line, sentence) in [
            ("--objects 0", NOTHING),
            ("--size 0", NOTHING),
            (
                "--objects 5000 --size 1MiB",
                "--objects 5000 of --size 1MiB: the far store is in memory, write 4GiB in all at most",
            ),
            (
                "--remote-bandwidth 0",
                "--remote-bandwidth 0B: nothing would ever come; leave it out",
            ),
            ("--iterations 8", "--iterations 8: 9 rounds take at least 9"),
        ] {
            assert_eq!(plan(line).expect_err(line), sentence);
        }
        for (line, part) in [
            ("--zipf=-1", "write 0 to 5, as in 0.9"),
            ("--zipf nan", "write 0 to 5, as in 0.9"),
            ("--only disk", "write one of own"),
            ("--duration 1 --iterations 90", "cannot be used with"),
        ] {
            let text = plan(line).expect_err(line);
            assert!(text.contains(part), "{text}");
        }
    }
}
