//! The folder of one run and its journal; a run that was interrupted goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::Environment;

use super::course::{BASE, Course, HEAD};
use super::subject::{Subject, Subjects};
use crate::exit::{Exit, failure};
use crate::gate::stage;
use crate::pairs::arm::Arm;
use crate::pairs::journal::{self, Header, OfId, Writer};
use crate::pairs::round::Round;
use crate::pairs::slice::Settings;
use crate::ui::Ui;

/// The file of all rounds.
const JOURNAL: &str = "rounds.jsonl";
/// So many runs are kept, the newest.
const RUNS_KEPT: usize = 10;

/// A run that takes rounds.
#[derive(Debug)]
pub(crate) struct Run {
    /// A UUID, version 7: sorts by time.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) header: Header,
    pub(crate) writer: Writer,
    /// Whether it has rounds of an older call.
    pub(crate) resumed: bool,
    rounds: Vec<Round>,
}

/// Lets one comparison measure at a time, since two would disturb each other. Held while the file
/// is open.
///
/// # Errors
/// [`Exit::NotMeasured`] when interrupted while it waits; when the disk refuses.
pub(crate) fn lock(folder: &Path, ui: Ui) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let lock =
        File::create(&path).with_context(|| format!("failed to create {}", path.display()))?;
    stage::wait(&lock, ui, "another comparison is running in this checkout")?;
    Ok(lock)
}

/// What all rounds of a new run have in common.
pub(crate) fn header(
    arms: &[Arm],
    [base, head]: [&str; 2],
    subjects: &Subjects,
    root: &Path,
) -> Header {
    let meaning = |arm: &Arm| match arm.letter {
        BASE => (BASE, format!("base {base}")),
        HEAD => (HEAD, format!("head {head}")),
        letter => (letter, format!("a copy of base {base}")),
    };
    Header {
        journal: Header::VERSION,
        arms: arms.iter().map(meaning).collect(),
        executables: arms.iter().map(|arm| (arm.letter, arm.hashes())).collect(),
        seed: uuid::Uuid::now_v7().as_u64_pair().1,
        settings: Settings { cpus: Vec::new(), ..subjects.both[0].settings.clone() },
        ids: subjects.both.iter().map(|one| (one.id.clone(), of_id(one))).collect(),
        extra_work: BTreeMap::new(),
        environment: Environment::gather(root),
    }
}

fn of_id(subject: &Subject) -> OfId {
    let (margin, floor_ns) = (subject.rule.margin, subject.rule.floor_ns);
    OfId { margin, floor_ns, cpus: subject.settings.cpus.clone() }
}

impl Run {
    /// A new run under `folder`, or the newest one there if `resume`.
    ///
    /// # Errors
    /// [`Exit::NotMeasured`] where there is none to go on with, [`Exit::Usage`] where it was of
    /// other executables or by other rules, settings or machine, or its journal can't be read.
    pub(crate) fn open(folder: &Path, resume: bool, header: Header) -> anyhow::Result<Self> {
        if !resume {
            return Self::begin(folder, header);
        }
        let path = journals(folder).pop().ok_or_else(|| {
            let why = format!("there is no run under {} to go on with", folder.display());
            failure(Exit::NotMeasured, format!("{why}; compare without --resume"))
        })?;
        let journal = journal::read(&path)?;
        same(&journal.header, &header, &path)?;
        let folder = path.parent().expect("a journal lies in a folder").to_owned();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (header, rounds) = (journal.header, journal.rounds);
        let writer = Writer::resume(&path)?;
        Ok(Self { name, folder, header, writer, resumed: true, rounds })
    }

    fn begin(folder: &Path, header: Header) -> anyhow::Result<Self> {
        let name = uuid::Uuid::now_v7().to_string();
        let all = folder;
        let folder = folder.join(&name);
        fs::create_dir(&folder)
            .with_context(|| format!("failed to create the folder {}", folder.display()))?;
        let writer = Writer::begin(&folder.join(JOURNAL), &header)?;
        for journal in journals(all).into_iter().rev().skip(RUNS_KEPT) {
            let _stays = journal.parent().map(fs::remove_dir_all);
        }
        Ok(Self { name, folder, header, writer, resumed: false, rounds: Vec::new() })
    }

    /// A course for each id, with the rounds that it has already.
    ///
    /// # Errors
    /// [`Exit::Usage`] when it has rounds of an id that is not asked for any more: fewer ids share
    /// the error among them, and how many they are must not hang on what the rounds have shown.
    pub(crate) fn courses(&self, subjects: &Subjects) -> anyhow::Result<Vec<Course>> {
        let ids: BTreeSet<&str> = subjects.both.iter().map(|subject| &*subject.id).collect();
        if let Some(round) = self.rounds.iter().find(|round| !ids.contains(&*round.id)) {
            let (id, folder) = (&round.id, self.folder.display());
            let why = format!("the run in {folder} has rounds of {id}, which is left out now");
            let sentence = format!("{why}; give it the same --only, or compare without --resume");
            return Err(failure(Exit::Usage, sentence));
        }
        let course = |subject: &Subject| {
            let mut course = Course::new(subject.clone(), ids.len());
            let rounds = self.rounds.iter().filter(|round| round.id == subject.id);
            rounds.for_each(|round| course.take(round.clone()));
            course
        };
        Ok(subjects.both.iter().map(course).collect())
    }
}

/// The journals of all runs, the oldest first, by their names.
fn journals(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_run = |name: &str| uuid::Uuid::try_parse(name).is_ok();
    let runs = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_run));
    let journals = runs.map(|entry| entry.path().join(JOURNAL));
    let mut journals: Vec<PathBuf> = journals.filter(|path| path.is_file()).collect();
    journals.sort();
    journals
}

