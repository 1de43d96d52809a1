//! `cargo perf setup`: installs what is missing where it may, prints the command where it may not.

mod packages;

use std::process::Command;
use std::time::Duration;

use packages::{MANAGERS, Manager, Rights, Step, rights, step};
use serde_json::json;

use crate::args::SetupArgs;
use crate::doctor::probe;
use crate::exit::{Exit, failure};
use crate::process;
use crate::ui::Ui;

/// Package indexes and a build of critcmp on a slow machine.
const DEADLINE: Duration = Duration::from_secs(900);

/// A program that measuring needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Compiler,
    Valgrind,
    /// For users who compare saved criterion baselines with it; nothing here needs it.
    Critcmp,
    /// For the test of a history that is kept on a server; nothing else needs it.
    Postgres,
    /// For the test that opens a report; nothing else needs it.
    Browser,
    /// For the test of other implementations of HTTP/2, which says when it is missing.
    H2load,
    /// For the test of other implementations of gRPC, which says when it is missing.
    PythonVenv,
}

pub(crate) fn run(args: &SetupArgs, ui: Ui) -> anyhow::Result<Exit> {
    let plan = plan();
    if args.dry_run {
        let lines: Vec<String> = plan.iter().map(|(_, step)| step.command()).collect();
        let text = if lines.is_empty() { NOTHING.to_owned() } else { lines.join("\n") };
        ui.result(&text, &json!({"commands": lines}))?;
        return Ok(Exit::Fine);
    }
    let done = carry_out(&plan, Tool::is_there, ui)?;
    ui.result(&done.text(), &json!({"installed": done.installed, "missing": done.missing}))?;
    Ok(Exit::Fine)
}

