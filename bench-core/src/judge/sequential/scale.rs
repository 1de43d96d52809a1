//! How far rounds scatter, known before the round that is judged by it.

use crate::judge::stats::mad_sigma;

/// The first rounds only tell how far rounds scatter; nobody bets on them.
pub const ROUNDS_START: usize = 10;
/// So often the scatter is taken anew.
const ROUNDS_BETWEEN: usize = 10;
/// From so many of the last rounds: enough for a scale good to a tenth, few enough to follow a
/// machine that grows noisier.
const ROUNDS_WINDOW: usize = 100;
/// A millionth. Where more than half of the rounds are equal there is no scatter to measure by.
const SCALE_MIN: f64 = 1e-6;

/// The scale of each round after the first [`ROUNDS_START`]: the median absolute deviation, as a
/// standard deviation, of up to 100 rounds *before* it, taken anew every ten rounds.
///
/// Because no round has a say in its own scale, a wild round cannot make itself look ordinary, and
/// a sum of scaled rounds stays a fair game. `None` during the first rounds.
#[derive(Clone, Debug, Default)]
pub struct Scale {
    current: Option<f64>,
}

impl Scale {
    /// The scale of the round that comes after `before`. Ask once for each round, in their order.
    ///
    /// # Panics
    /// When one of the rounds is not finite.
    pub fn next(&mut self, before: &[f64]) -> Option<f64> {
        let rounds = before.len();
        if rounds >= ROUNDS_START && rounds.is_multiple_of(ROUNDS_BETWEEN) {
            let window = &before[rounds.saturating_sub(ROUNDS_WINDOW)..];
            self.current = Some(mad_sigma(window).max(SCALE_MIN));
        }
        self.current
    }
}

/// Each round after the first ones with its scale.
pub(super) fn scaled(rounds: &[f64]) -> Vec<Scaled> {
    let mut scale = Scale::default();
    let scaled = rounds
        .iter()
        .enumerate()
        .filter_map(|(index, &x)| scale.next(&rounds[..index]).map(|scale| Scaled { x, scale }));
    scaled.collect()
}

/// A round and its scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaled {
    pub(super) x: f64,
    pub(super) scale: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rounds_have_none_and_the_rest_that_of_the_rounds_before() {
        let rounds: Vec<f64> = (0..25).map(f64::from).collect();
        let scaled = scaled(&rounds);
        assert_eq!(scaled.len(), 15);
        assert_eq!(scaled[0].x, 10.0);
        // 0 to 9: median 4.5, deviations 0.5 to 4.5 twice each, their median 2.5.
        let first = 2.5 * 1.4826;
        assert!((scaled[0].scale - first).abs() < 1e-12);
        assert_eq!(scaled[9].scale, scaled[0].scale);
        // 0 to 19: deviations 0.5 to 9.5.
        assert!((scaled[10].scale - 2.0 * first).abs() < 1e-12);
    }

    #[test]
    fn a_round_has_no_say_in_its_own_scale() {
        let mut rounds: Vec<f64> = (0..20).map(|i| f64::from(i % 5)).collect();
        let calm = scaled(&rounds);
        rounds[19] = 1e9;
        assert_eq!(scaled(&rounds)[9].scale, calm[9].scale);
    }

    #[test]
    fn equal_rounds_have_the_smallest_scale() {
        assert_eq!(scaled(&[0.25; 11])[0].scale, SCALE_MIN);
        assert_eq!(scaled(&[0.25; 10]), []);
    }

    #[test]
    fn it_forgets_what_is_long_ago() {
        let rounds: Vec<f64> =
            (0..301).map(|i| f64::from(i % 7) * if i < 200 { 1.0 } else { 9.0 }).collect();
        let scaled = scaled(&rounds);
        let (early, late) = (scaled[100].scale, scaled[290].scale);
        assert!((late / early - 9.0).abs() < 1.0, "{early} {late}");
    }
}
