//! The thresholds by which counts and times are judged, and how long times are measured:
//! `ci/policy.toml` of the working tree, or the one this program was built with.

use std::path::Path;

use anyhow::Context;
use bench_core::judge::band::Bands;
use bench_core::judge::policy::{Limit, Rule};
use bench_core::judge::target::Target;
use bench_core::judge::{Glob, Policy, TimeRule};
use bench_core::record::Metric;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::{Exit, failure};
use crate::workspace::Workspace;

const BUILT_IN: &str = include_str!("../policy.toml");

/// The file as a whole.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    rule: Vec<Rule>,
    #[serde(default)]
    compare: Vec<Pace>,
    #[serde(default)]
    target: Vec<Target>,
    change: Option<Bands>,
}

/// How times of the ids that match are compared in interleaved rounds: what passes, and what it may
/// take to find out.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "WrittenPace")]
pub(crate) struct Pace {
    pub(crate) rule: TimeRule,
    /// Seconds after which an id without a verdict is left undecided.
    pub(crate) seconds: u64,
    /// How many CPUs the benches may use; all where nothing is said.
    pub(crate) cpus: Option<usize>,
}

/// A pace as it is written down, not yet known to make sense.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPace {
    #[serde(default = "Glob::any")]
    id: Glob,
    margin: f64,
    floor_ns: f64,
    seconds: u64,
    cpus: Option<usize>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rule: TimeRule::default(), seconds: 60, cpus: None }
    }
}

impl Pace {
    /// Of those that match `id` the last one; without one, the default.
    pub(crate) fn of(paces: &[Self], id: &str) -> Self {
        paces.iter().rev().find(|pace| pace.rule.id.matches(id)).cloned().unwrap_or_default()
    }
}

impl TryFrom<WrittenPace> for Pace {
    type Error = String;

    fn try_from(written: WrittenPace) -> Result<Self, String> {
        let WrittenPace { id, margin, floor_ns, seconds, cpus } = written;
        for (name, zero) in [("seconds", seconds == 0), ("cpus", cpus == Some(0))] {
            if zero {
                return Err(format!("{name} = 0 for {id}: write 1 or more"));
            }
        }
        Ok(Self { rule: TimeRule::new(id, margin, floor_ns)?, seconds, cpus })
    }
}

/// The policy of the working tree, or the one this program was built with.
pub(crate) fn read(root: &Path) -> anyhow::Result<Policy> {
    let Written { rule, compare: _, target, change } = written(root)?;
    Ok(Policy { rules: rule, targets: target, bands: change })
}

/// How times are compared, from the general to the particular.
pub(crate) fn paces(root: &Path) -> anyhow::Result<Vec<Pace>> {
    Ok(written(root)?.compare)
}

fn written(root: &Path) -> anyhow::Result<Written> {
    let path = root.join("ci/policy.toml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BUILT_IN.to_owned(),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display()))?,
    };
    parse(&path, &text)
}

/// As [`read`], with this change in per cent in place of every relative limit on instructions, those
/// of ids without a rule included, where the user named one.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_with(root: &Path, percent: Option<f64>) -> anyhow::Result<Policy> {
    let mut policy = read(root)?;
    let Some(percent) = percent else { return Ok(policy) };
    let relative = percent / 100.0;
    let all = Rule { metric: Metric::Instructions, id: Glob::any(), limit: Limit::INSTRUCTIONS };
    // The first, so that every rule that is written down has the last word.
    policy.rules.insert(0, all);
    for rule in policy.rules.iter_mut().filter(|rule| rule.metric == Metric::Instructions) {
        rule.limit.relative = relative;
    }
    Ok(policy)
}

/// What a reader must know of a judgement by such a policy: how far `what` may change.
pub(crate) fn told(what: &str, percent: f64) -> String {
    format!("{what} up to {percent} % pass here, whatever ci/policy.toml says")
}

