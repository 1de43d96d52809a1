//! Whether ids with the same code on both sides kept still.

use super::estimate::Estimate;
use super::trial::{Round, Rule, Trial};
use crate::judge::time_rule::TimeRule;

/// The margin that all controls are brought to when they are taken together. Any will do.
const MARGIN: f64 = 0.01;
/// Far beyond what any clock measures, and within what a number can hold.
const LOG_MAX: f64 = 600.0;

/// The rounds of an id whose code is byte-identical on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Control<'a> {
    /// The id.
    pub id: &'a str,
    /// What is too much for it.
    pub rule: &'a TimeRule,
    /// All its rounds, in their order.
    pub rounds: &'a [Round],
}

/// How the rounds of several controls are taken together, each in units of its own margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// The mean of their first rounds, of their second, and so on: for controls with many rounds.
    ByIndex,
    /// All rounds of one after all of another: few as they are for each, together they may tell.
    InARow,
}

/// What controls say of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouch {
    /// They had rounds enough to move, and did not.
    Still,
    /// Whatever they had shown, it could not have sufficed: nothing vouches for the run.
    TooFew,
    /// Why the run says nothing.
    Moved(String),
}

/// Whether ids whose code is the same on both sides kept still.
///
/// Each control is watched over all its rounds, not only until it has a verdict: it moved when ever
/// the interval lay beside 1 with the estimate off by its margin or more, as for any other id. And
/// all [together](Together), their log-ratios in units of their own margins (or floors, where those
/// are more): a drift towards one side that none of them shows alone. The error is
/// [`Rule::FAMILY_ALPHA`] over all of this: one run in a hundred is given up without need.
pub fn control(controls: &[Control<'_>], how: Together) -> Vouch {
    let tests = controls.len() + 1;
    let trials: Vec<(Trial, Option<Estimate>)> = controls
        .iter()
        .map(|control| watch(control.rounds.iter().copied(), Rule::of(control.rule, tests)))
        .collect();
    for (control, (_, moved)) in controls.iter().zip(&trials) {
        if let Some(moved) = moved {
            let (id, change) = (control.id, percent(moved));
            let why =
                format!("the code of {id} is the same on both sides, yet it moved by {change}");
            return Vouch::Moved(why);
        }
    }
    let units = controls.iter().zip(&trials).map(|(control, (trial, _))| {
        let unit = trial.margin().ln_1p();
        control.rounds.iter().map(|round| round.log_ratio() / unit).collect()
    });
    let units: Vec<Vec<f64>> = units.collect();
    let together = if controls.len() > 1 { combine(&units, how) } else { Vec::new() };
    if let Some(why) = drift(&together, controls.len(), tests) {
        return Vouch::Moved(why);
    }
    let most = units.iter().map(Vec::len).max().unwrap_or(0).max(together.len());
    if most < rounds_to_speak(controls.len()) { Vouch::TooFew } else { Vouch::Still }
}

/// How many rounds it takes until one of so many controls, or all of them together, can be said to
/// have moved, if they move as clearly as can be.
pub fn rounds_to_speak(controls: usize) -> usize {
    let rule = TimeRule { margin: MARGIN, floor_ns: 0.0, ..TimeRule::default() };
    // Twice as slow, and a scatter of a hundred thousandth.
    let clear = |index: u32| Round::new(1.0, 2.0 + f64::from(index % 7) * 1e-5);
    let (_, moved) = watch((0..).filter_map(clear), Rule::of(&rule, controls + 1));
    moved.map_or(0, |estimate| estimate.rounds)
}

/// The trial of these rounds without an end, and by how much they moved when they first were beyond
/// their margin: nothing is taken after that.
fn watch(rounds: impl Iterator<Item = Round>, rule: Rule) -> (Trial, Option<Estimate>) {
    let mut trial = Trial::new(rule);
    for round in rounds {
        trial.take(round);
        if trial.changed().is_some() {
            let estimate = trial.judgement().estimate;
            return (trial, Some(estimate));
        }
    }
    (trial, None)
}

/// The log-ratios of all controls in units of their margins, as those of one.
fn combine(units: &[Vec<f64>], how: Together) -> Vec<f64> {
    match how {
        Together::InARow => units.concat(),
        Together::ByIndex => {
            let longest = units.iter().map(Vec::len).max().unwrap_or(0);
            let mean = |index: usize| {
                let all: Vec<f64> =
                    units.iter().filter_map(|one| one.get(index)).copied().collect();
                all.iter().sum::<f64>() / all.len() as f64
            };
            (0..longest).map(mean).collect()
        }
    }
}

fn drift(together: &[f64], controls: usize, tests: usize) -> Option<String> {
    let rule = TimeRule { margin: MARGIN, floor_ns: 0.0, ..TimeRule::default() };
    let round =
        |unit: &f64| Round::new(1.0, (unit * MARGIN.ln_1p()).clamp(-LOG_MAX, LOG_MAX).exp());
    let (_, moved) = watch(together.iter().filter_map(round), Rule::of(&rule, tests));
    let estimate = moved?;
    let margins = estimate.ratio.ln() / MARGIN.ln_1p();
    let rounds = estimate.rounds;
    Some(format!(
        "the code of {controls} ids is the same on both sides, yet together they moved by \
         {margins:+.1} times their margin in {rounds} rounds"
    ))
}

fn percent(estimate: &Estimate) -> String {
    let change = |ratio: f64| format!("{:+.2} %", (ratio - 1.0) * 100.0);
    let Estimate { rounds, ratio, interval } = estimate;
    let interval = interval.map_or_else(String::new, |interval| {
        format!(" [{}, {}]", change(interval.low), change(interval.high))
    });
    format!("{}{interval} in {rounds} rounds", change(*ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> TimeRule {
        TimeRule { margin: 0.01, floor_ns: 0.0, ..TimeRule::default() }
    }

    /// Rounds about `shift` that scatter by up to three percent, in an order of their own.
    fn rounds(shift: f64, step: u32) -> Vec<Round> {
        let scatter = |i: u32| f64::from(i * step % 101) / 50.0 - 1.0;
        let round = |i| Round::new(1e6, 1e6 * (shift + 0.03 * scatter(i)).exp()).expect("a time");
        (0..200).map(round).collect()
    }

    fn all<'a>(ids: [&'a str; 2], rule: &'a TimeRule, of: [&'a [Round]; 2]) -> Vec<Control<'a>> {
        ids.into_iter().zip(of).map(|(id, rounds)| Control { id, rule, rounds }).collect()
    }

    fn reason(controls: &[Control<'_>], how: Together) -> String {
        match control(controls, how) {
            Vouch::Moved(why) => why,
            other => panic!("they did not move: {other:?}"),
        }
    }

    #[test]
    fn controls_that_keep_still_say_so_and_none_say_nothing() {
        let (a, b, rule) = (rounds(0.0, 37), rounds(0.001, 43), rule());
        let controls = all(["a/x", "b/y"], &rule, [&a, &b]);
        for how in [Together::ByIndex, Together::InARow] {
            assert_eq!(control(&controls, how), Vouch::Still);
            assert_eq!(control(&[], how), Vouch::TooFew);
        }
    }

    #[test]
    fn the_control_that_moved_is_named() {
        let (a, b, rule) = (rounds(0.0, 37), rounds(-0.03, 43), rule());
        let reason = reason(&all(["a/x", "b/y"], &rule, [&a, &b]), Together::ByIndex);
        let start = "the code of b/y is the same on both sides, yet it moved by -";
        assert!(reason.starts_with(start) && reason.contains(" %] in "), "{reason}");
    }

    /// It stood still for long enough to be called unchanged, and moved after that.
    #[test]
    fn a_control_is_watched_to_the_end() {
        let (mut a, rule) = (rounds(0.0, 37), rule());
        a.extend(rounds(0.2, 43));
        let one = [Control { id: "a/x", rule: &rule, rounds: &a }];
        assert!(reason(&one, Together::ByIndex).contains("a/x"));
    }

    /// Each scatters too much to be sure of by itself.
    #[test]
    fn a_drift_that_all_have_in_common_is_seen() {
        let rule = rule();
        let all: Vec<Vec<Round>> = (0..8).map(|i| rounds(0.013, 31 + 2 * i)).collect();
        let few = |rounds| Control { id: "a/x", rule: &rule, rounds };
        let controls: Vec<Control<'_>> = all.iter().map(|rounds| few(&rounds[..28])).collect();
        let alone = |&one: &Control<'_>| control(&[one], Together::ByIndex) == Vouch::Still;
        assert!(controls.iter().all(alone));
        for how in [Together::ByIndex, Together::InARow] {
            let reason = reason(&controls, how);
            assert!(reason.starts_with("the code of 8 ids is the same"), "{reason}");
            assert!(reason.contains("moved by +1."), "{reason}");
        }
    }

    /// The same drift in times of 100 ns, of which 50 ns pass.
    #[test]
    fn a_drift_within_the_floor_is_none() {
        let rule = TimeRule { floor_ns: 50.0, ..rule() };
        let small = |round: &Round| Round::new(100.0, 100.0 * round.log_ratio().exp());
        let small = |step| rounds(0.013, step).iter().filter_map(small).collect();
        let all: Vec<Vec<Round>> = (0..8).map(|i| small(31 + 2 * i)).collect();
        let of = |rounds| Control { id: "a/x", rule: &rule, rounds };
        let controls: Vec<Control<'_>> = all.iter().map(|rounds| of(rounds)).collect();
        for how in [Together::ByIndex, Together::InARow] {
            assert_eq!(control(&controls, how), Vouch::Still);
        }
    }

    /// With an error of 0.005 a bet wins at 400: of four stakes the largest gains 1.9 a round, which
    /// twelve rounds make 4 * 400, after ten on which nobody bets.
    #[test]
    fn rounds_too_few_to_speak_do_not_vouch() {
        assert_eq!(rounds_to_speak(1), 22);
        assert!(rounds_to_speak(20) > 22);
        let (a, rule) = (rounds(0.0, 37), rule());
        let of = |count: usize| [Control { id: "a/x", rule: &rule, rounds: &a[..count] }];
        assert_eq!(control(&of(21), Together::InARow), Vouch::TooFew);
        assert_eq!(control(&of(22), Together::InARow), Vouch::Still);
        let each = rounds_to_speak(2).div_ceil(2);
        let two = |count: usize| all(["a/x", "b/y"], &rule, [&a[..count], &a[..count]]);
        assert_eq!(control(&two(each), Together::InARow), Vouch::Still);
        assert_eq!(control(&two(each), Together::ByIndex), Vouch::TooFew);
    }

    #[test]
    fn times_beyond_all_measure_are_no_panic() {
        let rule = TimeRule { margin: 1e-9, ..rule() };
        let wild: Vec<Round> = (0..30).filter_map(|_| Round::new(1e-300, 1e300)).collect();
        for how in [Together::ByIndex, Together::InARow] {
            let few = all(["a/x", "b/y"], &rule, [&wild[..15], &wild[..15]]);
            let _any = control(&few, how);
        }
    }
}
