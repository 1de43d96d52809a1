//! Text baselines: the counts of a tree, in a file that git keeps and people can read the diff of.
//!
//! One file for each target triple and set of CPU features, `ci/baselines/TRIPLE-HASH.txt`: a first
//! line that says what it is, lines `# name: value` with what the counts are comparable to, then
//! `id metric count` for each, sorted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::record::{Data, Environment, Metric, Row, RunRecord};
use sha2::{Digest, Sha256};

use super::outcome::count;
use crate::bench::code_hash::hex;
use crate::exit::{Exit, failure};
use crate::render::disk;

const FIRST: &str = "# cargo perf baseline 1; written by `cargo perf bless`";
/// How much of the hash of the CPU features is in the name: enough for as many as there are.
const HASH_CHARS: usize = 8;

/// What lies behind a count, as [`comparable`](bench_core::judge::comparable()) wants it.
type Field = (&'static str, fn(&mut Environment) -> &mut Option<String>);
const FIELDS: [Field; 7] = [
    ("rustc", |e| &mut e.rustc),
    ("target", |e| &mut e.target),
    ("rustflags", |e| &mut e.rustflags),
    ("profile", |e| &mut e.profile),
    ("glibc", |e| &mut e.glibc),
    ("glibc_tunables", |e| &mut e.glibc_tunables),
    ("valgrind", |e| &mut e.valgrind),
];
const CPU_FEATURES: &str = "cpu_features";

/// The counts of one tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    /// Only what a count depends on.
    pub(crate) environment: Environment,
    /// By id and metric.
    pub(crate) counts: BTreeMap<(String, Metric), u64>,
}

/// The file for this environment under the workspace's root.
///
/// # Errors
/// [`Exit::NotComparable`] where the target or the CPU is not known.
pub(crate) fn place(root: &Path, environment: &Environment) -> anyhow::Result<PathBuf> {
    let unknown =
        |what| failure(Exit::NotComparable, format!("{what} of this machine is not known"));
    let target = environment.target.as_ref().ok_or_else(|| unknown("the target"))?;
    if environment.cpu_features.is_empty() {
        return Err(unknown("the CPU"));
    }
    let mut hash = hex(&Sha256::digest(environment.cpu_features.join(" ")));
    hash.truncate(HASH_CHARS);
    Ok(root.join(format!("ci/baselines/{target}-{hash}.txt")))
}

impl Baseline {
    /// The counts of a record and what they are comparable to.
    pub(crate) fn of(record: &RunRecord) -> Self {
        let mut from = record.environment.clone();
        let cpu_features = from.cpu_features.clone();
        let mut environment = Environment { cpu_features, ..Environment::default() };
        for (_, field) in FIELDS {
            *field(&mut environment) = field(&mut from).take();
        }
        let key = |row: &Row| (row.id.clone(), row.metric.clone());
        let counts = record.rows.iter().filter_map(|row| Some((key(row), count(row)?)));
        Self { environment, counts: counts.collect() }
    }

