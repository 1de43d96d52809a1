//! One callgrind run for each id and side, and one of DHAT where allocations are asked for: each
//! in a process of its own, so that a bench that panics or hangs costs one id, on all cores,
//! because another core's load does not change a count.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use bench_core::counting::{EXTRA_TURNS_VARIABLE, GLIBC_TUNABLES};
use bench_core::measure::recorder::{self, ROWS_VARIABLE};
use bench_core::record::{Data, Metric, Row};

use super::LIST_DEADLINE;
use super::hidden::without_debug_information;
use super::ids::{Bench, parse_listing};
use super::output::{Output, read_output};
use crate::exit::{self, Exit, failure};
use crate::process::{self, Ending};
use crate::ui::Ui;

/// DHAT keeps twelve calls of a stack unless told otherwise; the function that is measured may lie
/// further out, and then nothing would be known to belong to it: 500 are the most that it keeps.
/// Looking up inlined functions takes longer than the run, and no count needs them.
const DHAT_ARGUMENTS: &str = "--dhat-args=--num-callers=500 --read-inline-info=no";
/// The kind of error of a bench that ended well and counted nothing.
pub(crate) const NEVER_RAN: &str = "never_ran";
/// Means nothing to anybody; its length is what counts.
const PADDING_VARIABLE: &str = "WEIGHBRIDGE_PADDING";

/// Where one side is counted. Counts that are compared need folders that are
/// [`levelled`](super::folders::levelled).
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Bench executables by target name.
    pub(crate) benches: BTreeMap<String, PathBuf>,
    /// The current folder of the benches.
    pub(crate) folder: PathBuf,
    /// Where gungraun keeps its output. Emptied by [`Place::clear`].
    pub(crate) home: PathBuf,
    /// Whether nobody asks who it was in a library of the system: valgrind starts sooner.
    pub(crate) nameless: bool,
    /// Bytes by which the environment of the benches is longer than it need be: none, but in an
    /// audit.
    pub(crate) padding: usize,
    /// Turns of known cost that each operation takes besides: of no meaning but to benches that were
    /// built with `canary-each`.
    pub(crate) extra_turns: Option<u64>,
}

/// One bench of one side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) place: &'a Place,
    pub(crate) bench: &'a Bench,
    pub(crate) metrics: Metrics,
}

/// What is counted besides instructions, always of the operation alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// Allocation calls and the bytes they asked for: a second run, under DHAT.
    pub(crate) allocations: bool,
    /// System calls: a column more in the same run.
    pub(crate) syscalls: bool,
    /// Instructions by address, so that inlined functions can be named: a larger profile.
    pub(crate) addresses: bool,
}

/// What was counted of one bench, and the profiles it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// One row for each metric asked for, instructions first.
    pub(crate) rows: Vec<Row>,
    /// What callgrind wrote; empty where the bench failed.
    pub(crate) callgrind: Vec<PathBuf>,
    /// What DHAT wrote; empty where the bench failed or nobody asked.
    pub(crate) dhat: Vec<PathBuf>,
}

impl Metrics {
    /// Instructions alone.
    pub(crate) const INSTRUCTIONS: Self =
        Self { allocations: false, syscalls: false, addresses: false };

    /// The metrics and their units, in the order of the rows.
    fn wanted(self) -> Vec<(Metric, &'static str)> {
        let mut wanted = vec![(Metric::Instructions, "instructions")];
        if self.allocations {
            wanted.push((Metric::Allocations, "allocations"));
            wanted.push((Metric::AllocatedBytes, "bytes"));
        }
        if self.syscalls {
            wanted.push((Metric::Syscalls, "syscalls"));
        }
        wanted
    }

    /// What gungraun has to be told.
    fn arguments(self) -> Vec<String> {
        let mut callgrind = Vec::new();
        callgrind.extend(self.syscalls.then_some("--collect-systime=yes"));
        callgrind.extend(self.addresses.then_some("--dump-instr=yes"));
        let mut arguments = Vec::new();
        if !callgrind.is_empty() {
            arguments.push(format!("--callgrind-args={}", callgrind.join(" ")));
        }
        if self.allocations {
            arguments.extend(["--tools=dhat".to_owned(), DHAT_ARGUMENTS.to_owned()]);
        }
        arguments
    }
}

impl Counted {
    /// The id of the bench.
    pub(crate) fn id(&self) -> &str {
        self.rows.first().map_or("", |row| &row.id)
    }
}

impl Place {
    /// The place for these executables, by target name.
    pub(crate) fn of(benches: BTreeMap<String, PathBuf>, folder: &Path, home: &Path) -> Self {
        Self {
            benches,
            folder: folder.to_owned(),
            home: home.to_owned(),
            nameless: false,
            padding: 0,
            extra_turns: None,
        }
    }

