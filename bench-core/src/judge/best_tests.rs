//! Rankings by hand and by reference.

use proptest::prelude::*;

use super::*;

fn arm(name: &str, cells: &[(&str, &[f64])]) -> Arm {
    let cells = cells.iter().map(|(cell, times)| ((*cell).to_owned(), Ok(times.to_vec())));
    Arm { name: name.to_owned(), cells: cells.collect() }
}

/// By scipy 1.17.
const RATIO: f64 = 1.147_583_157_560_272_8;
const LOW: f64 = 0.976_315_636_961_909_8;
const HIGH: f64 = 1.348_894_818_087_796;

fn names(ranking: &Ranking) -> Vec<&str> {
    ranking.winners().collect()
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{a} {b}");
}

#[test]
fn ratios_by_hand() {
    // Twice as fast in one cell and half as fast in the other; four times as fast in both.
    let base = arm("default", &[("read", &[8.0, 8.0]), ("write", &[4.0, 4.0])]);
    let mixed = arm("mixed", &[("read", &[4.0, 4.0]), ("write", &[8.0, 8.0])]);
    let fast = arm("fast", &[("read", &[2.0, 2.0]), ("write", &[1.0, 1.0])]);
    let ranking = best(&[base, mixed, fast], "default");
    assert_eq!(ranking.baseline.as_deref(), Some("default"));
    assert_eq!((ranking.cells, ranking.tied), (2, 1));
    assert_eq!(names(&ranking), ["fast"]);
    let ratios: Vec<f64> = ranking.standings.iter().map(|standing| standing.ratio).collect();
    close(ratios[0], 4.0);
    close(ratios[1], 1.0);
    close(ratios[2], 1.0);
    // Nothing scatters, so the interval has no width.
    let interval = ranking.standings[0].interval.expect("two rounds");
    close(interval.low, 4.0);
    close(interval.high, 4.0);
    // Two comparisons share an error of 5 %.
    close(interval.confidence, 0.975);
}

#[test]
fn the_same_interval_as_scipy() {
    // python: x = [numpy.log(numpy.array(b) / numpy.array(o)) for b, o in cells]; mean of means;
    // half = scipy.stats.t.ppf(0.975, nu) * sqrt(sum v) / 2 with v = var(x, ddof=1) / n and
    // Satterthwaite's nu, which is that of ttest_ind(x[0], -x[1], equal_var=False)
    let base = arm("a", &[("c", &[10.0, 11.0, 10.5, 9.8]), ("d", &[100.0, 140.0, 120.0])]);
    let own = arm("b", &[("c", &[9.0, 10.0, 9.1, 9.3]), ("d", &[90.0, 100.0, 110.0])]);
    let ranking = best(&[base, own], "a");
    assert_eq!(ranking.standings[0].name, "b");
    close(ranking.standings[0].ratio, RATIO);
    let interval = ranking.standings[0].interval.expect("enough rounds");
    close(interval.low, LOW);
    close(interval.high, HIGH);
    // 1 lies within: the baseline is as good as anybody can tell.
    assert_eq!(names(&ranking), ["b", "a"]);
}

#[test]
fn overlapping_intervals_are_a_tie() {
    let base = arm("default", &[("read", &[10.0, 10.0, 10.0, 10.0])]);
    let good = arm("good", &[("read", &[5.0, 5.5, 4.5, 5.0])]);
    let alike = arm("alike", &[("read", &[5.1, 5.6, 4.6, 5.1])]);
    let bad = arm("bad", &[("read", &[20.0, 21.0, 20.0, 21.0])]);
    let ranking = best(&[bad, base, alike, good], "default");
    assert_eq!(names(&ranking), ["good", "alike"]);
    let order: Vec<&str> = ranking.standings.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(order, ["good", "alike", "default", "bad"]);
}

