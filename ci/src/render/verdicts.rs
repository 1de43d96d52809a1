//! The verdicts document: what `gate` and `compare` thought of two sides, handed to whoever shows
//! it. One JSON file beside the two records; the only coupling between judging and rendering.
//!
//! How to hand one over: [`Verdicts::new`], one [`Judged::of`] per pair (set `note`, `bound`,
//! `functions`, `sites`, `flamegraph` where there are any; a judge with an estimate of its own sets `base`,
//! `head`, `ratio` and `interval` too), then [`Verdicts::write`] into the folder of the records.
//! `cargo perf report FILE` shows it. File names inside it are relative to its folder.

use std::path::Path;

use anyhow::Context;
use bench_core::judge::{Comparability, Pair, Verdict};
use bench_core::record::Metric;
use serde::{Deserialize, Serialize};

use super::disk;
use crate::exit::{Exit, failure};

/// The version this program writes and reads.
pub(crate) const VERSION: u32 = 1;

/// All that was thought of two sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdicts {
    /// [`VERSION`]; its name is what tells this document from a record.
    pub(crate) verdicts: u32,
    /// The command that judged: `gate`, `compare`.
    pub(crate) command: String,
    /// The result in one sentence, as in `gate passed (exit 0): 62 unchanged`.
    pub(crate) sentence: String,
    /// The code that the command exits with.
    pub(crate) exit: u8,
    pub(crate) base: Side,
    pub(crate) head: Side,
    /// How the numbers came about and what else is to be known of all of them, a sentence each.
    pub(crate) remarks: Vec<String>,
    /// One per id and metric, in any order.
    pub(crate) judged: Vec<Judged>,
}

/// One of the two that were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Side {
    /// What the user called it: `main`, `the working tree`, `before.json`.
    pub(crate) name: String,
    /// Full hash, where it is a commit.
    pub(crate) commit: Option<String>,
    /// The file of its record, with the raw samples.
    pub(crate) record: Option<String>,
}

/// What is thought of one metric of one id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) id: String,
    pub(crate) metric: Metric,
    /// Of `base` and `head`.
    pub(crate) unit: String,
    pub(crate) word: Word,
    /// Per operation; of many values the median.
    pub(crate) base: Option<f64>,
    pub(crate) head: Option<f64>,
    /// `head / base`.
    pub(crate) ratio: Option<f64>,
    /// Where the ratio lies, low and high; `None` for counts, which are exact.
    pub(crate) interval: Option<(f64, f64)>,
    /// Why the word is not the one that the numbers suggest, or what else is to be known.
    pub(crate) note: Option<String>,
    /// The bound that decided, as in `0.3 % of 10,000 (policy)` or `fence of 30 runs: 1.2 %`.
    pub(crate) bound: Option<String>,
    /// What the difference came from, the largest first.
    #[serde(default)]
    pub(crate) functions: Vec<Function>,
    /// Where it allocates more or less, the largest difference first.
    #[serde(default)]
    pub(crate) sites: Vec<Site>,
    /// The file of a differential flamegraph, an SVG.
    #[serde(default)]
    pub(crate) flamegraph: Option<String>,
}

/// How much one function took itself, in the unit of the id's metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Function {
    /// Demangled, without hash.
    pub(crate) function: String,
    pub(crate) base: u64,
    pub(crate) head: u64,
    /// `file:line` from the root of the workspace, or from the crate's name on.
    pub(crate) place: Option<String>,
}

/// How often one function allocated, and how many bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Site {
    /// Demangled, without hash.
    pub(crate) function: String,
    /// `file:line` as in [`Function::place`], after the change, or before it where the site is gone.
    pub(crate) place: String,
    /// Allocation calls before.
    pub(crate) base_allocations: u64,
    /// Allocation calls after.
    pub(crate) head_allocations: u64,
    /// Bytes asked for before.
    pub(crate) base_bytes: u64,
    /// Bytes asked for after.
    pub(crate) head_bytes: u64,
}

