//! What people read on standard output.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes it to standard output. A closed pipe at the other end is not the scenario's failure.
pub(crate) fn show(text: impl Display) {
    let _closed = write!(io::stdout().lock(), "{text}");
}

/// Columns two blanks apart, all but the first aligned to the right; a line with fewer cells than
/// titles ends in text.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let whole = |line: &&Vec<String>| line.len() == columns;
    let width = |column: usize| {
        let first = lines.iter().filter(|line| column == 0 || whole(line));
        first.map(|line| line[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            match column {
                0 => text.extend([cell, gap.as_str()]),
                _ if line.len() < columns => text.extend(["  ", cell]),
                _ => text.extend(["  ", gap.as_str(), cell]),
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
