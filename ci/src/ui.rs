//! What the user sees: results on standard output, remarks and progress on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// The user's terminal, or the script that reads us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    /// One JSON object on standard output in place of text.
    pub(crate) json: bool,
}

impl Ui {
    /// Whether results may carry colour: a terminal that did not ask for none.
    pub(crate) fn colour(self) -> bool {
        !self.json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
    }

    /// Prints a result: as one JSON object where that was asked for, otherwise as text. A reader
    /// that closed the pipe has seen what it wanted, as `head` does; the exit code stays ours.
    pub(crate) fn result(self, text: &str, json: &impl Serialize) -> anyhow::Result<()> {
        let printed =
            if self.json { serde_json::to_string(json)? } else { text.trim_end().to_owned() };
        let mut out = io::stdout().lock();
        match writeln!(out, "{printed}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("failed to print the result"),
        }
    }

    /// A remark on standard error.
    pub(crate) fn say(self, remark: &str) {
        say(remark);
    }

    /// Progress over `steps` steps with the time that is left, on standard error; silent where
    /// that is not a terminal.
    pub(crate) fn progress(self, steps: usize, what: &'static str) -> ProgressBar {
        let style = "{prefix} [{bar:30}] {pos}/{len} {elapsed} (left: {eta}) {wide_msg}";
        let bar = ProgressBar::with_draw_target(Some(steps as u64), self.target());
        bar.set_style(ProgressStyle::with_template(style).expect("template is valid"));
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    /// Progress of something whose length nobody knows, as a build.
    pub(crate) fn spinner(self, what: String) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, self.target());
        let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
        bar.set_style(style.expect("template is valid"));
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    fn target(self) -> ProgressDrawTarget {
        if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
    }
}

/// A remark on standard error. That nobody reads it there is no reason to stop.
pub(crate) fn say(remark: &str) {
    let _unread = writeln!(io::stderr(), "{remark}");
}
