//! A record as people read it, alone or with what was thought of it. [`view`] arranges, [`words`]
//! says it in sentences; [`table`], [`text`] and [`html`] only lay out. [`verdicts`] and [`trend`]
//! are what others hand over.

pub(crate) mod changes;
pub(crate) mod disk;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod matrix;
pub(crate) mod number;
pub(crate) mod past;
mod shape;
pub(crate) mod source;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod trend;
pub(crate) mod verdicts;
pub(crate) mod view;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bench_core::record::RunRecord;

/// GitHub takes comments and issues of 65,536 characters; the rest is for whoever puts words around it.
pub(crate) const MARKDOWN_BYTES_MAX: usize = 60_000;
/// A reader of a comment wants the first functions and sites of a difference; the page has more.
pub(crate) const COMMENT_ROWS_MAX: usize = 10;
/// More functions or sites of one difference than a reader of a page would scroll through.
pub(crate) const PAGE_ROWS_MAX: usize = 200;

/// Everything that a report may show.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    /// The record; of two sides the head.
    pub(crate) record: &'a RunRecord,
    pub(crate) base: Option<&'a RunRecord>,
    pub(crate) verdicts: Option<&'a verdicts::Verdicts>,
    pub(crate) trends: &'a [trend::Trend],
    /// Flamegraphs as SVG, by the names that the verdicts give them.
    pub(crate) flames: BTreeMap<String, String>,
}

impl<'a> Report<'a> {
    /// Of one record, without an opinion.
    pub(crate) fn of(record: &'a RunRecord) -> Self {
        Self { record, base: None, verdicts: None, trends: &[], flames: BTreeMap::new() }
    }

    /// What the two sides are called, the base first; never both the same.
    pub(crate) fn side_names(&self) -> [String; 2] {
        let told = |name: Option<&str>, role: &str| match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("{role}: {name}"),
            None => role.to_owned(),
        };
        let name = |side: fn(&verdicts::Verdicts) -> &verdicts::Side| {
            self.verdicts.map(|verdicts| side(verdicts).name.as_str())
        };
        [told(name(|v| &v.base), "base"), told(name(|v| &v.head), "head")]
    }
}

/// Where the reports are.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) markdown: PathBuf,
    pub(crate) html: PathBuf,
}

/// Writes `report.md` and `report.html` of the record into the folder, which must be there.
///
/// # Errors
/// When the disk takes no more; the reports that were there stay as they were.
pub(crate) fn write_reports(record: &RunRecord, folder: &Path) -> anyhow::Result<Written> {
    let view = view::View::of(record);
    let (markdown, html) = (markdown::report(&view), html::page::report(&Report::of(record)));
    let written = Written { markdown: folder.join("report.md"), html: folder.join("report.html") };
    disk::write(&written.markdown, markdown.as_bytes())?;
    disk::write(&written.html, html.as_bytes())?;
    Ok(written)
}
