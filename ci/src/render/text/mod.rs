//! The forms of a report for other programs: a spreadsheet, a script, a test dashboard, a build's
//! log. Each is one pure function from the report to text, and escapes whatever it is given.

pub(crate) mod csv;
pub(crate) mod github;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;

use super::Report;
use super::verdicts::{Judged, Word};
use super::view::View;
use bench_core::judge::stats;
use bench_core::record::Row;

/// One row of a form: what was judged, or of a record alone what was measured.
#[derive(Clone, Debug)]
struct Line<'a> {
    id: &'a str,
    metric: &'a str,
    unit: &'a str,
    /// The verdict; `measured` or `failed` where nothing was judged.
    word: &'a str,
    judged: Option<&'a Judged>,
    /// The median of what was measured, where nothing was judged.
    value: Option<f64>,
    note: String,
}

/// Every line, the gravest first, or in the order of the record.
fn lines<'a>(report: &'a Report<'_>) -> Vec<Line<'a>> {
    match report.verdicts {
        Some(verdicts) => verdicts.by_gravity().into_iter().map(judged).collect(),
        None => {
            let rows = report.record.rows.iter().filter(|row| !row.is_of_watch());
            rows.map(measured).collect()
        }
    }
}

fn judged(one: &Judged) -> Line<'_> {
    let note = [&one.bound, &one.note].into_iter().flatten().cloned().collect::<Vec<_>>();
    Line {
        id: &one.id,
        metric: one.metric.name(),
        unit: &one.unit,
        word: one.word.name(),
        judged: Some(one),
        value: None,
        note: note.join("; "),
    }
}

fn measured(row: &Row) -> Line<'_> {
    Line {
        id: &row.id,
        metric: row.metric.name(),
        unit: &row.unit,
        word: if row.ok { "measured" } else { "failed" },
        judged: None,
        value: value(row),
        note: row.error.clone().unwrap_or_default(),
    }
}

/// The one number that stands for a row: a count, or a median.
fn value(row: &Row) -> Option<f64> {
    let values = row.per_operation();
    if !values.is_empty() && values.iter().all(|value| value.is_finite()) {
        return Some(stats::median(&values));
    }
    let histogram =
        row.data.as_ref()?.histogram().ok().filter(|histogram| !histogram.is_empty())?;
    Some(histogram.value_at_quantile(0.5) as f64)
}

/// The sentence that says how all went.
pub(crate) fn sentence(report: &Report<'_>) -> String {
    match report.verdicts {
        Some(verdicts) => verdicts.sentence.clone(),
        None => super::words::summary(&View::of(report.record)),
    }
}

/// Why all of it failed, where no id may say so: a budget that broke has none.
fn failed(report: &Report<'_>) -> Option<String> {
    let verdicts = report.verdicts.filter(|verdicts| verdicts.exit != 0)?;
    let said = std::iter::once(&verdicts.sentence).chain(&verdicts.remarks);
    Some(said.cloned().collect::<Vec<_>>().join("; "))
}

/// Whether a form that knows only good and bad calls this bad.
fn is_bad(word: Word) -> bool {
    matches!(word, Word::Regressed | Word::Mixed | Word::Missing | Word::Incomparable)
}

/// Golden files: what was agreed, and how to agree to something else.
#[cfg(test)]
pub(super) mod golden {
    use super::super::trend::{Trend, sample as trend};
    use super::super::verdicts::{Function, Site, Verdicts};
    use super::super::view::sample;
    use super::*;
    use bench_core::record::RunRecord;

    /// A comparison with a trend, small enough to be read.
    pub(in crate::render) struct Small {
        base: RunRecord,
        head: RunRecord,
        verdicts: Verdicts,
        trends: Vec<Trend>,
    }

