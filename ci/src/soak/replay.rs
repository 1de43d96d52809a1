//! Judges the rounds of a journal many times over.

use std::collections::BTreeMap;

use bench_core::judge::TimeRule;
use bench_core::judge::sequential::Rule;
use serde_json::{Value, json};

use super::record::SLOW;
use super::series::{Series, series};
use super::subjects::{SUBJECTS, Subject};
use super::trials::{Arms, Replay, Tally, replays};
use crate::cmd::soak::ReplayArgs;
use crate::exit::{Exit, failure};
use crate::pairs::journal;
use crate::policy;
use crate::render::table::{Table, Tone};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Pairs of equal arms.
const EQUAL: [Arms; 3] = [('a', 'b'), ('b', 'c'), ('c', 'a')];
/// The slow arm against each of the others.
const SLOWER: [Arms; 3] = [('a', SLOW), ('b', SLOW), ('c', SLOW)];
const TITLES: [&str; 9] = [
    "id",
    "rounds",
    "A/A",
    "false",
    "unchanged",
    "median s",
    "slower by",
    "found in budget",
    "median s",
];

/// What the rounds of one id say of the judge.
struct Told<'a> {
    subject: &'a Subject,
    series: &'a Series,
    equal: Tally,
    slower: Tally,
}

pub(crate) fn run(args: &ReplayArgs, ui: Ui) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let path = match &args.journal {
        Some(path) => path.clone(),
        None => workspace.perf()?.join("soak.jsonl"),
    };
    let series = series(&journal::read(&path)?);
    let rules = policy::read(&workspace.root)?.times;
    let told = |subject| Some(told(subject, series.get(subject.id)?, &rules, args.stride));
    let told: Vec<Told<'_>> = SUBJECTS.iter().filter_map(told).collect();
    if told.iter().all(|one| one.equal.all == 0) {
        let why = format!("{} holds too few rounds for one comparison", path.display());
        return Err(failure(Exit::NotMeasured, why));
    }
    ui.result(&text(&told, ui.colour()), &json(&told))?;
    Ok(Exit::Fine)
}

fn told<'a>(
    subject: &'a Subject,
    series: &'a Series,
    rules: &[TimeRule],
    stride: usize,
) -> Told<'a> {
    let rule = Rule::of(&TimeRule::of(rules, subject.id), SUBJECTS.len());
    let seconds = subject.kind.budget_seconds() as f64;
    let tally = |pairs: [Arms; 3]| {
        let of_pair = |arms| replays(series, arms, rule, seconds, stride);
        Tally::of(&pairs.into_iter().flat_map(of_pair).collect::<Vec<Replay>>())
    };
    Told { subject, series, equal: tally(EQUAL), slower: tally(SLOWER) }
}

fn text(told: &[Told<'_>], colour: bool) -> String {
    let mut table = Table::new(&TITLES);
    for one in told {
        let tone = if one.equal.changed() > 0 { Tone::Bad } else { Tone::Neutral };
        table.push(tone, cells(one));
    }
    let sum = |of: fn(&Told<'_>) -> usize| told.iter().map(of).sum::<usize>();
    let (all, wrong) = (sum(|one| one.equal.all), sum(|one| one.equal.changed()));
    let mostly = told.iter().filter(|one| 2 * one.equal.unchanged > one.equal.all).count();
    format!(
        "{}\n{all} comparisons of equal arms, {wrong} called changed; {mostly} of {} ids mostly \
         unchanged within their budget",
        table.text(colour),
        told.len()
    )
}

fn cells(told: &Told<'_>) -> Vec<String> {
    let share = |part: usize, all: usize| match all {
        0 => "-".to_owned(),
        _ => format!("{part} of {all} ({:.0} %)", 100.0 * part as f64 / all as f64),
    };
    let seconds = |tally: &Tally| tally.seconds.map_or("-".to_owned(), |s| format!("{s:.0}"));
    vec![
        told.subject.id.to_owned(),
        told.series.rounds.len().to_string(),
        told.equal.all.to_string(),
        told.equal.changed().to_string(),
        share(told.equal.unchanged, told.equal.all),
        seconds(&told.equal),
        format!("{:.0} %", 100.0 * told.subject.kind.extra_work()),
        share(told.slower.regressed, told.slower.all),
        seconds(&told.slower),
    ]
}

fn json(told: &[Told<'_>]) -> Value {
    let tally = |tally: &Tally| {
        json!({
            "comparisons": tally.all,
            "regressed": tally.regressed,
            "improved": tally.improved,
            "unchanged": tally.unchanged,
            "seconds_median": tally.seconds,
        })
    };
    let one = |told: &Told<'_>| {
        json!({
            "rounds": told.series.rounds.len(),
            "discarded": told.series.discarded,
            "failed": told.series.failed,
            "slice_seconds": told.series.slice_seconds,
            "extra_work": told.subject.kind.extra_work(),
            "equal": tally(&told.equal),
            "slower": tally(&told.slower),
        })
    };
    let by_id: BTreeMap<&str, Value> =
        told.iter().map(|told| (told.subject.id, one(told))).collect();
    json!({ "ids": by_id })
}
