//! Aligned tables for the terminal.

use bench_core::record::{Metric, RunRecord};

use super::view::{Entry, View};
use super::{number, words};

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// How a row of a table is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Neutral,
    Good,
    Bad,
    Quiet,
}

/// Columns with a title each; all but the first and the last are aligned to the right.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    titles: Vec<&'static str>,
    rows: Vec<(Tone, Vec<String>)>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(titles: &[&'static str]) -> Self {
        Self { titles: titles.to_vec(), rows: Vec::new() }
    }

    /// One more row; as many cells as there are titles.
    pub(crate) fn push(&mut self, tone: Tone, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.titles.len());
        self.rows.push((tone, cells.iter().map(|cell| clean(cell)).collect()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, columns two spaces apart.
    pub(crate) fn text(&self, colour: bool) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|(_, row)| row[column].chars().count());
            cells.chain([self.titles[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.titles.len()).map(width).collect();
        let titles: Vec<String> = self.titles.iter().map(|title| (*title).to_owned()).collect();
        let mut text = paint(&line(&titles, &widths), BOLD, colour);
        for (tone, row) in &self.rows {
            let code = match tone {
                Tone::Neutral => "",
                Tone::Good => GREEN,
                Tone::Bad => RED,
                Tone::Quiet => DIM,
            };
            text.push_str(&paint(&line(row, &widths), code, colour));
        }
        text
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let last = cells.len() - 1;
    let mut line = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let gap = " ".repeat(width - cell.chars().count());
        match column {
            0 => line.extend([cell, gap.as_str()]),
            _ if column == last => line.extend(["  ", cell]),
            _ => line.extend(["  ", gap.as_str(), cell]),
        }
    }
    line.trim_end().to_owned()
}

fn paint(line: &str, code: &str, colour: bool) -> String {
    if colour && !code.is_empty() { format!("{code}{line}{PLAIN}\n") } else { format!("{line}\n") }
}

/// Without control characters: an id or an error must not drive the terminal.
fn clean(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The record as one table, a summary below it.
pub(crate) fn run_table(record: &RunRecord, colour: bool) -> String {
    let view = View::of(record);
    let titles = ["id", "median", "±", "throughput", "ns/byte", "instructions", "per byte", "note"];
    let mut table = Table::new(&titles);
    for entry in view.rooms.iter().flat_map(|room| &room.entries) {
        table.push(if entry.failed() { Tone::Bad } else { Tone::Neutral }, cells(entry));
    }
    format!("{}\n{}\n", table.text(colour), words::summary(&view))
}

fn cells(entry: &Entry<'_>) -> Vec<String> {
    let time = entry.time.as_ref();
    let spread =
        time.and_then(|time| time.half_width()).map(|half| format!("{:.1} %", half * 100.0));
    let note = if let Some(failure) = entry.failures.first() {
        format!("failed: {}", words::one_line(words::reason(failure)))
    } else if let Some(latency) = &entry.latency {
        format!("p99 {}, max {}", number::time(latency.at(99.0)), number::time(latency.max()))
    } else {
        entry.others.iter().map(|row| words::other(row)).collect::<Vec<_>>().join(", ")
    };
    let median = match (time, &entry.latency) {
        (Some(time), _) => number::time(time.median),
        (None, Some(latency)) => format!("{} {}", Metric::Latency, number::time(latency.at(50.0))),
        (None, None) => String::new(),
    };
    vec![
        entry.id.to_owned(),
        median,
        spread.unwrap_or_default(),
        entry.throughput().map(number::rate).unwrap_or_default(),
        entry.ns_per_byte().map(number::short).unwrap_or_default(),
        entry.instructions.map(number::count).unwrap_or_default(),
        entry.instructions_per_byte().map(number::short).unwrap_or_default(),
        note,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::view::sample;

    #[test]
    fn columns_line_up_and_colour_is_a_choice() {
        let mut table = Table::new(&["id", "time", "note"]);
        table.push(Tone::Bad, vec!["a".into(), "1 µs".into(), "x".into()]);
        table.push(Tone::Neutral, vec!["longer".into(), "10 µs".into(), String::new()]);
        assert_eq!(table.text(false), "id       time  note\na        1 µs  x\nlonger  10 µs\n");
        assert!(table.text(true).contains("\x1b[31ma        1 µs  x\x1b[0m\n"));
    }

    #[test]
    fn cells_cannot_drive_the_terminal() {
        let mut table = Table::new(&["id", "note"]);
        table.push(Tone::Neutral, vec!["\x1b[2Ja".into(), "b\nc".into()]);
        assert!(!table.text(false).contains('\x1b'));
        assert_eq!(table.text(false).lines().count(), 2);
    }

    #[test]
    fn a_run_shows_every_id_and_why_one_failed() {
        let record = sample::record();
        let text = run_table(&record, false);
        for row in &record.rows {
            assert!(text.contains(&row.id), "{}", row.id);
        }
        assert!(text.contains("failed: the server closed the connection"), "{text}");
    }
}
