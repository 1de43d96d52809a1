//! Records: in each cycle one round of every id, three equal arms and a slower one.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use bench_core::record::Environment;
use serde_json::json;

use super::subjects::{SUBJECTS, Subject};
use crate::bench::build::{Build, bench_executables};
use crate::cmd::soak::RecordArgs;
use crate::exit::{Exit, failure};
use crate::pairs::arm::Arm;
use crate::pairs::journal::{self, Header, Writer};
use crate::pairs::round::round;
use crate::pairs::slice::{Bench, Settings, Slice};
use crate::process;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Three that are equal, and the slow one.
const ARMS: [char; 4] = ['a', 'b', 'c', 'd'];
pub(crate) const SLOW: char = 'd';
const FEATURE: &str = "extra-work";
const VARIABLE: &str = "WEIGHBRIDGE_EXTRA_WORK";
/// What chance goes by.
const SEED: u64 = 42;

pub(crate) fn run(args: &RecordArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let path = match &args.journal {
        Some(path) => path.clone(),
        None => workspace.perf()?.join("soak.jsonl"),
    };
    let executables = executables(args, &workspace, ui)?;
    let scratch = workspace.scratch()?;
    let arm = |letter| Arm::new(scratch.path(), letter, &executables);
    let arms = ARMS.into_iter().map(arm).collect::<anyhow::Result<Vec<_>>>()?;
    let settings = Settings { cpus: vec![args.cpu], ..Settings::default() };
    let header = header(&arms, settings, &workspace);
    let (_alone, mut writer, first) = begin(&path, &header)?;
    let until = Instant::now() + Duration::from_secs(60 * args.minutes);
    let mut failed = BTreeMap::new();
    let mut number = first;
    'soak: while Instant::now() < until {
        for subject in &SUBJECTS {
            let arms = with_extra_work(&arms, subject);
            let bench = Bench { id: subject.id, target: subject.target };
            let settings = &header.settings;
            let Some(round) = round(&arms, bench, number, SEED, settings, scratch.path()) else {
                break 'soak;
            };
            writer.round(&round)?;
            if let Some(why) = round.slices.values().find_map(error) {
                failed.entry(subject.id).or_insert_with(|| why.to_owned());
            }
        }
        number += 1;
        if process::interrupted() {
            break;
        }
    }
    let rounds = number - first;
    for (id, why) in &failed {
        ui.say(&format!("{id} failed: {why}"));
    }
    let text = format!("{rounds} rounds of {} ids are in {}", SUBJECTS.len(), path.display());
    let ids: Vec<&str> = SUBJECTS.iter().map(|subject| subject.id).collect();
    ui.result(&text, &json!({ "journal": path, "rounds": rounds, "ids": ids, "failed": failed }))?;
    match () {
        () if !failed.is_empty() => Ok(Exit::Broke),
        () if rounds == 0 || process::interrupted() => Ok(Exit::NotMeasured),
        () => Ok(Exit::Fine),
    }
}

/// The journal with the number of its next round, kept from others for as long as the file lives.
///
/// Locked before it is opened: opening cuts off half a line, which may be the one that another soak
/// is about to end.
fn begin(path: &Path, header: &Header) -> anyhow::Result<(File, Writer, u32)> {
    let alone = lock(path)?;
    let (writer, next) = open(path, header)?;
    Ok((alone, writer, next))
}

/// Keeps a second soak out of the journal, by a file beside it, which stays.
fn lock(path: &Path) -> anyhow::Result<File> {
    let told = path.display();
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let file = File::create(&beside).with_context(|| format!("failed to lock {told}"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let why = format!("another soak records into {told}; wait for it or name another");
            Err(failure(Exit::Usage, why))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("failed to lock {told}"))
        }
    }
}

fn error(slice: &Slice) -> Option<&str> {
    match slice {
        Slice::Samples(_) => None,
        Slice::Error(why) => Some(why),
    }
}

fn executables(
    args: &RecordArgs,
    workspace: &Workspace,
    ui: Ui,
) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    if let Some(folder) = &args.executables {
        return in_folder(folder);
    }
    let features = [FEATURE.to_owned()];
    let root = &workspace.root;
    let build = Build { name: "the working tree", root, target: None, features: &features };
    Ok(bench_executables(&build, &["wall_*"], ui)?.benches)
}

