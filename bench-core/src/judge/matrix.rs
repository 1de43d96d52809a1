//! The rows of a matrix of profiles as arms to be ranked, and the ranking in words.
//!
//! A row belongs to the matrix by its id, `grpc/matrix/…`, and two dimensions: `scenario` is its
//! cell, the bench that measured all profiles of it in turns, and `profile` its arm. Sample `k` of its
//! `wall_time` is round `k`. Other families have arms too, that are no profiles.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::best::{Arm, Ranking, Trial};
use super::budget::size_of;
use super::stats::median;
use crate::record::{Metric, Row};
use crate::units::MIB;

/// How the ids of the matrix begin.
pub const FAMILY: &str = "grpc/matrix/";
/// The metric of the time that a raw socket took in the same rounds.
pub const CEILING: &str = "ceiling_time";
/// The dimension that names the arm by which the others are measured.
pub const BASELINE: &str = "baseline";
/// The dimension that names the cell.
pub const CELL: &str = "scenario";
/// The dimension that names the arm.
pub const ARM: &str = "profile";
/// The dimension that names the link between the two ends, as `loopback`.
pub const LINK: &str = "link";

/// The dimension of rows that were not measured to their end, and how far they came.
pub const INTERRUPTED: &str = "interrupted";

/// The arms of a matrix in the order in which their rows come; rows of no matrix are left out,
/// and so are those of a cell that was interrupted.
///
/// A cell has failed where a row of it has, or where one of its operations did: a number over the
/// operations that succeeded is one of another thing.
pub fn arms(rows: &[Row]) -> Vec<Arm> {
    let mut arms: Vec<Arm> = Vec::new();
    for row in of_matrix(rows) {
        let dimension = |name| row.dimensions.get(name).cloned();
        if row.dimensions.contains_key(INTERRUPTED) {
            continue;
        }
        let Some((cell, name)) = dimension(CELL).zip(dimension(ARM)) else { continue };
        let at = arms.iter().position(|arm| arm.name == name).unwrap_or_else(|| {
            arms.push(Arm { name, cells: BTreeMap::new() });
            arms.len() - 1
        });
        if let Some(trial) = trial(row) {
            let known = arms[at].cells.entry(cell).or_insert_with(|| trial.clone());
            if trial.is_err() {
                *known = trial;
            }
        }
    }
    arms
}

fn of_matrix(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.id.starts_with(FAMILY))
}

/// The arm that the others are measured by: the one that the rows name, where they do not differ;
/// without any, `default` where there is one, otherwise the first. `None` without arms.
pub fn baseline<'a>(rows: &'a [Row], arms: &'a [Arm]) -> Option<&'a str> {
    let mut named = of_matrix(rows).filter_map(|row| row.dimensions.get(BASELINE));
    let told = named.next().filter(|first| named.all(|other| other == *first));
    let usual = || arms.iter().find(|arm| arm.name == "default").or(arms.first());
    told.map(String::as_str).or_else(|| usual().map(|arm| arm.name.as_str()))
}

/// What a row says of its cell; `None` where it says nothing of time or failure.
fn trial(row: &Row) -> Option<Trial> {
    if let Some(error) = &row.error {
        return Some(Err(error.clone()));
    }
    if !row.errors.is_empty() {
        let kinds: Vec<String> =
            row.errors.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
        return Some(Err(kinds.join(", ")));
    }
    (row.metric == Metric::WallTime).then(|| Ok(row.per_operation()))
}

/// The link that the rows of a matrix went over, where they all name the same.
pub fn link(rows: &[Row]) -> Option<&str> {
    let mut links = of_matrix(rows).filter_map(|row| row.dimensions.get(LINK));
    let first = links.next()?;
    links.all(|link| link == first).then_some(first.as_str())
}

/// What a raw socket moved over the link beside the arms, in MiB/s: the lowest and the highest
/// median of a cell. `None` where none was measured, as to a server that is somebody else's.
pub fn rate(rows: &[Row]) -> Option<[f64; 2]> {
    let measured = |row: &&Row| {
        row.metric.name() == CEILING && row.ok && !row.dimensions.contains_key(INTERRUPTED)
    };
    let rates = of_matrix(rows).filter(measured).filter_map(|row| {
        let times = row.per_operation();
        let sound = !times.is_empty() && times.iter().all(|ns| ns.is_finite() && *ns > 0.0);
        let size = size_of(&row.id).filter(|_| sound)?;
        Some(size.bytes() as f64 / MIB as f64 / (median(&times) / 1e9))
    });
    rates.fold(None, |range, rate| {
        let [low, high] = range.unwrap_or([rate, rate]);
        Some([rate.min(low), rate.max(high)])
    })
}

