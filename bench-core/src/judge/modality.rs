//! Whether times have one mode or two, and where.

mod dip;

pub use dip::{dip, dip_p_at_most};

/// So unlikely must the dip be for times of one mode. Strict, because every id of a report is
/// asked, on both sides.
const P_MAX: f64 = 0.001;
/// Two modes closer than this, as a fraction, are not told apart: processors have several speeds, and
/// nobody's average is wrong by more.
const APART_MIN: f64 = 0.05;
/// What is less than this share of the times is no mode but a few wild times.
const SHARE_MIN: f64 = 0.05;

/// The modes of some times.
#[derive(Clone, Debug, PartialEq)]
pub struct Modes {
    /// How far the times are from any distribution with one mode, from 0 to 0.25.
    pub dip: f64,
    /// At most how probable that is for times of one mode: a step of the table, 1 where even the
    /// largest step is not reached.
    pub p_at_most: f64,
    /// One or two, the faster first.
    pub modes: Vec<Mode>,
}

/// One mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    /// The median of the times about it.
    pub centre: f64,
    /// Which share of the times lies about it.
    pub share: f64,
}

impl Modes {
    /// Whether one number for these times would describe none of them.
    pub const fn is_split(&self) -> bool {
        self.modes.len() > 1
    }
}

/// The modes of `times`, the slices of one side of one id: two where Hartigan's dip says that one is
/// out of the question (p at most 0.001) and they lie at least 5 % apart.
///
/// They are parted where the sum of distances of `ln time` from the median of their part is least
/// (two-medians, exact in one dimension), a twentieth of the times at least in each. Fewer than ten times have one mode: nobody could tell. More
/// than two modes are shown as two.
///
/// # Panics
/// Without times, or when one is not finite or not above zero.
pub fn modes(times: &[f64]) -> Modes {
    assert!(!times.is_empty(), "no times");
    assert!(times.iter().all(|t| t.is_finite() && *t > 0.0), "a time is not above zero");
    let mut sorted = times.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let dip = dip(&sorted);
    let p_at_most = dip_p_at_most(dip, sorted.len());
    let two = (p_at_most <= P_MAX).then(|| two_medians(&sorted));
    let two = two.filter(|[fast, slow]| slow.centre >= fast.centre * (1.0 + APART_MIN));
    let one = || vec![Mode { centre: middle(&sorted), share: 1.0 }];
    Modes { dip, p_at_most, modes: two.map_or_else(one, Vec::from) }
}

/// Parts sorted times in two.
fn two_medians(sorted: &[f64]) -> [Mode; 2] {
    let mut sums = vec![0.0];
    for time in sorted {
        sums.push(sums[sums.len() - 1] + time.ln());
    }
    // What lies above the median less what lies below it, of the part from `start` to `end`.
    let distances = |start: usize, end: usize| {
        let (low, high) = (start + (end - start) / 2, start + (end - start).div_ceil(2));
        (sums[end] - sums[high]) - (sums[low] - sums[start])
    };
    let count = sorted.len();
    let cost = |cut: usize| distances(0, cut) + distances(cut, count);
    let least = (count as f64 * SHARE_MIN).ceil() as usize;
    let cut = (least..=count - least)
        .min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
        .expect("ten times or more");
    [&sorted[..cut], &sorted[cut..]]
        .map(|part| Mode { centre: middle(part), share: part.len() as f64 / count as f64 })
}

fn middle(sorted: &[f64]) -> f64 {
    super::stats::median(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times about `centre` that scatter by a tenth.
    fn about(centre: f64, count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(move |i| centre * (1.0 + f64::from(i * 37 % 101) / 505.0 - 0.1))
    }

    #[test]
    fn an_echo_between_two_threads_has_two_modes() {
        let times: Vec<f64> = about(6_000.0, 58).chain(about(70_000.0, 42)).collect();
        let modes = modes(&times);
        assert!(modes.is_split() && modes.p_at_most <= 0.001, "{modes:?}");
        let [fast, slow] = modes.modes[..] else { panic!("{modes:?}") };
        assert!((fast.centre / 6_000.0 - 1.0).abs() < 0.05, "{modes:?}");
        assert!((slow.centre / 70_000.0 - 1.0).abs() < 0.05, "{modes:?}");
        assert!((fast.share - 0.58).abs() < 1e-12 && (slow.share - 0.42).abs() < 1e-12);
    }

    #[test]
    fn one_mode_with_a_long_tail_is_one_mode() {
        let tail = (1..=20).map(|i| 7_000.0 * f64::from(i).sqrt());
        let modes = modes(&about(6_000.0, 101).chain(tail).collect::<Vec<f64>>());
        assert!(!modes.is_split(), "{modes:?}");
        assert_eq!(modes.modes[0].share, 1.0);
    }

    /// A few wild times must not be taken for the second mode.
    #[test]
    fn outliers_are_no_mode() {
        let wild = [9e6, 1e7, 2e7];
        let times = about(6_000.0, 58).chain(about(9_000.0, 42)).chain(wild);
        let modes = modes(&times.collect::<Vec<f64>>());
        assert!(modes.is_split(), "{modes:?}");
        assert!((modes.modes[1].centre / 9_000.0 - 1.0).abs() < 0.05, "{modes:?}");
    }

    #[test]
    fn modes_that_nearly_agree_are_one() {
        let times: Vec<f64> = (0..200)
            .map(|i| if i % 2 == 0 { 1_000.0 } else { 1_040.0 } + f64::from(i) / 1e3)
            .collect();
        let modes = modes(&times);
        assert_eq!(modes.p_at_most, 0.001);
        assert!(!modes.is_split(), "{modes:?}");
    }

    #[test]
    fn few_or_equal_times_have_one_mode() {
        assert!(!modes(&[1.0]).is_split());
        assert!(!modes(&[1.0, 1.0, 1.0, 9.0, 9.0, 9.0]).is_split());
        assert!(!modes(&[3.0; 100]).is_split());
    }

    #[test]
    #[should_panic(expected = "a time is not above zero")]
    fn zero_is_no_time() {
        let _ = modes(&[1.0, 0.0]);
    }
}
