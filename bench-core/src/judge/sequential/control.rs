//! Whether ids with the same code on both sides kept still.

use super::estimate::Estimate;
use super::trial::{Round, Rule, Trial};
use crate::judge::time_rule::TimeRule;

/// The margin that all controls are brought to when they are taken together. Any will do.
const MARGIN: f64 = 0.01;

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

/// Why the run says nothing: the code of an id is the same on both sides, and it moved all the same.
/// `None` where none did, without controls included: then nothing vouches for the run.
///
/// Each control is watched over all its rounds, not only until it has a verdict: it moved when ever
/// the interval lay beside 1 with the estimate off by its margin or more, as for any other id. And
/// all together, round by round, the mean of their log-ratios in units of their own margins: a drift
/// towards one side that none of them shows alone. The error is [`Rule::FAMILY_ALPHA`] over all of
/// this: one run in a hundred is given up without need.
pub fn control(controls: &[Control<'_>]) -> Option<String> {
    let tests = controls.len() + 1;
    let each = controls.iter().find_map(|control| {
        let moved = moved(control.rounds.iter().copied(), control.rule, tests)?;
        let (id, change) = (control.id, percent(&moved));
        Some(format!("the code of {id} is the same on both sides, yet it moved by {change}"))
    });
    each.or_else(|| together(controls, tests))
}

/// By how much the rounds ever moved beyond their margin.
fn moved(
    rounds: impl IntoIterator<Item = Round>,
    rule: &TimeRule,
    tests: usize,
) -> Option<Estimate> {
    let mut trial = Trial::new(Rule::of(rule, tests));
    rounds.into_iter().find_map(|round| {
        trial.take(round);
        trial.changed().map(|_| trial.judgement().estimate)
    })
}

/// The mean of all controls in units of their own margins, as if each had one of [`MARGIN`].
fn together(controls: &[Control<'_>], tests: usize) -> Option<String> {
    if controls.len() < 2 {
        return None;
    }
    let longest = controls.iter().map(|control| control.rounds.len()).max()?;
    let mean = |index: usize| {
        let of_one = |control: &Control<'_>| {
            let round = control.rounds.get(index)?;
            Some(round.log_ratio() / control.rule.margin.ln_1p())
        };
        let all: Vec<f64> = controls.iter().filter_map(of_one).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        Round::new(1.0, (mean * MARGIN.ln_1p()).exp()).expect("a mean of margins")
    };
    let rule = TimeRule { margin: MARGIN, floor_ns: 0.0, ..TimeRule::default() };
    let estimate = moved((0..longest).map(mean), &rule, tests)?;
    let margins = estimate.ratio.ln() / MARGIN.ln_1p();
    let (count, rounds) = (controls.len(), estimate.rounds);
    Some(format!(
        "the code of {count} ids is the same on both sides, yet together they moved by {margins:+.1} \
         times their margin in {rounds} rounds"
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

    #[test]
    fn controls_that_keep_still_say_nothing() {
        let (a, b, rule) = (rounds(0.0, 37), rounds(0.001, 43), rule());
        let controls = [
            Control { id: "a/x", rule: &rule, rounds: &a },
            Control { id: "b/y", rule: &rule, rounds: &b },
        ];
        assert_eq!(control(&controls), None);
        assert_eq!(control(&[]), None);
    }

    #[test]
    fn the_control_that_moved_is_named() {
        let (a, b, rule) = (rounds(0.0, 37), rounds(-0.03, 43), rule());
        let controls = [
            Control { id: "a/x", rule: &rule, rounds: &a },
            Control { id: "b/y", rule: &rule, rounds: &b },
        ];
        let reason = control(&controls).expect("it moved");
        let start = "the code of b/y is the same on both sides, yet it moved by -";
        assert!(reason.starts_with(start) && reason.contains(" %] in "), "{reason}");
    }

    /// It stood still for long enough to be called unchanged, and moved after that.
    #[test]
    fn a_control_is_watched_to_the_end() {
        let (mut a, rule) = (rounds(0.0, 37), rule());
        a.extend(rounds(0.2, 43));
        let control = control(&[Control { id: "a/x", rule: &rule, rounds: &a }]);
        assert!(control.is_some_and(|reason| reason.contains("a/x")));
    }

    /// Each scatters too much to be sure of by itself.
    #[test]
    fn a_drift_that_all_have_in_common_is_seen() {
        let rule = rule();
        let all: Vec<Vec<Round>> = (0..8).map(|i| rounds(0.013, 31 + 2 * i)).collect();
        let few = |rounds| Control { id: "a/x", rule: &rule, rounds };
        let controls: Vec<Control<'_>> = all.iter().map(|rounds| few(&rounds[..28])).collect();
        assert!(controls.iter().all(|&one| control(&[one]).is_none()));
        let reason = control(&controls).expect("they moved");
        assert!(reason.starts_with("the code of 8 ids is the same"), "{reason}");
        assert!(reason.contains("moved by +1."), "{reason}");
    }
}