/// That now is as then: the machine, every executable on both sides, the rules, and how it is
/// measured. How long an id may take is free.
fn same(then: &Header, now: &Header, path: &Path) -> anyhow::Result<()> {
    let refuse = |what: String| {
        let told = path.display();
        let sentence = format!("{told} was recorded with {what}; compare without --resume");
        Err(failure(Exit::Usage, sentence))
    };
    for (arm, side) in [(BASE, "base"), (HEAD, "head")] {
        let of = |header: &Header| header.executables.get(&arm).cloned().unwrap_or_default();
        let known = of(then);
        for (target, hash) in of(now) {
            if known.get(&target) != Some(&hash) {
                return refuse(format!("another {target} of the {side}"));
            }
        }
    }
    if then.settings.scale != now.settings.scale {
        return refuse(format!("scale {}", then.settings.scale));
    }
    if then.settings != now.settings {
        let Settings { deadline_s, measurement_ms, .. } = then.settings;
        return refuse(format!("slices of {measurement_ms} ms and a deadline of {deadline_s} s"));
    }
    if then.environment.host_id != now.environment.host_id {
        return refuse("another machine".to_owned());
    }
    for id in then.ids.keys().chain(now.ids.keys()) {
        match (then.ids.get(id), now.ids.get(id)) {
            (Some(then), Some(now)) if then == now => {}
            (Some(_), Some(_)) => return refuse(format!("another margin, floor or CPUs for {id}")),
            (Some(_), None) => return refuse(format!("{id}, which is left out now")),
            (None, _) => return refuse(format!("no {id}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::course::tests::{pair, subject};
    use super::*;

    fn header_of(hash: &str, scale: &str) -> Header {
        let executables: BTreeMap<_, _> = [("wall_a".to_owned(), hash.to_owned())].into();
        Header {
            journal: Header::VERSION,
            arms: BTreeMap::new(),
            executables: [(BASE, executables.clone()), (HEAD, executables)].into(),
            seed: 7,
            ids: [("a/x".to_owned(), of_id(&subject("a/x")))].into(),
            settings: Settings { scale: scale.to_owned(), ..Settings::default() },
            extra_work: BTreeMap::new(),
            environment: Environment::default(),
        }
    }

    #[test]
    fn a_run_goes_on_with_its_rounds_and_its_seed() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = header_of("1", "quick");
        let mut run = Run::open(folder.path(), false, first).expect("new");
        for number in 0..4 {
            run.writer.round(&Round { id: "a/x".into(), ..pair(number, 0.0) }).expect("written");
        }
        let later = Header { seed: 8, ..header_of("1", "quick") };
        let again = Run::open(folder.path(), true, later).expect("goes on");
        assert_eq!((again.header.seed, &again.name, again.resumed), (7, &run.name, true));
        let of = |ids: &[&str]| Subjects {
            both: ids.iter().map(|id| subject(id)).collect(),
            ..Subjects::default()
        };
        let courses = again.courses(&of(&["a/x", "a/y"])).expect("all asked for");
        let rounds: Vec<usize> = courses.iter().map(|course| course.rounds.len()).collect();
        assert_eq!(rounds, [4, 0]);
        assert_eq!(courses[0].next(), 4);
        let fewer = again.courses(&of(&["a/y"])).expect_err("an id is left out");
        assert_eq!(crate::exit::of(&fewer), Exit::Usage);
        assert!(fewer.to_string().contains("has rounds of a/x"), "{fewer}");
    }

    #[test]
    fn a_run_of_something_else_is_refused_in_one_sentence() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let open = |resume, hash: &str, scale: &str| {
            Run::open(folder.path(), resume, header_of(hash, scale))
        };
        let nothing = open(true, "1", "quick").expect_err("no run yet");
        assert_eq!(crate::exit::of(&nothing), Exit::NotMeasured);
        open(false, "1", "quick").expect("new");
        for (hash, scale, why) in
            [("2", "quick", "another wall_a of the base"), ("1", "full", "scale quick")]
        {
            let error = open(true, hash, scale).expect_err(why);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_run_by_other_rules_or_on_another_machine_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let then = header_of("1", "quick");
        Run::open(folder.path(), false, then.clone()).expect("new");
        Run::open(folder.path(), true, then.clone()).expect("the same");
        let of = |id: &str, margin: f64| {
            let of_id = OfId { margin, ..of_id(&subject(id)) };
            Header { ids: [(id.to_owned(), of_id)].into(), ..then.clone() }
        };
        let mut moved = then.clone();
        moved.environment.host_id = Some("another".to_owned());
        let mut patient = then.clone();
        patient.settings.deadline_s = 7;
        let none = Header { ids: BTreeMap::new(), ..then.clone() };
        for (now, why) in [
            (of("a/x", 0.02), "another margin, floor or CPUs for a/x"),
            (of("a/y", 0.01), "a/x, which is left out now"),
            (none, "a/x, which is left out now"),
            (moved, "another machine"),
            (patient, "a deadline of 60 s"),
        ] {
            let error = Run::open(folder.path(), true, now).expect_err(why);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn the_newest_runs_are_kept_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mine = folder.path().join("mine");
        fs::create_dir(&mine).expect("made");
        fs::write(mine.join(JOURNAL), "").expect("written");
        let open = || Run::open(folder.path(), false, header_of("1", "quick")).expect("new").name;
        let names: Vec<String> = (0..RUNS_KEPT + 2).map(|_| open()).collect();
        assert!(mine.exists());
        for (index, name) in names.iter().enumerate() {
            assert_eq!(folder.path().join(name).exists(), index >= 2, "{index}");
        }
    }
}
