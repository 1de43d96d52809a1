//! Two sides that can be run, in turns until each id has a verdict.

use std::path::Path;
use std::time::{Duration, Instant};

use bench_core::scale::Scale;

use super::CompareArgs;
use crate::bench::ids::Only;
use crate::bench::timed::Conditions;
use crate::compare::course::{BASE, COPY, Course, HEAD};
use crate::compare::name::Chosen;
use crate::compare::outcome::outcome;
use crate::compare::race::{Finish, race};
use crate::compare::render::{self, Facts};
use crate::compare::run::{Run, header, lock};
use crate::compare::side::{Asked, Side, sides};
use crate::compare::subject::{Subjects, Wanted, subjects};
use crate::compare::written;
use crate::exit::{Exit, failure};
use crate::gate::git::Git;
use crate::pairs::arm::Arm;
use crate::pairs::round::round;
use crate::pairs::slice::Bench;
use crate::policy;
use crate::render::number;
use crate::render::verdicts;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// A slice that takes longer hangs; the longest, a file of 256 MiB read cold, takes seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// Builds, measures, judges, renders. Outside of a workspace everything is written under `target`
/// of the current folder.
///
/// # Errors
/// A side that does not build or can't list its ids, a run that can't be resumed, a disk that
/// refuses.
pub(crate) fn run(
    args: &CompareArgs,
    chosen: &Chosen,
    only: &Only,
    workspace: Option<Workspace>,
    git: Option<&Git>,
    ui: Ui,
) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let workspace = workspace.map_or_else(here, Ok)?;
    let paces = policy::paces(&workspace.root)?;
    let folder = workspace.perf_dir("compare")?;
    let _only_one = lock(&folder, ui)?;
    let scratch = workspace.scratch()?;
    let base = Asked { name: &args.base, kind: chosen.base, features: &[] };
    let head = Asked { name: &args.head, kind: chosen.head, features: &args.measure.features };
    let mut sides = sides(base, head, &workspace, git, ui)?;
    sides.remarks.extend(args.measure.margin.map(|margin| policy::told("changes", margin)));
    sides.remarks.iter().for_each(|remark| ui.say(remark));
    let conditions = Conditions {
        scale: args.measure.scale.unwrap_or(Scale::Quick),
        deadline: args.measure.deadline.unwrap_or(DEADLINE),
        folder: scratch.path(),
        scratch: scratch.path(),
    };
    let seconds = args.measure.seconds_per_id.map(|seconds| seconds.as_secs());
    let margin = args.measure.margin.map(|percent| percent / 100.0);
    let wanted = Wanted { only, paces: &paces, seconds, margin };
    let subjects = subjects(&sides.base, &sides.head, wanted, conditions)?;
    let arms = arms(&subjects, scratch.path())?;
    drop(sides.stage);

    let names = [sides.base.name.as_str(), &sides.head.name];
    let header = header(&arms, names, &subjects, &workspace.root);
    let mut run = Run::open(&folder, args.measure.resume, header)?;
    let mut courses = run.courses(&subjects)?;
    announce(&courses, &run, ui);
    let seed = run.header.seed;
    let measure = |course: &Course| {
        let arms = if course.wants_copy() { &arms[..] } else { &arms[..2] };
        let bench = Bench { id: &course.subject.id, target: &course.subject.key };
        round(arms, bench, course.next(), seed, &course.subject.settings, scratch.path())
    };
    let finish = race(&mut courses, measure, |round| run.writer.round(round), ui)?;
    if finish == Finish::Interrupted && courses.iter().all(|course| course.judged.is_empty()) {
        let why = "interrupted before anything could be judged; go on with --resume";
        return Err(failure(Exit::NotMeasured, why));
    }
    let outcome = outcome(&courses, &subjects, finish, &run.name);
    let exit = outcome.exit(args.strict);
    let facts = Facts {
        base: told(&sides.base, written::BASE),
        head: told(&sides.head, written::HEAD),
        remarks: sides.remarks,
        seconds: started.elapsed().as_secs_f64(),
    };
    let all = render::verdicts(&facts, &outcome, exit);
    let environment = &run.header.environment;
    written::write(&run.folder, [&sides.base, &sides.head], environment, &facts, &all, &outcome)?;
    let text = render::text(&facts, &all, &outcome, ui.colour());
    let mut json = render::json(&facts, &all, &outcome);
    json["folder"] = run.folder.display().to_string().into();
    ui.result(&format!("{text}written to {}", run.folder.display()), &json)?;
    Ok(exit)
}

/// Where there is no workspace.
fn here() -> anyhow::Result<Workspace> {
    let root = std::env::current_dir()?;
    Ok(Workspace { target: root.join("target"), root })
}

/// Base and head, and a copy of the base where no id has the same code on both sides: something has
/// to vouch for the run.
fn arms(subjects: &Subjects, scratch: &Path) -> anyhow::Result<Vec<Arm>> {
    let [base, head] = &subjects.executables;
    let mut arms = vec![Arm::new(scratch, BASE, base)?, Arm::new(scratch, HEAD, head)?];
    if !subjects.both.iter().any(|subject| subject.same_code) {
        arms.push(Arm::new(scratch, COPY, base)?);
    }
    Ok(arms)
}

fn announce(courses: &[Course], run: &Run, ui: Ui) {
    let open = || courses.iter().filter(|course| course.end.is_none());
    let (ids, seconds) = (open().count(), open().map(|course| course.subject.seconds));
    let total = number::time(seconds.sum::<u64>() as f64 * 1e9);
    let again = if run.resumed { "; goes on with an older run" } else { "" };
    ui.say(&format!(
        "{ids} ids, {total} of measuring at most; what is decided early ends early, and Ctrl-C shows \
         what is known{again}"
    ));
}

fn told(side: &Side, record: &str) -> verdicts::Side {
    let commit = side.git.as_ref().map(|git| git.commit.clone());
    verdicts::Side { name: side.name.clone(), commit, record: Some(record.to_owned()) }
}
