//! The thresholds by which counts are judged: `ci/policy.toml` of the working tree, or the one this
//! program was built with.

use std::path::Path;

use anyhow::Context;
use bench_core::judge::Policy;
use serde::de::DeserializeOwned;

use crate::exit::{Exit, failure};
use crate::workspace::Workspace;

const BUILT_IN: &str = include_str!("../policy.toml");

/// The policy of the working tree, or the one this program was built with.
pub(crate) fn read(root: &Path) -> anyhow::Result<Policy> {
    let path = root.join("ci/policy.toml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BUILT_IN.to_owned(),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display()))?,
    };
    parse(&path, &text)
}

/// As [`read`], with this change in per cent in place of every relative limit on counts, where the
/// user named one.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_with(root: &Path, percent: Option<f64>) -> anyhow::Result<Policy> {
    let mut policy = read(root)?;
    if let Some(percent) = percent {
        policy.rules.iter_mut().for_each(|rule| rule.limit.relative = percent / 100.0);
    }
    Ok(policy)
}

/// What a reader must know of a judgement by such a policy.
pub(crate) fn told(percent: f64) -> String {
    format!("changes up to {percent} % pass here, whatever ci/policy.toml says")
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
    fn a_percentage_replaces_the_relative_limits_and_no_floor() {
        let nowhere = Path::new("/nonexistent");
        let (own, with) =
            (read(nowhere).expect("own"), read_with(nowhere, Some(5.0)).expect("own"));
        assert_eq!(read_with(nowhere, None).expect("own"), own);
        assert!(!own.rules.is_empty());
        for (own, with) in own.rules.iter().zip(&with.rules) {
            assert_eq!((with.limit.relative, with.limit.absolute), (0.05, own.limit.absolute));
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
            let error = parse::<Policy>(Path::new("ci/policy.toml"), text).expect_err(text);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            let said = error.to_string();
            assert!(said.contains(part) && said.starts_with("ci/policy.toml"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}
