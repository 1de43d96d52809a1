//! From two records to verdicts and one exit code.

use std::collections::{BTreeMap, BTreeSet};

use bench_core::judge::{Bound, Pair, Policy, Verdict, compare, judge_with};
use bench_core::record::{Data, Metric, Row, RunRecord};

use super::budgets::Spent;
use super::explain::Change;
use super::past::Fences;
use super::standing;
use crate::bench::code_hash::CodeHash;
use crate::exit::Exit;
use crate::expected::absent;
use crate::explain::Explanation;
use crate::render::number;

/// The code of one bench target on both sides; `None` where a side has no such target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) base: Option<CodeHash>,
    pub(crate) head: Option<CodeHash>,
}

/// One metric of one id with what is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) pair: Pair,
    pub(crate) verdict: Verdict,
    /// The largest change that passes, and whose word that is; `None` where there is no effect.
    pub(crate) bound: Option<Bound>,
    /// What else is to be known of it, in one sentence.
    pub(crate) note: Option<String>,
    /// The functions that a change came from.
    pub(crate) changes: Vec<Change>,
}

/// A count that the base does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct New {
    pub(crate) id: String,
    pub(crate) metric: Metric,
    pub(crate) head: u64,
}

/// An id that failed in the base and was measured here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mended {
    pub(crate) id: String,
    pub(crate) metric: Metric,
    pub(crate) unit: String,
    pub(crate) head: u64,
    /// Why it failed in the base.
    pub(crate) error: String,
}

/// What the two sides have to say about each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Ids that the base has, or that failed; they make the verdict.
    pub(crate) judged: Vec<Judged>,
    /// Measured here and not in the base.
    pub(crate) new: Vec<New>,
    /// Measured here, and failed in the base: nothing to be judged by either.
    pub(crate) mended: Vec<Mended>,
    /// In the base, and neither here nor expected any more.
    pub(crate) removed: Vec<String>,
    /// Expected, and not there to be measured.
    pub(crate) absent: Vec<String>,
    /// There, and not in the list of what is expected.
    pub(crate) unlisted: Vec<String>,
    /// Where the changes came from, of the ids whose profiles are there; regressed ones first.
    pub(crate) explanations: Vec<Explanation>,
    /// How the budgets were kept.
    pub(crate) spent: Spent,
    /// How many jobs were done and how many there were, when the user interrupted.
    pub(crate) interrupted: Option<(usize, usize)>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) policy: &'a Policy,
    /// How far each count has moved before.
    pub(crate) fences: &'a Fences,
    /// By target.
    pub(crate) codes: &'a BTreeMap<String, Code>,
    /// What must be measured, as far as the user asked for it; `None` when nobody wrote it down.
    pub(crate) expected: Option<&'a [String]>,
    /// The ids that the head lists, as far as the user asked for them.
    pub(crate) listed: &'a BTreeSet<String>,
    pub(crate) interrupted: Option<(usize, usize)>,
}

impl Code {
    /// Whether both sides run the same instructions on the same constants.
    pub(crate) fn same(&self) -> bool {
        self.base.is_some() && self.base == self.head
    }
}

impl Judged {
    /// The two counts, where both are there.
    pub(crate) fn counts(&self) -> Option<(u64, u64)> {
        Some((count(self.pair.measured_base()?)?, count(self.pair.measured_head()?)?))
    }

    /// Whether it is better or worse.
    pub(crate) fn changed(&self) -> bool {
        matches!(self.verdict, Verdict::Regressed | Verdict::Improved)
    }

    /// The id, and the metric where it is another than instructions.
    pub(crate) fn name(&self) -> String {
        named(&self.pair.id, &self.pair.metric)
    }
}

/// The id, and the metric where it is another than instructions.
pub(crate) fn named(id: &str, metric: &Metric) -> String {
    match metric {
        Metric::Instructions => id.to_owned(),
        other => format!("{id} {other}"),
    }
}

/// Judges every pair of the two records.
pub(crate) fn outcome(base: &RunRecord, head: &RunRecord, question: Question<'_>) -> Outcome {
    let mut outcome = Outcome { interrupted: question.interrupted, ..Outcome::default() };
    for pair in compare(base, head) {
        let expected = question.expected.is_none_or(|ids| ids.contains(&pair.id));
        let complete = pair.base.is_some() && pair.head.is_some();
        if pair.is_new() && question.interrupted.is_none() {
            let head = pair.head.as_ref().and_then(count).unwrap_or(0);
            outcome.new.push(New { id: pair.id, metric: pair.metric, head });
        } else if standing::announced(&pair) == Some("mended") {
            let head = pair.head.as_ref().and_then(count).unwrap_or(0);
            let error = standing::failed_before(&pair).unwrap_or_default().to_owned();
            let Pair { id, metric, unit, .. } = pair;
            outcome.mended.push(Mended { id, metric, unit, head, error });
        } else if pair.head.is_none() && !expected && !question.listed.contains(&pair.id) {
            if outcome.removed.last() != Some(&pair.id) {
                outcome.removed.push(pair.id);
            }
        } else if complete || question.interrupted.is_none() {
            outcome.judged.push(judged(pair, question));
        }
    }
    if let Some(expected) = question.expected {
        outcome.absent = absent(expected, question.listed);
        let unlisted = question.listed.iter().filter(|id| !expected.contains(id));
        outcome.unlisted = unlisted.cloned().collect();
    }
    outcome
}

