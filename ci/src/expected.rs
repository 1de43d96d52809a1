//! `benches/expected.toml`: the ids that must be measured, so that a bench that silently vanished
//! is an error; and what they may cost.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use bench_core::judge::Glob;
use bench_core::judge::budget::Budget;
use bench_core::record::Row;
use bench_core::scale::Scale;
use serde::Deserialize;

use crate::bench::ids::Only;
use crate::bench::timed::Bench;
use crate::policy;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    #[serde(default)]
    count: Counts,
    #[serde(default)]
    timed: Timed,
    #[serde(default)]
    scenario: Timed,
    #[serde(default, rename = "budget")]
    budgets: Vec<Budget>,
}

/// Ids that are counted, at every scale.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    varies: Vec<Glob>,
}

/// Ids of one kind of target whose time is measured: at this scale and at every larger one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timed {
    #[serde(default)]
    smoke: Vec<String>,
    #[serde(default)]
    quick: Vec<String>,
    #[serde(default)]
    full: Vec<String>,
    /// Long ones: at full scale, and below it where `--only` names them.
    #[serde(default)]
    asked: Vec<String>,
}

impl Expected {
    /// Reads the file of this workspace; a workspace without one expects nothing.
    ///
    /// # Errors
    /// [`Exit::Usage`](crate::exit::Exit::Usage) when the file is not what it should be.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("benches/expected.toml");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            text => text.with_context(|| format!("failed to read {}", path.display()))?,
        };
        Self::parse(&path, &text)
    }

    /// What `text`, the content of `path`, says.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        policy::parse(path, text)
    }

    /// Whether the time of this id must be measured by itself, at whatever scale; `None` where no list
    /// says.
    pub(crate) fn expects_time(&self, id: &str) -> Option<bool> {
        let mut listed = self.timed.all().peekable();
        listed.peek()?;
        Some(listed.any(|listed| listed == id))
    }

    /// What counted operations may cost.
    pub(crate) fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// The ids that must be counted; `None` where no list says: then one that is gone was not taken
    /// out of it on purpose.
    pub(crate) fn counts(&self) -> Option<&[String]> {
        Some(self.count.ids.as_slice()).filter(|ids| !ids.is_empty())
    }

    /// The ids whose counts are known not to repeat. They are counted and shown, and do not gate.
    pub(crate) fn varies(&self) -> &[Glob] {
        &self.count.varies
    }

    /// Takes the gate from the counts that are known not to repeat.
    pub(crate) fn unhinge(&self, rows: &mut [Row]) {
        for row in rows {
            row.gates &= !self.varies().iter().any(|glob| glob.matches(&row.id));
        }
    }

    /// The expected ids that the user asked for and that have no row from their harness, but for the parts
    /// of what failed as a whole, which is told already.
    pub(crate) fn missing(&self, scale: Scale, only: &Only, rows: &[Row]) -> Vec<String> {
        let measured = |counted: bool| -> BTreeSet<&str> {
            let rows = rows.iter().filter(|row| row.gates == counted);
            rows.map(|row| row.id.as_str()).collect()
        };
        let (counted, timed) = (measured(true), measured(false));
        let counts = self.count.ids.iter().filter(|id| !counted.contains(id.as_str()));
        let asked = self.asked().filter(|_| self.asks(scale, only));
        let times = self
            .timed(scale)
            .chain(self.scenario.at(scale))
            .chain(asked)
            .filter(|id| !timed.contains(id.as_str()));
        let told = |id: &&String| rows.iter().any(|row| !row.ok && is_part(id, &row.id));
        counts.chain(times).filter(|id| only.wants(id) && !told(id)).cloned().collect()
    }

    /// Whether ids that are measured on demand are demanded.
    fn asks(&self, scale: Scale, only: &Only) -> bool {
        scale == Scale::Full || (scale == Scale::Quick && only.names_some())
    }

    /// Takes out the benches that are to be measured on demand only, unless they are demanded; how
    /// many. A bench that measures several ids in turns has the parts of their names in common.
    pub(crate) fn leave_out(&self, scale: Scale, only: &Only, benches: &mut Vec<Bench>) -> usize {
        if scale == Scale::Smoke || self.asks(scale, only) {
            return 0;
        }
        let all = benches.len();
        let alone: BTreeSet<String> = benches.iter().map(|bench| bench.id.clone()).collect();
        // What a bench of its own measures is no part of another.
        let measures =
            |bench: &str, id: &String| bench == id || (!alone.contains(id) && part(bench, id));
        benches.retain(|bench| !self.asked().any(|id| measures(&bench.id, id)));
        all - benches.len()
    }

    /// The measured ids that stand in no list; none where nothing is expected at all. What was watched
    /// beside them is expected of nobody.
    pub(crate) fn unlisted<'a>(&self, rows: &'a [Row]) -> BTreeSet<&'a str> {
        let lists = self.count.ids.iter().chain(self.timed.all()).chain(self.scenario.all());
        let listed: BTreeSet<&String> = lists.collect();
        let whole = |row: &Row| !row.ok && listed.iter().any(|id| is_part(id, &row.id));
        let new = |row: &&Row| {
            !listed.is_empty() && !listed.contains(&row.id) && !row.is_of_watch() && !whole(row)
        };
        rows.iter().filter(new).map(|row| row.id.as_str()).collect()
    }

    /// The ids whose time must be measured at this scale, each by itself: no scenario.
    pub(crate) fn timed(&self, scale: Scale) -> impl Iterator<Item = &String> {
        self.timed.at(scale)
    }

    fn asked(&self) -> impl Iterator<Item = &String> {
        self.timed.asked.iter().chain(&self.scenario.asked)
    }
}