#[test]
fn who_failed_in_one_cell_is_out_whatever_it_did_elsewhere() {
    let base = arm("default", &[("read", &[8.0, 8.0]), ("write", &[8.0, 8.0])]);
    let mut fast = arm("fast", &[("read", &[1.0, 1.0])]);
    fast.cells.insert("write".into(), Err("Unavailable".into()));
    let absent = arm("absent", &[("read", &[1.0, 1.0])]);
    let empty = arm("empty", &[("read", &[1.0]), ("write", &[])]);
    let ranking = best(&[fast, absent, base, empty], "default");
    assert_eq!(names(&ranking), ["default"]);
    let out: Vec<(&str, &str, &str)> = ranking
        .disqualified
        .iter()
        .flat_map(|d| d.failures.iter().map(|(c, why)| (d.name.as_str(), c.as_str(), why.as_str())))
        .collect();
    let expected = [
        ("fast", "write", "Unavailable"),
        ("absent", "write", "not measured"),
        ("empty", "write", "not measured"),
    ];
    assert_eq!(out, expected);
}

#[test]
fn a_baseline_that_failed_is_replaced_and_said() {
    let mut base = arm("default", &[]);
    base.cells.insert("read".into(), Err("stalled".into()));
    let slow = arm("slow", &[("read", &[8.0, 8.0])]);
    let fast = arm("fast", &[("read", &[4.0, 4.0])]);
    let ranking = best(&[base, slow, fast], "default");
    assert_eq!(ranking.baseline.as_deref(), Some("slow"));
    assert_eq!(names(&ranking), ["fast"]);
    close(ranking.standings[0].ratio, 2.0);
}

#[test]
fn nobody_is_best_of_nothing() {
    let mut failed = arm("default", &[]);
    failed.cells.insert("read".into(), Err("refused".into()));
    for arms in [vec![], vec![arm("a", &[])], vec![failed]] {
        let ranking = best(&arms, "default");
        assert_eq!((ranking.tied, ranking.baseline.as_deref()), (0, None), "{arms:?}");
        assert!(names(&ranking).is_empty());
    }
}

#[test]
fn one_round_ranks_and_separates_nobody() {
    let base = arm("default", &[("read", &[8.0])]);
    let fast = arm("fast", &[("read", &[1.0])]);
    let ranking = best(&[base, fast], "default");
    close(ranking.standings[0].ratio, 8.0);
    assert_eq!(ranking.standings[0].interval, None);
    assert_eq!(names(&ranking), ["fast", "default"]);
    let alone = best(&[arm("default", &[("read", &[8.0])])], "default");
    assert_eq!(names(&alone), ["default"]);
}

#[test]
fn rounds_that_only_one_side_has_are_left_out() {
    let base = arm("default", &[("read", &[8.0, 8.0])]);
    let fast = arm("fast", &[("read", &[4.0, 4.0, 4000.0])]);
    close(best(&[base, fast], "default").standings[0].ratio, 2.0);
}

#[test]
#[should_panic(expected = "not above zero")]
fn no_time_at_all_has_no_ratio() {
    best(&[arm("a", &[("read", &[0.0])]), arm("b", &[("read", &[1.0])])], "a");
}

proptest! {
    #[test]
    fn the_unit_of_time_has_no_say_and_the_other_baseline_mirrors(
        times in proptest::collection::vec((0.5..2.0_f64, 0.5..2.0_f64), 2..12),
        unit in 1e-3..1e3_f64,
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = times.into_iter().unzip();
        let arms = |unit: f64| {
            let scaled = |times: &[f64]| times.iter().map(|t| t * unit).collect::<Vec<f64>>();
            [arm("a", &[("c", &scaled(&a))]), arm("b", &[("c", &scaled(&b))])]
        };
        let ratio = |ranking: &Ranking, name: &str| {
            ranking.standings.iter().find(|s| s.name == name).expect("there").ratio
        };
        let of_a = best(&arms(1.0), "a");
        let of_b = best(&arms(unit), "b");
        prop_assert!((ratio(&of_a, "b") * ratio(&of_b, "a") - 1.0).abs() < 1e-9);
        prop_assert_eq!(of_a.tied, of_b.tied);
    }
}
