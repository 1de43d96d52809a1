//! The file that keeps every round: one JSON object per line, a header first. Lines are appended
//! whole, so that an interrupted run loses at most the round it was in.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::Environment;
use serde::{Deserialize, Serialize};

use super::round::Round;
use super::slice::Settings;
use crate::exit::{Exit, failure};

/// The version of the format.
const VERSION: u32 = 1;

/// What all rounds have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The version of the format.
    pub(crate) journal: u32,
    /// What each arm stands for.
    pub(crate) arms: BTreeMap<char, String>,
    /// SHA-256 of the executables by arm and target.
    pub(crate) executables: BTreeMap<char, BTreeMap<String, String>>,
    /// What chance goes by.
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
    /// What differs by id, in place of what the settings say; nothing where nothing does, and in a
    /// journal of before this was kept.
    #[serde(default)]
    pub(crate) ids: BTreeMap<String, OfId>,
    /// Known cost added to the last arm, by id, as a share of the operation's own time.
    pub(crate) extra_work: BTreeMap<String, f64>,
    /// Where the rounds were measured.
    pub(crate) environment: Environment,
}

/// By which rule an id is judged, and where it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfId {
    pub(crate) margin: f64,
    pub(crate) floor_ns: f64,
    /// Anywhere when empty.
    pub(crate) cpus: Vec<usize>,
}

/// A header with its rounds, in the order they were measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Journal {
    pub(crate) header: Header,
    pub(crate) rounds: Vec<Round>,
}

/// Appends to a journal.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    path: PathBuf,
}

impl Header {
    /// The version that this program writes.
    pub(crate) const VERSION: u32 = VERSION;
}

impl Writer {
    /// Begins a journal in a new file.
    ///
    /// # Errors
    /// When there is a file of that name, or the disk refuses.
    pub(crate) fn begin(path: &Path, header: &Header) -> anyhow::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        let file = file.with_context(|| format!("failed to create {}", path.display()))?;
        let mut writer = Self { file, path: path.to_owned() };
        writer.line(header)?;
        Ok(writer)
    }

    /// Goes on with a journal, behind the last line that [`read`] takes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn resume(path: &Path) -> anyhow::Result<Self> {
        let told = || format!("failed to open {}", path.display());
        let bytes = std::fs::read(path).with_context(told)?;
        let file = OpenOptions::new().append(true).open(path).with_context(told)?;
        let mut writer = Self { file, path: path.to_owned() };
        let last = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let begin = last.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if begin > 0 && serde_json::from_slice::<Round>(&last[begin..]).is_err() {
            writer.file.set_len(begin as u64).with_context(told)?;
        } else if last.len() == bytes.len() {
            writer.write(b"\n")?;
        }
        Ok(writer)
    }

    /// Appends a round.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn round(&mut self, round: &Round) -> anyhow::Result<()> {
        self.line(round)
    }

    fn line(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.write(&line)
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let path = &self.path;
        self.file.write_all(bytes).with_context(|| format!("failed to write {}", path.display()))
    }
}

/// Reads a journal. Whatever is wrong with the last line, it was interrupted and is left out: cut off
/// anywhere, or full of zeros where the machine lost its power; so is any line that breaks off.
///
/// # Errors
/// [`Exit::NotMeasured`] when there is no such file; [`Exit::Usage`] when it is no journal of this
/// version.
pub(crate) fn read(path: &Path) -> anyhow::Result<Journal> {
    let told = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        failure(Exit::NotMeasured, format!("failed to read the journal {told}: {error}"))
    })?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let mut lines = bytes.split(|&byte| byte == b'\n').enumerate().peekable();
    let wrong = |line: usize, why: String| {
        failure(Exit::Usage, format!("line {} of {told} is not of a journal: {why}", line + 1))
    };
    let first = lines.next().filter(|(_, line)| !line.is_empty());
    let (_, first) = first.ok_or_else(|| wrong(0, "the file is empty".to_owned()))?;
    let header: Header = serde_json::from_slice(first).map_err(|why| wrong(0, why.to_string()))?;
    if header.journal != VERSION {
        let why = format!("its version is {}, this program reads {VERSION}", header.journal);
        return Err(wrong(0, why));
    }
    let mut rounds = Vec::new();
    while let Some((number, line)) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(round) => rounds.push(round),
            Err(why) if why.is_eof() || lines.peek().is_none() => {}
            Err(why) => return Err(wrong(number, why.to_string())),
        }
    }
    Ok(Journal { header, rounds })
}

