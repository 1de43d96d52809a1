//! Builds the count benches of one tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::exit::{Exit, failure};
use crate::process::{self, Ending, Outcome};
use crate::ui::Ui;
use crate::workspace::cargo;

/// So much of an error of cargo's own: a build script says why it failed below what cargo says.
const CARGO_LINES_MAX: usize = 20;
/// A build that takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(3600);
/// What gungraun's benches call; built beside them, at the path that is compiled into them.
pub(crate) const RUNNER: &str = "gungraun-runner";

/// The targets that count.
pub(crate) const COUNTS: [&str; 1] = ["count_*"];
/// The targets that measure one operation's time under criterion.
pub(crate) const WALLS: [&str; 1] = ["wall_*"];

/// What `package benches` builds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Executables {
    /// The runner of the benches' own version of gungraun.
    pub(crate) runner: Option<PathBuf>,
    /// Bench executables by target name, as in `count_pool`.
    pub(crate) benches: BTreeMap<String, PathBuf>,
}

/// What to build and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build<'a> {
    /// The tree's name for the user, as in "the working tree".
    pub(crate) name: &'a str,
    /// The folder with the virtual manifest.
    pub(crate) root: &'a Path,
    /// Cargo's target folder; the workspace's own when `None`.
    pub(crate) target: Option<&'a Path>,
    /// Features of `package benches`.
    pub(crate) features: &'a [String],
}

/// Builds the targets of `package benches` whose names match one of these patterns ([`COUNTS`],
/// [`WALLS`]) with the bench profile; with no pattern, every target that the features allow. A tree
/// without the package or without such targets has no executables, and that is no error.
///
/// # Errors
/// [`Exit::Broke`] with the compiler's first error; [`Exit::Usage`] when there is no such feature;
/// [`Exit::NotMeasured`] when interrupted.
pub(crate) fn bench_executables(
    build: &Build<'_>,
    targets: &[&str],
    ui: Ui,
) -> anyhow::Result<Executables> {
    built(build, targets, false, ui)
}

/// `asked` where the targets are the user's own.
fn built(build: &Build<'_>, targets: &[&str], asked: bool, ui: Ui) -> anyhow::Result<Executables> {
    let spinner = ui.spinner(format!("building {}", build.name));
    let outcome = process::run(&mut command(build, targets), DEADLINE);
    spinner.finish_and_clear();
    let outcome = outcome?;
    if outcome.success() {
        return Ok(executables(&outcome.stdout));
    }
    if outcome.ending == Ending::Interrupted {
        let sentence = format!("interrupted while building {}; nothing was measured", build.name);
        return Err(failure(Exit::NotMeasured, sentence));
    }
    if let Some(why) = unknown_target(&outcome.stderr).filter(|_| asked) {
        let sentence = format!("--bench: package `benches` of {} has {why}", build.name);
        return Err(failure(Exit::Usage, sentence));
    }
    if has_no_targets(&outcome.stderr) {
        return Ok(Executables::default());
    }
    if let Some(feature) = unknown_feature(&outcome.stderr, build.features) {
        let sentence = format!("--features: package `benches` of {} has no {feature}", build.name);
        return Err(failure(Exit::Usage, sentence));
    }
    let why = first_error(&outcome);
    Err(failure(Exit::Broke, format!("{} does not build: {why}", build.name)))
}

/// As [`bench_executables`], of the targets that the user names, or `usual` where nobody does.
///
/// # Errors
/// Those, and [`Exit::Usage`] when a name is that of no target, or of one whose features are not asked
/// for.
pub(crate) fn named_executables(
    build: &Build<'_>,
    named: &[String],
    usual: &[&str],
    ui: Ui,
) -> anyhow::Result<Executables> {
    if named.is_empty() {
        return bench_executables(build, usual, ui);
    }
    let names: Vec<&str> = named.iter().map(String::as_str).collect();
    built(build, &names, true, ui)
}

fn command(build: &Build<'_>, targets: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    command
        .current_dir(build.root)
        .args(["bench", "--package=benches", "--no-run", "--locked"])
        .args(targets.iter().map(|target| format!("--bench={target}")))
        .args(targets.is_empty().then_some("--benches"))
        .arg("--message-format=json")
        .env("CARGO_TERM_COLOR", "never");
    if let Some(target) = build.target {
        // Fingerprints lie there too, wherever the user's settings put them.
        command.env("CARGO_TARGET_DIR", target).env("CARGO_BUILD_BUILD_DIR", target);
    }
    if !build.features.is_empty() {
        command.arg(format!("--features={}", build.features.join(",")));
    }
    // Of the cargo that runs us, about us; build scripts of the tree must not see them.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether `cargo run` sets this variable to tell a program of its own package.
pub(crate) fn of_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|own| variable.starts_with(own))
}

fn messages(stdout: &str) -> impl Iterator<Item = Value> {
    stdout.lines().filter_map(|line| serde_json::from_str(line).ok())
}

fn executables(stdout: &str) -> Executables {
    let mut found = Executables::default();
    for message in messages(stdout) {
        let target = &message["target"];
        let kind = target["kind"][0].as_str();
        if let (Some(name), Some(path)) = (target["name"].as_str(), message["executable"].as_str())
        {
            match kind {
                Some("bench") => drop(found.benches.insert(name.to_owned(), path.into())),
                Some("bin") if name == RUNNER => found.runner = Some(path.into()),
                _ => {}
            }
        }
    }
    found
}

