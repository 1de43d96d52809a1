//! Which median the round trips of a link with jitter have, and how exactly so many echoes show it.
//!
//! Both ways' delays are drawn for themselves, each cut at zero, so that the median of the sum is no sum
//! of two means: it is that of the sums of their quantiles, each with each. The median of `n` values
//! that have the density `f` there has the standard error `1 / (2 f sqrt(n))`: that is `spread / sqrt(n)`
//! of one uniform jitter, and `1.2533 sigma / sqrt(n)` of a normal one or of the sum of both ways
//! (`1.2247` of two uniform ones). Neighbours of the correlation `c` are worth `(1 - c) / (1 + c)` of a
//! value each. Three standard errors are tolerated.

use std::f64::consts::FRAC_PI_2;

use crate::link::{Direction, Distribution, Jitter, LinkProfile};

/// Of each way.
const QUANTILES: usize = 100;
const ERRORS: f64 = 3.0;
/// What is drawn of a normal ends there, in deviations.
const NORMAL_MAX: f64 = 6.0;
const NORMAL_STEP: f64 = 1e-3;

/// The median of what both ways delay a packet together.
pub(super) fn median_ns(link: &LinkProfile) -> f64 {
    let [up, down] = [&link.up, &link.down].map(quantiles_ns);
    let mut sums: Vec<f64> =
        up.iter().flat_map(|up| down.iter().map(move |down| up + down)).collect();
    sums.sort_unstable_by(f64::total_cmp);
    let half = sums.len() / 2;
    f64::midpoint(sums[(sums.len() - 1) / 2], sums[half])
}

/// By how much the median of so many echoes may differ; never more than jitter reaches.
pub(super) fn tolerated_ns(link: &LinkProfile, echoes: usize) -> f64 {
    let (mut variance, mut flat, mut traces, mut reach) = (0.0, 0.0_f64, 0.0, 0.0);
    for way in [&link.up, &link.down] {
        reach += way.jitter.reach_ns();
        match &way.jitter {
            Jitter::None => (),
            &Jitter::Random { distribution, correlation } => {
                let worth = (1.0 - correlation) / (1.0 + correlation);
                let sigma = match distribution {
                    Distribution::Uniform { spread } => {
                        let spread = spread.as_nanos() as f64;
                        flat = flat.max(spread / worth.sqrt());
                        spread / 3.0_f64.sqrt()
                    }
                    Distribution::Normal { deviation } => deviation.as_nanos() as f64,
                };
                variance += sigma * sigma / worth;
            }
            // Nothing is drawn, and where in it an echo falls is not known.
            Jitter::Trace(added) => {
                let ns = added.iter().map(|added| added.as_nanos() as f64);
                let (least, most) = ns.fold((f64::INFINITY, 0.0_f64), |(least, most), ns| {
                    (least.min(ns), most.max(ns))
                });
                traces += (most - least).max(0.0);
            }
        }
    }
    let error = flat.max((FRAC_PI_2 * variance).sqrt()) / (echoes.max(1) as f64).sqrt();
    (ERRORS * error + traces).min(reach)
}

/// Delays of one way that are equally likely, ascending; one where all are the same.
fn quantiles_ns(way: &Direction) -> Vec<f64> {
    let delay = way.delay.as_nanos() as f64;
    let middles = (0..QUANTILES).map(|number| (number as f64 + 0.5) / QUANTILES as f64);
    let cut = |difference: f64| (delay + difference).max(0.0);
    match &way.jitter {
        Jitter::Trace(added) if added.is_empty() => vec![delay],
        Jitter::None => vec![delay],
        Jitter::Random { distribution: Distribution::Uniform { spread }, .. } => {
            let spread = spread.as_nanos() as f64;
            middles.map(|part| cut(spread * (2.0 * part - 1.0))).collect()
        }
        Jitter::Random { distribution: Distribution::Normal { deviation }, .. } => {
            let deviation = deviation.as_nanos() as f64;
            normal(middles).into_iter().map(|difference| cut(deviation * difference)).collect()
        }
        Jitter::Trace(added) => {
            let mut added: Vec<f64> = added.iter().map(|added| added.as_nanos() as f64).collect();
            added.sort_unstable_by(f64::total_cmp);
            middles.map(|part| delay + added[(part * added.len() as f64) as usize]).collect()
        }
    }
}

