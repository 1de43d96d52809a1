//! The rounds of one id, until there is a verdict.

use super::estimate::{Estimate, estimate};
use super::scale::{ROUNDS_START, Scale, Scaled};
use super::wealth::{Bet, Wealth};
use crate::judge::stats::median;
use crate::judge::time_rule::TimeRule;
use crate::judge::verdict::Verdict;

/// The times of both sides in one round, each per operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    base_ns: f64,
    head_ns: f64,
}

/// When the rounds of one id suffice for a verdict, and for which.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The probability with which an id that did not change may be called improved or regressed.
    pub alpha: f64,
    /// The probability with which an id that changed by the margin or more may be called unchanged.
    pub alpha_unchanged: f64,
    /// The change that passes, a fraction: 0.005 is 0.5 %.
    pub margin: f64,
    /// The change that passes whatever its fraction, in nanoseconds per operation.
    pub floor_ns: f64,
    /// No verdict before so many rounds.
    pub rounds_min: usize,
}

/// What the rounds say.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// `Improved`, `Regressed` or `Unchanged`; `None` where the rounds do not suffice: go on, or
    /// where the budget is spent say `Undecided`.
    pub verdict: Option<Verdict>,
    /// By the rounds up to the verdict. The interval is the one that bears the verdict out: beside
    /// 1 for a change, within the margin for `Unchanged`.
    pub estimate: Estimate,
    /// The change that passed, a fraction: the margin, or more where the floor is.
    pub margin: f64,
}

/// The rounds of one id so far. A round costs the same however many there are, about 1.5 µs.
#[derive(Clone, Debug)]
pub struct Trial {
    rule: Rule,
    log_ratios: Vec<f64>,
    bases: Vec<f64>,
    scale: Scale,
    bets: Option<Bets>,
    verdict: Option<Verdict>,
}

/// The four shifts in question, and the margin as a logarithm.
#[derive(Clone, Debug)]
struct Bets {
    margin: f64,
    above_nothing: Wealth,
    below_nothing: Wealth,
    above_minus_margin: Wealth,
    below_margin: Wealth,
}

impl Round {
    /// A round; `None` where a time is not finite or not above zero, which no clock measures.
    pub fn new(base_ns: f64, head_ns: f64) -> Option<Self> {
        let is_time = |ns: f64| ns.is_finite() && ns > 0.0;
        (is_time(base_ns) && is_time(head_ns)).then_some(Self { base_ns, head_ns })
    }

    /// `ln(head / base)`: above zero where the head is slower.
    pub fn log_ratio(self) -> f64 {
        self.head_ns.ln() - self.base_ns.ln()
    }
}

impl Rule {
    /// Over all ids of a comparison: one in a hundred comparisons of code that did not change may
    /// name an id improved or regressed.
    pub const FAMILY_ALPHA: f64 = 0.01;
    /// Over all ids of a comparison: one in twenty may call an id unchanged that did change by its
    /// margin. Looser, because the margin has been drawn on the safe side of what matters.
    pub const FAMILY_ALPHA_UNCHANGED: f64 = 0.05;
    /// Twice the rounds that only tell the scale, so that the scale has been renewed once.
    const ROUNDS_MIN: usize = 2 * ROUNDS_START;

    /// The rule for one of `ids` ids that are judged together: each has an equal share of the error
    /// (Bonferroni), which holds however they depend on each other.
    ///
    /// # Panics
    /// Without ids.
    pub fn of(time: &TimeRule, ids: usize) -> Self {
        assert!(ids > 0, "no ids");
        Self {
            alpha: Self::FAMILY_ALPHA / ids as f64,
            alpha_unchanged: Self::FAMILY_ALPHA_UNCHANGED / ids as f64,
            margin: time.margin,
            floor_ns: time.floor_ns,
            rounds_min: Self::ROUNDS_MIN,
        }
    }
}

/// Judges rounds in their order, and stops at the first that suffices for a verdict.
///
/// # Panics
/// Without rounds, or when the rule makes no sense, as in [`Trial::new`].
pub fn judge(rounds: &[Round], rule: Rule) -> Judgement {
    let mut trial = Trial::new(rule);
    let _ = rounds.iter().find(|&&round| trial.push(round).is_some());
    trial.judgement()
}

