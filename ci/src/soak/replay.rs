//! Judges the rounds of a journal many times over.

use bench_core::judge::sequential::Rule;

use super::record::SLOW;
use super::render;
use super::rivals::{self, Opinions, opinions};
use super::series::{Series, series};
use super::subjects::{SUBJECTS, Subject};
use super::trials::{Arms, Replay, Step, Tally, replays};
use crate::cmd::soak::ReplayArgs;
use crate::exit::{Exit, failure};
use crate::pairs::journal;
use crate::policy::{self, Pace};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Pairs of equal arms.
const EQUAL: [Arms; 3] = [('a', 'b'), ('b', 'c'), ('c', 'a')];
/// The slow arm against each of the others.
const SLOWER: [Arms; 3] = [('a', SLOW), ('b', SLOW), ('c', SLOW)];

/// What the rounds of one id say of the judges.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) subject: &'static Subject,
    pub(crate) series: Series,
    /// Comparisons of equal arms.
    pub(crate) equal: Tally,
    /// Those of them that have no round in common with another of the same two arms.
    pub(crate) disjoint: Tally,
    /// Comparisons with the slow arm.
    pub(crate) slower: Tally,
    /// What others say where nothing changed, and where something did.
    pub(crate) others: [Opinions; 2],
}

pub(crate) fn run(args: &ReplayArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let path = match &args.journal {
        Some(path) => path.clone(),
        None => workspace.perf()?.join("soak.jsonl"),
    };
    let mut series = series(&journal::read(&path)?);
    let paces = policy::paces(&workspace.root)?;
    let mut all = Vec::new();
    for subject in &SUBJECTS {
        let of_id = series.remove(subject.id).filter(|series| !series.rounds.is_empty());
        let none = || format!("{} holds no round of {} to judge", path.display(), subject.id);
        let of_id = of_id.ok_or_else(|| failure(Exit::NotMeasured, none()))?;
        let rule = Rule::of(&Pace::of(&paces, subject.id).rule, SUBJECTS.len());
        all.push(told(subject, of_id, rule, args.stride));
    }
    ui.result(&render::text(&all, ui.colour()), &render::json(&all))?;
    Ok(render::exit(&all))
}

fn told(subject: &'static Subject, series: Series, rule: Rule, stride: usize) -> Told {
    let seconds = subject.kind.budget_seconds() as f64;
    let tally = |pairs: [Arms; 3], step| {
        let of_pair = |arms| replays(&series, arms, rule, seconds, step);
        Tally::of(&pairs.into_iter().flat_map(of_pair).collect::<Vec<Replay>>())
    };
    let said = |pairs: [Arms; 3]| {
        rivals::sum(pairs.into_iter().map(|arms| opinions(&series, arms, seconds, stride)))
    };
    Told {
        subject,
        equal: tally(EQUAL, Step::Rounds(stride)),
        disjoint: tally(EQUAL, Step::Disjoint),
        slower: tally(SLOWER, Step::Rounds(stride)),
        others: [said(EQUAL), said(SLOWER)],
        series,
    }
}
