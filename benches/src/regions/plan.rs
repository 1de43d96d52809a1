//! What is run: regions, script, load.

use std::time::Duration;

use bench_core::scale::Scale;
use bench_core::workload::Failure;
use bench_network::backend::Choice;
use bench_network::register::run::RunConfig;
use bench_network::register::{Mode, Timing};
use bench_network::topology::net::round_trip_max;
use bench_network::topology::{Script, Topology, file};

const SEED: u64 = 42;

/// What every way to agree goes through.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The regions.
    pub topology: Topology,
    /// What becomes of their links.
    pub script: Script,
    /// What carries these; the simulation carries nothing and simulates copies, too.
    pub backend: Choice,
    /// How long operations go on.
    pub length: Duration,
    /// One in each region so often.
    pub every: Duration,
    /// The share of writes, 0 to 1.
    pub writes: f64,
    /// A primary's sign of life.
    pub heartbeat: Duration,
    /// Of links and of the load.
    pub seed: u64,
    /// Whether links that are not what they should be are refused, or measured all the same.
    pub calibrated: bool,
    /// Whether times are refused that the emulator spoiled.
    pub judged: bool,
}

impl Plan {
    /// Three regions at 70, 120 and 180 ms, of which the first, the primary's, is cut off and comes
    /// back. At smoke scale they are ten times as near.
    ///
    /// # Errors
    /// Never, but for a text that is in this file.
    pub fn of(scale: Scale) -> Result<Self, Failure> {
        let ms = Duration::from_millis;
        let near = scale.pick(10, 1, 1);
        let (cut, heal, end) =
            scale.pick((300, 800, 2_400), (3_000, 6_000, 12_000), (10_000, 20_000, 40_000));
        let text = format!(
            "region eu\nregion us\nregion asia\nrtt eu us {}ms\nrtt eu asia {}ms\n\
             rtt us asia {}ms\nat {cut}ms partition eu us\nat {cut}ms partition eu asia\n\
             at {heal}ms heal eu us\nat {heal}ms heal eu asia\n",
            70 / near,
            120 / near,
            180 / near,
        );
        let (topology, script) = file::parse("the default topology", &text)?;
        Ok(Self {
            topology,
            script,
            backend: Choice::Auto,
            length: ms(end),
            every: ms(scale.pick(10, 20, 20)),
            writes: 0.5,
            heartbeat: ms(100 / near),
            seed: SEED,
            // Where tests share the machine links are told of and not judged.
            calibrated: scale != Scale::Smoke,
            judged: scale != Scale::Smoke,
        })
    }

    /// What one way to agree is run with.
    pub fn config(&self, mode: Mode) -> RunConfig {
        let Self { length, every, writes, heartbeat, seed, .. } = *self;
        let timing = Timing::of(round_trip_max(&self.topology), heartbeat);
        RunConfig { mode, timing, every, writes, length, seed }
    }
}
