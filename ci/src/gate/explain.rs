//! What the gate says of where a change came from; [`crate::explain`] finds it out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench_core::judge::Verdict;
use bench_core::record::Metric;

use super::outcome::{Judged, Outcome};
use super::sides::{Ready, Workshop};
use crate::bench::count::{Counted, Metrics};
pub(crate) use crate::explain::functions::{Change, explain};
use crate::explain::{Explainer, Explanation, tables};
use crate::process;
use crate::render::{PAGE_ROWS_MAX, disk};

/// So many regressed ids are run under DHAT for their allocations; a change that regresses more
/// shows the same in the first of them.
const RERUNS_MAX: usize = 20;

/// The ids of which some count regressed, in their order.
fn regressed(outcome: &Outcome) -> Vec<String> {
    let ids = outcome.judged.iter().filter(|judged| judged.verdict == Verdict::Regressed);
    let ids: BTreeSet<&String> = ids.map(|judged| &judged.pair.id).collect();
    ids.into_iter().cloned().collect()
}

/// The ids of which some count is not what it was, for better or worse.
fn changed(outcome: &Outcome) -> BTreeSet<String> {
    let ids = outcome.judged.iter().filter(|judged| judged.changed());
    ids.map(|judged| judged.pair.id.clone()).collect()
}

/// Counts the ids that changed once more, with all that explains a count and takes time: debug
/// information, addresses, and of those that regressed who allocates. The counts stay as they were
/// judged; where this run fails, the profiles do too. What does not repeat is explained from the very
/// run in which it did not.
///
/// # Errors
/// When the disk refuses, or a runner can't be put in place.
pub(crate) fn recount(
    outcome: &Outcome,
    sides: &[Ready; 2],
    counted: &mut [Vec<Counted>; 2],
    workshop: &Workshop<'_>,
    deadline: Duration,
) -> anyhow::Result<()> {
    let changed = changed(outcome);
    if changed.is_empty() || process::interrupted() {
        return Ok(());
    }
    let mut heavy = regressed(outcome);
    heavy.truncate(RERUNS_MAX);
    // Whose allocations were counted before is told of them anyway.
    let with_heap = counted.iter().flatten().filter(|counted| !counted.dhat.is_empty());
    heavy.extend(with_heap.map(|counted| counted.id().to_owned()));
    let metrics = |id: &str| Metrics {
        allocations: heavy.iter().any(|heavy| heavy == id),
        addresses: true,
        ..Metrics::INSTRUCTIONS
    };
    let [base, head] = [&sides[0], &sides[1]].map(|side| side.explicit(|id| changed.contains(id)));
    let again = workshop.count(&base?, &head?, &metrics, deadline)?;
    for (side, again) in counted.iter_mut().zip(again) {
        for again in again.into_iter().flatten() {
            let known = side.iter_mut().find(|known| known.id() == again.id());
            if let Some(known) = known.filter(|_| !again.callgrind.is_empty()) {
                (known.callgrind, known.dhat) = (again.callgrind, again.dhat);
            }
        }
    }
    Ok(())
}

/// Says for each id that changed where the change came from, and for one that does not repeat
/// where the counts part. That it can't be said is a remark on the id and no reason to lose its
/// verdict. Regressed ids come first.
pub(crate) fn attach(outcome: &mut Outcome, base: &[Counted], head: &[Counted], root: &Path) {
    let of = |side: &'_ [Counted], id: &str| side.iter().position(|counted| counted.id() == id);
    let mut explainer = Explainer::default();
    let mut explained: Vec<Explanation> = Vec::new();
    let regressed = regressed(outcome);
    for judged in &mut outcome.judged {
        let id = judged.pair.id.clone();
        let differs = judged.counts().is_some_and(|(base, head)| base != head);
        let changed = judged.changed();
        // A difference within the limit, of code that is not the same, needs no explanation.
        let asked = differs && (changed || judged.note.is_some());
        let (true, Some(a), Some(b)) = (asked, of(base, &id), of(head, &id)) else { continue };
        // Without profiles there is nothing to explain it from.
        if base[a].callgrind.is_empty() || head[b].callgrind.is_empty() {
            continue;
        }
        let known = explained.iter().find(|explanation| explanation.id == id);
        let explanation = match known {
            Some(known) => Ok(known.clone()),
            None => explainer.explain(&base[a], &head[b], &[root]),
        };
        match explanation {
            Ok(explanation) if changed => {
                if judged.pair.metric == Metric::Instructions {
                    let functions = explanation.functions.iter().take(PAGE_ROWS_MAX);
                    judged.changes = functions.cloned().collect();
                }
                if known.is_none() {
                    explained.push(explanation);
                }
            }
            Ok(explanation) => part(judged, &explanation),
            Err(error) => {
                let note = judged.note.take().map_or_else(String::new, |note| note + "; ");
                judged.note = Some(format!("{note}not explained: {error:#}"));
            }
        }
    }
    explained.sort_by_key(|explanation| !regressed.contains(&explanation.id));
    outcome.explanations = explained;
}

/// The function in which two counts of the same code part.
fn part(judged: &mut Judged, explanation: &Explanation) {
    if let (Some(note), Some(first)) = (&mut judged.note, explanation.functions.first()) {
        note.push_str(&format!(", first in {}", first.function));
    }
}

/// Writes all explanations as one page, and a flamegraph of each, into a folder that holds
/// nothing else. Returns the page; `None` where there is nothing to explain.
///
/// # Errors
/// When the disk does not take them.
pub(crate) fn write(
    explanations: &[Explanation],
    folder: &Path,
) -> anyhow::Result<Option<PathBuf>> {
    let _older = std::fs::remove_dir_all(folder);
    if explanations.is_empty() {
        return Ok(None);
    }
    std::fs::create_dir_all(folder)?;
    for explanation in explanations {
        explanation.write_flamegraph(folder)?;
    }
    let page = folder.join("index.html");
    disk::write(&page, tables::page(explanations).as_bytes())?;
    Ok(Some(page))
}
