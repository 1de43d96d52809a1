//! What a run leaves behind besides its journal: a record of each side, what critcmp reads, the
//! verdicts document, Markdown.

use std::path::Path;

use anyhow::Context;
use bench_core::record::{Environment, Row, RunRecord};

use super::export::{self, Exported};
use super::name::WORKING_TREE;
use super::outcome::{Compared, Outcome};
use super::render::{self, Facts};
use super::side::Side;
use crate::bench::code_hash::code_hash;
use crate::render::disk;
use crate::render::verdicts::Verdicts;

/// The records.
pub(crate) const BASE: &str = "base.json";
pub(crate) const HEAD: &str = "head.json";

/// Writes all of it into `folder`.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn write(
    folder: &Path,
    sides: [&Side; 2],
    environment: &Environment,
    facts: &Facts,
    all: &Verdicts,
    outcome: &Outcome,
) -> anyhow::Result<()> {
    let names = columns(sides);
    for (index, side) in sides.into_iter().enumerate() {
        let row = |one: &Compared| [&one.pair.base, &one.pair.head][index].clone();
        let rows: Vec<Row> = outcome.compared.iter().filter_map(row).collect();
        let bytes = |one: &Compared| {
            let row = [&one.pair.base, &one.pair.head][index].as_ref()?;
            row.dimensions.get("bytes")?.parse().ok()
        };
        let exported = |one: &Compared| Exported {
            id: one.pair.id.clone(),
            times: one.times[index].clone(),
            bytes: bytes(one),
        };
        let exported: Vec<Exported> = outcome.compared.iter().map(exported).collect();
        let name = [BASE, HEAD][index];
        let record = record(side, environment, rows, outcome.began_ms).to_json();
        let record = record.context("failed to write a record")?;
        disk::write(&folder.join(name), record.as_bytes())?;
        export::write(&folder.join(format!("critcmp-{name}")), &names[index], &exported)?;
    }
    all.write(&folder.join("verdicts.json"))?;
    disk::write(&folder.join("compare.md"), render::markdown(facts, all, outcome).as_bytes())
}

/// What critcmp calls the two columns: two that are called the same would be one.
fn columns([base, head]: [&Side; 2]) -> [String; 2] {
    let name = |side: &Side| match side.name.as_str() {
        WORKING_TREE => "working-tree".to_owned(),
        name => name.to_owned(),
    };
    match (name(base), name(head)) {
        (base, head) if base == head => [format!("{base} (base)"), format!("{head} (head)")],
        (base, head) => [base, head],
    }
}

/// Begun with the first round, however much later it is written or another call goes on with it.
fn record(
    side: &Side,
    environment: &Environment,
    rows: Vec<Row>,
    began_ms: Option<u64>,
) -> RunRecord {
    let git = side.git.as_ref();
    let hashes = side.executables.iter();
    let mut record = RunRecord::begin(Environment {
        profile: git.map(|_| "bench".to_owned()),
        git_commit: git.map(|git| git.commit.clone()),
        git_dirty: git.map(|git| git.dirty),
        lockfile_hash: side.lockfile_hash.clone(),
        // Without a hash nobody can say that the code was the same, which is the truth.
        executables: hashes
            .filter_map(|(target, path)| Some((target.clone(), code_hash(path).ok()?.text)))
            .collect(),
        ..environment.clone()
    });
    record.rows = rows;
    let began = began_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms.try_into().ok()?).ok());
    if let Some(began) = began {
        record.started_at = began.to_string();
    }
    record
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bench_core::record::RunRecord;

    use super::super::outcome::outcome;
    use super::super::outcome::tests::run;
    use super::super::race::Finish;
    use super::super::subject::Subjects;
    use super::*;
    use crate::exit::Exit;

    fn side(name: &str) -> Side {
        Side {
            name: name.to_owned(),
            git: None,
            lockfile_hash: None,
            expected: None,
            executables: BTreeMap::new(),
        }
    }

    #[test]
    fn records_are_valid_and_exports_have_two_columns() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outcome = outcome(&[run("a/b", 0.2)], &Subjects::default(), Finish::Whole, "run");
        let facts = Facts::default();
        let all = render::verdicts(&facts, &outcome, Exit::Regressed);
        let (one, other) = (side("main"), side("main"));
        let environment = Environment::default();
        write(folder.path(), [&one, &other], &environment, &facts, &all, &outcome)
            .expect("written");
        for name in [BASE, HEAD] {
            let record = RunRecord::read(&folder.path().join(name)).expect("valid");
            assert_eq!(record.rows[0].dimensions["interleaved"], "run");
            assert_eq!(record.started_at, "1970-01-01T00:00:00Z", "when the rounds began");
        }
        let column = |name: &str| {
            let text = std::fs::read_to_string(folder.path().join(name)).expect("written");
            let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            json["name"].as_str().expect("a name").to_owned()
        };
        assert_eq!(column("critcmp-base.json"), "main (base)");
        assert_eq!(column("critcmp-head.json"), "main (head)");
    }
}