/// The link in words, round trip and rate, as a recommendation names it.
pub fn link_in_words(rows: &[Row]) -> String {
    let link = link(rows).unwrap_or("links of more than one kind");
    match rate(rows) {
        None => format!("{link} (its rate was not measured)"),
        Some([low, high]) if high - low < 1.0 => format!("{link} (a raw socket: {low:.0} MiB/s)"),
        Some([low, high]) => format!("{link} (a raw socket: {low:.0} to {high:.0} MiB/s)"),
    }
}

/// The recommendation in words, one line each, the link that it holds for named.
pub fn words(ranking: &Ranking, link: &str) -> String {
    let mut text = String::new();
    let winners: Vec<&str> = ranking.winners().collect();
    let cells = match ranking.cells {
        1 => "the cell measured".to_owned(),
        several => format!("the {several} cells measured"),
    };
    let base = ranking.baseline.as_deref().unwrap_or_default();
    let _infallible = match winners.as_slice() {
        [] if ranking.disqualified.is_empty() => {
            writeln!(text, "best profile: none, since no cell was measured to its end")
        }
        [] => writeln!(text, "best profile: none, since every one failed in some cell"),
        [one] => writeln!(text, "best profile for {link}: {one}, over {cells}"),
        several => writeln!(
            text,
            "best profile for {link}: a tie of {} over {cells}; their intervals overlap, \
             take whichever suits you",
            several.join(" and ")
        ),
    };
    for standing in &ranking.standings {
        let name = &standing.name;
        let place = match standing.interval {
            _ if name == base => "what the others are measured by".to_owned(),
            Some(interval) => {
                let percent = interval.confidence * 100.0;
                let (low, high) = (interval.low, interval.high);
                format!("{low:.2} to {high:.2} at {percent:.1} %")
            }
            None => "too few rounds to say where it lies".to_owned(),
        };
        let _infallible = writeln!(text, "  {:>5.2} × {base}  {name} ({place})", standing.ratio);
    }
    for out in &ranking.disqualified {
        let (cell, why) = &out.failures[0];
        let more = match out.failures.len() - 1 {
            0 => String::new(),
            more => format!(" and in {more} more"),
        };
        let _infallible = writeln!(text, "  out: {}, failed in {cell}{more}: {why}", out.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::best::best;
    use super::*;
    use crate::record::Data;

    fn row(profile: &str, cell: &str, rounds: &[f64]) -> Row {
        let data = Data::Samples { values: rounds.to_vec(), iterations: vec![1; rounds.len()] };
        let id = cell.replace("read", &format!("read/{profile}"));
        placed(Row::measured(&id, Metric::WallTime, "ns", data), profile, cell)
    }

    fn placed(mut row: Row, profile: &str, cell: &str) -> Row {
        for (name, value) in [(ARM, profile), (CELL, cell), (LINK, "loopback")] {
            row.dimensions.insert(name.to_owned(), value.to_owned());
        }
        row
    }

    #[test]
    fn rows_become_arms_and_others_are_left_out() {
        let other = Row::measured("a/b", Metric::WallTime, "ns", Data::Count { value: 1 });
        let rows = [
            other,
            row("default", "grpc/matrix/read/1MiB", &[4.0, 6.0]),
            row("fast", "grpc/matrix/read/1MiB", &[2.0, 3.0]),
            row("default", "grpc/matrix/read/16MiB", &[8.0]),
        ];
        let arms = arms(&rows);
        let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["default", "fast"]);
        assert_eq!(arms[0].cells["grpc/matrix/read/1MiB"], Ok(vec![4.0, 6.0]));
        assert_eq!(arms[0].cells.len(), 2);
        assert_eq!(link(&rows), Some("loopback"));
    }

    #[test]
    fn a_failed_operation_fails_the_cell_in_whatever_order_the_rows_come() {
        let good = row("fast", "grpc/matrix/read/1MiB", &[1.0, 1.0]);
        let mut counted =
            Row::measured("grpc/matrix/m", Metric::Errors, "1", Data::Count { value: 2 });
        counted.errors.insert("Unavailable".into(), 2);
        let counted = placed(counted, "fast", "grpc/matrix/read/1MiB");
        for rows in [[good.clone(), counted.clone()], [counted, good]] {
            let arms = arms(&rows);
            assert_eq!(arms[0].cells["grpc/matrix/read/1MiB"], Err("2 × Unavailable".to_owned()));
        }
        let failed = Row::failed("grpc/matrix/m", Metric::WallTime, "ns", "the server is gone");
        let arms = arms(&[placed(failed, "fast", "grpc/matrix/read/1MiB")]);
        assert_eq!(arms[0].cells["grpc/matrix/read/1MiB"], Err("the server is gone".to_owned()));
    }

    #[test]
    fn the_words_name_the_link_the_winner_and_who_is_out() {
        let failed = Row::failed("grpc/matrix/m", Metric::WallTime, "ns", "stalled");
        let mut rows = vec![
            row("default", "grpc/matrix/read/1MiB", &[4.0, 4.0]),
            row("fast", "grpc/matrix/read/1MiB", &[2.0, 2.0]),
            placed(failed, "bad", "grpc/matrix/read/1MiB"),
        ];
        let told = words(&best(&arms(&rows), "default"), "a round trip of 20 ms");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines[0],
            "best profile for a round trip of 20 ms: fast, over the cell measured"
        );
        assert_eq!(lines[1], "   2.00 × default  fast (2.00 to 2.00 at 95.0 %)");
        assert_eq!(lines[2], "   1.00 × default  default (what the others are measured by)");
        assert_eq!(lines[3], "  out: bad, failed in grpc/matrix/read/1MiB: stalled");
        rows[1] = row("fast", "grpc/matrix/read/1MiB", &[2.0, 8.0]);
        let told = words(&best(&arms(&rows), "default"), "loopback");
        assert!(told.starts_with("best profile for loopback: a tie of "), "{told}");
        let told = words(&best(&arms(&rows[2..]), "default"), "loopback");
        assert!(told.starts_with("best profile: none, since every one failed"), "{told}");
    }

    #[test]
    fn the_link_is_named_with_what_a_raw_socket_moved_over_it() {
        let mut rows = vec![row("default", "grpc/matrix/read/1MiB", &[4.0, 4.0])];
        assert_eq!(link_in_words(&rows), "loopback (its rate was not measured)");
        // 1 MiB in 1 ms and 16 MiB in 8 ms.
        for (cell, ns) in [("grpc/matrix/read/1MiB", 1e6), ("grpc/matrix/read/16MiB", 8e6)] {
            let mut ceiling = row("default", cell, &[ns, ns, 9e9]);
            ceiling.metric = Metric::Other(CEILING.to_owned());
            rows.push(ceiling);
        }
        assert_eq!(link_in_words(&rows[..2]), "loopback (a raw socket: 1000 MiB/s)");
        assert_eq!(link_in_words(&rows), "loopback (a raw socket: 1000 to 2000 MiB/s)");
        rows[2].dimensions.insert(INTERRUPTED.to_owned(), "3 of 10 rounds".to_owned());
        assert_eq!(rate(&rows), Some([1000.0; 2]), "what was interrupted tells no rate");
    }

    #[test]
    fn an_interrupted_cell_is_not_ranked() {
        let mut rows = vec![
            row("default", "grpc/matrix/read/1MiB", &[4.0, 4.0]),
            row("fast", "grpc/matrix/read/1MiB", &[2.0, 2.0]),
            row("default", "grpc/matrix/read/16MiB", &[4.0, 4.0]),
            row("default", "grpc/matrix/read/64MiB", &[4.0]),
            row("fast", "grpc/matrix/read/16MiB", &[2.0, 2.0]),
        ];
        let told = words(&best(&arms(&rows), "default"), "loopback");
        assert!(
            told.contains("out: fast, failed in grpc/matrix/read/64MiB: not measured"),
            "{told}"
        );
        rows[3].dimensions.insert(INTERRUPTED.to_owned(), "1 of 2 rounds".to_owned());
        let told = words(&best(&arms(&rows), "default"), "loopback");
        assert!(told.contains("fast, over the 2 cells measured"), "{told}");
        let told = words(&best(&arms(&rows[3..4]), "default"), "loopback");
        assert!(told.starts_with("best profile: none, since no cell was measured"), "{told}");
    }

    #[test]
    fn peers_are_no_profiles() {
        let mut peer = row("raw-unix", "grpc/peers/read/1MiB", &[1.0, 1.0]);
        peer.dimensions.insert(LINK.to_owned(), "unix".to_owned());
        assert!(peer.id.starts_with("grpc/peers/") && arms(&[peer.clone()]).is_empty());
        let rows = [peer, row("default", "grpc/matrix/read/1MiB", &[1.0])];
        assert_eq!((arms(&rows).len(), link(&rows)), (1, Some("loopback")));
    }

    #[test]
    fn the_baseline_is_the_one_that_was_recorded() {
        let cell = "grpc/matrix/read/1MiB";
        let mut rows = [row("fast", cell, &[1.0]), row("default", cell, &[1.0])];
        let told = |rows: &[Row]| baseline(rows, &arms(rows)).map(str::to_owned);
        assert_eq!(told(&rows).as_deref(), Some("default"), "an older record names none");
        assert_eq!(told(&rows[..1]).as_deref(), Some("fast"));
        assert_eq!(told(&[]), None);
        for row in &mut rows {
            row.dimensions.insert(BASELINE.to_owned(), "fast".to_owned());
        }
        assert_eq!(told(&rows).as_deref(), Some("fast"));
    }
}
