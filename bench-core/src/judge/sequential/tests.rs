//! The judge as a whole: against a reference, under chance, and what must not matter.

use proptest::prelude::*;

use super::scale::scaled;
use super::wealth::{Bet, Wealth};
use super::{Estimate, Judgement, Round, Rule, estimate, judge};
use crate::judge::stats::SplitMix64;
use crate::judge::verdict::Verdict;

const RULE: Rule =
    Rule { alpha: 0.001, alpha_unchanged: 0.005, margin: 0.005, floor_ns: 0.0, rounds_min: 20 };

/// Without chance, so that Python makes the same:
/// `shift + size * ((i * 37 % 101) / 50 - 1)**3 + (0.2 if i % 17 == 5 else 0)`.
fn log_ratios(shift: f64, size: f64, count: u32) -> Vec<f64> {
    let scatter = |i: u32| (f64::from(i * 37 % 101) / 50.0 - 1.0).powi(3);
    let wild = |i: u32| if i % 17 == 5 { 0.2 } else { 0.0 };
    (0..count).map(|i| shift + size * scatter(i) + wild(i)).collect()
}

fn rounds(log_ratios: &[f64]) -> Vec<Round> {
    let round = |x: &f64| Round::new(1e6, 1e6 * x.exp()).expect("a time");
    log_ratios.iter().map(round).collect()
}

/// The formulas once more, by numpy and `scipy.optimize.brentq`:
/// ```text
/// for a in range(10, n, 10):
///     w = x[max(0, a-100):a]; s[a:a+10] = 1.4826 * median(abs(w - median(w)))
/// psi = lambda t: ((x[10:]-t)/s[10:]) / (.1 + abs((x[10:]-t)/s[10:]))
/// ln = lambda t, side: log(mean([prod(1 + b*side*psi(t)) for b in (.1, .22, .45, .9)]))
/// centre = brentq(lambda t: psi(t).sum(), -1, 1)
/// low, high = brentq(lambda t: ln(t, 1) - log(2/alpha), -1, centre), ...
/// ```
#[test]
fn the_estimate_is_that_of_the_reference() {
    let x = log_ratios(0.004, 0.03, 60);
    for (alpha, low, high) in [
        (0.05, 1.002_262_555_587_716, 1.009_357_543_572_573_2),
        (0.001, 0.998_895_738_267_623_5, 1.015_772_733_638_107_7),
    ] {
        let Estimate { rounds, ratio, interval } = estimate(&x, alpha);
        let interval = interval.expect("enough rounds");
        assert_eq!(rounds, 60);
        for (ours, theirs) in
            [(ratio, 1.004_426_679_330_380_4), (interval.low, low), (interval.high, high)]
        {
            assert!((ours - theirs).abs() < 3e-9, "{ours} {theirs}");
        }
    }
    let scaled = scaled(&x);
    let ln = Wealth::on(&scaled, 0.0, Bet::Above).ln();
    assert!((ln - 6.208_933_776_588_895).abs() < 1e-9, "{ln}");
    let ln = Wealth::on(&scaled, 0.01, Bet::Below).ln();
    assert!((ln - 4.303_224_807_889_697).abs() < 1e-9, "{ln}");
}

/// As above, `ln(0, 1) >= log(2/alpha)` and so on, after each round from the twentieth on.
#[test]
fn the_verdict_falls_in_the_round_of_the_reference() {
    for (shift, expected, round) in [
        (0.01, Verdict::Regressed, 29),
        (-0.012, Verdict::Improved, 37),
        (0.0, Verdict::Unchanged, 55),
        (0.004, Verdict::Unchanged, 275),
    ] {
        let Judgement { verdict, estimate, .. } =
            judge(&rounds(&log_ratios(shift, 0.02, 400)), RULE);
        assert_eq!((verdict, estimate.rounds), (Some(expected), round), "{shift}");
    }
}

/// A machine that does all it can to look like a change: it grows slower from round to round, the
/// second slice of a round is a tenth slower than the first, times have tails so long that they have
/// no mean, and now and then it rests for twenty rounds. Only the order of the sides is fair.
struct Machine {
    random: SplitMix64,
    round: u32,
}

