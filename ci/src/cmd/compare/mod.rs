//! `cargo perf compare`: what can be measured now is measured in turns ([`live`]); what was measured
//! before is compared as it is ([`offline`]).

pub(crate) mod live;
pub(crate) mod offline;

use std::time::Duration;

use bench_core::scale::Scale;
use clap::Args;

use crate::args::{margin, seconds};
use crate::bench::ids::Only;
use crate::compare::name::{Kind, choose, look};
use crate::exit::{Exit, failure};
use crate::gate::git::Git;
use crate::import::criterion;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Which reading a name gets, and what is read and written.
const HELP: &str = "\
Both are measured now, in turns, or both were measured before.

Now: a git ref (`.` is the working tree), built with the wall_* benches; a bench executable; or a
folder of wall_* executables. Times are judged in interleaved rounds until each id has a verdict.
Reads ci/policy.toml; writes a folder under target/perf/compare: the journal of all rounds, a record
of each side, exports for critcmp, verdicts.json and compare.md.

Before: a record, a critcmp export, or the name of a saved criterion baseline. Times are shown and
not judged, since they were taken at two different times; counts are judged.

A name is what there is by that name: a file that is a program, a folder with wall_* programs, any
other file, a commit that git knows, a saved baseline. Where it is more than one of them, the one
that goes with the other name is taken and said; where that does not settle it, --as does.";

/// What `compare` takes.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct CompareArgs {
    /// Git ref, bench executables, record, critcmp export, or saved criterion baseline
    pub(crate) base: String,
    /// The same kind of thing, to be judged against the first
    pub(crate) head: String,
    /// What a name is taken for that could be more than one thing
    #[arg(long = "as", value_name = "KIND", value_enum)]
    pub(crate) kind: Option<Kind>,
    /// Exit with 6 when an id stays undecided
    #[arg(long)]
    pub(crate) strict: bool,
    /// Only ids that match this glob, as in 'grpc/*'; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) measure: MeasureArgs,
}

/// How to measure; nothing of it goes with what was measured before.
#[derive(Args, Clone, Debug)]
pub(crate) struct MeasureArgs {
    /// How long an id may take to be decided [default: by id, in ci/policy.toml]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds_per_id: Option<Duration>,
    /// The change in per cent that passes, in place of every `margin` in ci/policy.toml
    ///
    /// An id is unchanged when its interval lies within. Floors hold as before, and a run is resumed
    /// with the margin that it began with.
    #[arg(long, value_name = "PERCENT", value_parser = margin)]
    pub(crate) margin: Option<f64>,
    /// Which ids: smoke, quick or full [default: quick]
    #[arg(long)]
    pub(crate) scale: Option<Scale>,
    /// Cargo features of package `benches`, comma-separated; the base gets none
    #[arg(long, value_delimiter = ',', value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// End a slice of a bench that takes longer than this [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) deadline: Option<Duration>,
    /// Go on with the newest run under target/perf/compare, if it was of the same executables
    #[arg(long)]
    pub(crate) resume: bool,
}

impl MeasureArgs {
    /// The first flag that was given.
    fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--seconds-per-id", self.seconds_per_id.is_some()),
            ("--margin", self.margin.is_some()),
            ("--scale", self.scale.is_some()),
            ("--features", !self.features.is_empty()),
            ("--deadline", self.deadline.is_some()),
            ("--resume", self.resume),
        ];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }
}

/// # Errors
/// Wrong usage, a side that does not build, a disk that refuses; see [`Exit`].
pub(crate) fn run(args: &CompareArgs, ui: Ui) -> anyhow::Result<Exit> {
    let only = Only::parse(&args.only)?;
    let workspace = Workspace::find().ok();
    let git = workspace.as_ref().and_then(|workspace| {
        Git::find(&workspace.root, &workspace.target.join("perf/gate/git")).ok()
    });
    let baselines = workspace.as_ref().map(|workspace| criterion::names(&offline::home(workspace)));
    let look = |name| look(name, git.as_ref(), baselines.as_deref().unwrap_or_default());
    let chosen = choose(look(&args.base), look(&args.head), args.kind)?;
    if chosen.base.is_live() {
        chosen.remark.iter().for_each(|remark| ui.say(remark));
        return live::run(args, &chosen, &only, workspace, git.as_ref(), ui);
    }
    if let Some(flag) = args.measure.given() {
        let (base, head) = (&args.base, &args.head);
        let why = format!("{flag} is for what is measured now; '{base}' and '{head}' were before");
        return Err(failure(Exit::Usage, why));
    }
    let sides = offline::sides(args)?;
    chosen.remark.iter().for_each(|remark| ui.say(remark));
    offline::run(args, sides, &only, ui)
}
