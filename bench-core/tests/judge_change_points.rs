//! Change points: those of Apache Otava on its own test series, and what holds for any series.

use bench_core::judge::changepoint::{ChangePoint, Settings, change_points};
use proptest::prelude::*;
use serde::Deserialize;

/// The series of Otava's tests and what Otava finds in them; the file says how it was made.
const OTAVA: &str = include_str!("data/otava.json");

#[derive(Deserialize)]
struct Published {
    series: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    name: String,
    values: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    window: usize,
    max_p_value: f64,
    min_change: f64,
    points: Vec<usize>,
}

fn indices(points: &[ChangePoint]) -> Vec<usize> {
    points.iter().map(|point| point.index).collect()
}

fn points(series: &[f64]) -> Vec<usize> {
    indices(&change_points(series, Settings::OTAVA))
}

/// A level with a step of `by` at each of `at`, and a disturbance that repeats itself.
fn steps(length: usize, at: &[usize], by: f64) -> Vec<f64> {
    let level = |i: usize| 100.0 + by * at.iter().filter(|&&at| at <= i).count() as f64;
    (0..length).map(|i| level(i) + [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0][i * i % 7]).collect()
}

#[test]
fn the_same_points_as_otava_on_its_own_series() {
    let published: Published = serde_json::from_str(OTAVA).expect("data");
    let mut cases = 0;
    for Series { name, values, cases: of_series } in published.series {
        for case in of_series {
            let Case { window, max_p_value, min_change, points } = case;
            let settings = Settings { window, max_p_value, min_change };
            let found = change_points(&values, settings);
            assert_eq!(indices(&found), points, "{name} {settings:?}");
            cases += 1;
        }
    }
    assert_eq!(cases, 32);
}

#[test]
fn a_point_says_what_changed() {
    let found = change_points(&[8.0, 8.0, 8.0, 12.0, 12.0, 12.0, 12.0], Settings::OTAVA);
    let expected = ChangePoint { index: 3, before: 8.0, after: 12.0, values: (3, 4), p_value: 0.0 };
    assert_eq!(found, [expected]);
    assert_eq!(expected.ratio(), Some(1.5));
    assert_eq!(expected.magnitude(), 0.5);
    let from_nothing = ChangePoint { before: 0.0, ..expected };
    assert_eq!((from_nothing.ratio(), from_nothing.magnitude()), (None, 1.0));
}

#[test]
fn what_is_short_constant_or_too_large_has_no_points() {
    for series in [&[][..], &[1.0], &[1.0, 2.0], &[0.1; 200], &[1e300, -1e300, 1e300, 1e300]] {
        assert!(points(series).is_empty(), "{series:?}");
    }
    assert_eq!(points(&[0.1, 0.1, 0.1, 0.3, 0.3, 0.3]), [3]);
}

#[test]
fn steps_are_found_wherever_the_windows_lie() {
    for at in 10..190 {
        let found = points(&steps(200, &[at], 20.0));
        assert_eq!(found, [at]);
    }
    assert_eq!(points(&steps(400, &[100, 117, 300], 20.0)), [100, 117, 300]);
}

#[test]
fn a_change_that_is_too_small_to_matter_is_left_out() {
    let series = steps(200, &[60, 120], 20.0);
    let with = |min_change| Settings { min_change, ..Settings::OTAVA };
    assert_eq!(indices(&change_points(&series, with(0.15))), [60, 120]);
    // 100 to 120 is 20 %, 120 to 140 is 16.7 % of 120.
    assert_eq!(indices(&change_points(&series, with(0.18))), [60]);
    assert!(change_points(&series, with(0.60)).is_empty());
}

#[test]
#[should_panic(expected = "not finite")]
fn what_is_not_finite_is_a_bug_of_the_caller() {
    points(&[1.0, f64::NAN]);
}

#[test]
#[should_panic(expected = "a window of 1 holds no change")]
fn a_window_of_one_is_refused() {
    change_points(&[1.0], Settings { window: 1, ..Settings::OTAVA });
}

fn series() -> impl Strategy<Value = Vec<f64>> {
    let level = (-1000_i32..1000, 1_usize..40, 1_i32..50);
    let piece = level.prop_flat_map(|(level, length, spread)| {
        proptest::collection::vec(level - spread..=level + spread, length)
    });
    proptest::collection::vec(piece, 0..6)
        .prop_map(|pieces| pieces.concat().into_iter().map(f64::from).collect())
}

proptest! {
    #[test]
    fn the_unit_does_not_matter(series in series(), power in -30..30) {
        let scaled: Vec<f64> = series.iter().map(|x| x * 2_f64.powi(power)).collect();
        prop_assert_eq!(points(&scaled), points(&series));
    }

    #[test]
    fn neither_does_zero_nor_the_sign(series in series(), by in -100_000_i32..100_000) {
        let shifted: Vec<f64> = series.iter().map(|x| x + f64::from(by)).collect();
        let negated: Vec<f64> = series.iter().map(|x| -x).collect();
        prop_assert_eq!(points(&negated), points(&series));
        // Relative changes are of another size then, but the smallest that counts is 0.
        prop_assert_eq!(points(&shifted), points(&series));
    }

    #[test]
    fn points_are_in_order_inside_and_tell_their_means(series in series()) {
        let found = change_points(&series, Settings::OTAVA);
        prop_assert_eq!(&change_points(&series, Settings::OTAVA), &found);
        let mut from = 0;
        for (i, point) in found.iter().enumerate() {
            let to = found.get(i + 1).map_or(series.len(), |next| next.index);
            prop_assert!(from < point.index && point.index < to);
            prop_assert_eq!(point.values, (point.index - from, to - point.index));
            let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
            prop_assert!((mean(&series[from..point.index]) - point.before).abs() < 1e-9);
            prop_assert!((mean(&series[point.index..to]) - point.after).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&point.p_value));
            from = point.index;
        }
    }

    #[test]
    fn a_step_is_one_step_seen_from_the_other_end(length in 20_usize..50, share in 0.3..0.7) {
        let at = (length as f64 * share) as usize;
        let series = steps(length, &[at], 50.0);
        let reversed: Vec<f64> = series.iter().rev().copied().collect();
        prop_assert_eq!(points(&series), [at]);
        prop_assert_eq!(points(&reversed), [length - at]);
    }

    #[test]
    fn a_constant_has_no_points(value in -1e12..1e12_f64, length in 0_usize..150) {
        prop_assert_eq!(points(&vec![value; length]), Vec::<usize>::new());
    }

    #[test]
    fn nothing_is_found_in_accidents_more_often_than_the_probability_allows(seed in 0_u64..8) {
        // 40 windows of one level: with `p < 0.001` a point here and there, not one a window.
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let series: Vec<f64> = (0..1_000).map(|_| 100.0 + next() + next() + next() + next()).collect();
        prop_assert!(points(&series).len() <= 6);
    }
}