impl Machine {
    fn fraction(&mut self) -> f64 {
        ((self.random.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn slice(&mut self) -> f64 {
        let rests = (self.round / 20).is_multiple_of(3);
        let tail = 0.01 * self.fraction().recip() * if rests { 0.2 } else { 1.0 };
        1e6 * f64::from(self.round).mul_add(0.003, 1.0) * (1.0 + tail)
    }

    /// The times of base and head, whose code is the same.
    fn round(&mut self) -> Round {
        self.round += 1;
        let (first, second) = (self.slice(), 1.1 * self.slice());
        let fair = self.random.next().is_multiple_of(2);
        let (base, head) = if fair { (first, second) } else { (second, first) };
        Round::new(base, head).expect("times")
    }
}

fn machine(seed: u64) -> Machine {
    Machine { random: SplitMix64::new(seed), round: 0 }
}

/// Whoever looks after every round of 300 runs is wrong in no more of them than `alpha` says: 15 are
/// due at most, five standard deviations of a binomial are 19.
#[test]
fn the_error_holds_at_every_look_whatever_the_machine_does() {
    let (mut refuted, mut changed) = (0, 0);
    let rule = Rule { alpha: 0.05, alpha_unchanged: 0.05, margin: 0.002, ..RULE };
    for seed in 0..300 {
        let mut machine = machine(seed);
        let rounds: Vec<Round> = (0..200).map(|_| machine.round()).collect();
        let x: Vec<f64> = rounds.iter().map(|round| round.log_ratio()).collect();
        let (mut above, mut below) = (Wealth::new(0.0, Bet::Above), Wealth::new(0.0, Bet::Below));
        let ever = scaled(&x).into_iter().any(|round| {
            above.push(round);
            below.push(round);
            above.ln().max(below.ln()) >= (2.0 / rule.alpha).ln()
        });
        refuted += u32::from(ever);
        let verdict = judge(&rounds, rule).verdict;
        changed += u32::from(matches!(verdict, Some(Verdict::Regressed | Verdict::Improved)));
    }
    assert!(refuted <= 34, "{refuted} of 300 excluded the truth");
    assert!(changed <= refuted, "{changed} of 300 called changed");
}

/// The same looks make a fool of the paired t-test.
#[test]
fn the_error_of_the_t_test_does_not_hold() {
    let fooled = (0..300).filter(|&seed| {
        let mut random = SplitMix64::new(seed);
        let x: Vec<f64> =
            (0..200).map(|_| (random.next() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5).collect();
        crate::judge::rival::paired_while_looking(&x) != Verdict::Unchanged
    });
    // Of 5 %, 15 would be due; with 200 looks it is about two fifths.
    assert!(fooled.count() > 75);
}

/// A change of one spread of a round, twice the margin, is found within 100 rounds in 95 of 100 runs.
/// (In the 90 rounds that are bet on the gambler who stakes 0.45 wins e^19, give or take e^2.6, on a
/// quarter of the money; e^7.6 is what it takes.)
#[test]
fn a_change_as_large_as_the_scatter_is_found_soon() {
    let found = (0..100).filter(|&seed| {
        let mut random = SplitMix64::new(seed);
        let mut normal = || {
            let uniform =
                |random: &mut SplitMix64| (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
            (0..12).map(|_| uniform(&mut random)).sum::<f64>() - 6.0
        };
        let x: Vec<f64> = (0..100).map(|_| 0.01 * (1.0 + normal())).collect();
        judge(&rounds(&x), RULE).verdict == Some(Verdict::Regressed)
    });
    let found = found.count();
    assert!(found >= 95, "{found} of 100");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn swapping_the_sides_mirrors_everything(
        times in proptest::collection::vec((1.0_f64..2.0, 1.0_f64..2.0), 1..80),
    ) {
        let rounds = |swap: bool| -> Vec<Round> {
            let round = |&(a, b)| if swap { Round::new(b, a) } else { Round::new(a, b) };
            times.iter().map(|pair| round(pair).expect("times")).collect()
        };
        let (forth, back) = (judge(&rounds(false), RULE), judge(&rounds(true), RULE));
        let mirrored = match forth.verdict {
            Some(Verdict::Regressed) => Some(Verdict::Improved),
            Some(Verdict::Improved) => Some(Verdict::Regressed),
            other => other,
        };
        prop_assert_eq!(back.verdict, mirrored);
        prop_assert!((forth.estimate.ratio * back.estimate.ratio - 1.0).abs() < 1e-8);
        prop_assert_eq!(forth.estimate.interval.is_some(), back.estimate.interval.is_some());
        if let (Some(forth), Some(back)) = (forth.estimate.interval, back.estimate.interval) {
            prop_assert!((forth.low * back.high - 1.0).abs() < 1e-7);
            prop_assert!((forth.high * back.low - 1.0).abs() < 1e-7);
        }
    }

    #[test]
    fn the_unit_does_not_matter_and_the_estimate_is_in_its_interval(
        times in proptest::collection::vec((1.0_f64..2.0, 1.0_f64..2.0), 30..80),
        unit in 1e-3_f64..1e9,
    ) {
        let rounds = |unit: f64| -> Vec<Round> {
            let round = |&(a, b)| Round::new(a * unit, b * unit).expect("times");
            times.iter().map(round).collect()
        };
        let (ours, theirs) = (judge(&rounds(1.0), RULE), judge(&rounds(unit), RULE));
        prop_assert_eq!(&ours.verdict, &theirs.verdict);
        prop_assert_eq!(ours.estimate.rounds, theirs.estimate.rounds);
        prop_assert!((ours.estimate.ratio / theirs.estimate.ratio - 1.0).abs() < 1e-7);
        let x: Vec<f64> = times.iter().map(|&(a, b)| f64::ln(b / a)).collect();
        let estimate = estimate(&x, 0.2);
        let interval = estimate.interval.expect("enough rounds for this error");
        prop_assert!(interval.low <= estimate.ratio && estimate.ratio <= interval.high);
    }
}