impl Trial {
    /// No rounds yet.
    ///
    /// # Panics
    /// When an error of the rule is not within 0 and 1, or a bound is negative or not finite.
    pub fn new(rule: Rule) -> Self {
        for alpha in [rule.alpha, rule.alpha_unchanged] {
            assert!(alpha > 0.0 && alpha < 1.0, "alpha {alpha} is not within 0 and 1");
        }
        for bound in [rule.margin, rule.floor_ns] {
            assert!(bound.is_finite() && bound >= 0.0, "the bound {bound} is no bound");
        }
        Self {
            rule,
            log_ratios: Vec::new(),
            bases: Vec::new(),
            scale: Scale::default(),
            bets: None,
            verdict: None,
        }
    }

    /// Takes a round, unless there is a verdict already; says which verdict there is now.
    ///
    /// - `Regressed`, `Improved`: the interval at `alpha` lies beside 1, and the estimate is off by
    ///   the margin or more.
    /// - `Unchanged`: the interval at `2 alpha_unchanged` (half of it on each side, of which only
    ///   one can be wrong) lies within the margin.
    ///
    /// No two of them hold at once, because the estimate is in every interval. A change smaller than
    /// the margin goes on until it is `Unchanged`, if it gets there: the estimate wanders, and the
    /// first look at which it has wandered beyond the margin while the interval lies beside 1 makes it
    /// `Regressed` or `Improved`. That there *is* a change holds with the error of the rule; that it is
    /// as large as the margin does not, and the estimate of rounds that stopped for its size
    /// overstates it.
    ///
    /// The margin is symmetric in the sides: ratios between `1 / (1 + margin)` and `1 + margin`. The
    /// floor is made a fraction by the median base of the first rounds, those on which nobody bets,
    /// and the larger of the two holds from then on.
    pub fn push(&mut self, round: Round) -> Option<&Verdict> {
        if self.verdict.is_none() {
            self.take(round);
            self.verdict = self.changed().or_else(|| self.unchanged());
        }
        self.verdict.as_ref()
    }

    /// What the rounds so far say.
    ///
    /// # Panics
    /// Without rounds.
    pub fn judgement(&self) -> Judgement {
        let alpha = match self.verdict {
            Some(Verdict::Unchanged) => 2.0 * self.rule.alpha_unchanged,
            _ => self.rule.alpha,
        };
        Judgement {
            verdict: self.verdict.clone(),
            estimate: estimate(&self.log_ratios, alpha),
            margin: self.margin(),
        }
    }

    /// The larger of margin and floor, as a fraction.
    pub(super) fn margin(&self) -> f64 {
        match &self.bets {
            Some(bets) => bets.margin.exp_m1(),
            None if self.bases.is_empty() => self.rule.margin,
            None => self.rule.margin.max(self.rule.floor_ns / median(&self.bases)),
        }
    }

    /// Takes a round into account and judges nothing.
    pub(super) fn take(&mut self, round: Round) {
        if self.bets.is_none() {
            self.bases.push(round.base_ns);
        }
        let x = round.log_ratio();
        if let Some(scale) = self.scale.next(&self.log_ratios) {
            let margin = self.margin();
            self.bets.get_or_insert_with(|| Bets::new(margin.ln_1p())).push(Scaled { x, scale });
        }
        self.log_ratios.push(x);
    }

    /// `Regressed` or `Improved`, if the rounds so far say so.
    pub(super) fn changed(&self) -> Option<Verdict> {
        let bets = self.bets_that_count()?;
        let enough = (2.0 / self.rule.alpha).ln();
        if bets.above_nothing.ln() >= enough && bets.below_margin.lean() <= 0.0 {
            Some(Verdict::Regressed)
        } else if bets.below_nothing.ln() >= enough && bets.above_minus_margin.lean() <= 0.0 {
            Some(Verdict::Improved)
        } else {
            None
        }
    }

    fn unchanged(&self) -> Option<Verdict> {
        let bets = self.bets_that_count()?;
        let enough = (1.0 / self.rule.alpha_unchanged).ln();
        let both = bets.below_margin.ln().min(bets.above_minus_margin.ln());
        (both >= enough).then_some(Verdict::Unchanged)
    }

    fn bets_that_count(&self) -> Option<&Bets> {
        self.bets.as_ref().filter(|_| self.log_ratios.len() >= self.rule.rounds_min)
    }
}

impl Bets {
    const fn new(margin: f64) -> Self {
        Self {
            margin,
            above_nothing: Wealth::new(0.0, Bet::Above),
            below_nothing: Wealth::new(0.0, Bet::Below),
            above_minus_margin: Wealth::new(-margin, Bet::Above),
            below_margin: Wealth::new(margin, Bet::Below),
        }
    }