    /// Forgets what was counted here before.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        let _nothing = fs::remove_dir_all(&self.home);
        fs::create_dir_all(&self.home)
            .with_context(|| format!("failed to create {}", self.home.display()))
    }

    /// Every bench of every target, sorted by id. Forgets what was counted here before.
    ///
    /// # Errors
    /// When a target can't list its benches, or two benches share an id.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<Bench>> {
        self.clear()?;
        let mut benches = Vec::new();
        for target in self.benches.keys() {
            let mut command = self.command(target);
            let outcome =
                process::run(command.args(["--bench", "--list", "--format=terse"]), LIST_DEADLINE)?;
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
        let turns = self
            .extra_turns
            .map_or_else(String::new, |turns| format!(" {EXTRA_TURNS_VARIABLE}={turns:012}"));
        format!("GLIBC_TUNABLES={GLIBC_TUNABLES} {ROWS_VARIABLE}{padding}{turns}")
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
    metrics: Metrics,
    deadline: Duration,
    ui: Ui,
) -> Vec<Row> {
    let jobs: Vec<Job<'_>> = benches.iter().map(|bench| Job { place, bench, metrics }).collect();
    count(&jobs, deadline, ui).into_iter().flatten().flat_map(|counted| counted.rows).collect()
}

/// One run; `None` when it was interrupted.
fn count_one(job: Job<'_>, deadline: Duration) -> Option<Counted> {
    let mut command = job.place.command(&job.bench.target);
    let recorded = job.place.home.join(format!("{}.jsonl", job.bench.path));
    command.args(["--bench", "--save-summary=json"]).args(job.metrics.arguments());
    command.arg(&job.bench.path).env(ROWS_VARIABLE, &recorded);
    let mut run = || process::run(&mut command, deadline);
    // DHAT names functions, by which it is told what belongs to the operation.
    let outcome = match job.place.nameless && !job.metrics.allocations {
        true => without_debug_information(run),
        false => run(),
    };
    let result = match outcome {
        Ok(outcome) if outcome.ending == Ending::Interrupted => return None,
        Ok(outcome) if outcome.success() => read_output(&job.place.output(job.bench), job.metrics),
        Ok(outcome) => Err(match outcome.ending {
            Ending::Exited(_) => anyhow::anyhow!("{}", outcome.last_words()),
            ending => anyhow::anyhow!("the bench {ending}"),
        }),
        Err(error) => Err(error),
    };
    let wanted = job.metrics.wanted().into_iter();
    let id = &job.bench.id;
    let mut counted = match result {
        Ok(Output { values, callgrind, dhat }) => {
            let rows = wanted.zip(values).map(|((metric, unit), value)| {
                let row = Row::measured(id, metric, unit, Data::Count { value });
                Row { gates: true, ..row }
            });
            Counted { rows: rows.collect(), callgrind, dhat }
        }
        Err(error) => {
            let why = format!("{error:#}");
            let idle = (exit::of(&error) == Exit::NotMeasured).then(|| (NEVER_RAN.to_owned(), 1));
            let rows = wanted.map(|(metric, unit)| {
                let row = Row::failed(id, metric, unit, &why);
                Row { gates: true, errors: idle.clone().into_iter().collect(), ..row }
            });
            Counted { rows: rows.collect(), callgrind: Vec::new(), dhat: Vec::new() }
        }
    };
    // A bench that broke has handed over nothing, and has an error that says so.
    let recorded = recorder::read(&recorded).unwrap_or_default();
    let dimensions: Vec<(String, String)> = recorded.dimensions.into_values().flatten().collect();
    for row in &mut counted.rows {
        row.dimensions.extend(dimensions.iter().cloned());
        row.dimensions.insert("target".into(), job.bench.target.clone());
    }
    Some(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place {
            benches: BTreeMap::new(),
            folder: folder.to_owned(),
            home: folder.join("out"),
            nameless: false,
            padding: 0,
            extra_turns: None,
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
    fn every_metric_asked_for_is_a_row_and_an_argument() {
        let names = |metrics: Metrics| -> Vec<String> {
            metrics.wanted().iter().map(|(metric, _)| metric.to_string()).collect()
        };
        assert_eq!(names(Metrics::INSTRUCTIONS), ["instructions"]);
        assert!(Metrics::INSTRUCTIONS.arguments().is_empty());
        let all = Metrics { allocations: true, syscalls: true, addresses: true };
        assert_eq!(names(all), ["instructions", "allocations", "allocated_bytes", "syscalls"]);
        assert_eq!(
            all.arguments(),
            [
                "--callgrind-args=--collect-systime=yes --dump-instr=yes",
                "--tools=dhat",
                DHAT_ARGUMENTS
            ]
        );
    }
}