/// A verdict as people read it, or why there is none. The graver, the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    /// Worse by more than the limit.
    Regressed,
    /// Regressed beside something that is not.
    Mixed,
    /// Was to be measured and was not, or failed.
    Missing,
    /// The two numbers say nothing about each other.
    Incomparable,
    /// The evidence does not suffice.
    Undecided,
    /// Better by more than the limit.
    Improved,
    /// Failed in the base, measured in the head.
    Mended,
    /// Measured in the head only.
    New,
    /// In the base only, and no longer expected.
    Removed,
    /// Within the limit.
    Unchanged,
}

impl Word {
    /// Every word, the gravest first.
    pub(crate) const ALL: [Self; 10] = [
        Self::Regressed,
        Self::Mixed,
        Self::Missing,
        Self::Incomparable,
        Self::Undecided,
        Self::Improved,
        Self::Mended,
        Self::New,
        Self::Removed,
        Self::Unchanged,
    ];

    /// As it is written, on disk too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Mixed => "mixed",
            Self::Missing => "missing",
            Self::Incomparable => "incomparable",
            Self::Undecided => "undecided",
            Self::Improved => "improved",
            Self::Mended => "mended",
            Self::New => "new",
            Self::Removed => "removed",
            Self::Unchanged => "unchanged",
        }
    }
}

impl From<&Verdict> for Word {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Improved => Self::Improved,
            Verdict::Unchanged => Self::Unchanged,
            Verdict::Regressed => Self::Regressed,
            Verdict::Mixed => Self::Mixed,
            Verdict::Undecided => Self::Undecided,
            Verdict::Missing => Self::Missing,
            Verdict::Incomparable(_) => Self::Incomparable,
        }
    }
}

impl Judged {
    /// A pair with a word for it; the note is why it does not compare, where that is so.
    pub(crate) fn of(pair: &Pair, word: Word) -> Self {
        let effect = pair.effect;
        let row = |row: Option<&bench_core::record::Row>| match row?.per_operation().as_slice() {
            [] => None,
            values => Some(bench_core::judge::stats::median(values)),
        };
        let interval = effect.and_then(|effect| effect.interval);
        let note = match &pair.comparability {
            Comparability::No(why) => Some(why.clone()),
            _ => None,
        };
        Self {
            id: pair.id.clone(),
            metric: pair.metric.clone(),
            unit: pair.unit.clone(),
            word,
            base: effect.map(|effect| effect.base).or_else(|| row(pair.measured_base())),
            head: effect.map(|effect| effect.head).or_else(|| row(pair.measured_head())),
            ratio: effect.and_then(|effect| effect.ratio),
            interval: interval.map(|interval| (interval.low, interval.high)),
            note,
            bound: None,
            functions: Vec::new(),
            sites: Vec::new(),
            flamegraph: None,
        }
    }

    /// An id without a pair: expected and absent, or removed.
    pub(crate) fn absent(id: &str, metric: Metric, word: Word, note: &str) -> Self {
        Self {
            id: id.to_owned(),
            metric,
            unit: String::new(),
            word,
            base: None,
            head: None,
            ratio: None,
            interval: None,
            note: Some(note.to_owned()),
            bound: None,
            functions: Vec::new(),
            sites: Vec::new(),
            flamegraph: None,
        }
    }
}

impl Verdicts {
    /// A document without remarks and ids yet.
    pub(crate) fn new(command: &str, exit: Exit, sentence: String, base: Side, head: Side) -> Self {
        Self {
            verdicts: VERSION,
            command: command.to_owned(),
            sentence,
            exit: exit as u8,
            base,
            head,
            remarks: Vec::new(),
            judged: Vec::new(),
        }
    }