/// Where the normal distribution has those parts of it below, which ascend: its density, added up.
fn normal(parts: impl Iterator<Item = f64>) -> Vec<f64> {
    let (mut at, mut below) = (-NORMAL_MAX, 0.0);
    let density = |x: f64| (-x * x / 2.0).exp() / (4.0 * FRAC_PI_2).sqrt();
    let place = |part: f64| {
        while below < part && at < NORMAL_MAX {
            below += density(at + NORMAL_STEP / 2.0) * NORMAL_STEP;
            at += NORMAL_STEP;
        }
        at
    };
    parts.map(place).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn link(round_trip: Duration, up: Jitter, down: Jitter) -> LinkProfile {
        let mut link = LinkProfile::round_trip(round_trip);
        (link.up.jitter, link.down.jitter) = (up, down);
        link
    }

    fn near_ms(found_ns: f64, expected_ms: f64) {
        assert!((found_ns / 1e6 - expected_ms).abs() < 0.02, "{found_ns} ns, {expected_ms} ms");
    }

    #[test]
    fn a_median_that_nothing_is_cut_of_is_the_delay() {
        let (uniform, normal) = (Jitter::uniform(10 * MS), Jitter::normal(2 * MS));
        for (up, down) in [(Jitter::None, Jitter::None), (uniform, normal.clone())] {
            near_ms(median_ns(&link(40 * MS, up, down)), 40.0);
        }
        near_ms(median_ns(&link(40 * MS, normal, Jitter::None)), 40.0);
    }

    #[test]
    fn a_median_of_what_is_cut_at_zero_is_that_computed_by_hand() {
        let uniform = || Jitter::uniform(10 * MS);
        // Half of it is cut to zero, so that the median is there.
        near_ms(median_ns(&link(Duration::ZERO, uniform(), Jitter::None)), 0.05);
        // Of two such: 1/4 + x/2 + x^2/8 = 1/2 at x = sqrt(6) - 2 of the spread.
        let found = median_ns(&link(Duration::ZERO, uniform(), uniform())) / 1e6;
        assert!((found - 4.495).abs() < 0.1, "{found}");
    }

    #[test]
    fn the_quantiles_of_a_normal_are_those_of_the_tables() {
        let found = normal([0.025, 0.158_655, 0.5, 0.975].into_iter());
        for (found, expected) in found.into_iter().zip([-1.959_964, -1.0, 0.0, 1.959_964]) {
            assert!((found - expected).abs() < 0.002, "{found} {expected}");
        }
    }

    #[test]
    fn three_standard_errors_are_tolerated_and_correlation_adds_to_them() {
        let one = |jitter: Jitter, echoes| {
            tolerated_ns(&link(40 * MS, jitter, Jitter::None), echoes) / 1e6
        };
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-3 * expected, "{found} {expected}");
        };
        // 3 * 10 / sqrt(100), and 3 * 1.2533 * 2 / sqrt(100).
        near(one(Jitter::uniform(10 * MS), 100), 3.0);
        near(one(Jitter::normal(2 * MS), 100), 0.751_98);
        let distribution = Distribution::Normal { deviation: 2 * MS };
        // Worth a quarter of a value each.
        near(one(Jitter::Random { distribution, correlation: 0.6 }, 100), 1.503_96);
        near(one(Jitter::uniform(10 * MS), 1), 10.0);
        assert_eq!(one(Jitter::None, 1), 0.0);
    }
}
