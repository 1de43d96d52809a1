//! How many segments may be on their way: slow start, NewReno, CUBIC.
//!
//! Windows are in segments. All arithmetic is of operations that IEEE 754 defines to the bit; the
//! cube root is our own for that reason.

use std::fmt;
use std::str::FromStr;

/// RFC 6928.
const INITIAL_WINDOW: f64 = 10.0;
/// RFC 9438: C in segments a cubic second, and what is left of the window after a loss.
const CUBIC_C: f64 = 0.4;
const CUBIC_BETA: f64 = 0.7;
/// HyStart as in Linux: it looks from this window on, at the first eight round trips of a round.
const HYSTART_WINDOW: f64 = 16.0;
const HYSTART_SAMPLES: u32 = 8;
const HYSTART_RISE_NS: (u64, u64) = (4_000_000, 16_000_000);
/// Acknowledgements this close belong to one train.
const HYSTART_TRAIN_GAP_NS: u64 = 2_000_000;

/// Which algorithm moves the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CongestionControl {
    /// One segment more each round trip, half after a loss.
    Reno,
    /// A cubic of the time since the last loss, seven tenths after one; Linux's default.
    Cubic,
}

impl CongestionControl {
    /// Both, in the order of their age.
    pub const ALL: [Self; 2] = [Self::Reno, Self::Cubic];

    /// As the kernel calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reno => "reno",
            Self::Cubic => "cubic",
        }
    }
}

impl fmt::Display for CongestionControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CongestionControl {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, crate::Error> {
        let known = Self::ALL.into_iter().find(|control| control.name() == text);
        known.ok_or_else(|| crate::Error::CongestionControl(text.to_owned()))
    }
}

/// A window at work.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    control: CongestionControl,
    window: f64,
    threshold: f64,
    cubic: Cubic,
    hystart: HyStart,
}

/// CUBIC since its last loss.
#[derive(Clone, Debug, Default)]
struct Cubic {
    /// The window at the last loss, less where it did not recover since the one before.
    window_max: f64,
    /// When congestion avoidance began, ns; `None` until it does.
    epoch_ns: Option<u64>,
    /// When the cubic is at `window_max`, s after the epoch.
    k_s: f64,
    /// What NewReno with CUBIC's factor would have.
    reno: f64,
}

/// One round of slow start, from a window sent to its acknowledgement.
#[derive(Clone, Debug, Default)]
struct HyStart {
    /// The round ends when this is acknowledged.
    ends_at: u64,
    began_ns: u64,
    last_ack_ns: u64,
    lowest_ns: Option<u64>,
    samples: u32,
}

/// What an acknowledgement tells the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    pub(super) now_ns: u64,
    pub(super) segments: f64,
    /// All before this is acknowledged, and all before the next was sent.
    pub(super) up_to: u64,
    pub(super) sent_to: u64,
    /// The round trip that it shows, if it does, and the lowest so far.
    pub(super) round_trip_ns: Option<u64>,
    pub(super) lowest_ns: u64,
    pub(super) smoothed_ns: u64,
}

impl Congestion {
    pub(super) fn new(control: CongestionControl) -> Self {
        let (cubic, hystart) = (Cubic::default(), HyStart::default());
        Self { control, window: INITIAL_WINDOW, threshold: f64::INFINITY, cubic, hystart }
    }

    /// Whole segments that may be on their way.
    pub(super) fn window_segments(&self) -> u64 {
        self.window as u64
    }

    /// Whether it is slow start, with a window below so many segments.
    pub(super) fn starts_within(&self, segments: u64) -> bool {
        self.window < self.threshold && self.window_segments() < segments
    }

    pub(super) fn acked(&mut self, acked: Acked) {
        if self.window < self.threshold {
            if self.control == CongestionControl::Cubic && self.hystart.found(&acked, self.window) {
                self.threshold = self.window;
            }
            // No further than the threshold: the rest of a large acknowledgement is lost.
            self.window = (self.window + acked.segments).min(self.threshold.max(self.window));
            return;
        }
        self.window += match self.control {
            CongestionControl::Reno => acked.segments / self.window,
            CongestionControl::Cubic => self.cubic.growth(&acked, self.window),
        };
    }

    /// A loss was noticed by its gap. Once a window, as the caller sees to.
    pub(super) fn lost(&mut self) {
        self.fall();
        self.window = self.threshold;
    }

    /// A loss was noticed by nothing coming.
    pub(super) fn timed_out(&mut self) {
        self.fall();
        self.window = 1.0;
    }

    /// To whole segments, as the kernel's windows are.
    fn fall(&mut self) {
        let factor = match self.control {
            CongestionControl::Reno => 0.5,
            CongestionControl::Cubic => {
                self.cubic.begin_anew(self.window);
                CUBIC_BETA
            }
        };
        self.threshold = (self.window.floor() * factor).floor().max(2.0);
    }
}

impl Cubic {
    fn begin_anew(&mut self, window: f64) {
        // Fast convergence: whoever lost before it was back makes room for others.
        let back = window >= self.window_max;
        self.window_max = if back { window } else { window * (1.0 + CUBIC_BETA) / 2.0 };
        self.epoch_ns = None;
    }