    /// Each word with how many ids have it, the gravest first; words that none has are left out.
    pub(crate) fn counts(&self) -> Vec<(Word, usize)> {
        let number = |word| self.judged.iter().filter(|one| one.word == word).count();
        let counts = Word::ALL.into_iter().map(|word| (word, number(word)));
        counts.filter(|(_, number)| *number > 0).collect()
    }

    /// What was judged, the gravest first, then the largest change, then by id and metric.
    pub(crate) fn by_gravity(&self) -> Vec<&Judged> {
        let far =
            |one: &Judged| one.ratio.filter(|ratio| *ratio > 0.0).map_or(0.0, |r| r.ln().abs());
        let mut all: Vec<&Judged> = self.judged.iter().collect();
        all.sort_by(|a, b| {
            let change = far(b).total_cmp(&far(a));
            let name = (&a.id, &a.metric).cmp(&(&b.id, &b.metric));
            a.word.cmp(&b.word).then(change).then(name)
        });
        all
    }

    /// Replaces the file, or leaves what was there.
    ///
    /// # Errors
    /// One sentence with the path, whatever the disk did not take.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self).context("failed to write the verdicts")?;
        disk::write(path, json.as_bytes())
    }

    /// The document in the text, which is the content of `path`; `None` where it is none but may
    /// be a record.
    ///
    /// # Errors
    /// [`Exit::Usage`] for another version, and for one that is cut short or makes no sense.
    pub(crate) fn parse(text: &str, path: &Path) -> anyhow::Result<Option<Self>> {
        /// Only what tells the documents apart.
        #[derive(Deserialize)]
        struct Kind {
            verdicts: Option<u32>,
        }
        let told = path.display();
        let wrong = |why: String| failure(Exit::Usage, format!("{told} {why}"));
        match serde_json::from_str(text) {
            Ok(Kind { verdicts: Some(VERSION) }) => {}
            Ok(Kind { verdicts: Some(other) }) => {
                let why = format!("has verdicts of version {other}; this program reads {VERSION}");
                return Err(wrong(why));
            }
            _ => return Ok(None),
        }
        let document = serde_json::from_str(text);
        document.map(Some).map_err(|error| wrong(format!("holds no verdicts: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(id: &str, word: Word, ratio: f64) -> Judged {
        let mut judged = Judged::absent(id, Metric::WallTime, word, "");
        judged.ratio = Some(ratio);
        judged
    }

    fn document() -> Verdicts {
        let side = Side::default;
        let mut all = Verdicts::new("gate", Exit::Regressed, "x".into(), side(), side());
        all.judged = vec![
            judged("c", Word::Unchanged, 1.0),
            judged("b", Word::Regressed, 1.1),
            judged("a", Word::Regressed, 0.5),
        ];
        all
    }

    #[test]
    fn a_document_comes_back_from_its_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("verdicts.json");
        document().write(&path).expect("written");
        let text = std::fs::read_to_string(&path).expect("there");
        assert_eq!(Verdicts::parse(&text, &path).expect("sound"), Some(document()));
    }

    #[test]
    fn what_is_none_is_told_from_what_is_broken() {
        let path = Path::new("v.json");
        for other in ["{\"schema\":1,\"rows\":[]}", "no JSON", "{"] {
            assert_eq!(Verdicts::parse(other, path).expect("may be a record"), None, "{other}");
        }
        for (bad, part) in
            [("{\"verdicts\":2}", "version 2"), ("{\"verdicts\":1}", "missing field `command`")]
        {
            let error = Verdicts::parse(bad, path).expect_err(bad);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn the_gravest_and_the_farthest_come_first() {
        let document = document();
        let ids: Vec<&str> = document.by_gravity().iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(document.counts(), [(Word::Regressed, 2), (Word::Unchanged, 1)]);
    }

    #[test]
    fn words_are_written_as_they_are_named() {
        for word in Word::ALL {
            assert_eq!(serde_json::to_value(word).expect("text"), word.name());
        }
    }
}
