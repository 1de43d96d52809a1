//! Hartigan's dip: how far a sample is from any distribution with one mode.

/// Quantiles of `√n dip` for samples of the uniform distribution, the worst of those with one mode:
/// by size of sample, for each of [`P`]. 40,000 samples and more of each size, so that the last digit
/// is uncertain:
/// `numpy.quantile([diptest.dipstat(rng.random(n)) for _ in range(200_000)], 1 - p) * n**.5`.
const TABLE: [(usize, [f64; P.len()]); 8] = [
    (10, [0.4125, 0.4413, 0.4765, 0.5036, 0.5270, 0.5509, 0.5671]),
    (20, [0.4346, 0.4704, 0.5111, 0.5392, 0.5649, 0.5993, 0.6225]),
    (50, [0.4590, 0.4974, 0.5429, 0.5732, 0.6020, 0.6404, 0.6658]),
    (100, [0.4709, 0.5101, 0.5577, 0.5908, 0.6210, 0.6580, 0.6851]),
    (200, [0.4806, 0.5219, 0.5700, 0.6036, 0.6352, 0.6720, 0.7020]),
    (500, [0.4894, 0.5309, 0.5802, 0.6166, 0.6474, 0.6899, 0.7189]),
    (1_000, [0.4930, 0.5341, 0.5842, 0.6200, 0.6525, 0.6938, 0.7271]),
    (2_000, [0.4967, 0.5392, 0.5885, 0.6239, 0.6582, 0.7004, 0.7296]),
];
/// The probabilities of the table.
const P: [f64; 7] = [0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

/// The dip of a sorted sample: the least distance between its distribution function and one that is
/// convex up to a mode and concave from there (Hartigan and Hartigan, *The dip test of unimodality*,
/// Annals of Statistics 13, 1985), found as in their section 4.
///
/// From `1 / 2n`, where the sample could not have more of a single mode, to 0.25.
///
/// # Panics
/// Without samples, when they are not sorted, or when one is not finite.
pub fn dip(sorted: &[f64]) -> f64 {
    assert!(!sorted.is_empty(), "no samples");
    assert!(sorted.iter().all(|x| x.is_finite()), "a sample is not finite");
    assert!(sorted.is_sorted(), "the samples are not sorted");
    let steps = steps(sorted);
    let mut modal = &steps[..];
    // Twice the dip in counts. A step of one is as far from a continuous function as half of it.
    let mut distance = 1.0_f64;
    loop {
        let convex = hull(modal, |step| step.below, 1.0);
        let concave = hull(modal, |step| step.above, -1.0);
        let gap = |x: f64| along(&concave, x) - along(&convex, x);
        let at_convex = widest(&convex, gap);
        let at_concave = widest(&concave, gap);
        let (from, to, width) = if gap(at_convex) > gap(at_concave) {
            let to = concave.iter().find(|knot| knot.0 >= at_convex).expect("ends with the last");
            (at_convex, to.0, gap(at_convex))
        } else {
            let from = convex.iter().rfind(|knot| knot.0 <= at_concave);
            (from.expect("begins with the first").0, at_concave, gap(at_concave))
        };
        if width <= distance {
            break;
        }
        for step in modal {
            if step.x < from {
                distance = distance.max(step.above - along(&convex, step.x));
            } else if step.x > to {
                distance = distance.max(along(&concave, step.x) - step.below);
            }
        }
        let within: &[Step] = between(modal, from, to);
        if within.len() == modal.len() {
            break;
        }
        modal = within;
    }
    distance / (2.0 * sorted.len() as f64)
}

/// At most how probable a dip of this size or more is for a sample of one mode: the smallest step of
/// 0.1, 0.05, 0.02, 0.01, 0.005, 0.002 and 0.001 that it reaches, or 1. Between the sizes of the table
/// quantiles of `√n dip` are linear in `1 / √n`; above them they hardly move. 1 for fewer than ten.
pub fn dip_p_at_most(dip: f64, n: usize) -> f64 {
    let root = (n as f64).sqrt();
    let Some(below) = TABLE.iter().rposition(|(size, _)| *size <= n) else { return 1.0 };
    let above = (below + 1).min(TABLE.len() - 1);
    let place = |row: usize| 1.0 / (TABLE[row].0 as f64).sqrt();
    let share = match place(below) - place(above) {
        0.0 => 0.0,
        width => (place(below) - 1.0 / root) / width,
    };
    let quantile = |p: usize| {
        let (a, b) = (TABLE[below].1[p], TABLE[above].1[p]);
        share.mul_add(b - a, a)
    };
    let reached = (0..P.len()).rev().find(|&p| dip * root >= quantile(p));
    reached.map_or(1.0, |p| P[p])
}

/// Where the distribution function rises: at `x`, from so many samples to so many.
#[derive(Clone, Copy, Debug)]
struct Step {
    x: f64,
    below: f64,
    above: f64,
}

fn steps(sorted: &[f64]) -> Vec<Step> {
    let mut count = 0.0;
    let equal = sorted.chunk_by(|a, b| a == b);
    let steps = equal.map(|equal| {
        let below = count;
        count += equal.len() as f64;
        Step { x: equal[0], below, above: count }
    });
    steps.collect()
}

/// The knots of the greatest convex function below the points (`turn` 1), or of the least concave one
/// above them (-1).
fn hull(steps: &[Step], height: impl Fn(&Step) -> f64, turn: f64) -> Vec<(f64, f64)> {
    let mut knots: Vec<(f64, f64)> = Vec::new();
    for step in steps {
        let (x, y) = (step.x, height(step));
        while let [.., (x0, y0), (x1, y1)] = knots[..]
            && turn * ((y1 - y0) * (x - x1) - (y - y1) * (x1 - x0)) >= 0.0
        {
            knots.pop();
        }
        knots.push((x, y));
    }
    knots
}

/// The height at `x` of the line through the knots.
fn along(knots: &[(f64, f64)], x: f64) -> f64 {
    let at = knots.partition_point(|knot| knot.0 < x);
    let (x1, y1) = knots[at.min(knots.len() - 1)];
    if x >= x1 || at == 0 {
        return y1;
    }
    let (x0, y0) = knots[at - 1];
    y0 + (y1 - y0) * ((x - x0) / (x1 - x0))
}

/// The knot at which the gap is widest; of equal ones the first.
fn widest(knots: &[(f64, f64)], gap: impl Fn(f64) -> f64) -> f64 {
    let wider = |best: f64, x: f64| if gap(x) > gap(best) { x } else { best };
    knots.iter().map(|knot| knot.0).reduce(wider).expect("a hull has a knot")
}

fn between(steps: &[Step], from: f64, to: f64) -> &[Step] {
    let start = steps.partition_point(|step| step.x < from);
    let end = steps.partition_point(|step| step.x <= to);
    &steps[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: impl IntoIterator<Item = f64>) -> f64 {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        dip(&samples)
    }

    /// `(z >> 11) / 2^53` of a linear congruential generator, so that Python draws the same.
    fn uniform(count: usize) -> Vec<f64> {
        let mut z = 1_u64;
        let mut next = || {
            z = z.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (z >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..count).map(|_| next()).collect()
    }

    /// The middle of three points each: the function must climb 3 between 3 and 10, and may be off
    /// by as much at 3 as at 10.
    #[test]
    fn by_hand() {
        // Convex up to 10: the line from (1, 0) to (10, 3) is 2/3 at 3, where the step ends at 3.
        let expected = (3.0 - 2.0 / 3.0) / 12.0;
        assert!((of([1.0, 2.0, 3.0, 10.0, 11.0, 12.0]) - expected).abs() < 1e-12);
        assert_eq!(of([1.0, 2.0, 3.0, 4.0]), 0.125);
        assert_eq!(of([5.0]), 0.5);
        assert_eq!(of([3.0; 4]), 0.125);
    }

    /// `diptest.dipstat(numpy.array(x), allow_zero=False)` of the Python package diptest 0.12.
    #[test]
    fn as_the_reference_says() {
        let modes = (0..58)
            .map(|i| 6.0 + 0.1 * f64::from(i * 37 % 41) / 41.0)
            .chain((0..42).map(|i| 70.0 + 5.0 * f64::from(i * 29 % 31) / 31.0));
        let ties = [1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6].map(f64::from);
        let parts = (0..300)
            .map(|i| f64::from(i * 7919 % 1009) / 1009.0 + if i % 3 == 0 { 1.3 } else { 0.0 });
        let u = uniform(1_000);
        let squares = u.iter().map(|v| v * v);
        let shifted = u.chunks(2).map(|v| v[0] + if v[1] < 0.5 { 0.8 } else { 0.0 });
        for (name, dip, expected) in [
            ("modes", of(modes), 0.195_218_038_228_224_78),
            ("ties", of(ties), 0.107_142_857_142_857_14),
            ("parts", of(parts), 0.046_223_738_842_893_01),
            ("uniform", of(u.clone()), 0.014_718_374_097_277_859),
            ("squares", of(squares), 0.007_917_974_099_218_681),
            ("shifted", of(shifted), 0.024_236_528_828_526_78),
        ] {
            assert!((dip - expected).abs() < 1e-12, "{name}: {dip}, not {expected}");
        }
    }

    #[test]
    fn neither_place_nor_unit_nor_direction_matters() {
        let u = uniform(101);
        let dip = of(u.clone());
        assert!((of(u.iter().map(|x| 3.0 + 8.0 * x)) - dip).abs() < 1e-9);
        assert!((of(u.iter().map(|x| -x)) - dip).abs() < 1e-12);
    }

    /// Steps of the table, read at its sizes, between them and beyond.
    #[test]
    fn the_probability_is_a_step_of_the_table() {
        assert_eq!(dip_p_at_most(0.6852 / 10.0, 100), 0.001);
        assert_eq!(dip_p_at_most(0.6850 / 10.0, 100), 0.002);
        assert_eq!(dip_p_at_most(0.4708 / 10.0, 100), 1.0);
        // 150 lies at 0.625 of the way from 100 to 200: 0.1 is reached from 0.4770 on.
        let root = 150.0_f64.sqrt();
        assert_eq!(
            (dip_p_at_most(0.4774 / root, 150), dip_p_at_most(0.476 / root, 150)),
            (0.1, 1.0)
        );
        assert_eq!(dip_p_at_most(0.73 / 100.0, 10_000), 0.001);
        assert_eq!(dip_p_at_most(0.25, 9), 1.0);
    }

    #[test]
    #[should_panic(expected = "the samples are not sorted")]
    fn samples_come_sorted() {
        let _ = dip(&[2.0, 1.0]);
    }
}