/// What a plan came to, by name. What is missing is optional, otherwise it were an error.
#[derive(Debug, Default)]
struct Done {
    installed: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl Done {
    fn text(&self) -> String {
        let installed = format!("installed {}", self.installed.join(", "));
        let missing = format!("still missing, and optional: {}", self.missing.join(", "));
        match (self.installed.is_empty(), self.missing.is_empty()) {
            (true, true) => NOTHING.to_owned(),
            (false, true) => installed,
            (true, false) => missing,
            (false, false) => format!("{installed}; {missing}"),
        }
    }
}

const NOTHING: &str = "nothing is missing";

/// Installs what is missing. That an optional tool could not be had is worth a warning.
///
/// # Errors
/// [`Exit::NotMeasured`] with the command, where a required tool could not be installed.
pub(crate) fn ensure(ui: Ui) -> anyhow::Result<()> {
    carry_out(&plan(), Tool::is_there, ui).map(drop)
}

/// What only tests need, so that a plan for measuring does not hold it.
const FOR_TESTS: [Tool; 4] = [Tool::Postgres, Tool::Browser, Tool::H2load, Tool::PythonVenv];

/// Installs what only tests need where it is missing.
///
/// # Errors
/// [`Exit::NotMeasured`] with the command, where a required tool could not be installed.
pub(crate) fn ensure_for_tests(ui: Ui) -> anyhow::Result<()> {
    let missing = FOR_TESTS.into_iter().filter(|tool| !tool.is_there());
    carry_out(&steps(missing), Tool::is_there, ui).map(drop)
}

/// That instructions can be counted.
///
/// # Errors
/// [`Exit::NotMeasured`] with the command that installs valgrind.
pub(crate) fn require_valgrind() -> anyhow::Result<()> {
    if Tool::Valgrind.is_there() {
        return Ok(());
    }
    let why = "valgrind is not here, and without it no instruction can be counted; \
               `cargo perf setup` installs it";
    Err(failure(Exit::NotMeasured, why))
}

/// What is missing on this machine, and how to get it.
fn plan() -> Vec<(Tool, Step)> {
    let tools = [Tool::Compiler, Tool::Valgrind, Tool::Critcmp];
    steps(tools.into_iter().filter(|tool| !tool.is_there()))
}

/// How to get each of them on this machine, which is looked at only where there is one.
fn steps(missing: impl Iterator<Item = Tool>) -> Vec<(Tool, Step)> {
    let on_path = |manager: &Manager| probe::first_line(manager.program, &["--version"]).is_some();
    let mut known: Option<(Option<Manager>, Rights)> = None;
    missing
        .map(|tool| {
            let (manager, rights) =
                *known.get_or_insert_with(|| (MANAGERS.into_iter().find(on_path), rights()));
            (tool, step(tool, manager, rights))
        })
        .collect()
}

/// Does the plan; `there` looks whether a tool can be used.
fn carry_out(plan: &[(Tool, Step)], there: impl Fn(Tool) -> bool, ui: Ui) -> anyhow::Result<Done> {
    let mut done = Done::default();
    for (tool, step) in plan {
        match (take(*tool, step, &there, ui), tool) {
            (Ok(()), _) => done.installed.push(tool.name()),
            (Err(why), tool) if tool.is_optional() && !process::interrupted() => {
                let (name, hint) = (tool.name(), step.command());
                ui.say(&format!("warning: {name} is not installed ({why}); try `{hint}`"));
                done.missing.push(tool.name());
            }
            (Err(why), _) => {
                let (name, hint) = (tool.name(), step.command());
                let other = tool.otherwise();
                let why =
                    format!("{name} is missing and was not installed ({why}); run: {hint}{other}");
                return Err(failure(Exit::NotMeasured, why));
            }
        }
    }
    Ok(done)
}

/// Does the step and looks whether the tool is there afterwards.
fn take(tool: Tool, step: &Step, there: impl Fn(Tool) -> bool, ui: Ui) -> Result<(), String> {
    let Step::Run(commands) = step else {
        return Err("this user may not install packages".to_owned());
    };
    let mut last = String::new();
    for command in commands {
        let bar = ui.spinner(command.join(" "));
        let mut child = Command::new(&command[0]);
        child.args(&command[1..]).env("DEBIAN_FRONTEND", "noninteractive");
        let outcome = process::run(&mut child, DEADLINE).map_err(|error| format!("{error:#}"));
        bar.finish_and_clear();
        // An index that can't be refreshed may still be good enough; what counts is the tool.
        let outcome = outcome?;
        if !outcome.success() {
            last = format!("`{}` {}: {}", command.join(" "), outcome.ending, outcome.last_words());
        }
    }
    match (there(tool), last.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => Err(format!("{} is still not on the path", tool.name())),
        (false, false) => Err(last),
    }
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Compiler => "a C compiler",
            Self::Valgrind => "valgrind",
            Self::Critcmp => "critcmp",
            Self::Postgres => "PostgreSQL",
            Self::Browser => "a browser",
            Self::H2load => "h2load",
            Self::PythonVenv => "Python's venv",
        }
    }

    /// Whether what needs it goes on without it, and says so.
    const fn is_optional(self) -> bool {
        matches!(self, Self::Critcmp | Self::H2load | Self::PythonVenv)
    }

    /// What else to do where no package has the tool.
    fn otherwise(self) -> &'static str {
        match self {
            // Ubuntu's archive has a stub that wants a snap; runners of GitHub have Chrome.
            Self::Browser => {
                ", or, where the packages have Chromium only as a snap, install Google Chrome"
            }
            _ => "",
        }
    }

    fn is_there(self) -> bool {
        let version = match self {
            Self::Compiler => probe::first_line("cc", &["--version"]),
            Self::Valgrind => probe::first_line("valgrind", &["--version"]),
            Self::Critcmp => probe::critcmp(),
            Self::Postgres => return probe::postgres().is_some(),
            Self::Browser => probe::browser(),
            Self::H2load => probe::first_line("h2load", &["--version"]),
            // Debian splits it: `venv` alone is there and cannot make an environment.
            Self::PythonVenv => probe::first_line(
                "python3",
                &["-c", "import ensurepip; print(ensurepip.version())"],
            ),
        };
        version.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::packages::tests::with;
    use super::*;

    #[test]
    fn measuring_needs_nothing_that_is_for_tests() {
        assert!(!plan().iter().any(|(tool, _)| FOR_TESTS.contains(tool)));
    }

    fn attempt(tool: Tool, step: Step, there: bool) -> anyhow::Result<Done> {
        carry_out(&[(tool, step)], |_| there, Ui { json: true })
    }

    fn shell(script: &str) -> Step {
        Step::Run(vec![["sh", "-c", script].map(str::to_owned).to_vec()])
    }

    #[test]
    fn a_required_tool_that_was_not_installed_is_exit_4_with_the_command() {
        let refused = with(Tool::Valgrind, "apk", Rights::None);
        for step in [refused, shell("echo no network >&2; exit 1"), shell("true")] {
            let command = step.command();
            let error = attempt(Tool::Valgrind, step, false).expect_err("not installed");
            assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
            assert!(error.to_string().ends_with(&command), "{error}");
        }
    }

    #[test]
    fn a_browser_of_another_name_will_do_and_without_one_another_way_is_told() {
        let stub = "echo \"Package 'chromium' has no installation candidate\" >&2; exit 100";
        assert!(attempt(Tool::Browser, shell(stub), true).is_ok(), "Chrome is on the path");
        let error = attempt(Tool::Browser, shell(stub), false).expect_err("nothing is");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
        let said = error.to_string();
        assert!(said.contains("no installation candidate"), "{said}");
        assert!(said.ends_with("install Google Chrome"), "{said}");
    }

    #[test]
    fn critcmp_that_was_not_installed_is_a_warning_and_said_to_be_missing() {
        let done = attempt(Tool::Critcmp, shell("exit 1"), false).expect("a warning");
        assert!(done.installed.is_empty());
        assert_eq!(done.text(), "still missing, and optional: critcmp");
        let both = Done { installed: vec!["valgrind"], missing: vec!["critcmp"] };
        assert_eq!(both.text(), "installed valgrind; still missing, and optional: critcmp");
        assert_eq!(Done::default().text(), "nothing is missing");
    }

    #[test]
    fn what_is_there_afterwards_is_installed() {
        let done = attempt(Tool::Valgrind, shell("exit 1"), true).expect("there");
        assert_eq!((done.installed.as_slice(), done.missing.len()), (&["valgrind"][..], 0));
        assert_eq!(done.text(), "installed valgrind");
    }
}