/// The policy of the workspace that this is run in; outside of one that which this program was
/// built with, and the sentence that says so.
pub(crate) fn here() -> anyhow::Result<(Policy, Option<&'static str>)> {
    let root = Workspace::find().map(|workspace| workspace.root).unwrap_or_default();
    let own = root.join("ci/policy.toml").exists();
    let said =
        "judged by the policy that this program was built with: there is no ci/policy.toml here";
    Ok((read(&root)?, (!own).then_some(said)))
}

/// What `text`, the content of `path`, says in TOML.
///
/// # Errors
/// [`Exit::Usage`] with the line, in one sentence.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> anyhow::Result<T> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!(" in line {}", before.matches('\n').count() + 1));
        let why = error.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        let (path, line) = (path.display(), line.unwrap_or_default());
        failure(Exit::Usage, format!("{path} can't be read{line}: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_for_instructions_and_replaces_no_floor() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let nowhere = folder.path();
        let relative = |policy: &Policy, metric: &Metric, id: &str| {
            policy.limit(metric, id).map(|limit| limit.relative)
        };
        let (own, with) =
            (read(nowhere).expect("own"), read_with(nowhere, Some(5.0)).expect("own"));
        assert_eq!(read_with(nowhere, None).expect("own"), own);
        for id in ["pool/cycle/4KiB", "grpc/read/default/1KiB", "network/connect/one_thread"] {
            assert_eq!(relative(&with, &Metric::Instructions, id), Some(0.05), "{id}");
            for metric in [Metric::Allocations, Metric::AllocatedBytes, Metric::Syscalls] {
                assert_eq!(with.limit(&metric, id), own.limit(&metric, id), "{metric} of {id}");
            }
        }
        assert_eq!(with.rules[1].limit.absolute, own.rules[0].limit.absolute);
        // Where the policy has no rule for most ids.
        std::fs::create_dir(nowhere.join("ci")).expect("folder");
        let text = "[[rule]]\nmetric = 'instructions'\nid = 'a/*'\nrelative = 0.01\nabsolute = 7\n";
        std::fs::write(nowhere.join("ci/policy.toml"), text).expect("written");
        let with = read_with(nowhere, Some(5.0)).expect("own");
        for (id, absolute) in [("a/b", 7.0), ("b/c", Limit::INSTRUCTIONS.absolute)] {
            let limit = with.limit(&Metric::Instructions, id).expect("a count");
            assert_eq!((limit.relative, limit.absolute), (0.05, absolute), "{id}");
        }
    }

    #[test]
    fn the_last_matching_pace_holds_and_without_one_the_default() {
        let paces = paces(Path::new("/nonexistent")).expect("own");
        assert_eq!(Pace::of(&paces, "pool/cycle/4KiB").cpus, Some(1));
        assert_eq!(Pace::of(&paces, "storage/write/4KiB").seconds, 120);
        assert_eq!(Pace::of(&[], "storage/write/4KiB"), Pace::default());
    }

    #[test]
    fn a_pace_that_makes_no_sense_is_refused() {
        let pace = |from: &str, to: &str| {
            let text = "margin = 0.005\nfloor_ns = 1.0\nseconds = 60\ncpus = 1\n";
            toml::from_str::<Pace>(&text.replace(from, to))
        };
        pace("", "").expect("sound");
        for (from, to, complaint) in [
            ("0.005", "0.0", "margin = 0 for *"),
            ("60", "0", "seconds = 0 for *"),
            ("cpus = 1", "cpus = 0", "cpus = 0 for *"),
            ("margin", "margins", "margins"),
        ] {
            let error = pace(from, to).expect_err(to).to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn an_error_is_one_sentence_with_its_line() {
        let bad = [
            ("\n[[rule]]\nmetric = 'instructions'\nrelativ = 1\n", " in line 4: "),
            ("\n[[rule]\n", " in line 2: "),
            ("[[rule]]\nmetric = 'nosuch'\nrelative = 0\nabsolute = 0\n", "'nosuch'"),
        ];
        for (text, part) in bad {
            let error = parse::<Written>(Path::new("ci/policy.toml"), text).expect_err(text);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            let said = error.to_string();
            assert!(said.contains(part) && said.starts_with("ci/policy.toml"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}
