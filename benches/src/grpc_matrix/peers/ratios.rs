//! The ratios that a table of absolute numbers hides: each of two arms in the same rounds.

use bench_core::judge::matrix::{ARM, CELL};
use bench_core::judge::stats::median;
use bench_core::record::Row;

use super::{GRPCIO, GRPCIO_SERVER, RAW_TCP, RAW_UNIX, SEGMENTS, TONIC};
use crate::front::text::aligned;

const TITLES: [&str; 7] =
    ["segments in", "rounds", "of raw TCP", "CPU by raw TCP", "of raw Unix", "× tonic", "× grpcio"];

/// One line a cell; a dash where the other did not run.
pub(super) fn table(rows: &[Row]) -> String {
    let mut cells: Vec<&str> = Vec::new();
    for row in rows {
        if let Some(cell) = row.dimensions.get(CELL).filter(|cell| !cells.contains(&cell.as_str()))
        {
            cells.push(cell);
        }
    }
    let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
    for cell in cells {
        let of = |arm: &str, metric: &str| per_operation(rows, cell, arm, metric);
        let own = of(SEGMENTS, "wall_time");
        let times = |arm: &str| ratio(&of(arm, "wall_time"), &own);
        let faster = |arm: &str| text(times(arm));
        // With its own client or ours, whichever it is faster with.
        let grpcio = [GRPCIO, GRPCIO_SERVER].into_iter().filter_map(times).reduce(f64::min);
        let cpu = ratio(&of(SEGMENTS, "cpu_time"), &of(RAW_TCP, "cpu_time"));
        lines.push(vec![
            cell.to_owned(),
            own.len().to_string(),
            faster(RAW_TCP),
            text(cpu),
            faster(RAW_UNIX),
            faster(TONIC),
            text(grpcio),
        ]);
    }
    aligned(&lines)
}

fn per_operation(rows: &[Row], cell: &str, arm: &str, metric: &str) -> Vec<f64> {
    let is = |row: &&Row, name: &str, value: &str| {
        row.dimensions.get(name).is_some_and(|known| known == value)
    };
    let found = rows
        .iter()
        .find(|row| is(row, CELL, cell) && is(row, ARM, arm) && row.metric.name() == metric);
    found.map(Row::per_operation).unwrap_or_default()
}

/// The median over the rounds that both have of `above / below`.
fn ratio(above: &[f64], below: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = above.iter().zip(below).map(|(a, b)| a / b).collect();
    let sound = !ratios.is_empty() && ratios.iter().all(|ratio| ratio.is_finite());
    sound.then(|| median(&ratios))
}

fn text(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_rounds_that_both_have() {
        assert_eq!(ratio(&[2.0, 8.0, 6.0, 9.0], &[1.0, 2.0, 2.0]), Some(3.0));
        assert_eq!(ratio(&[], &[1.0]), None);
        assert_eq!(ratio(&[1.0], &[0.0]), None);
        assert_eq!((text(Some(0.955)), text(None)), ("0.95".to_owned(), "-".to_owned()));
    }
}
