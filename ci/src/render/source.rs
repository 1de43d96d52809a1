//! Where a report comes from: a record, two, or verdicts with the records that they name.

use std::collections::BTreeMap;
use std::path::Path;

use bench_core::judge::{self, Pair, Verdict};
use bench_core::record::RunRecord;

use super::Report;
use super::trend::Trend;
use super::verdicts::{Judged, Side, Verdicts, Word};
use crate::cmd::report;
use crate::exit::{Exit, failure};
use crate::gate::standing;
use crate::policy;
use crate::workspace::Workspace;

/// A page that holds a larger picture no mail program takes.
const FLAME_BYTES_MAX: u64 = 4 << 20;

/// What was read.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    pub(crate) head: RunRecord,
    base: Option<RunRecord>,
    verdicts: Option<Verdicts>,
    flames: BTreeMap<String, String>,
}

impl Sides {
    /// A record alone.
    pub(crate) fn of(head: RunRecord) -> Self {
        Self { head, base: None, verdicts: None, flames: BTreeMap::new() }
    }

    /// All of it, with trends.
    pub(crate) fn report<'a>(&'a self, trends: &'a [Trend]) -> Report<'a> {
        Report {
            record: &self.head,
            base: self.base.as_ref(),
            verdicts: self.verdicts.as_ref(),
            trends,
            flames: self.flames.clone(),
        }
    }
}

/// The record in the file, or the verdicts with what they name.
///
/// # Errors
/// [`Exit::NotMeasured`] where there is no such file, [`Exit::Usage`] where it is neither, or
/// verdicts name no record of the head, or a file outside of their folder.
pub(crate) fn read(path: &Path) -> anyhow::Result<Sides> {
    let verdicts = match std::fs::read_to_string(path) {
        Ok(text) => Verdicts::parse(&text, path)?,
        // What is wrong with it the record says in its own words.
        Err(_) => None,
    };
    let Some(verdicts) = verdicts else { return Ok(Sides::of(report::read(path)?)) };
    let place = |name: &str| beside(path, name);
    let record = |side: &Side| match &side.record {
        Some(name) => report::read(&place(name)?).map(Some),
        None => Ok(None),
    };
    let told = path.display();
    let head = record(&verdicts.head)?.ok_or_else(|| {
        failure(Exit::Usage, format!("{told} names no record of the head; write one beside it"))
    })?;
    let base = record(&verdicts.base)?;
    let mut flames = BTreeMap::new();
    for name in verdicts.judged.iter().filter_map(|one| one.flamegraph.as_ref()) {
        flames.insert(name.clone(), flame(&place(name)?)?);
    }
    Ok(Sides { head, base, verdicts: Some(verdicts), flames })
}

/// A file beside the document: what it names must not reach other places of the disk.
fn beside(document: &Path, name: &str) -> anyhow::Result<std::path::PathBuf> {
    use std::path::Component;
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !inside {
        let why = format!("{} names a file outside of its folder: '{name}'", document.display());
        return Err(failure(Exit::Usage, why));
    }
    Ok(document.with_file_name("").join(name))
}

fn flame(path: &Path) -> anyhow::Result<String> {
    let told = path.display();
    let size = std::fs::metadata(path).map(|file| file.len()).unwrap_or(0);
    if size > FLAME_BYTES_MAX {
        let why = format!("the flamegraph {told} has {size} bytes; at most {FLAME_BYTES_MAX} fit");
        return Err(failure(Exit::Usage, why));
    }
    std::fs::read_to_string(path).map_err(|error| {
        failure(Exit::NotMeasured, format!("failed to read the flamegraph {told}: {error}"))
    })
}

/// Two records, judged by the policy.
///
/// # Errors
/// Those of [`report::read`]; [`Exit::NotMeasured`] where the two have no id in common.
pub(crate) fn pair(base: &Path, head: &Path) -> anyhow::Result<Sides> {
    let names = [base, head].map(|path| path.display().to_string());
    let (base, head) = (report::read(base)?, report::read(head)?);
    let root = Workspace::find().map(|workspace| workspace.root).unwrap_or_default();
    let policy = policy::read(&root)?;
    let pairs = judge::compare(&base, &head);
    if !pairs.iter().any(|pair| pair.base.is_some() && pair.head.is_some()) {
        let [base, head] = names;
        let why = format!("'{base}' and '{head}' have no id in common, so nothing was compared");
        return Err(failure(Exit::NotMeasured, why));
    }
    let judged: Vec<(Pair, Verdict)> = pairs
        .into_iter()
        .map(|pair| {
            let verdict = judge::judge(&pair, &policy);
            (pair, verdict)
        })
        .collect();
    let old = judged.iter().filter(|(pair, _)| standing::announced(pair).is_none());
    let old: Vec<_> = old.map(|(pair, verdict)| (pair, verdict)).collect();
    let exit = standing::exit(&old, false);
    let [base_name, head_name] = names;
    let side = |name: String, record: &RunRecord| {
        let commit = record.environment.git_commit.clone();
        Side { name, commit, record: None }
    };
    let sides = (side(base_name, &base), side(head_name, &head));
    let mut verdicts = Verdicts::new("report", exit, String::new(), sides.0, sides.1);
    verdicts.judged = judged.iter().map(|(pair, verdict)| one(pair, verdict)).collect();
    let counts = verdicts.counts().into_iter();
    let counts: Vec<String> =
        counts.map(|(word, number)| format!("{number} {}", word.name())).collect();
    verdicts.sentence = format!("two records, offline: {}", counts.join(", "));
    Ok(Sides { head, base: Some(base), verdicts: Some(verdicts), flames: BTreeMap::new() })
}

fn one(pair: &Pair, verdict: &Verdict) -> Judged {
    let word = match standing::announced(pair) {
        Some("mended") => Word::Mended,
        Some(_) => Word::New,
        None => Word::from(verdict),
    };
    let mut judged = Judged::of(pair, word);
    let failed = standing::broke(pair).map(|error| format!("failed: {error}"));
    let before = || standing::failed_before(pair).map(|error| format!("base failed: {error}"));
    let unpaired = || {
        let unpaired = matches!(pair.comparability, judge::Comparability::Unpaired(_));
        unpaired.then(|| "unpaired: measured at two different times".to_owned())
    };
    judged.note = judged.note.or(failed).or_else(before).or_else(unpaired);
    judged
}