fn judged(pair: Pair, question: Question<'_>) -> Judged {
    let fence = question.fences.get(&(pair.id.clone(), pair.metric.clone())).copied();
    let verdict = judge_with(&pair, question.policy, fence);
    let limit = question.policy.limit(&pair.metric, &pair.id);
    let bound = pair.effect.zip(limit).map(|(effect, limit)| limit.bound(effect.base, fence));
    let target = pair.head.as_ref().and_then(|row| row.dimensions.get("target"));
    let same_code = target.and_then(|target| question.codes.get(target)).is_some_and(Code::same);
    let mut judged = Judged { pair, verdict, bound, note: None, changes: Vec::new() };
    if let (true, Some((base, head))) = (same_code, judged.counts().filter(|(b, h)| b != h)) {
        let reason = format!("it does not repeat: the same code counted {base} and {head}");
        // Within the limit the note suffices; beyond it no verdict on the code is possible.
        if judged.changed() {
            judged.verdict = Verdict::Incomparable(reason.clone());
        }
        judged.note = Some(reason);
    }
    if judged.verdict == Verdict::Regressed {
        judged.note = beyond(&judged);
    }
    if let Some(error) = standing::broke(&judged.pair) {
        judged.note = Some(error.to_owned());
    } else if let Some(error) = standing::failed_before(&judged.pair) {
        judged.note = Some(format!("in the base: {error}"));
    } else if let Verdict::Incomparable(reason) = &judged.verdict {
        judged.note = Some(reason.clone());
    } else if judged.pair.head.is_none() {
        judged.note = Some("in the base only".to_owned());
    }
    judged
}

/// By how much it is worse, and which bound decided that this is too much.
fn beyond(judged: &Judged) -> Option<String> {
    let ((base, head), bound) = (judged.counts()?, judged.bound?);
    let (unit, change) = (&judged.pair.unit, number::count(base.abs_diff(head)));
    // What passes is whole: of 52.6 instructions 52 pass.
    let passes = number::count(bound.change as u64);
    Some(format!("{change} {unit} more, where {passes} pass by {}", bound.by))
}

impl Outcome {
    /// The verdict of all, without new, mended and removed ids.
    pub(crate) fn verdict(&self) -> Verdict {
        let absent = self.absent.iter().chain(&self.spent.unmet).map(|_| Verdict::Missing);
        let over = self.spent.over.iter().map(|_| Verdict::Regressed);
        let judged = self.judged.iter().map(|judged| judged.verdict.clone());
        Verdict::join_all(judged.chain(absent).chain(over))
    }

    /// What the budgets have to say, a sentence each.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let Spent { over, unmet, left_out, kept } = &self.spent;
        let mut said: Vec<String> =
            [over, unmet, left_out].into_iter().flatten().cloned().collect();
        if *kept > 0 {
            said.push(format!("{kept} bounds of budgets were kept"));
        }
        said
    }

    /// Whether there is a count by which the gate could have been shut.
    pub(crate) fn gates(&self) -> bool {
        self.judged.iter().any(|judged| judged.pair.gates())
    }

    /// The exit code: that of what was judged ([`standing::exit`]), unless something is known to be
    /// left out. An interrupt says nothing of what it left out, and what is known stays known; counts
    /// of which none gates say nothing of the tree.
    pub(crate) fn exit(&self, strict: bool) -> Exit {
        if !self.spent.over.is_empty() {
            return Exit::Regressed;
        }
        let judged: Vec<_> = self.judged.iter().map(|one| (&one.pair, &one.verdict)).collect();
        match standing::exit(&judged, strict) {
            Exit::Regressed => Exit::Regressed,
            _ if self.interrupted.is_some() => Exit::NotMeasured,
            Exit::Broke => Exit::Broke,
            _ if !self.absent.is_empty() || !self.spent.unmet.is_empty() => Exit::NotMeasured,
            Exit::Fine | Exit::Undecided if !self.gates() => Exit::NotMeasured,
            exit => exit,
        }
    }
}

/// The one count of a row.
pub(crate) fn count(row: &Row) -> Option<u64> {
    match row.data {
        Some(Data::Count { value }) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
