//! Arms that differ in what the kernel may remember, and their rows.
//!
//! Requests are of all rounds, the first too, in which nothing is remembered yet: a share that leaves
//! it out would be of a mount that was never made. Times are without it, as of all arms. Of the arm with
//! a time-out of 5 s, what is saved falls where the turns of all arms together take longer than that.
//! Where it is stopped, requests are of those rounds that every arm came to the end of.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::time::{Duration, Instant};

use bench_core::judge::matrix::CELL;
use bench_core::record::{Data, Metric, Row};
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::fuse::{Caching, Choice, FileTree, Kind, RequestKind, Requests, SeededTree};
use bytes::Bytes;

use crate::arms::{Arm, Stop, interleaved_until};

/// The scenario; the id of an arm's rows is one part longer.
pub const ID: &str = "fuse/requests";
/// The dimension that names the arm.
pub const ARM: &str = "arm";
/// Every kind together.
pub const ALL: &str = "all";
/// Lookups and attributes together.
pub const METADATA: &str = "metadata";

const SEED: u64 = 42;

/// How much of each kind, and together.
type Counts = Vec<(&'static str, u64)>;

/// What every arm does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// By what the files are reached.
    pub backend: Choice,
    /// How many there are.
    pub files: u32,
    /// Of each.
    pub size: ByteSize,
    /// Rounds, the first too: at least two.
    pub rounds: usize,
}

impl Plan {
    /// What the scale has time for.
    pub fn of(scale: Scale, backend: Choice) -> Self {
        let (files, size) =
            scale.pick((2, ByteSize::kib(256)), (16, ByteSize::mib(4)), (16, ByteSize::mib(4)));
        Self { backend, files, size, rounds: scale.pick(2, 10, 25) }
    }
}

/// What the row of this kind measures: all of them, or those that `lookup_requests` tells.
pub fn metric_of(all: &Metric, kind: &str) -> Metric {
    if kind == ALL { all.clone() } else { Metric::Other(format!("{kind}_{all}")) }
}

/// Runs the arms in turns until it is stopped: a row of times for each, and one of a count for each of
/// its kinds. Nothing, where the first round did not come to its end.
///
/// # Errors
/// What the backend refused, or what was wrong with an answer.
pub fn measure(plan: Plan, stop: Stop<'_>) -> Result<Vec<Row>, Failure> {
    let seeded = SeededTree { files: plan.files, size: plan.size, seed: SEED };
    let (whole, mut trees) = (OnceCell::new(), Vec::new());
    for caching in Caching::ALL {
        let tree = FileTree::start(plan.backend, seeded, caching.options())?;
        trees.push((caching, tree.requests()?, tree));
    }
    let counts = Caching::ALL.map(|_| RefCell::<Vec<Counts>>::default());
    let arms = trees.iter_mut().zip(&counts).map(|((caching, before, tree), counts)| Arm {
        name: caching.to_string(),
        dimensions: tree.dimensions(),
        once: round(tree, &whole, *before, counts),
    });
    let rounds = plan.rounds.saturating_sub(1);
    let mut rows = interleaved_until(ID, rounds, arms.collect(), stop)?;
    let rounds = counts.iter().map(|counts| counts.borrow().len()).min().unwrap_or(0);
    let Some(last) = rounds.checked_sub(1) else { return Ok(Vec::new()) };
    for ((caching, before, tree), counts) in trees.iter().zip(&counts) {
        let metric = before.map_or(Metric::Syscalls, |_| Metric::Requests);
        for &(kind, value) in &counts.borrow()[last] {
            let data = Data::Count { value };
            let mut row = Row::measured(ID, metric_of(&metric, kind), "1", data);
            let named = [(ARM, caching.to_string())].into_iter().chain(tree.dimensions());
            row.dimensions = named.map(|(name, value)| (name.to_owned(), value)).collect();
            rows.push(row);
        }
    }
    for row in &mut rows {
        row.id = format!("{ID}/{}", row.dimensions[ARM]);
        row.dimensions.insert(CELL.to_owned(), ID.to_owned());
        row.dimensions.insert("rounds".to_owned(), rounds.to_string());
    }
    Ok(rows)
}

/// One round: every file, each answer looked at outside the time, against the content of all files,
/// which arms share: a comparison takes a tenth of what making it anew does, and time-outs do not wait.
/// What was asked for by then is counted after it.
fn round<'a>(
    tree: &'a mut FileTree,
    whole: &'a OnceCell<Bytes>,
    before: Option<Requests>,
    counts: &'a RefCell<Vec<Counts>>,
) -> Box<dyn FnMut() -> Result<Duration, Failure> + 'a> {
    let seeded = *tree.tree();
    let whole = whole.get_or_init(|| seeded.payload().to_bytes());
    let mut content = vec![0; seeded.size.len()];
    let mounted = tree.kind() == Kind::Fuse;
    Box::new(move || {
        let mut time = Duration::ZERO;
        for number in 0..seeded.files {
            let lost = |error: io::Error| lost(number, mounted, &error);
            content.fill(0);
            let begin = Instant::now();
            let first = tree.stat(number).map_err(lost)?;
            let absent = tree.stat_missing(number).map_err(lost)?;
            let second = tree.stat(number).map_err(lost)?;
            let read = tree.read(number, &mut content).map_err(lost)?;
            time += begin.elapsed();
            let size = seeded.size.bytes();
            if !absent || first != size || second != size {
                return Err(format!("file {number} is not what the tree has there").into());
            }
            if content[..read] != whole[seeded.range(number)] {
                seeded.verify(number, &content[..read])?;
            }
        }
        let now = tree.requests()?.zip(before);
        let count = now.map_or_else(|| calls(tree), |(now, before)| by_kind(&(now - before)));
        counts.borrow_mut().push(count);
        Ok(time)
    })
}