    /// The file, or `None` where there is none.
    ///
    /// # Errors
    /// [`Exit::Usage`] with the line that can't be read.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                let sentence = format!("{} can't be read: it is no text", path.display());
                Err(failure(Exit::Usage, sentence))
            }
            Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
        }
    }

    /// Replaces the file, or leaves what was there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().context("a baseline lies in a folder")?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        disk::write(path, self.text().as_bytes())
    }

    /// As a record, to be compared with `head`: a baseline does not say in which unit and with
    /// which dimensions it was counted, so these are the head's.
    pub(crate) fn record(&self, head: &RunRecord) -> RunRecord {
        let mut record = RunRecord::begin(self.environment.clone());
        for ((id, metric), value) in &self.counts {
            let twin = head.rows.iter().find(|row| row.id == *id && row.metric == *metric);
            // One is enough for what has nobody to be compared with.
            let unit = twin.map_or("1", |row| &row.unit);
            let row = Row::measured(id, metric.clone(), unit, Data::Count { value: *value });
            let dimensions = twin.map(|row| row.dimensions.clone()).unwrap_or_default();
            record.rows.push(Row { gates: true, dimensions, ..row });
        }
        record
    }

    fn text(&self) -> String {
        let mut environment = self.environment.clone();
        let features = (CPU_FEATURES, Some(environment.cpu_features.join(" ")));
        let known = FIELDS.map(|(name, field)| (name, field(&mut environment).take()));
        let mut lines = vec![FIRST.to_owned()];
        for (name, value) in known.into_iter().chain([features]) {
            lines.extend(value.map(|value| format!("# {name}: {value}").trim_end().to_owned()));
        }
        let count =
            |((id, metric), count): (&(String, Metric), &u64)| format!("{id} {metric} {count}");
        lines.extend(self.counts.iter().map(count));
        lines.join("\n") + "\n"
    }

    fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        let mut baseline = Self::default();
        for (number, line) in text.lines().enumerate() {
            baseline.take(number, line).map_err(|why| {
                let (path, number) = (path.display(), number + 1);
                let sentence = format!(
                    "{path} can't be read in line {number}: {why}; restore the file, or remove it \
                     and run `cargo perf bless`"
                );
                failure(Exit::Usage, sentence)
            })?;
        }
        if text.is_empty() {
            let sentence =
                format!("{} is empty; remove it and run `cargo perf bless`", path.display());
            return Err(failure(Exit::Usage, sentence));
        }
        Ok(baseline)
    }

    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        if number == 0 {
            return if line == FIRST { Ok(()) } else { Err(format!("it does not say '{FIRST}'")) };
        }
        match line.strip_prefix("# ") {
            Some(header) => self.take_header(header),
            None => self.take_count(line),
        }
    }

    fn take_header(&mut self, header: &str) -> Result<(), String> {
        let (name, value) = header.split_once(':').ok_or("write '# name: value'")?;
        let value = value.trim();
        if name == CPU_FEATURES {
            self.environment.cpu_features = value.split_whitespace().map(str::to_owned).collect();
            return Ok(());
        }
        let (_, field) = FIELDS
            .into_iter()
            .find(|(field, _)| *field == name)
            .ok_or_else(|| format!("'{name}' is nothing that a count depends on"))?;
        *field(&mut self.environment) = Some(value.to_owned());
        Ok(())
    }

    fn take_count(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.split(' ');
        let (Some(id), Some(metric), Some(value), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("'{line}' is not 'id metric count'"));
        };
        let metric = Metric::from(metric.to_owned());
        if !metric.may_gate() {
            return Err(format!("'{metric}' is no count"));
        }
        let value = value.parse().map_err(|_| format!("'{value}' is no count"))?;
        let key = (id.to_owned(), metric);
        if self.counts.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(format!("{id} {} stands twice, or not in its place", key.1));
        }
        self.counts.insert(key, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::record;
    use super::*;

    fn sample() -> Baseline {
        let mut record =
            record(&[("pool/b", Ok(200)), ("pool/a", Ok(1_000)), ("pool/c", Err("hung"))]);
        record.environment.rustflags = Some(String::new());
        record.environment.git_commit = Some("f00".into());
        let calls = Row::measured("pool/a", Metric::Allocations, "1", Data::Count { value: 0 });
        record.rows.push(calls);
        Baseline::of(&record)
    }

    const TEXT: &str = "# cargo perf baseline 1; written by `cargo perf bless`\n\
        # rustc: x\n# target: x\n# rustflags:\n# profile: x\n# glibc: x\n# glibc_tunables: x\n\
        # valgrind: x\n# cpu_features: avx2\n\
        pool/a instructions 1000\npool/a allocations 0\npool/b instructions 200\n";

    #[test]
    fn a_baseline_is_text_with_one_line_a_count_and_reads_as_it_was_written() {
        assert_eq!(sample().text(), TEXT);
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("ci/baselines/x.txt");
        assert_eq!(Baseline::read(&path).expect("no file"), None);
        sample().write(&path).expect("written");
        assert_eq!(Baseline::read(&path).expect("sound"), Some(sample()));
    }

    #[test]
    fn the_name_tells_target_and_cpu_features_apart() {
        let mut environment = sample().environment;
        let name = |environment: &Environment| {
            let path = place(Path::new("/w"), environment).expect("known");
            path.display().to_string()
        };
        let first = name(&environment);
        assert!(first.starts_with("/w/ci/baselines/x-") && first.ends_with(".txt"), "{first}");
        environment.cpu_features.push("erms".into());
        assert_ne!(name(&environment), first);
        environment.cpu_features.clear();
        let error = place(Path::new("/w"), &environment).expect_err("unknown");
        assert_eq!(crate::exit::of(&error), Exit::NotComparable);
    }

    #[test]
    fn what_is_compared_has_the_heads_unit_and_dimensions() {
        let head = record(&[("pool/a", Ok(1_001))]);
        let base = sample().record(&head);
        let row = base.rows.iter().find(|row| row.id == "pool/a").expect("there");
        assert_eq!((row.unit.as_str(), row.gates), ("instructions", true));
        assert_eq!(row.dimensions, head.rows[0].dimensions);
    }

    #[test]
    fn whatever_is_broken_is_named_with_its_line() {
        let add = |line: &str| format!("{TEXT}{line}\n");
        for (text, line, why) in [
            (String::new(), "", "is empty"),
            ("pool/a instructions 1\n".into(), "line 1", "it does not say"),
            (add("<<<<<<< HEAD"), "line 13", "'<<<<<<< HEAD' is not 'id metric count'"),
            (add("pool/c instructions"), "line 13", "is not 'id metric count'"),
            (add("pool/c instructions  7"), "line 13", "is not 'id metric count'"),
            (add("pool/c instructions -7"), "line 13", "'-7' is no count"),
            (add("pool/c instruction 7"), "line 13", "'instruction' is no count"),
            (add("pool/c wall_time 7"), "line 13", "'wall_time' is no count"),
            (add("pool/b instructions 7"), "line 13", "stands twice, or not in its place"),
            (add("pool/a instructions 7"), "line 13", "stands twice, or not in its place"),
            (add("# rustk: 1"), "line 13", "'rustk' is nothing"),
            (add(""), "line 13", "is not 'id metric count'"),
        ] {
            let error = Baseline::parse(Path::new("x.txt"), &text).expect_err(&text);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            let said = error.to_string();
            assert!(said.contains(line) && said.contains(why), "{said}");
            assert!(said.starts_with("x.txt") && said.lines().count() == 1, "{said}");
        }
    }
}
