//! What an emulator says of itself.

use std::time::Duration;

use crate::calibrate::LatenessMax;
use crate::link::model::Counts;

/// What one direction did since the link was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayReport {
    /// What the link did to the segments.
    pub segments: Counts,
    /// Segments that came while this way was cut, and are gone; the link did not see them.
    pub cut: u64,
    /// Packets that the emulator did not fetch in time, so that the kernel dropped them: a loss that
    /// nobody asked for.
    pub overflowed: u64,
    /// Packets that were no IPv4, or that the receiving interface did not take.
    pub refused: u64,
    /// How much later than due packets were handed on, the median. What passed before the emulator
    /// noticed that they came is not in it; of that `waited` tells.
    pub lateness_p50: Duration,
    /// The 99th percentile of it, to two digits.
    pub lateness_p99: Duration,
    /// The longest.
    pub lateness_max: Duration,
    /// Processor time of the thread.
    pub cpu: Duration,
    /// How long the thread was ready to run and had no processor; `None` where the kernel does not say.
    pub waited: Option<Duration>,
    /// How long the link is there.
    pub alive: Duration,
}

/// Which part of the time an emulator's thread may wait for a processor: an echo passes two of them, so
/// that of a quarter each every second one, which is the median, may have met a thread that waited.
const WAITED_MAX: f64 = 0.25;

/// What a link did since it was started, up and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// From the client to the server.
    pub up: WayReport,
    /// From the server to the client.
    pub down: WayReport,
}

impl WayReport {
    fn waited_share(&self) -> Option<f64> {
        let share = self.waited?.as_secs_f64() / self.alive.as_secs_f64();
        Some(share).filter(|share| share.is_finite())
    }
}

impl Report {
    /// Why what was measured over this link is not valid; `None` where it is, as far as each way may be
    /// so late.
    pub fn spoiled(&self, most: LatenessMax) -> Option<String> {
        [("up", &self.up), ("down", &self.down)].into_iter().find_map(|(name, way)| {
            if way.overflowed > 0 {
                return Some(format!(
                    "{} packets {name} were dropped before the emulator fetched them",
                    way.overflowed
                ));
            }
            // What was corrupted on purpose, each once or twice, the kernel may refuse.
            let corrupted = way.segments.corrupted + way.segments.duplicated;
            if way.refused > corrupted {
                return Some(format!(
                    "{} packets {name} were not taken by the interface that they were to arrive at",
                    way.refused - corrupted
                ));
            }
            let share = way.waited_share().unwrap_or(0.0);
            if most != LatenessMax::ANY && share > WAITED_MAX {
                return Some(format!(
                    "the emulator's thread {name} waited for a processor for {:.0} % of the time, and \
                     {:.0} % is tolerated",
                    share * 100.0,
                    WAITED_MAX * 100.0
                ));
            }
            most.exceeded([way.lateness_p50, way.lateness_p99])
                .map(|why| format!("the emulator was late {name}: {why}"))
        })
    }

    /// As dimensions of a row: of both ways the worse lateness, and the sum of the rest.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let ways = [&self.up, &self.down];
        let worse = |of: fn(&WayReport) -> Duration| {
            format!("{:?}", ways.map(of).into_iter().max().unwrap_or_default())
        };
        let sum = |of: fn(&WayReport) -> u64| ways.map(of).into_iter().sum::<u64>().to_string();
        let cpu: Duration = ways.map(|way| way.cpu).into_iter().sum();
        let waited: Option<Duration> = ways.map(|way| way.waited).into_iter().sum();
        let waited = waited.map_or("unknown".to_owned(), |waited| format!("{waited:?}"));
        vec![
            ("link_lateness_p50", worse(|way| way.lateness_p50)),
            ("link_lateness_p99", worse(|way| way.lateness_p99)),
            ("link_lateness_max", worse(|way| way.lateness_max)),
            ("link_overflows", sum(|way| way.overflowed)),
            ("link_refused", sum(|way| way.refused)),
            ("link_queue_dropped", sum(|way| way.segments.queue_dropped)),
            ("link_lost", sum(|way| way.segments.lost)),
            ("link_cpu", format!("{cpu:?}")),
            ("link_waited", waited),
            ("link_alive", worse(|way| way.alive)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What `way` is allowed.
    const MOST: LatenessMax = LatenessMax { p50: MS, p99: Duration::from_millis(4) };

    fn way() -> WayReport {
        WayReport {
            segments: Counts::default(),
            cut: 0,
            overflowed: 0,
            refused: 0,
            lateness_p50: MS,
            lateness_p99: 4 * MS,
            lateness_max: MS,
            cpu: MS,
            waited: Some(MS),
            alive: 10 * MS,
        }
    }

    #[test]
    fn a_run_is_spoiled_by_overflow_or_lateness() {
        let report = Report { up: way(), down: way() };
        assert_eq!(report.spoiled(MOST), None);
        let late = |way| Report { up: way, down: self::way() }.spoiled(MOST).expect("late");
        let text = late(WayReport { lateness_p50: 2 * MS, ..way() });
        assert!(text.contains("late up: 2ms at the median"), "{text}");
        let text = late(WayReport { lateness_p99: 5 * MS, ..way() });
        assert!(text.contains("late up: 5ms at the 99th percentile"), "{text}");
        let report = Report { up: way(), down: WayReport { overflowed: 2, ..way() } };
        assert!(report.spoiled(MOST).expect("lossy").contains("2 packets down"));
    }

    #[test]
    fn a_run_is_spoiled_by_a_thread_that_waits_for_a_processor() {
        let waits = |waited| Report { up: WayReport { waited, ..way() }, down: way() };
        let text = waits(Some(3 * MS)).spoiled(MOST).expect("a third");
        assert!(text.contains("up waited for a processor for 30 % of the time"), "{text}");
        assert_eq!(waits(Some(2 * MS)).spoiled(MOST), None);
        assert_eq!(waits(Some(9 * MS)).spoiled(LatenessMax::ANY), None, "it is in a goodput");
        assert_eq!(waits(None).spoiled(MOST), None);
    }

    #[test]
    fn a_run_is_spoiled_by_packets_that_an_interface_does_not_take() {
        let refuses = |refused| {
            let segments = Counts { corrupted: 2, duplicated: 1, ..Counts::default() };
            Report { up: way(), down: WayReport { segments, refused, ..way() } }
        };
        assert_eq!(refuses(3).spoiled(MOST), None, "corrupted, and one of them twice");
        let text = refuses(4).spoiled(LatenessMax::ANY).expect("a loss");
        assert!(text.contains("1 packets down were not taken"), "{text}");
    }

    #[test]
    fn a_row_has_the_worse_lateness_and_the_sum_of_the_rest() {
        let up = WayReport { lateness_p99: 5 * MS, overflowed: 2, cpu: 4 * MS, ..way() };
        let down = WayReport { overflowed: 3, ..way() };
        let dimensions = Report { up, down }.dimensions();
        for expected in [
            ("link_lateness_p99", "5ms"),
            ("link_overflows", "5"),
            ("link_cpu", "5ms"),
            ("link_waited", "2ms"),
        ] {
            let found = dimensions.iter().any(|(name, value)| (*name, &**value) == expected);
            assert!(found, "{expected:?} is not in {dimensions:?}");
        }
    }
}
