//! The two sides of a gate, built from one folder and laid out so that nothing but their code
//! tells them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::cache::{self, Cache};
use super::fingerprints;
use super::git::{Git, Side};
use super::outcome::Code;
use super::settings;
use super::stage::Stage;
use super::warm;
use crate::bench::build::{Build, COUNTS, Executables, RUNNER, bench_executables};
use crate::bench::code_hash::{CodeHash, code_hash, hex};
use crate::bench::count::{Counted, Job, Metrics, Place, count};
use crate::bench::folders::{Put, lay_out, levelled, link};
use crate::bench::ids::Bench;

use crate::bench::lean;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// One side, ready to be counted.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    /// As git knows it.
    pub(crate) side: Side,
    /// Where it is counted: executables without their debug information, nor the system's.
    pub(crate) place: Place,
    /// As [`place`](Self::place), with paths as long, and with the debug information.
    explicit: Place,
    /// What it has to count.
    pub(crate) benches: Vec<Bench>,
    runner: Option<PathBuf>,
}

impl Ready {
    /// Its benches, each with the metrics that are wanted of its id.
    pub(crate) fn jobs(&self, metrics: &dyn Fn(&str) -> Metrics) -> impl Iterator<Item = Job<'_>> {
        let job = |bench| Job { place: &self.place, bench, metrics: metrics(&bench.id) };
        self.benches.iter().map(job)
    }

    /// The benches with these ids of the executables that have their debug information: slower to
    /// start, and what they count can be explained. Forgets what was counted of them before.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn explicit(&self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let mut side = Self { place: self.explicit.clone(), ..self.clone() };
        side.benches.retain(|bench| wanted(&bench.id));
        side.place.clear()?;
        Ok(side)
    }
}

/// Builds sides and keeps what was built.
#[derive(Debug)]
pub(crate) struct Workshop<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) git: &'a Git,
    pub(crate) stage: &'a Stage,
    pub(crate) ui: Ui,
}