#[cfg(test)]
mod tests {
    use super::super::slice::{Samples, Slice};
    use super::*;

    fn header() -> Header {
        Header {
            journal: VERSION,
            arms: [('a', "base".to_owned())].into(),
            executables: BTreeMap::new(),
            seed: 1,
            settings: Settings::default(),
            ids: BTreeMap::new(),
            extra_work: BTreeMap::new(),
            environment: Environment::default(),
        }
    }

    fn round(number: u32) -> Round {
        let samples = Samples { iterations: vec![1, 2], values: vec![10.5, 11.0], bytes: None };
        Round {
            id: "a/b".to_owned(),
            round: number,
            at_ms: 5,
            took_ms: 80,
            order: "ab".to_owned(),
            padding: 3,
            suspended_ns: 0,
            clock_set_ns: 0,
            steal_ticks: 0,
            probe_ns: 140_000,
            slices: [('a', Slice::Samples(samples)), ('b', Slice::Error("broke".into()))].into(),
        }
    }

    #[test]
    fn what_is_cut_off_is_left_out_and_the_run_goes_on_behind_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("rounds.jsonl");
        let mut writer = Writer::begin(&path, &header()).expect("begins");
        writer.round(&round(0)).expect("written");
        writer.round(&round(1)).expect("written");
        assert!(Writer::begin(&path, &header()).is_err(), "a journal is never written over");
        let text = std::fs::read(&path).expect("readable");
        std::fs::write(&path, &text[..text.len() - 9]).expect("cut");
        assert_eq!(read(&path).expect("a journal").rounds, [round(0)]);
        Writer::resume(&path).expect("goes on").round(&round(2)).expect("written");
        let journal = read(&path).expect("a journal");
        assert_eq!(journal.rounds, [round(0), round(2)]);
        assert_eq!(journal.header, header());
    }

    #[test]
    fn whatever_is_wrong_with_the_last_line_costs_that_line_only() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("rounds.jsonl");
        let long = Round { id: "a/ä".to_owned(), ..round(1) };
        let in_a_letter = serde_json::to_string(&long).expect("JSON").find('ä').expect("there") + 1;
        let cut = serde_json::to_vec(&long).expect("JSON")[..in_a_letter].to_vec();
        let whole = serde_json::to_vec(&round(1)).expect("JSON");
        for (tail, rounds) in [
            (cut, vec![round(0)]),
            (vec![0; 300], vec![round(0)]),
            (b"{\"id\":3}\n".to_vec(), vec![round(0)]),
            (whole, vec![round(0), round(1)]),
        ] {
            let _older = std::fs::remove_file(&path);
            let mut writer = Writer::begin(&path, &header()).expect("begins");
            writer.round(&round(0)).expect("written");
            writer.write(&tail).expect("written");
            assert_eq!(read(&path).expect("a journal").rounds, rounds);
            Writer::resume(&path).expect("goes on").round(&round(2)).expect("written");
            let rounds: Vec<Round> = rounds.into_iter().chain([round(2)]).collect();
            assert_eq!(read(&path).expect("a journal").rounds, rounds);
        }
    }

    #[test]
    fn another_file_and_another_version_are_refused_in_one_sentence() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("rounds.jsonl");
        let newer = Header { journal: 2, ..header() };
        for (text, why) in [
            (String::new(), "is empty"),
            ("{\"hello\":1}\n".to_owned(), "missing field"),
            (serde_json::to_string(&newer).expect("json"), "its version is 2"),
            (serde_json::to_string(&header()).expect("json") + "\n{\"id\":3}\n{}\n", "line 2"),
        ] {
            std::fs::write(&path, text).expect("written");
            let error = read(&path).expect_err(why);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            assert!(error.to_string().contains(why), "{error}");
        }
        let missing = read(&folder.path().join("none")).expect_err("no file");
        assert_eq!(crate::exit::of(&missing), Exit::NotMeasured);
    }
}