    fn growth(&mut self, acked: &Acked, window: f64) -> f64 {
        let epoch_ns = *self.epoch_ns.get_or_insert_with(|| {
            self.window_max = self.window_max.max(window);
            self.k_s = cube_root((self.window_max - window) / CUBIC_C);
            self.reno = window;
            acked.now_ns
        });
        // One round trip ahead: what is acknowledged then is sent now.
        let ahead_s = (acked.now_ns - epoch_ns + acked.smoothed_ns) as f64 / 1e9 - self.k_s;
        let target = self.window_max + CUBIC_C * ahead_s * ahead_s * ahead_s;
        let target = target.clamp(window, window * 1.5);
        let alpha = 3.0 * (1.0 - CUBIC_BETA) / (1.0 + CUBIC_BETA);
        self.reno += alpha * acked.segments / window;
        let cubic = (target - window) * acked.segments / window;
        cubic.max(self.reno - window)
    }
}

impl HyStart {
    /// Whether the queue begins to fill: the round trip rises, or the acknowledgements of one
    /// window take half of it.
    fn found(&mut self, acked: &Acked, window: f64) -> bool {
        if acked.up_to >= self.ends_at {
            let now_ns = acked.now_ns;
            *self = Self {
                ends_at: acked.sent_to,
                began_ns: now_ns,
                last_ack_ns: now_ns,
                ..Self::default()
            };
        }
        if window < HYSTART_WINDOW {
            return false;
        }
        if acked.now_ns - self.last_ack_ns <= HYSTART_TRAIN_GAP_NS {
            self.last_ack_ns = acked.now_ns;
            if acked.now_ns - self.began_ns > acked.lowest_ns / 2 {
                return true;
            }
        }
        let Some(sample_ns) = acked.round_trip_ns else { return false };
        if self.samples < HYSTART_SAMPLES {
            self.samples += 1;
            self.lowest_ns = Some(self.lowest_ns.map_or(sample_ns, |lowest| lowest.min(sample_ns)));
        }
        let rise_ns = (acked.lowest_ns / 8).clamp(HYSTART_RISE_NS.0, HYSTART_RISE_NS.1);
        self.samples == HYSTART_SAMPLES
            && self.lowest_ns.is_some_and(|lowest_ns| lowest_ns >= acked.lowest_ns + rise_ns)
    }
}

/// By Newton's method, the same on every machine; of what is not above 0 it is 0.
fn cube_root(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let mut root = x.max(1.0);
    // From above the steps only fall, until they are below the last place.
    loop {
        let next = (2.0 * root + x / (root * root)) / 3.0;
        if next >= root {
            return root;
        }
        root = next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn acked(now_ns: u64, segments: f64) -> Acked {
        let round_trip_ns = Some(20_000_000);
        Acked {
            now_ns,
            segments,
            up_to: 0,
            sent_to: 1,
            round_trip_ns,
            lowest_ns: 20_000_000,
            smoothed_ns: 20_000_000,
        }
    }

    #[test]
    fn slow_start_doubles_and_avoidance_adds_one_a_round_trip() {
        let mut reno = Congestion::new(CongestionControl::Reno);
        reno.acked(acked(0, 10.0));
        assert_eq!(reno.window_segments(), 20);
        reno.lost();
        assert_eq!(reno.window_segments(), 10);
        (0..10).for_each(|_| reno.acked(acked(0, 1.0)));
        assert_eq!(reno.window_segments(), 10, "less than one, because the window grew meanwhile");
        reno.acked(acked(0, 1.0));
        assert_eq!(reno.window_segments(), 11);
        reno.timed_out();
        assert_eq!(reno.window_segments(), 1);
        reno.acked(acked(0, 100.0));
        assert_eq!(reno.window_segments(), 5, "no further than the threshold");
    }

    #[test]
    fn cubic_falls_to_seven_tenths_and_is_back_after_k() {
        let mut cubic = Congestion::new(CongestionControl::Cubic);
        cubic.window = 1000.0;
        cubic.lost();
        assert_eq!(cubic.window_segments(), 700);
        // K is the cube root of 300 / 0.4: 9.09 s.
        assert!((cube_root(750.0) - 9.0856).abs() < 1e-4);
        // A window is acknowledged each 20 ms.
        let windows: Vec<f64> = (0..750)
            .map(|round: u64| {
                cubic.acked(acked(round * 20_000_000, cubic.window));
                cubic.window
            })
            .collect();
        let at = |s: f64| windows[(s / 0.02) as usize];
        // 1000 - 0.4 (9.09 - 4.5)^3.
        assert!((at(4.5) - 961.0).abs() < 5.0, "{}", at(4.5));
        assert!((at(9.2) - 1000.0).abs() < 2.0, "{}", at(9.2));
        assert!(at(14.0) > 1040.0, "and beyond it");
    }

    #[test]
    fn hystart_leaves_slow_start_where_the_round_trip_rises() {
        let window_after = |round_trip_ns: u64| {
            let mut cubic = Congestion::new(CongestionControl::Cubic);
            cubic.window = 100.0;
            for _ in 0..20 {
                let ack = Acked { round_trip_ns: Some(round_trip_ns), ..acked(0, 1.0) };
                cubic.acked(ack);
            }
            cubic.threshold
        };
        assert_eq!(window_after(23_000_000), f64::INFINITY);
        assert!(window_after(25_000_000) < 110.0);
    }

    #[test]
    fn names_are_the_kernels() {
        for control in CongestionControl::ALL {
            assert_eq!(control.to_string().parse::<CongestionControl>().expect("known"), control);
        }
        let error = "bbr".parse::<CongestionControl>().expect_err("not simulated").to_string();
        assert!(error.contains("'bbr'") && error.contains("reno or cubic"), "{error}");
    }

    proptest! {
        #[test]
        fn a_cube_root_is_one(x in 1e-9..1e12_f64) {
            let root = cube_root(x);
            prop_assert!((root * root * root / x - 1.0).abs() < 1e-14);
        }
    }
}