/// Whether the id is that of a part of what the other names.
fn is_part(id: &str, whole: &str) -> bool {
    id.strip_prefix(whole).is_some_and(|rest| rest.starts_with('/'))
}

impl Timed {
    fn at(&self, scale: Scale) -> impl Iterator<Item = &String> {
        let Self { smoke, quick, full, asked: _ } = self;
        let by_scale = [(Scale::Smoke, smoke), (Scale::Quick, quick), (Scale::Full, full)];
        by_scale.into_iter().filter(move |(from, _)| *from <= scale).flat_map(|(_, ids)| ids)
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        let Self { smoke, quick, full, asked } = self;
        [smoke, quick, full, asked].into_iter().flatten()
    }
}

/// Whether the id is one of several that the bench measures: `a/b/1MiB` measures `a/b/arm/1MiB`, and
/// `a/b` measures `a/b/arm` and what is below it.
fn part(bench: &str, id: &str) -> bool {
    let without_arm = || {
        let (head, size) = id.rsplit_once('/')?;
        let (cell, _arm) = head.rsplit_once('/')?;
        Some(format!("{cell}/{size}"))
    };
    let below = id.strip_prefix(bench).is_some_and(|rest| rest.starts_with('/'));
    below || without_arm().is_some_and(|cell| cell == bench)
}

