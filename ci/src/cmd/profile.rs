//! `cargo perf profile ID`: the flamegraph of one wall-clock bench.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_core::scale::Scale;
use serde_json::json;

use crate::args::ProfileArgs;
use crate::bench::build::{Build, WALLS, named_executables};
use crate::bench::timed::{self, Conditions};
use crate::exit::{Exit, failure};
use crate::process::{self, Ending};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// What the profiler of `bench_core::measure` writes.
const FLAMEGRAPH: &str = "flamegraph.svg";
/// How the profiler begins to say that a picture of so few samples would mislead: the bench did
/// all it had to.
const TOO_FEW: &str = "too few for a flamegraph";
/// What set-up, warm-up and drawing may take beside the sampling itself.
const ALLOWANCE: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) fn run(args: &ProfileArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let name = "the working tree";
    let build = Build { name, root: &workspace.root, target: None, features: &args.features };
    let mut built = named_executables(&build, &args.targets.named, &WALLS, ui)?;
    built.benches.retain(|target, _| target.split('_').any(|word| word == "wall"));
    let folder = workspace.root.join("benches");
    let scratch = workspace.scratch()?;
    let deadline = args.time + ALLOWANCE;
    let conditions =
        Conditions { scale: Scale::Full, deadline, folder: &folder, scratch: scratch.path() };
    let benches = timed::benches(&built.benches, conditions)?;
    let Some(bench) = benches.iter().find(|bench| bench.id == args.id) else {
        let among: Vec<String> =
            args.targets.named.iter().map(|target| format!(" --bench {target}")).collect();
        let why = format!(
            "no wall-clock bench{} has the id '{}'; `cargo bench --bench 'wall_*' -- --list` prints them",
            among.concat(),
            args.id
        );
        return Err(failure(Exit::NotMeasured, why));
    };
    let home = timed::fresh(scratch.path().join("criterion"))?;
    let mut command = timed::command(&bench.executable, conditions);
    command
        .args(["--bench", "--exact", &bench.id])
        .arg(format!("--profile-time={}", args.time.as_secs()))
        .env("CRITERION_HOME", &home);
    let spinner = ui.spinner(format!("sampling {} for {} s", bench.id, args.time.as_secs()));
    let outcome = process::run(&mut command, deadline)?;
    spinner.finish_and_clear();
    if outcome.ending == Ending::Interrupted {
        return Err(failure(Exit::NotMeasured, "interrupted; no flamegraph was written"));
    }
    if !outcome.success() {
        let refused = outcome.stderr.contains(TOO_FEW);
        let exit = if refused { Exit::NotMeasured } else { Exit::Broke };
        let why = format!("{} could not be profiled: {}", bench.id, timed::words(&outcome));
        return Err(failure(exit, why));
    }
    let drawn = find(&home)
        .ok_or_else(|| failure(Exit::NotMeasured, format!("{} left no flamegraph", bench.id)))?;
    let svg = workspace.perf_dir("profile")?.join(format!("{}.svg", bench.id.replace('/', "_")));
    fs::rename(&drawn, &svg).with_context(|| format!("failed to write {}", svg.display()))?;
    ui.result(&format!("{}", svg.display()), &json!({ "id": bench.id, "flamegraph": svg }))?;
    Ok(Exit::Fine)
}

/// The flamegraph somewhere below criterion's folder, whose names are a sanitised form of the id.
fn find(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() { find(&path) } else { path.ends_with(FLAMEGRAPH).then_some(path) }
    })
}
