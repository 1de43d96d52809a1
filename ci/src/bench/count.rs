//! One callgrind run for each id and side: each in a process of its own, so that a bench that
//! panics or hangs costs one row, on all cores, because another core's load does not change a
//! count.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use bench_core::counting::GLIBC_TUNABLES;
use bench_core::measure::recorder::{self, ROWS_VARIABLE};
use bench_core::record::{Data, Metric, Row};
use gungraun_summary::util::{SummaryByVersion, parse};
use serde_json::Value;

use super::build::Executables;
use super::ids::{Bench, parse_listing};
use crate::exit::{Exit, failure};
use crate::process::{self, Ending};
use crate::ui::Ui;

/// A listing runs no bench.
const LISTING: Duration = Duration::from_secs(60);
const UNIT: &str = "instructions";
/// Means nothing to anybody; its length is what counts.
const PADDING_VARIABLE: &str = "WEIGHBRIDGE_PADDING";

/// Where one side is counted. Two sides that are compared need paths of equal length, because
/// the length of a path moves the stack and with it some counts.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Bench executables by target name.
    pub(crate) benches: BTreeMap<String, PathBuf>,
    /// The current folder of the benches.
    pub(crate) folder: PathBuf,
    /// Where gungraun keeps its output. Emptied by [`Place::list`].
    pub(crate) home: PathBuf,
    /// Bytes by which the environment of the benches is longer than it need be: none, but in an
    /// audit.
    pub(crate) padding: usize,
}

/// One bench of one side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) place: &'a Place,
    pub(crate) bench: &'a Bench,
}

/// A row and what callgrind wrote for it.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) row: Row,
    /// Empty where the bench failed.
    pub(crate) callgrind: Vec<PathBuf>,
}

impl Place {
    /// The place for executables that stay where cargo built them.
    pub(crate) fn of(executables: &Executables, folder: &Path, home: &Path) -> Self {
        Self {
            benches: executables.benches.clone(),
            folder: folder.to_owned(),
            home: home.to_owned(),
            padding: 0,
        }
    }

    /// Every bench of every target, sorted by id. Forgets what was counted here before.
    ///
    /// # Errors
    /// When a target can't list its benches, or two benches share an id.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<Bench>> {
        let _nothing = fs::remove_dir_all(&self.home);
        fs::create_dir_all(&self.home)
            .with_context(|| format!("failed to create {}", self.home.display()))?;
        let mut benches = Vec::new();
        for target in self.benches.keys() {
            let mut command = self.command(target);
            let outcome =
                process::run(command.args(["--bench", "--list", "--format=terse"]), LISTING)?;
            if !outcome.success() {
                let why = outcome.last_words();
                let sentence = format!("bench target '{target}' can't list its benches: {why}");
                return Err(failure(listing_exit(outcome.ending), sentence));
            }
            benches.extend(parse_listing(target, &outcome.stdout));
        }
        benches.sort();
        match benches.windows(2).find(|pair| pair[0].id == pair[1].id) {
            Some(pair) => Err(failure(
                Exit::Broke,
                format!(
                    "two benches are called {}: {} and {}; rename one",
                    pair[0].id, pair[0].path, pair[1].path
                ),
            )),
            None => Ok(benches),
        }
    }

    /// The executable with an environment of which everything is known.
    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(&self.benches[target]);
        command.current_dir(&self.folder).env_clear();
        for kept in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
            .env("GUNGRAUN_HOME", &self.home)
            .env("GUNGRAUN_WORKSPACE_ROOT", &self.folder)
            .env("GUNGRAUN_ENVS", self.variables())
            .env("GUNGRAUN_COLOR", "never");
        command
    }

    /// All that the benches themselves find in their environment.
    fn variables(&self) -> String {
        let padding = match self.padding {
            0 => String::new(),
            length => format!(" {PADDING_VARIABLE}={}", "x".repeat(length)),
        };
        format!("GLIBC_TUNABLES={GLIBC_TUNABLES} {ROWS_VARIABLE}{padding}")
    }

    /// Where gungraun writes what it knows of a bench.
    fn output(&self, bench: &Bench) -> PathBuf {
        let mut parts: Vec<&str> = bench.path.split("::").collect();
        let parameter = if parts.len() > 3 { parts.pop() } else { None };
        let function = parts.pop().unwrap_or_default();
        let mut folder = self.home.clone();
        folder.extend(parts);
        folder.join(parameter.map_or_else(|| function.to_owned(), |p| format!("{function}.{p}")))
    }
}

fn listing_exit(ending: Ending) -> Exit {
    if ending == Ending::Interrupted { Exit::NotMeasured } else { Exit::Broke }
}

