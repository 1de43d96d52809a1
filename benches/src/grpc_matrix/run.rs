//! From flags to rows, a table and the recommendation.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bench_core::fixture::Payload;
use bench_core::judge::best::best;
use bench_core::judge::matrix::{BASELINE, arms, link_in_words, words};
use bench_core::measure::usage::resident_bytes;
use bench_core::record::{Metric, Row, RunRecord};
use bench_core::workload::Failure;
use bench_grpc::TransportProfile;
use bench_grpc::ceiling::CeilingConfig;
use bytes::Bytes;
use indicatif::ProgressBar;

use super::arm::{Arm, Arms, Started};
use super::end::End;
use super::flags::Matrix;
use super::grpc::Grpc;
use super::link::NOT_THE_LINKS;
use super::plan::{Cell, Effort, SEED};
use super::raw::Raw;
use super::round::measure;
use super::setup::{Place, Setup};
use super::table::table;
use super::tally::Tally;
use super::watch::Watch;
use crate::front::text::show;
use crate::front::{
    BROKE, INTERRUPTED, NOT_MEASURED, USAGE, bar, open_record, stop_on_signals, told, write_record,
};

/// The arm of the raw socket. It is in the rows of the others, and has one of its own only where it
/// failed.
const RAW: &str = "raw";

