//! Names: how a bench that gungraun lists becomes one of our ids, and which ids the user asked for.

use bench_core::judge::Glob;

use crate::exit::{Exit, failure};

/// One bench of a count target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bench {
    /// `room/workload/parameter…`
    pub(crate) id: String,
    /// The bench target, as in `count_pool`.
    pub(crate) target: String,
    /// gungraun's name, `target::group::function::parameter`: a filter that only this one passes,
    /// since an identifier has no wildcards.
    pub(crate) path: String,
}

/// The ids that the user asked for: all, or those that match one of the globs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Only(Vec<Glob>);

impl Only {
    /// # Errors
    /// [`Exit::Usage`] when a text is no glob.
    pub(crate) fn parse(globs: &[String]) -> anyhow::Result<Self> {
        let parse = |text: &String| {
            text.parse().map_err(|error| failure(Exit::Usage, format!("--only: {error}")))
        };
        Ok(Self(globs.iter().map(parse).collect::<anyhow::Result<_>>()?))
    }

    /// Whether the user named anything.
    pub(crate) fn names_some(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether the user asked for this id.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| glob.matches(id))
    }

    /// Whether each glob has something to match: a misspelt one beside a good one would leave out
    /// what the user asked for, unseen.
    ///
    /// # Errors
    /// [`Exit::NotMeasured`] with the globs that match none of `ids`. A scenario measures several things
    /// under one id; where a glob may name one of them, the id is asked for.
    pub(crate) fn check<'a>(&self, ids: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
        let ids: Vec<&str> = ids.collect();
        let matches_none = |glob: &&Glob| !ids.iter().any(|id| glob.matches(id));
        let unmatched: Vec<String> =
            self.0.iter().filter(matches_none).map(Glob::to_string).collect();
        if unmatched.is_empty() {
            return Ok(());
        }
        let is_above =
            |id: &str, row: &str| row.strip_prefix(id).is_some_and(|rest| rest.starts_with('/'));
        let told = |glob: &String| match ids.iter().find(|id| is_above(id, glob)) {
            Some(id) => format!("'{glob}' (is it a row of '{id}'? then name that)"),
            None => format!("'{glob}'"),
        };
        let told: Vec<String> = unmatched.iter().map(told).collect();
        let sentence = format!("no id matches --only {}; check how it is written", told.join(" "));
        Err(failure(Exit::NotMeasured, sentence))
    }

    /// The error for a filter by which nothing is left.
    pub(crate) fn matches_nothing(&self) -> anyhow::Error {
        let globs: Vec<String> = self.0.iter().map(|glob| format!("'{glob}'")).collect();
        let sentence = if globs.is_empty() {
            "package `benches` of the working tree has no count bench; nothing can be gated".into()
        } else {
            format!("no count bench matches --only {}; nothing was counted", globs.join(" "))
        };
        failure(Exit::NotMeasured, sentence)
    }
}

/// The benches in what `TARGET --list --format=terse` prints.
pub(crate) fn parse_listing(target: &str, listing: &str) -> Vec<Bench> {
    let paths = listing.lines().filter_map(|line| line.trim().strip_suffix(": benchmark"));
    let bench = |path: &str| {
        let id = id_of(path)?;
        Some(Bench { id, target: target.to_owned(), path: path.to_owned() })
    };
    paths.filter_map(bench).collect()
}

/// `count_pool::pool::cycle::_4KiB` is `pool/cycle/4KiB`: the target is left out, and a parameter
/// is written as an identifier (`_` before a digit, `__` for `/`).
fn id_of(path: &str) -> Option<String> {
    let mut parts = path.split("::").skip(1);
    let (group, function) = (parts.next()?, parts.next()?);
    let parameters = parts.map(|part| part.trim_start_matches('_').replace("__", "/"));
    let parts = [group.to_owned(), function.to_owned()].into_iter().chain(parameters);
    Some(parts.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_benches_become_ids() {
        let listing = "count_pool::pool::cycle::_4KiB: benchmark\n\
                       count_pool::grpc::read::default__1MiB: benchmark\n\
                       count_pool::pool::plain: benchmark\n\n0 tests, 3 benchmarks\n";
        let benches = parse_listing("count_pool", listing);
        let ids: Vec<&str> = benches.iter().map(|bench| bench.id.as_str()).collect();
        assert_eq!(ids, ["pool/cycle/4KiB", "grpc/read/default/1MiB", "pool/plain"]);
        assert_eq!(benches[0].path, "count_pool::pool::cycle::_4KiB");
    }

    #[test]
    fn the_filter_takes_any_of_its_globs_and_names_them_when_nothing_is_left() {
        let only = Only::parse(&["pool/*".into(), "*/1MiB".into()]).expect("globs");
        assert!(only.wants("pool/cycle/4KiB") && only.wants("grpc/read/1MiB"));
        assert!(!only.wants("grpc/read/4KiB"));
        assert!(Only::default().wants("anything"));
        let error = only.matches_nothing();
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
        assert!(error.to_string().contains("'pool/*' '*/1MiB'"), "{error}");
        let bad = Only::parse(&["a[b".into()]).expect_err("no glob");
        assert_eq!(crate::exit::of(&bad), Exit::Usage);
    }

    #[test]
    fn every_glob_must_match_something() {
        let only = Only::parse(&["pool/*".into(), "typo/*".into()]).expect("globs");
        let error = only.check(["pool/cycle", "grpc/read"].into_iter()).expect_err("typo");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
        let said = error.to_string();
        assert!(said.contains("'typo/*'") && !said.contains("pool"), "{said}");
        only.check(["pool/cycle", "typo/read"].into_iter()).expect("both match");
        Only::default().check(std::iter::empty()).expect("nothing was asked for");
    }

    #[test]
    fn the_name_of_a_row_is_answered_with_the_id_that_measures_it() {
        let only = Only::parse(&["typo".into(), "agreement/unary/rtt_50ms".into()]).expect("globs");
        let error = only.check(["agree", "agreement"].into_iter()).expect_err("no id");
        let told = "'typo' 'agreement/unary/rtt_50ms' (is it a row of 'agreement'? then name that); \
                    check how it is written";
        assert!(error.to_string().contains(told), "{error}");
    }
}