/// The ids that are wanted and not there to be counted.
pub(crate) fn absent<'a>(
    wanted: impl IntoIterator<Item = &'a String>,
    there: &BTreeSet<String>,
) -> Vec<String> {
    wanted.into_iter().filter(|id| !there.contains(*id)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Metric};

    use super::*;
    use crate::exit::Exit;

    fn expected(text: &str) -> anyhow::Result<Expected> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("benches"))?;
        std::fs::write(folder.path().join("benches/expected.toml"), text)?;
        Expected::read(folder.path())
    }

    #[test]
    fn what_has_no_row_from_its_harness_is_missing() {
        let text = "[count]\nids = ['a/b', 'c/d']\n[timed]\nsmoke = ['a/b']\nfull = ['e/f']\n";
        let expected = expected(text).expect("sound");
        let counted = Row::measured("a/b", Metric::Instructions, "1", Data::Count { value: 1 });
        let rows = [counted];
        let all = Only::default();
        assert_eq!(expected.missing(Scale::Quick, &all, &rows), ["c/d", "a/b"]);
        assert_eq!(expected.missing(Scale::Full, &all, &rows), ["c/d", "a/b", "e/f"]);
        let only = Only::parse(&["c/*".into()]).expect("a glob");
        assert_eq!(expected.missing(Scale::Full, &only, &rows), ["c/d"]);
    }

    #[test]
    fn what_stands_in_no_list_is_new_where_there_is_a_list() {
        let counted = |id| Row::measured(id, Metric::Operations, "1", Data::Count { value: 1 });
        let rows = ["a/b", "e/f", "new/1", "new/1", "watch/a/b"].map(counted);
        let listing = expected("[count]\nids = ['a/b']\n[timed]\nfull = ['e/f']\n");
        assert_eq!(listing.expect("sound").unlisted(&rows), ["new/1"].into());
        assert!(Expected::default().unlisted(&rows).is_empty());
    }

    #[test]
    fn the_parts_of_what_failed_as_a_whole_are_neither_missing_nor_is_the_whole_new() {
        let expected = expected("[scenario]\nquick = ['r/one/eu', 'r/one/us', 'r/ones']\n");
        let expected = expected.expect("sound");
        let rows = [Row::failed("r/one", Metric::WallTime, "ns", "the machine is busy")];
        assert_eq!(expected.missing(Scale::Quick, &Only::default(), &rows), ["r/ones"]);
        assert!(expected.unlisted(&rows).is_empty());
        let count = Data::Count { value: 1 };
        let rows = [Row::measured("r/one", Metric::Operations, "1", count)];
        assert_eq!(expected.missing(Scale::Quick, &Only::default(), &rows).len(), 3);
        assert_eq!(expected.unlisted(&rows), ["r/one"].into());
    }

    #[test]
    fn what_is_measured_on_demand_is_left_out_until_somebody_asks() {
        let text = "[timed]\nquick = ['a/b']\n[scenario]\nasked = ['m/read/default/1MiB', 'm/read/fast/1MiB']\n";
        let expected = expected(text).expect("sound");
        let bench = |id: &str| Bench { id: id.into(), target: "t".into(), executable: "e".into() };
        let all = Only::default();
        let some = Only::parse(&["m/*".into()]).expect("a glob");
        for (scale, only, left) in [
            (Scale::Quick, &all, 1),
            (Scale::Quick, &some, 0),
            (Scale::Smoke, &all, 0),
            (Scale::Full, &all, 0),
        ] {
            let mut benches = vec![bench("a/b"), bench("m/read/1MiB")];
            assert_eq!(expected.leave_out(scale, only, &mut benches), left, "{scale}");
            assert_eq!(benches.len(), 2 - left);
        }
        assert_eq!(expected.missing(Scale::Quick, &all, &[]), ["a/b"]);
        assert_eq!(expected.missing(Scale::Smoke, &some, &[]), [""; 0]);
        let both = ["m/read/default/1MiB", "m/read/fast/1MiB"];
        assert_eq!(expected.missing(Scale::Quick, &some, &[]), both);
        assert_eq!(expected.missing(Scale::Full, &some, &[]), both);
    }

    #[test]
    fn ids_that_a_scenario_names_as_it_likes_are_left_out_with_it() {
        let text = "[scenario]\nasked = ['r/quorum/read/eu', 'r/quorum/script', 'w/x/1KiB']\n";
        let expected = expected(text).expect("sound");
        let bench = |id: &str| Bench { id: id.into(), target: "t".into(), executable: "e".into() };
        let mut benches = ["r/quorum", "r/quo", "w/x", "w/x/1KiB"].map(bench).to_vec();
        assert_eq!(expected.leave_out(Scale::Quick, &Only::default(), &mut benches), 2);
        let left: Vec<&str> = benches.iter().map(|bench| bench.id.as_str()).collect();
        assert_eq!(left, ["r/quo", "w/x"]);
    }

    #[test]
    fn scenarios_are_expected_of_a_run_and_of_no_comparison() {
        let text = "[timed]\nsmoke = ['a/b']\n[scenario]\nsmoke = ['s/x']\nasked = ['m/x']\n";
        let expected = expected(text).expect("sound");
        let all = Only::default();
        assert_eq!(expected.missing(Scale::Smoke, &all, &[]), ["a/b", "s/x"]);
        assert_eq!(expected.missing(Scale::Full, &all, &[]), ["a/b", "s/x", "m/x"]);
        assert_eq!(expected.timed(Scale::Full).collect::<Vec<_>>(), ["a/b"]);
        assert_eq!(
            (expected.expects_time("a/b"), expected.expects_time("s/x")),
            (Some(true), Some(false))
        );
    }

    #[test]
    fn a_time_is_expected_where_some_scale_lists_it() {
        let listing = expected("[count]\nids = ['a/b']\n[timed]\nfull = ['e/f']\n");
        let listing = listing.expect("sound");
        assert_eq!(listing.expects_time("e/f"), Some(true));
        assert_eq!(listing.expects_time("a/b"), Some(false));
        assert_eq!(Expected::default().expects_time("a/b"), None);
    }

    #[test]
    fn what_is_known_to_vary_does_not_gate() {
        let expected = expected("[count]\nids = ['a/b']\nvaries = ['c/*']\n").expect("sound");
        let counted = |id| Row::measured(id, Metric::Instructions, "1", Data::Count { value: 1 });
        let mut rows = ["a/b", "c/d"].map(counted);
        expected.unhinge(&mut rows);
        assert_eq!(rows.map(|row| row.gates), [true, false]);
    }

    #[test]
    fn a_broken_file_is_named_and_no_file_expects_nothing() {
        let error = expected("[count]\nidz = []").expect_err("unknown key");
        assert_eq!(crate::exit::of(&error), Exit::Usage);
        assert!(error.to_string().contains("expected.toml can't be read in line 2"), "{error}");
        let folder = tempfile::tempdir().expect("temporary folder");
        assert!(Expected::read(folder.path()).expect("no file").counts().is_none());
        let budget = "[[budget]]\nid = 'a/*'\nallocations = 0\n";
        assert_eq!(super::Expected::parse(folder.path(), budget).expect("sound").counts(), None);
    }
}
