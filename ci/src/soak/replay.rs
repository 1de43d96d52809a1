//! Judges the rounds of a journal many times over.

use std::collections::BTreeMap;

use bench_core::judge::TimeRule;
use bench_core::judge::sequential::Rule;
use serde_json::{Value, json};

use super::record::SLOW;
use super::rivals::{self, Opinions, Said, opinions};
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
    /// What others say where nothing changed, and where something did.
    others: [Opinions; 2],
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
    let said = |pairs: [Arms; 3]| {
        rivals::sum(pairs.into_iter().map(|arms| opinions(series, arms, seconds, stride)))
    };
    let others = [said(EQUAL), said(SLOWER)];
    Told { subject, series, equal: tally(EQUAL), slower: tally(SLOWER), others }
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
         unchanged within their budget\n\n{}",
        table.text(colour),
        told.len(),
        everyone(told).text(colour)
    )
}

/// Everyone's verdicts on the same rounds, ours first.
fn everyone(told: &[Told<'_>]) -> Table {
    let mut table = Table::new(&["judge", "equal arms called changed", "slower arm found"]);
    let ours = |tally: fn(&Told<'_>) -> Tally| {
        let said = told.iter().map(tally).map(|tally| Said {
            all: tally.all,
            regressed: tally.regressed,
            improved: tally.improved,
        });
        said.fold(Said::default(), Said::and)
    };
    let mut push = |name: &str, equal: Said, slower: Said| {
        let cells = [
            name.to_owned(),
            share(equal.regressed + equal.improved, equal.all),
            share(slower.regressed, slower.all),
        ];
        table.push(Tone::Neutral, cells.to_vec());
    };
    push("cargo perf compare", ours(|one| one.equal), ours(|one| one.slower));
    let [equal, slower] = totals(told);
    for (index, name) in rivals::NAMES.into_iter().enumerate() {
        push(name, equal[index], slower[index]);
    }
    table
}

/// What others said of all ids, where nothing changed and where something did.
fn totals(told: &[Told<'_>]) -> [Opinions; 2] {
    [0, 1].map(|index| rivals::sum(told.iter().map(|one| one.others[index])))
}

fn share(part: usize, all: usize) -> String {
    match all {
        0 => "-".to_owned(),
        _ => format!("{part} of {all} ({:.1} %)", 100.0 * part as f64 / all as f64),
    }
}

fn cells(told: &Told<'_>) -> Vec<String> {
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
    let others = totals(told).map(|opinions| {
        let said = |said: Said| {
            json!({
                "comparisons": said.all,
                "regressed": said.regressed,
                "improved": said.improved,
            })
        };
        rivals::NAMES.into_iter().zip(opinions.map(said)).collect::<BTreeMap<_, _>>()
    });
    json!({ "ids": by_id, "others_equal": others[0], "others_slower": others[1] })
}
