//! Fetches what the findings are made of. Changes nothing on the machine: the one experiment runs
//! in a network namespace that ends with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::processor::Clock;
use super::system::Netem;
use crate::process::{self, Outcome};

/// No probe takes longer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Long enough for a busy host to steal some of it.
const STAT_GAP: Duration = Duration::from_millis(200);
const CLOCK_READS: u32 = 20_000;
/// `unshare` without and with a user namespace: the first needs root.
const UNSHARE: [&[&str]; 2] = [&["-n"], &["-r", "-n"]];
/// Lists its own tunables, as the loader on x86-64 does from 2.33 on.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The text of a file, where it can be read.
pub(crate) fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The names in a folder; none where it can't be read.
pub(crate) fn entries(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Whether a DAMON of this kernel pages cold memory out: one with a scheme of that kind, or the module
/// that does nothing else. `None` where only root may look.
pub(crate) fn reclaim() -> Option<bool> {
    if text("/sys/module/damon_reclaim/parameters/enabled").is_some_and(|on| on.trim() == "Y") {
        return Some(true);
    }
    let damons = Path::new("/sys/kernel/mm/damon/admin/kdamonds");
    match fs::read_dir(damons) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
        Ok(damons) => Some(damons.flatten().any(|damon| pages_out(&damon.path()))),
    }
}

/// Whether this DAMON runs and one of its schemes pages out.
fn pages_out(damon: &Path) -> bool {
    let is = |path: &Path, word: &str| fs::read_to_string(path).is_ok_and(|t| t.trim() == word);
    let within = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let contexts = within(&damon.join("contexts"));
    let mut schemes = contexts.iter().flat_map(|context| within(&context.join("schemes")));
    is(&damon.join("state"), "on") && schemes.any(|scheme| is(&scheme.join("action"), "pageout"))
}

/// The first line that a program prints on standard output, where it ends well.
pub(crate) fn first_line(program: &str, args: &[&str]) -> Option<String> {
    output(program, args).and_then(|text| Some(text.lines().next()?.trim().to_owned()))
}

/// What critcmp says of its version: on the path, or where cargo installs.
pub(crate) fn critcmp() -> Option<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let installed = home.map(|home| home.join("bin/critcmp").to_string_lossy().into_owned());
    let programs = ["critcmp".to_owned()].into_iter().chain(installed);
    programs.into_iter().find_map(|program| first_line(&program, &["--version"]))
}

/// What a browser of the Chromium family says of its version, under the names that systems give it.
pub(crate) fn browser() -> Option<String> {
    let programs = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    programs.into_iter().find_map(|program| first_line(program, &["--version"]))
}

/// The folder with PostgreSQL's programs: on the path, or the newest where Debian keeps it.
pub(crate) fn postgres() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions = entries("/usr/lib/postgresql");
    versions.sort_by_key(|version| version.parse::<u32>().unwrap_or(0));
    let debian = |version: String| Path::new("/usr/lib/postgresql").join(version).join("bin");
    folders.extend(versions.into_iter().rev().map(debian));
    let needed = ["initdb", "pg_ctl", "createdb"];
    folders.into_iter().find(|folder| needed.iter().all(|name| folder.join(name).exists()))
}

/// The loader's list of tunables.
pub(crate) fn tunables() -> Option<String> {
    output(LOADER, &["--list-tunables"])
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    run(program, args).filter(Outcome::success).map(|outcome| outcome.stdout)
}

fn run(program: &str, args: &[&str]) -> Option<Outcome> {
    process::run(Command::new(program).args(args), DEADLINE).ok()
}

/// Two readings of `/proc/stat`, far enough apart to tell what happens now.
pub(crate) fn stat_twice() -> (String, String) {
    let read = || text("/proc/stat").unwrap_or_default();
    let before = read();
    thread::sleep(STAT_GAP);
    (before, read())
}

/// The monotonic clock, read in a loop: the smallest step and the mean cost of a reading.
pub(crate) fn clock() -> Clock {
    let started = Instant::now();
    let mut last = started;
    let mut step = Duration::MAX;
    for _ in 0..CLOCK_READS {
        let now = Instant::now();
        let passed = now - last;
        if !passed.is_zero() {
            step = step.min(passed);
        }
        last = now;
    }
    Clock { step, cost: (last - started) / CLOCK_READS }
}

/// Whether the device opens for reading and writing, or why not.
pub(crate) fn opens(path: &str) -> Result<(), std::io::Error> {
    File::options().read(true).write(true).open(path).map(drop)
}

/// Free bytes for this user where the path lies or will lie.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// Tries a delay on the loopback device of a network namespace that ends with the trial.
pub(crate) fn netem() -> Netem {
    if run("tc", &["-V"]).is_none() {
        return Netem::NoTool;
    }
    let isolates = |args: &&&[&str]| {
        let mut args = args.to_vec();
        args.push("true");
        output("unshare", &args).is_some()
    };
    let Some(unshare) = UNSHARE.iter().find(isolates) else { return Netem::NoNamespace };
    let mut args = unshare.to_vec();
    args.extend("tc qdisc add dev lo root netem delay 1ms".split(' '));
    match run("unshare", &args) {
        Some(outcome) if outcome.success() => Netem::Works,
        Some(outcome) => Netem::Refused(outcome.last_words().trim_end_matches('.').to_owned()),
        None => Netem::Refused("tc did not start".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damon_pages_out_where_it_runs_and_has_such_a_scheme() {
        let damon = tempfile::tempdir().expect("temporary folder");
        let scheme = damon.path().join("contexts/0/schemes/0");
        fs::create_dir_all(&scheme).expect("create");
        fs::write(damon.path().join("contexts/0/schemes/nr_schemes"), "1\n").expect("write");
        for (state, action, pages) in
            [("on", "pageout", true), ("on", "stat", false), ("off", "pageout", false)]
        {
            fs::write(damon.path().join("state"), format!("{state}\n")).expect("write");
            fs::write(scheme.join("action"), format!("{action}\n")).expect("write");
            assert_eq!(pages_out(damon.path()), pages, "{state} {action}");
        }
    }

    #[test]
    fn the_clock_moves_and_costs_something() {
        let clock = clock();
        assert!(!clock.step.is_zero() && clock.step < Duration::from_secs(1));
        assert!(!clock.cost.is_zero());
    }

    #[test]
    fn what_is_not_there_is_none_and_no_error() {
        assert_eq!(first_line("no-such-program", &[]), None);
        assert_eq!(text("/no/such/file"), None);
        assert!(entries("/no/such/folder").is_empty());
        assert!(opens("/no/such/device").is_err());
        assert!(free_bytes(Path::new("/no/such/folder")).is_some(), "the root is there");
    }
}