/// Measures the matrix, writes the record, prints table and recommendation; the exit code says how
/// it went.
pub fn run(matrix: &Matrix) -> ExitCode {
    run_quietly(matrix).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

fn run_quietly(matrix: &Matrix) -> Result<(), u8> {
    let turning = matrix.profiles.len() + usize::from(matrix.setup.ceiling().is_ok());
    let mut session = Session::open(matrix, turning)?;
    reach(matrix, &session.progress)
        .map_err(|error| told(&format!("nothing was measured: {error}"), NOT_MEASURED))?;
    for cell in &matrix.cells {
        let rows = |watch: &mut dyn Watch| {
            cell_rows(cell, &matrix.setup, &matrix.profiles, matrix.effort, watch)
        };
        session.cell(cell, rows)?;
    }
    let rows = session.rows();
    let ranked = arms(rows);
    let recommended = match ranked.is_empty() {
        true => String::new(),
        false => words(&best(&ranked, matrix.profiles[0].name), &link_in_words(rows)),
    };
    let no_ceiling = matrix.setup.ceiling().err().map(|why| format!("{why}\n"));
    let no_ceiling = no_ceiling.unwrap_or_default();
    let text = format!("{}{no_ceiling}\n{recommended}", table(rows));
    show(text);
    session.end()
}

/// What would fail every cell, looked at once: whether a server that somebody else runs is there, or the
/// link between two ends of ours is what was asked for.
fn reach(matrix: &Matrix, watch: &dyn Watch) -> Result<(), Failure> {
    if let Some(between) = matrix.setup.link.as_ref().filter(|link| link.judged)
        && let Place::Here { .. } = matrix.setup.place
    {
        between.calibrate_all()?;
    }
    if let Place::Elsewhere(_) = matrix.setup.place {
        let smallest = matrix.cells.iter().map(|cell| cell.size).min().ok_or("there is no cell")?;
        let payload = Payload::seeded(SEED, smallest);
        let content = (payload, payload.to_bytes());
        drop(End::open(&matrix.setup, matrix.profiles[0], content, watch)?);
    }
    Ok(())
}

/// One run over all cells: its record, its progress, and whether the user wants to stop.
pub(super) struct Session {
    record: RunRecord,
    output: Option<PathBuf>,
    progress: Progress,
}

impl Session {
    /// Before anything is measured: the output file is written, signals are caught.
    ///
    /// # Errors
    /// The exit code, once the sentence is told.
    pub(super) fn open(matrix: &Matrix, arms: usize) -> Result<Self, u8> {
        let output = matrix.output.clone();
        let record = open_record(output.as_deref()).map_err(|error| told(&error, USAGE))?;
        let stop = stop_on_signals().map_err(|error| told(&error.to_string(), 1))?;
        let turns = arms as u64 * (matrix.effort.rounds + 1) * matrix.cells.len() as u64;
        Ok(Self { record, output, progress: Progress { bar: bar(turns), stop } })
    }

    /// Measures one cell, unless the user wants to stop, and keeps its rows.
    ///
    /// # Errors
    /// The exit code, where the disk takes no more.
    pub(super) fn cell(
        &mut self,
        cell: &Cell,
        measure: impl FnOnce(&mut dyn Watch) -> Vec<Row>,
    ) -> Result<(), u8> {
        if self.progress.stopped() {
            return Ok(());
        }
        self.progress.bar.set_message(cell.scenario());
        self.record.rows.extend(measure(&mut self.progress));
        let written = write_record(&self.record, self.output.as_deref());
        written.map_err(|error| told(&error.to_string(), BROKE))
    }

    /// What was measured by now.
    pub(super) fn rows(&self) -> &[Row] {
        self.progress.bar.finish_and_clear();
        &self.record.rows
    }

    /// How it went.
    ///
    /// # Errors
    /// The exit code, once the sentence is told.
    pub(super) fn end(self) -> Result<(), u8> {
        code_of(&self.record.rows, self.progress.stopped())
    }
}

/// How it went: 4 where it was interrupted, nothing was measured or links spoiled what failed, 1 where
/// a cell failed for another reason or any operation did.
fn code_of(rows: &[Row], interrupted: bool) -> Result<(), u8> {
    if interrupted {
        return Err(told(INTERRUPTED, NOT_MEASURED));
    }
    let failed: Vec<&Row> = rows.iter().filter(|row| !row.ok).collect();
    let first = failed.first().map(|row| {
        let why = row.error.as_deref().unwrap_or("no reason was given");
        format!("{}: {why}", row.id)
    });
    if !rows.iter().any(|row| row.ok && row.metric == Metric::WallTime) {
        let why = first.as_deref().unwrap_or("there is no cell");
        return Err(told(&format!("nothing was measured: {why}"), NOT_MEASURED));
    }
    if let Some(first) = first {
        let spoiled = failed.iter().all(|row| is_spoiled(row));
        let code = if spoiled { NOT_MEASURED } else { BROKE };
        return Err(told(&format!("{} failed, the first is {first}", failed.len()), code));
    }
    match rows.iter().find(|row| !row.errors.is_empty()) {
        Some(row) => Err(told(&format!("operations of {} failed", row.id), 1)),
        None => Ok(()),
    }
}

/// Whether its link was not what was asked for, by which nothing broke.
fn is_spoiled(row: &Row) -> bool {
    row.error.as_ref().is_some_and(|why| why.contains(NOT_THE_LINKS))
}

/// Shows turns and stops on signals.
struct Progress {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Watch for Progress {
    fn turned(&mut self, _arm: &str) {
        self.bar.inc(1);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The rows of one cell: every profile in turns, and a raw socket with them where there can be one.
pub fn cell_rows(
    cell: &Cell,
    setup: &Setup,
    profiles: &[TransportProfile],
    effort: Effort,
    watch: &mut dyn Watch,
) -> Vec<Row> {
    let payload = Payload::seeded(SEED, cell.size);
    let content = (payload, payload.to_bytes());
    let base = resident_bytes();
    let mut tallies = measure(&mut start(cell, setup, profiles, content, watch), effort, watch);
    tallies.iter_mut().for_each(|tally| tally.stand_on(base));
    let link = setup.link();
    let (raw, own): (Vec<&Tally>, Vec<&Tally>) =
        tallies.iter().partition(|tally| tally.name == RAW);
    let ceiling = raw.iter().find(|tally| tally.is_sound()).copied();
    let own = own.into_iter().flat_map(|tally| tally.rows(cell, &link, ceiling));
    let failed = raw.iter().filter_map(|tally| tally.no_ceiling(cell, &link));
    let mut rows: Vec<Row> = own.chain(failed).collect();
    if let Some(first) = profiles.first() {
        for row in &mut rows {
            row.dimensions.insert(BASELINE.to_owned(), first.name.to_owned());
        }
    }
    rows
}

fn start(
    cell: &Cell,
    setup: &Setup,
    profiles: &[TransportProfile],
    (payload, content): (Payload, Bytes),
    watch: &dyn Watch,
) -> Arms {
    let mut arms: Arms = Vec::new();
    for profile in profiles {
        let open = End::open(setup, *profile, (payload, content.clone()), watch);
        let arm = open.map(|end| Grpc::new(profile.name, cell, setup, end));
        arms.push((profile.name.to_owned(), boxed(arm)));
    }
    if let Ok((layout, wire)) = setup.ceiling() {
        let (pinned, socket_buffer) = (true, None);
        let (payload, content) = match cell.part {
            None => (payload, content),
            Some(part) => {
                let payload = Payload::seeded(SEED, part.length);
                (payload, payload.to_bytes())
            }
        };
        let config = CeilingConfig { layout, pinned, wire, payload, socket_buffer };
        let raw = match &setup.link {
            None => Raw::start(RAW, cell.operation, config, content),
            Some(link) => Raw::through(RAW, cell.operation, config, content, link),
        };
        arms.push((RAW.to_owned(), boxed(raw)));
    }
    arms
}

pub(super) fn boxed<A: Arm + 'static>(arm: Result<A, Failure>) -> Started {
    arm.map(|arm| Box::new(arm) as Box<dyn Arm>).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