/// Counts every bench, several at once, in the order given. `None` stands for a job that an
/// interrupt came before.
pub(crate) fn count(jobs: &[Job<'_>], deadline: Duration, ui: Ui) -> Vec<Option<Counted>> {
    let bar = ui.progress(jobs.len(), "counting");
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Counted>>> = Mutex::new(vec![None; jobs.len()]);
    let work = || {
        while !process::interrupted() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { break };
            bar.set_message(job.bench.id.clone());
            let counted = count_one(*job, deadline);
            done.lock().expect("no worker panics")[number] = counted;
            bar.inc(1);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    done.into_inner().expect("no worker panics")
}

/// The rows of these benches of one place, as `cargo perf run` wants them.
pub(crate) fn count_place(
    place: &Place,
    benches: &[Bench],
    deadline: Duration,
    ui: Ui,
) -> Vec<Row> {
    let jobs: Vec<Job<'_>> = benches.iter().map(|bench| Job { place, bench }).collect();
    count(&jobs, deadline, ui).into_iter().flatten().map(|counted| counted.row).collect()
}

/// One run; `None` when it was interrupted.
fn count_one(job: Job<'_>, deadline: Duration) -> Option<Counted> {
    let mut command = job.place.command(&job.bench.target);
    let rows = job.place.home.join(format!("{}.jsonl", job.bench.path));
    command.args(["--bench", "--save-summary=json", &job.bench.path]).env(ROWS_VARIABLE, &rows);
    let result = match process::run(&mut command, deadline) {
        Ok(outcome) if outcome.ending == Ending::Interrupted => return None,
        Ok(outcome) if outcome.success() => read_output(&job.place.output(job.bench)),
        Ok(outcome) => Err(match outcome.ending {
            Ending::Exited(_) => anyhow::anyhow!("{}", outcome.last_words()),
            ending => anyhow::anyhow!("the bench {ending}"),
        }),
        Err(error) => Err(error),
    };
    let (mut row, callgrind) = match result {
        Ok((value, files)) => {
            let data = Data::Count { value };
            (Row::measured(&job.bench.id, Metric::Instructions, UNIT, data), files)
        }
        Err(error) => {
            let why = format!("{error:#}");
            (Row::failed(&job.bench.id, Metric::Instructions, UNIT, &why), Vec::new())
        }
    };
    // A bench that broke has handed over nothing, and has an error that says so.
    let recorded = recorder::read(&rows).unwrap_or_default();
    row.dimensions.extend(recorded.dimensions.into_values().flatten());
    row.dimensions.insert("target".into(), job.bench.target.clone());
    Some(Counted { row, callgrind })
}

/// The instructions in the summary, and callgrind's files beside it.
fn read_output(folder: &Path) -> anyhow::Result<(u64, Vec<PathBuf>)> {
    let path = folder.join("summary.json");
    anyhow::ensure!(path.exists(), "the bench ended without a result, as if it had not run");
    let profiles = match parse(&path).map_err(|error| anyhow::anyhow!("{error}"))? {
        SummaryByVersion::V7(summary) => serde_json::to_value(summary.profiles)?,
        other => anyhow::bail!("gungraun wrote a summary that is not read here: {other:?}"),
    };
    let instructions = instructions(&profiles).context("the summary holds no instructions")?;
    anyhow::ensure!(instructions > 0, "not one instruction was counted: the operation is empty");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "out"))
        .collect();
    files.sort();
    Ok((instructions, files))
}

fn instructions(profiles: &Value) -> Option<u64> {
    let callgrind = profiles.as_array()?.iter().find(|profile| profile["tool"] == "Callgrind")?;
    callgrind["data"]["total"]["metrics"]["Ir"]["values"]["new"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place {
            benches: BTreeMap::new(),
            folder: folder.to_owned(),
            home: folder.join("out"),
            padding: 0,
        }
    }

    #[test]
    fn output_lies_where_gungraun_puts_it() {
        let place = place(Path::new("/w"));
        let bench =
            |path: &str| Bench { id: String::new(), target: String::new(), path: path.into() };
        let with = place.output(&bench("count_pool::pool::cycle::_4KiB"));
        assert_eq!(with, Path::new("/w/out/count_pool/pool/cycle._4KiB"));
        let without = place.output(&bench("count_pool::pool::cycle"));
        assert_eq!(without, Path::new("/w/out/count_pool/pool/cycle"));
    }

    #[test]
    fn padding_is_one_more_variable() {
        let plain = place(Path::new("/w"));
        let padded = Place { padding: 3, ..plain.clone() };
        assert_eq!(padded.variables(), format!("{} {PADDING_VARIABLE}=xxx", plain.variables()));
    }

    #[test]
    fn instructions_are_those_of_callgrinds_total() {
        let profiles = serde_json::json!([
            {"tool": "DHAT", "data": {}},
            {"tool": "Callgrind", "data": {"total": {"metrics": {"Ir": {"values": {"new": 42}}}}}},
        ]);
        assert_eq!(instructions(&profiles), Some(42));
        assert_eq!(instructions(&Value::Null), None);
    }
}
