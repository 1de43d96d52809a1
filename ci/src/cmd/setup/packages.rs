//! Package managers: what installs a tool with each of them, and whether this user may.

use std::process::Command;
use std::time::Duration;

use super::Tool;
use crate::{process, workspace};

/// A package manager and what installs a package with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    pub(super) program: &'static str,
    install: &'static [&'static str],
    /// What refreshes its index, where an old one makes installing fail.
    refresh: Option<&'static [&'static str]>,
    compiler: &'static str,
    postgres: &'static str,
}

pub(super) const MANAGERS: [Manager; 5] = [
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
pub(super) enum Rights {
    Root,
    /// `sudo -n` works: no password is asked.
    Sudo,
    None,
}

/// How to get one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Commands, in order.
    Run(Vec<Vec<String>>),
    /// What the user has to do.
    Tell(String),
}

pub(super) fn rights() -> Rights {
    if rustix::process::geteuid().is_root() {
        return Rights::Root;
    }
    let sudo = process::run(Command::new("sudo").args(["-n", "true"]), Duration::from_secs(5));
    if sudo.is_ok_and(|outcome| outcome.success()) { Rights::Sudo } else { Rights::None }
}

/// How to get the tool with this package manager and these rights.
pub(super) fn step(tool: Tool, manager: Option<Manager>, rights: Rights) -> Step {
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
        (Tool::H2load, Some(manager)) if manager.program == "apt-get" => "nghttp2-client",
        (Tool::H2load, Some(_)) => "nghttp2",
        (Tool::PythonVenv, Some(manager)) if manager.program == "apt-get" => "python3-venv",
        (Tool::PythonVenv, Some(_)) => "python3",
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

fn line(commands: &[Vec<String>]) -> String {
    commands.iter().map(|command| command.join(" ")).collect::<Vec<_>>().join(" && ")
}

impl Step {
    /// What the user would type.
    pub(super) fn command(&self) -> String {
        match self {
            Self::Run(commands) => line(commands),
            Self::Tell(told) => told.clone(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn with(tool: Tool, program: &str, rights: Rights) -> Step {
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
}
