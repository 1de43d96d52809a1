//! The thresholds by which counts are judged: `ci/policy.toml` of the working tree, or the one this
//! program was built with.

use std::path::Path;

use anyhow::Context;
use bench_core::judge::Policy;
use serde::de::DeserializeOwned;

use crate::exit::{Exit, failure};

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