impl Workshop<'_> {
    /// The folder of the cargo workspace in the stage.
    pub(crate) fn root(&self) -> PathBuf {
        self.stage.tree.join(self.git.prefix())
    }

    /// SHA-256 of the side's lock file.
    pub(crate) fn lockfile_hash(&self, side: &Side) -> Option<String> {
        let path = self.git.prefix().join("Cargo.lock");
        let lock = self.git.file(&side.tree, &path).ok()?;
        Some(hex(&Sha256::digest(lock)))
    }

    /// Builds one side, or takes it from the cache, and lists what it can count. `letter` names
    /// its folders.
    ///
    /// # Errors
    /// When it does not build or can't list its benches.
    pub(crate) fn ready(
        &self,
        side: Side,
        (letter, name): (&str, &str),
        features: &[String],
    ) -> anyhow::Result<Ready> {
        let built = self.build(&side, name, features, &COUNTS)?;
        let place = |(run, out), nameless, put: Put| -> anyhow::Result<Place> {
            let folder = self.workspace.perf_dir(&format!("gate/{run}"))?.join(letter);
            let benches = lay_out(&built.benches, &levelled(&folder), put)?;
            let home = levelled(&self.workspace.perf_dir(&format!("gate/{out}"))?.join(letter));
            Ok(Place { benches, folder, home, nameless, padding: 0, extra_turns: None })
        };
        let (explicit, place) =
            (place(("dbg", "why"), false, link)?, place(("run", "out"), true, lean)?);
        let mut ready = Ready { side, place, explicit, benches: Vec::new(), runner: built.runner };
        self.install_runner(&ready)?;
        ready.benches = ready.place.list()?;
        Ok(ready)
    }

    /// Builds the targets of one side whose names match one of these patterns, or takes them from
    /// the cache. A commit from before there was a workspace has none.
    ///
    /// # Errors
    /// When it does not build.
    pub(crate) fn build(
        &self,
        side: &Side,
        name: &str,
        features: &[String],
        targets: &[&str],
    ) -> anyhow::Result<Executables> {
        let cache = Cache::new(self.workspace.perf()?.join("cache"));
        let outside = settings::outside(&self.stage.tree);
        let key = cache::key(&side.tree, targets, features, &self.stage.tree, &outside)?;
        if let Some(kept) = cache.get(&key) {
            return Ok(kept);
        }
        self.fill(side)?;
        let root = self.root();
        if !root.join("Cargo.toml").exists() {
            return Ok(Executables::default());
        }
        settings::refuse_triple(&root)?;
        warm::seed(&self.workspace.target, &self.stage.target, &root.join("Cargo.lock"))?;
        let target = Some(self.stage.target.as_path());
        let build = Build { name, root: &root, target, features };
        let built = bench_executables(&build, targets, self.ui)?;
        cache.put(&key, &built)
    }

    /// Fills the stage. What cargo knows of crates from a later time than now is thrown away.
    fn fill(&self, side: &Side) -> anyhow::Result<()> {
        let began = self.stage.fill(self.git, &side.tree)?;
        fingerprints::forget_since(&self.stage.target, began)
    }

    /// Puts the side's own runner where its benches look for it.
    fn install_runner(&self, ready: &Ready) -> anyhow::Result<()> {
        let Some(runner) = &ready.runner else { return Ok(()) };
        let folder = self.stage.target.join("release");
        let place = folder.join(RUNNER);
        if same_content(runner, &place) {
            return Ok(());
        }
        fs::create_dir_all(&folder)
            .and_then(|()| link(runner, &place))
            .with_context(|| format!("failed to install {}", place.display()))
    }

    /// Counts both sides: interleaved, so that whatever changes on the machine meanwhile meets
    /// both; one after the other where each needs a runner of its own. `metrics` says what is
    /// wanted of an id. Of each job what came of
    /// it, or nothing where an interrupt came first.
    ///
    /// # Errors
    /// When a runner can't be put in place.
    pub(crate) fn count(
        &self,
        base: &Ready,
        head: &Ready,
        metrics: &dyn Fn(&str) -> Metrics,
        deadline: Duration,
    ) -> anyhow::Result<[Vec<Option<Counted>>; 2]> {
        if !same_runner(base, head) {
            let mut counted = [base, head].map(|_| Vec::new());
            for (ready, slot) in [base, head].into_iter().zip(&mut counted) {
                self.install_runner(ready)?;
                let jobs: Vec<Job<'_>> = ready.jobs(metrics).collect();
                *slot = count(&jobs, deadline, self.ui);
            }
            return Ok(counted);
        }
        let of_base = base.jobs(metrics).map(|job| (false, job));
        let mut jobs: Vec<(bool, Job<'_>)> =
            of_base.chain(head.jobs(metrics).map(|job| (true, job))).collect();
        jobs.sort_by(|(a_head, a), (b_head, b)| (&a.bench.id, a_head).cmp(&(&b.bench.id, b_head)));
        let plain: Vec<Job<'_>> = jobs.iter().map(|(_, job)| *job).collect();
        let mut sides = [Vec::new(), Vec::new()];
        for ((is_head, _), counted) in jobs.iter().zip(count(&plain, deadline, self.ui)) {
            sides[usize::from(*is_head)].push(counted);
        }
        Ok(sides)
    }
}

/// The code of every target that one of the sides has, and a remark for each whose code can't be
/// told: a count is a count without it.
pub(crate) fn codes(base: &Ready, head: &Ready) -> (BTreeMap<String, Code>, Vec<String>) {
    let targets: BTreeSet<&String> =
        base.place.benches.keys().chain(head.place.benches.keys()).collect();
    let mut remarks = Vec::new();
    let mut hash = |ready: &Ready, target: &String| -> Option<CodeHash> {
        let told = code_hash(ready.place.benches.get(target)?);
        told.inspect_err(|error| remarks.push(format!("{error:#}"))).ok()
    };
    let codes = targets
        .into_iter()
        .map(|target| (target.clone(), Code { base: hash(base, target), head: hash(head, target) }))
        .collect();
    (codes, remarks)
}

/// A copy without debug information where there is some, a [`link`] where not.
fn lean(from: &Path, to: &Path) -> std::io::Result<()> {
    if lean::copy(from, to)? { Ok(()) } else { link(from, to) }
}

fn same_runner(base: &Ready, head: &Ready) -> bool {
    let hash = |ready: &Ready| ready.runner.as_ref().and_then(|path| code_hash(path).ok());
    match (&base.runner, &head.runner) {
        (Some(a), Some(b)) => {
            same_content(a, b) || (hash(base).is_some() && hash(base) == hash(head))
        }
        // A side without benches needs none.
        _ => true,
    }
}

fn same_content(a: &Path, b: &Path) -> bool {
    let length = |path: &Path| fs::metadata(path).map(|data| data.len()).ok();
    length(a).is_some()
        && length(a) == length(b)
        && matches!((fs::read(a), fs::read(b)), (Ok(a), Ok(b)) if a == b)
}