/// The executables of the targets that a soak needs.
fn in_folder(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for Subject { target, .. } in SUBJECTS {
        let path = folder.join(target);
        if !path.is_file() {
            let why = format!("there is no executable {}", path.display());
            return Err(failure(Exit::NotMeasured, why));
        }
        found.insert(target.to_owned(), path);
    }
    Ok(found)
}

fn header(arms: &[Arm], settings: Settings, workspace: &Workspace) -> Header {
    let meaning = |arm: &Arm| match arm.letter {
        SLOW => (arm.letter, "with extra work".to_owned()),
        letter => (letter, "as it is".to_owned()),
    };
    Header {
        journal: Header::VERSION,
        arms: arms.iter().map(meaning).collect(),
        executables: arms.iter().map(|arm| (arm.letter, arm.hashes())).collect(),
        seed: SEED,
        settings,
        ids: BTreeMap::new(),
        extra_work: SUBJECTS.iter().map(|s| (s.id.to_owned(), s.kind.extra_work())).collect(),
        environment: Environment::gather(&workspace.root),
    }
}

/// A new journal, or one to go on with and the number of its next round.
fn open(path: &Path, header: &Header) -> anyhow::Result<(Writer, u32)> {
    if !path.exists() {
        return Ok((Writer::begin(path, header)?, 0));
    }
    let older = journal::read(path)?;
    let same = older.header.executables == header.executables
        && older.header.settings == header.settings
        && older.header.extra_work == header.extra_work;
    if !same {
        let told = path.display();
        let why = format!("{told} was recorded with other executables or settings; move it away");
        return Err(failure(Exit::Usage, why));
    }
    let next = older.rounds.iter().map(|round| round.round + 1).max().unwrap_or(0);
    Ok((Writer::resume(path).context("failed to go on with the journal")?, next))
}

/// The arms with their extra work for this id, written with the same number of characters.
fn with_extra_work(arms: &[Arm], subject: &Subject) -> Vec<Arm> {
    let mut arms = arms.to_vec();
    for arm in &mut arms {
        let share = if arm.letter == SLOW { subject.kind.extra_work() } else { 0.0 };
        arm.variables = vec![(VARIABLE.to_owned(), format!("{share:.3}"))];
    }
    arms
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_arms_differ_in_one_value_of_equal_length() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let arm = |letter| Arm::new(folder.path(), letter, &BTreeMap::new()).expect("an arm");
        let arms: Vec<Arm> = ARMS.into_iter().map(arm).collect();
        for subject in &SUBJECTS {
            let arms = with_extra_work(&arms, subject);
            let values: Vec<&str> = arms.iter().map(|arm| arm.variables[0].1.as_str()).collect();
            assert_eq!(values[..3], ["0.000"; 3]);
            assert_eq!(values[3].parse(), Ok(subject.kind.extra_work()));
            assert_eq!(values[3].len(), 5);
        }
    }

    #[test]
    fn a_second_soak_is_refused_and_leaves_every_byte_of_the_journal() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("soak.jsonl");
        let header = Header {
            journal: Header::VERSION,
            arms: BTreeMap::new(),
            executables: BTreeMap::new(),
            seed: SEED,
            settings: Settings::default(),
            ids: BTreeMap::new(),
            extra_work: BTreeMap::new(),
            environment: Environment::default(),
        };
        let first = begin(&path, &header).expect("free");
        // The first is in the middle of a line.
        let mut file = File::options().append(true).open(&path).expect("there");
        file.write_all(b"{\"id\":\"a").expect("written");
        let before = std::fs::read(&path).expect("readable");
        let error = begin(&path, &header).expect_err("taken");
        assert_eq!(crate::exit::of(&error), Exit::Usage);
        assert_eq!(std::fs::read(&path).expect("readable"), before);
        drop(first);
        let (_alone, _writer, next) = begin(&path, &header).expect("free again");
        assert_eq!(next, 0);
        assert!(std::fs::read(&path).expect("readable").len() < before.len(), "half a line is cut");
    }

    #[test]
    fn a_target_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let error = in_folder(folder.path()).expect_err("empty");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
        assert!(error.to_string().contains("wall_reference"), "{error}");
    }
}
