//! `cargo perf setup`: installs what is missing where it may, prints the command where it may not.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::args::SetupArgs;
use crate::doctor::probe;
use crate::exit::{Exit, failure};
use crate::process;
use crate::ui::Ui;
use crate::workspace;

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
}

/// A package manager and what installs a package with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Manager {
    program: &'static str,
    install: &'static [&'static str],
    /// What refreshes its index, where an old one makes installing fail.
    refresh: Option<&'static [&'static str]>,
    compiler: &'static str,
    postgres: &'static str,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        install: &["install", "-y", "--no-install-recommends"],
        refresh: Some(&["update"]),
        compiler: "build-essential",
        postgres: "postgresql",
    },
    Manager {
        program: "dnf",
        install: &["install", "-y"],
        refresh: None,
        compiler: "gcc",
        postgres: "postgresql-server",
    },
    Manager {
        program: "pacman",
        install: &["-S", "--noconfirm", "--needed"],
        refresh: None,
        compiler: "gcc",
        postgres: "postgresql",
    },
    Manager {
        program: "zypper",
        install: &["--non-interactive", "install"],
        refresh: None,
        compiler: "gcc",
        postgres: "postgresql-server",
    },
    Manager {
        program: "apk",
        install: &["add"],
        refresh: None,
        compiler: "build-base",
        postgres: "postgresql",
    },
];

/// What this user may do with the system's packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Root,
    /// `sudo -n` works: no password is asked.
    Sudo,
    None,
}

/// How to get one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Commands, in order.
    Run(Vec<Vec<String>>),
    /// What the user has to do.
    Tell(String),
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

/// Installs PostgreSQL and a browser where they are missing: only tests need them, so a plan for
/// measuring does not hold them.
///
/// # Errors
/// [`Exit::NotMeasured`] with the command, where it could not be installed.
pub(crate) fn ensure_for_tests(ui: Ui) -> anyhow::Result<()> {
    let missing = [Tool::Postgres, Tool::Browser].into_iter().filter(|tool| !tool.is_there());
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

fn rights() -> Rights {
    if rustix::process::geteuid().is_root() {
        return Rights::Root;
    }
    let sudo = process::run(Command::new("sudo").args(["-n", "true"]), Duration::from_secs(5));
    if sudo.is_ok_and(|outcome| outcome.success()) { Rights::Sudo } else { Rights::None }
}

/// How to get the tool with this package manager and these rights.
fn step(tool: Tool, manager: Option<Manager>, rights: Rights) -> Step {
    let package = match (tool, manager) {
        (Tool::Critcmp, _) => {
            let cargo = workspace::cargo().display().to_string();
            let args = ["install", "critcmp", "--locked"].map(str::to_owned);
            return Step::Run(vec![[cargo].into_iter().chain(args).collect()]);
        }
        (_, None) => {
            let why = format!("install {} with this system's package manager", tool.name());
            return Step::Tell(why);
        }
        (Tool::Compiler, Some(manager)) => manager.compiler,
        (Tool::Valgrind, Some(_)) => "valgrind",
        (Tool::Postgres, Some(manager)) => manager.postgres,
        (Tool::Browser, Some(_)) => "chromium",
    };
    let manager = manager.expect("the arm without one has returned");
    let prefix: &[&str] = match rights {
        Rights::Root => &[],
        Rights::Sudo => &["sudo", "-n"],
        Rights::None => &["sudo"],
    };
    let command = |args: &[&str], package: &[&str]| {
        let words = prefix.iter().chain([&manager.program]).chain(args).chain(package);
        words.map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let mut commands: Vec<Vec<String>> =
        manager.refresh.map(|refresh| command(refresh, &[])).into_iter().collect();
    commands.push(command(manager.install, &[package]));
    if rights == Rights::None { Step::Tell(line(&commands)) } else { Step::Run(commands) }
}

/// Does the plan; `there` looks whether a tool can be used.
fn carry_out(plan: &[(Tool, Step)], there: impl Fn(Tool) -> bool, ui: Ui) -> anyhow::Result<Done> {
    let mut done = Done::default();
    for (tool, step) in plan {
        match (take(*tool, step, &there, ui), tool) {
            (Ok(()), _) => done.installed.push(tool.name()),
            (Err(why), Tool::Critcmp) if !process::interrupted() => {
                let hint = step.command();
                ui.say(&format!("warning: critcmp is not installed ({why}); try `{hint}`"));
                done.missing.push(tool.name());
            }
            (Err(why), _) => {
                let (name, hint) = (tool.name(), step.command());
                let why = format!("{name} is missing and was not installed ({why}); run: {hint}");
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

fn line(commands: &[Vec<String>]) -> String {
    commands.iter().map(|command| command.join(" ")).collect::<Vec<_>>().join(" && ")
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Compiler => "a C compiler",
            Self::Valgrind => "valgrind",
            Self::Critcmp => "critcmp",
            Self::Postgres => "PostgreSQL",
            Self::Browser => "a browser",
        }
    }

    fn is_there(self) -> bool {
        let version = match self {
            Self::Compiler => probe::first_line("cc", &["--version"]),
            Self::Valgrind => probe::first_line("valgrind", &["--version"]),
            Self::Critcmp => probe::critcmp(),
            Self::Postgres => return probe::postgres().is_some(),
            Self::Browser => probe::browser(),
        };
        version.is_some()
    }
}

impl Step {
    /// What the user would type.
    fn command(&self) -> String {
        match self {
            Self::Run(commands) => line(commands),
            Self::Tell(told) => told.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(tool: Tool, program: &str, rights: Rights) -> Step {
        step(tool, MANAGERS.into_iter().find(|manager| manager.program == program), rights)
    }

    #[test]
    fn every_package_manager_installs_valgrind_as_root() {
        let told = [
            ("apt-get", "apt-get update && apt-get install -y --no-install-recommends valgrind"),
            ("dnf", "dnf install -y valgrind"),
            ("pacman", "pacman -S --noconfirm --needed valgrind"),
            ("zypper", "zypper --non-interactive install valgrind"),
            ("apk", "apk add valgrind"),
        ];
        for (program, command) in told {
            let step = with(Tool::Valgrind, program, Rights::Root);
            assert!(matches!(step, Step::Run(_)));
            assert_eq!(step.command(), command);
        }
    }

    #[test]
    fn the_server_has_a_name_of_its_own_in_each() {
        let told = with(Tool::Postgres, "dnf", Rights::Root);
        assert_eq!(told.command(), "dnf install -y postgresql-server");
        assert!(plan().iter().all(|(tool, _)| *tool != Tool::Postgres), "measuring needs none");
    }

    #[test]
    fn without_rights_the_command_is_printed_and_not_run() {
        let step = with(Tool::Compiler, "apk", Rights::None);
        assert_eq!(step, Step::Tell("sudo apk add build-base".to_owned()));
        let step = with(Tool::Compiler, "dnf", Rights::Sudo);
        assert!(matches!(step, Step::Run(_)));
        assert_eq!(step.command(), "sudo -n dnf install -y gcc");
    }

    #[test]
    fn a_system_without_a_known_package_manager_gets_a_sentence() {
        for rights in [Rights::Root, Rights::Sudo, Rights::None] {
            let told = "install valgrind with this system's package manager";
            assert_eq!(step(Tool::Valgrind, None, rights), Step::Tell(told.to_owned()));
        }
    }

    #[test]
    fn critcmp_needs_no_rights() {
        let step = step(Tool::Critcmp, None, Rights::None);
        assert!(matches!(step, Step::Run(_)));
        assert!(step.command().ends_with("install critcmp --locked"));
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