/// What a call on this file failed with, and what to do where that may be a mount that was taken away.
fn lost(number: u32, mounted: bool, error: &io::Error) -> String {
    use io::ErrorKind::{ConnectionAborted, NotConnected, NotFound};
    match error.kind() {
        NotFound | NotConnected | ConnectionAborted if mounted => format!(
            "file {number} cannot be reached any more: {error}; if its mount was taken away, leave \
             mounted what is measured"
        ),
        _ => format!("file {number}: {error}"),
    }
}

fn by_kind(requests: &Requests) -> Counts {
    let kinds = RequestKind::ALL.into_iter().map(|kind| (kind.name(), requests.of(kind)));
    kinds.chain([(METADATA, requests.metadata()), (ALL, requests.all())]).collect()
}

fn calls(tree: &FileTree) -> Counts {
    let calls = tree.calls();
    calls.by_kind().into_iter().chain([(METADATA, calls.stat), (ALL, calls.all())]).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;

    use super::super::table::{saved, table};
    use super::*;

    fn rows(backend: Choice) -> Vec<Row> {
        let plan = Plan { files: 4, size: ByteSize::mib(1), ..Plan::of(Scale::Smoke, backend) };
        measure(Plan { rounds: 10, ..plan }, &|| false).expect("measured")
    }

    #[test]
    fn caching_saves_what_it_is_for() {
        let rows = rows(Choice::Auto);
        if rows[0].dimensions["backend"] != Kind::Fuse.name() {
            assert!(table(&rows).contains("nothing is saved"), "{}", table(&rows));
            return;
        }
        let share = |arm: Caching, kind| saved(&rows, arm.name(), kind).expect("both arms ran");
        // By count 2 of 70 are left of the metadata and 1 of 10 of the content. Half of that has to do:
        // the kernel may drop what it remembers whenever it needs the memory.
        assert!(share(Caching::KeepCache60s, METADATA) > 0.5, "{}", table(&rows));
        assert!(share(Caching::KeepCache60s, "read") > 0.5, "{}", table(&rows));
        assert!(share(Caching::Ttl5s, "read") < 0.1, "{}", table(&rows));
        let mut names = BTreeSet::new();
        for row in &rows {
            row.check().expect("a record takes it");
            assert!(names.insert((&row.id, &row.metric)), "a report could not tell {row:?}");
        }
    }

    #[test]
    fn plain_files_are_counted_as_system_calls_and_save_nothing() {
        let rows = rows(Choice::Exact(Kind::PlainFiles));
        assert!(rows.iter().all(|row| row.metric != Metric::Requests));
        // Ten rounds of three looks, one open, two reads and one close of four files.
        for row in rows.iter().filter(|row| row.metric == Metric::Syscalls) {
            assert_eq!(row.data, Some(Data::Count { value: 10 * 4 * 7 }));
        }
        assert_eq!(saved(&rows, Caching::Ttl5s.name(), ALL), Some(0.0));
        let text = table(&rows);
        assert!(text.contains("nothing is saved by plain_files: it was asked for"), "{text}");
    }

    #[test]
    fn only_a_mount_that_went_is_told_to_stay() {
        let told = "cannot be reached any more";
        for number in [2, 103, 107] {
            let gone = io::Error::from_raw_os_error(number); // ENOENT, ECONNABORTED, ENOTCONN
            assert!(lost(3, true, &gone).starts_with(&format!("file 3 {told}")));
            assert!(!lost(3, false, &gone).contains(told), "nothing is mounted");
        }
        let longer = io::ErrorKind::FileTooLarge.into();
        assert_eq!(lost(3, true, &longer), "file 3: file too large");
    }

    #[test]
    fn where_it_is_stopped_every_arm_is_counted_over_the_same_rounds() {
        let plan = Plan::of(Scale::Smoke, Choice::Exact(Kind::PlainFiles));
        let plan = Plan { rounds: 10, ..plan };
        assert!(measure(plan, &|| true).expect("not begun").is_empty());
        let looks = Cell::new(0);
        // Two whole rounds of three arms, and one arm of the third.
        let rows = measure(plan, &|| looks.replace(looks.get() + 1) == 7).expect("stopped");
        let times = rows.iter().filter(|row| row.metric == Metric::WallTime);
        let samples: Vec<usize> = times.map(|row| row.per_operation().len()).collect();
        assert_eq!(samples, [1, 1, 2]);
        let calls: Vec<&Row> = rows.iter().filter(|row| row.metric == Metric::Syscalls).collect();
        assert_eq!(calls.len(), 3);
        for row in calls {
            assert_eq!(row.data, Some(Data::Count { value: 2 * 2 * 7 }));
            assert_eq!(row.dimensions["rounds"], "2");
        }
    }
}