    impl Small {
        /// Of three rooms what has a verdict of its own, and one id that is unchanged.
        pub(in crate::render) fn new() -> Self {
            let mut record = sample::record();
            record
                .rows
                .retain(|row| row.id.contains("4KiB") || row.id.ends_with("/1KiB") || !row.ok);
            let (base, head, mut verdicts) = sample::comparison_of(record);
            verdicts.remarks.push("said: ask @all, see #1 and https://a.b".to_owned());
            Self { base, head, verdicts, trends: vec![trend(12)] }
        }

        pub(in crate::render) fn report(&self) -> Report<'_> {
            Report {
                base: Some(&self.base),
                verdicts: Some(&self.verdicts),
                trends: &self.trends,
                ..Report::of(&self.head)
            }
        }

        /// Every verdict this many times, under different ids.
        pub(in crate::render) fn repeat(&mut self, times: usize) {
            let all = std::mem::take(&mut self.verdicts.judged);
            for n in 0..times {
                let copies = all.iter().cloned().map(|mut one| {
                    one.id = format!("{}/{n}", one.id);
                    one
                });
                self.verdicts.judged.extend(copies);
            }
        }

        /// The first that regressed came from so many functions and sites.
        pub(in crate::render) fn explain(&mut self, many: u64) {
            let mut judged = self.verdicts.judged.iter_mut();
            let one = judged.find(|one| one.word == Word::Regressed).expect("one");
            let function = |n| Function {
                function: format!("fill_{n}"),
                base: 1_000,
                head: 2_000 - n,
                place: None,
            };
            let site = |n| Site {
                function: format!("site_{n}"),
                place: "a.rs:7".to_owned(),
                base_allocations: 1,
                head_allocations: 3,
                base_bytes: 4_096,
                head_bytes: 12_288,
            };
            one.functions = (0..many).map(function).collect();
            one.sites = (0..many).map(site).collect();
        }

        /// Nothing changed, and yet it did not pass.
        pub(in crate::render) fn failed_by_a_budget() -> Self {
            let mut small = Self::new();
            small.verdicts.judged.retain(|one| one.word == Word::Unchanged);
            small.verdicts.remarks = vec!["pool/cycle is over its budget".to_owned()];
            small
        }

        /// As [`report`](Self::report), with this text wherever a text of others can stand.
        pub(in crate::render) fn spoilt(text: &str) -> Self {
            let mut small = Self::new();
            small.trends[0].id = text.to_owned();
            small.trends[0].changes[0].note = Some(text.to_owned());
            small.trends[0].points[0].commit = Some(text.to_owned());
            let verdicts = &mut small.verdicts;
            verdicts.sentence = text.to_owned();
            verdicts.remarks = vec![text.to_owned()];
            for side in [&mut verdicts.base, &mut verdicts.head] {
                (side.name, side.commit) = (text.to_owned(), Some(text.to_owned()));
            }
            for one in &mut verdicts.judged {
                (one.id, one.unit) = (format!("{}{text}", one.id), text.to_owned());
                (one.note, one.bound) = (Some(text.to_owned()), Some(text.to_owned()));
                for site in &mut one.sites {
                    (site.function, site.place) = (text.to_owned(), text.to_owned());
                }
                for function in &mut one.functions {
                    (function.function, function.place) = (text.to_owned(), Some(text.to_owned()));
                }
            }
            small
        }
    }

    /// What people and programs do with names: markup, separators, ends of blocks, terminals.
    pub(in crate::render) const EVIL: &str = "</script><img src=x onerror=alert(1)>|a,b\n::error::x\r]]>&\"'`\u{2028}\u{7}\u{1b}[2J%0A--> @all #1 https://a.b www.a.b";

    /// Compares with `tests/golden/NAME`, or writes it where `WEIGHBRIDGE_BLESS` is set.
    pub(in crate::render) fn agrees(name: &str, told: &str) {
        let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("WEIGHBRIDGE_BLESS").is_some() {
            std::fs::write(&path, told).expect("golden file written");
        }
        let agreed = std::fs::read_to_string(&path).unwrap_or_default();
        let why = "changed; if it should, run with WEIGHBRIDGE_BLESS=1";
        assert!(told == agreed, "{name} {why}:\n{told}");
    }
}