/// Whether cargo says that nothing by this name is there to be built.
fn has_no_targets(stderr: &str) -> bool {
    ["no bench target matches pattern", "no bench target in", "did not match any packages"]
        .iter()
        .any(|message| stderr.contains(message))
}

/// What the user named that is no target, or none without features, by what cargo says.
fn unknown_target(stderr: &str) -> Option<String> {
    let quoted = |line: &str| line.split('`').nth(1).map(str::to_owned);
    stderr.lines().find_map(|line| {
        if ["no bench target named", "no bench target matches pattern"]
            .iter()
            .any(|message| line.contains(message))
        {
            return quoted(line).map(|name| format!("no target '{name}'"));
        }
        let (target, features) = line.split_once("requires the features: ")?;
        let target = quoted(target)?;
        Some(format!("'{target}' only with --features {}", features.replace(['`', ' '], "")))
    })
}

/// The feature of `asked` that cargo does not know, as in "feature 'x'".
fn unknown_feature(stderr: &str, asked: &[String]) -> Option<String> {
    let of_package = ["not contain this feature: ", "not contain these features: "];
    let named = stderr.lines().find_map(|line| {
        let (_, names) = of_package.iter().find_map(|message| line.split_once(message))?;
        Some(format!("feature '{}'", names.trim().replace(", ", "' and '")))
    });
    // A manifest may name one that is not there, too; that is no fault of who asked.
    let of_dependency = asked.iter().find(|feature| {
        feature.split_once('/').is_some_and(|(package, name)| {
            stderr.contains(&format!("with feature `{name}` but `{package}` does not have that"))
        })
    });
    named.or_else(|| of_dependency.map(|feature| format!("feature '{feature}'")))
}

/// The compiler's first error, or cargo's when it came no further.
fn first_error(outcome: &Outcome) -> String {
    let compiler = messages(&outcome.stdout).find_map(|message| {
        let message = &message["message"];
        let is_error = message["level"] == "error";
        is_error.then(|| message["rendered"].as_str().unwrap_or_default().trim().to_owned())
    });
    let cargo = || outcome.errors(CARGO_LINES_MAX);
    let told = compiler.filter(|told| !told.is_empty()).or_else(cargo);
    told.unwrap_or_else(|| format!("cargo {}", outcome.ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stdout: &str, stderr: &str) -> Outcome {
        let ending = Ending::Overdue(Duration::from_secs(9));
        Outcome { ending, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn benches_and_runner_are_found_among_cargos_messages() {
        let stdout = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"x"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"gungraun-runner"},"executable":"/t/release/gungraun-runner"}
{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"count_pool"},"executable":"/t/deps/count_pool-1"}
not json
{"reason":"build-finished","success":true}"#;
        let found = executables(stdout);
        assert_eq!(found.runner, Some("/t/release/gungraun-runner".into()));
        assert_eq!(found.benches, [("count_pool".into(), "/t/deps/count_pool-1".into())].into());
    }

    #[test]
    fn the_compilers_first_error_speaks_before_cargos() {
        let stdout = r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"w"}}
{"reason":"compiler-message","message":{"level":"error","rendered":"error: first\n --> a.rs\n"}}
{"reason":"compiler-message","message":{"level":"error","rendered":"error: second"}}"#;
        let stderr = "   Compiling a\nerror: could not compile `a`\n";
        assert_eq!(first_error(&outcome(stdout, stderr)), "error: first\n --> a.rs");
        assert_eq!(first_error(&outcome("", stderr)), "error: could not compile `a`");
        assert!(first_error(&outcome("", "")).contains("cargo still ran after 9 s"));
    }

    #[test]
    fn a_feature_that_is_not_there_is_told_from_a_build_that_fails() {
        let asked = ["x".to_owned(), "rocks/y".to_owned()];
        let told = |stderr: &str| unknown_feature(stderr, &asked);
        let package = "error: the package 'benches' does not contain";
        assert_eq!(told(&format!("{package} this feature: x")), Some("feature 'x'".into()));
        let both = told(&format!("{package} these features: x, z\n"));
        assert_eq!(both, Some("feature 'x' and 'z'".into()));
        let depends = |name| {
            format!(
                "package `benches` depends on `rocks` with feature `{name}` but `rocks` does not \
                 have that feature.\n"
            )
        };
        assert_eq!(told(&depends("y")), Some("feature 'rocks/y'".into()));
        assert_eq!(told(&depends("of_a_manifest")), None);
        assert_eq!(told("error: could not compile `a`"), None);
    }

    #[test]
    fn a_target_that_is_not_there_is_named_and_so_are_the_features_that_one_needs() {
        let told = |stderr: &str| unknown_target(stderr).unwrap_or_default();
        let of_package =
            "in `benches` package\n\nhelp: a target with a similar name exists: `wall_tcp`";
        assert_eq!(
            told(&format!("error: no bench target named `wall_b` {of_package}")),
            "no target 'wall_b'"
        );
        let pattern = format!("error: no bench target matches pattern `wall_b*` {of_package}");
        assert_eq!(told(&pattern), "no target 'wall_b*'");
        let needs =
            "error: target `fault_wall` in package `benches` requires the features: `faults`\n";
        assert_eq!(told(needs), "'fault_wall' only with --features faults");
        assert_eq!(told("error: could not compile `a`"), "");
    }

    #[test]
    fn a_tree_without_count_benches_is_told_from_one_that_does_not_build() {
        assert!(has_no_targets("error: no bench target matches pattern `count_*` in default-run"));
        assert!(has_no_targets(
            "error: package ID specification `benches` did not match any packages"
        ));
        assert!(!has_no_targets("error: could not compile `a`"));
    }
}