    fn push(&mut self, round: Scaled) {
        self.above_nothing.push(round);
        self.below_nothing.push(round);
        self.above_minus_margin.push(round);
        self.below_margin.push(round);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule =
        Rule { alpha: 0.001, alpha_unchanged: 0.005, margin: 0.005, floor_ns: 1.0, rounds_min: 20 };

    /// Rounds about `shift` that scatter by up to two percent, in no order and without chance.
    fn rounds(base_ns: f64, shift: f64, count: u32) -> Vec<Round> {
        let scatter = |i: u32| f64::from(i * 37 % 101) / 50.0 - 1.0;
        let round = |i| Round::new(base_ns, base_ns * (shift + 0.02 * scatter(i)).exp());
        (0..count).map(|i| round(i).expect("a time")).collect()
    }

    #[test]
    fn a_change_is_found_and_what_did_not_change_is_unchanged() {
        for (shift, expected) in [
            (0.02, Some(Verdict::Regressed)),
            (-0.02, Some(Verdict::Improved)),
            (0.0, Some(Verdict::Unchanged)),
            (0.003, None),
        ] {
            let judgement = judge(&rounds(1e6, shift, 400), RULE);
            assert_eq!(judgement.verdict, expected, "{shift}: {judgement:?}");
        }
    }

    #[test]
    fn the_interval_bears_the_verdict_out() {
        let regressed = judge(&rounds(1e6, 0.02, 400), RULE).estimate;
        let interval = regressed.interval.expect("enough rounds");
        assert!(interval.low > 1.0 && regressed.ratio >= 1.005, "{regressed:?}");
        assert_eq!(interval.confidence, 0.999);
        let unchanged = judge(&rounds(1e6, 0.0, 400), RULE).estimate;
        let interval = unchanged.interval.expect("enough rounds");
        let within = 1.0 / 1.005 - 1e-8 < interval.low && interval.high < 1.005 + 1e-8;
        assert!(within, "{unchanged:?}");
        assert_eq!(interval.confidence, 0.99);
    }

    /// Three percent of 10 ns are less than the floor of 1 ns, and so is the interval.
    #[test]
    fn the_floor_holds_beside_the_margin() {
        let judgement = judge(&rounds(10.0, 0.03, 400), RULE);
        assert_eq!(judgement.verdict, Some(Verdict::Unchanged));
        assert!((judgement.margin - 0.1).abs() < 0.01, "{judgement:?}");
        let judgement = judge(&rounds(1e6, 0.03, 400), RULE);
        assert_eq!(judgement.verdict, Some(Verdict::Regressed));
    }

    #[test]
    fn a_verdict_stays_whatever_comes_after() {
        let mut trial = Trial::new(RULE);
        for round in rounds(1e6, 0.02, 400).into_iter().chain(rounds(1e6, -0.5, 400)) {
            trial.push(round);
        }
        let judgement = trial.judgement();
        assert_eq!(judgement, judge(&rounds(1e6, 0.02, 400), RULE));
    }

    #[test]
    fn no_verdict_before_the_least_rounds() {
        let rule = Rule { rounds_min: 60, ..RULE };
        let judgement = judge(&rounds(1e6, 0.5, 400), rule);
        assert_eq!((judgement.verdict, judgement.estimate.rounds), (Some(Verdict::Regressed), 60));
        assert_eq!(judge(&rounds(1e6, 0.5, 59), rule).verdict, None);
    }

    #[test]
    fn every_id_has_its_share_of_the_error() {
        let time = TimeRule::default();
        let rule = Rule::of(&time, 20);
        assert_eq!((rule.alpha, rule.alpha_unchanged), (0.01 / 20.0, 0.05 / 20.0));
        assert_eq!((rule.margin, rule.floor_ns), (time.margin, time.floor_ns));
    }

    #[test]
    fn what_no_clock_measures_is_no_round() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Round::new(bad, 1.0), None);
            assert_eq!(Round::new(1.0, bad), None);
        }
        assert_eq!(Round::new(2.0, 2.0).map(Round::log_ratio), Some(0.0));
    }

    #[test]
    #[should_panic(expected = "no rounds")]
    fn nothing_measured_is_not_judged() {
        let _ = judge(&[], RULE);
    }

    #[test]
    #[should_panic(expected = "alpha 0 is not within 0 and 1")]
    fn without_error_there_is_no_verdict() {
        let _ = Trial::new(Rule { alpha: 0.0, ..RULE });
    }
}
