//! Exit codes: part of the interface, because scripts read them.

use std::process::ExitCode;

use crate::ui;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// All was measured and nothing is worse.
    Fine = 0,
    /// Something broke: a build, a bench, the disk.
    Broke = 1,
    /// The command line or the files it names make no sense.
    Usage = 2,
    /// A gated id is worse than its limit, or a figure is not what it has to be.
    Regressed = 3,
    /// Something expected was not measured: bench, baseline, filter that matches nothing, fault.
    NotMeasured = 4,
    /// The two sides can't be compared.
    NotComparable = 5,
    /// Undecided; only where `--strict` asks.
    Undecided = 6,
}

/// An error that knows its exit code. Errors of any other type exit with [`Exit::Broke`].
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    sentence: String,
}

/// An error of one sentence with the exit code that says its kind.
pub(crate) fn failure(exit: Exit, sentence: impl Into<String>) -> anyhow::Error {
    Failure { exit, sentence: sentence.into() }.into()
}

/// The exit code of an error: that of the outermost [`Failure`] in its chain.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or(Exit::Broke, |failure| failure.exit)
}

/// Prints the error, if there is one, and turns the result into the process's exit code.
pub(crate) fn finish(result: anyhow::Result<Exit>) -> ExitCode {
    let exit = result.unwrap_or_else(|error| {
        ui::say(&format!("error: {error:#}"));
        of(&error)
    });
    ExitCode::from(exit as u8)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn context_does_not_hide_the_exit_code() {
        let error = Err::<(), _>(failure(Exit::Regressed, "x is slower")).context("gate failed");
        assert_eq!(of(&error.unwrap_err()), Exit::Regressed);
        assert_eq!(of(&anyhow::anyhow!("disk full")), Exit::Broke);
    }
}
