//! A record as people read it. [`view`] arranges, [`words`] says it in sentences; [`table`],
//! [`markdown`] and [`html`] only lay out.

pub(crate) mod disk;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod number;
pub(crate) mod table;
pub(crate) mod verdicts;
pub(crate) mod view;
pub(crate) mod words;

use std::path::{Path, PathBuf};

use bench_core::record::RunRecord;

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
    let (markdown, html) = (markdown::report(&view), html::page::report(&view));
    let written = Written { markdown: folder.join("report.md"), html: folder.join("report.html") };
    disk::write(&written.markdown, markdown.as_bytes())?;
    disk::write(&written.html, html.as_bytes())?;
    Ok(written)
}
