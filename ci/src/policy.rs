//! The thresholds by which counts are judged: `ci/policy.toml` of the working tree, or the one this
//! program was built with.

use std::path::Path;

use anyhow::Context;
use bench_core::judge::Policy;

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
    toml::from_str(&text).map_err(|error| {
        let why = error.to_string();
        failure(Exit::Usage, format!("{} can't be read: {}", path.display(), why.trim_end()))
    })
}
