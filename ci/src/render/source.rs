//! Where a report comes from: a record, two that were compared, or verdicts with the records that
//! they name.

use std::collections::BTreeMap;
use std::path::Path;

use bench_core::record::RunRecord;

use super::Report;
use super::trend::Trend;
use super::verdicts::{Side, Verdicts};
use crate::exit::{Exit, failure};
use crate::records;

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

    /// Two records and what was thought of them.
    pub(crate) fn judged_so(base: RunRecord, head: RunRecord, verdicts: Verdicts) -> Self {
        Self { head, base: Some(base), verdicts: Some(verdicts), flames: BTreeMap::new() }
    }

    /// Whether somebody thought something of it, be it that nothing was there.
    pub(crate) fn judged(&self) -> bool {
        self.verdicts.is_some()
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
    let Some(verdicts) = verdicts else { return Ok(Sides::of(records::read(path)?)) };
    let place = |name: &str| beside(path, name);
    let record = |side: &Side| match &side.record {
        Some(name) => records::read(&place(name)?).map(Some),
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
