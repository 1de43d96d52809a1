//! What a replay has to say: by id, everyone on the same rounds, and what is demanded of ours.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::replay::Told;
use super::rivals::{self, Opinions, Said};
use super::trials::Tally;
use crate::render::table::{Table, Tone};

/// Of so many comparisons of equal arms at most one may be called changed.
const FALSE_ONE_IN: usize = 1_000;
/// The share of ids that must mostly be called unchanged.
const UNCHANGED: f64 = 0.6;
/// The share of trials in which a slower arm must be found, of at least so many.
const FOUND: (f64, usize) = (0.95, 40);
const TITLES: [&str; 10] = [
    "id",
    "rounds",
    "left out",
    "equal arms",
    "called changed",
    "unchanged",
    "median s",
    "slower by",
    "found in budget",
    "median s",
];
const DEPENDENCE: &str = "Comparisons that begin every few rounds overlap, and three pairs of arms \
    share their rounds: their number is not one of independent trials. criterion's hundred samples \
    are of ten processes each side.";

/// Something that is demanded, and whether it holds.
struct Demand {
    name: String,
    holds: bool,
}

/// For a person.
pub(crate) fn text(told: &[Told], colour: bool) -> String {
    let mut table = Table::new(&TITLES);
    for one in told {
        let tone = if one.equal.changed() > 0 { Tone::Bad } else { Tone::Neutral };
        table.push(tone, cells(one));
    }
    let demands = demands(told).into_iter().map(|Demand { name, holds }| {
        let word = if holds { "holds" } else { "does not hold" };
        format!("{name}: {word}")
    });
    let failed = told.iter().filter(|one| one.series.failed > 0);
    let failed = failed
        .map(|one| format!("{}: a slice failed in {} rounds", one.subject.id, one.series.failed));
    let lines: Vec<String> = demands.chain(failed).collect();
    let (by_id, all) = (table.text(colour), everyone(told).text(colour));
    format!("{by_id}\n{all}\n{}\n\n{DEPENDENCE}", lines.join("\n"))
}

fn cells(told: &Told) -> Vec<String> {
    let seconds = |tally: &Tally| tally.seconds.map_or("-".to_owned(), |s| format!("{s:.0}"));
    vec![
        told.subject.id.to_owned(),
        told.series.rounds.len().to_string(),
        told.series.discarded.to_string(),
        told.equal.all.to_string(),
        told.equal.changed().to_string(),
        share(told.equal.unchanged, told.equal.all),
        seconds(&told.equal),
        format!("{:.0} %", 100.0 * told.subject.kind.extra_work()),
        share(told.slower.regressed, told.slower.all),
        seconds(&told.slower),
    ]
}

/// What is demanded of the judge that `cargo perf compare` asks.
fn demands(told: &[Told]) -> Vec<Demand> {
    let sum = |of: fn(&Told) -> usize| told.iter().map(of).sum::<usize>();
    let (all, changed) = (sum(|one| one.equal.all), sum(|one| one.equal.changed()));
    let (apart, false_apart) = (sum(|one| one.disjoint.all), sum(|one| one.disjoint.changed()));
    let mostly = told.iter().filter(|one| 2 * one.equal.unchanged > one.equal.all).count();
    let found = |tally: &Tally| {
        tally.all >= FOUND.1 && tally.regressed as f64 >= FOUND.0 * tally.all as f64
    };
    let slept: Vec<&str> =
        told.iter().filter(|one| !found(&one.slower)).map(|one| one.subject.id).collect();
    let slept_at =
        if slept.is_empty() { String::new() } else { format!(" ({})", slept.join(", ")) };
    vec![
        Demand {
            name: format!(
                "at most 1 of {FALSE_ONE_IN} comparisons of equal arms called changed: {changed} \
                 of {all}, {false_apart} of the {apart} that do not overlap"
            ),
            holds: all >= FALSE_ONE_IN && changed * FALSE_ONE_IN <= all,
        },
        Demand {
            name: format!("60 % of ids mostly unchanged: {mostly} of {}", told.len()),
            holds: mostly as f64 >= UNCHANGED * told.len() as f64,
        },
        Demand {
            name: format!(
                "the slower arm found in 95 % of {} trials or more: {} of {} ids{slept_at}",
                FOUND.1,
                told.len() - slept.len(),
                told.len()
            ),
            holds: slept.is_empty(),
        },
    ]
}

/// Everyone's verdicts on the same rounds, ours first.
fn everyone(told: &[Told]) -> Table {
    let mut table = Table::new(&["judge", "equal arms called changed", "slower arm found"]);
    let ours = |tally: fn(&Told) -> Tally| {
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
fn totals(told: &[Told]) -> [Opinions; 2] {
    [0, 1].map(|index| rivals::sum(told.iter().map(|one| one.others[index])))
}

fn share(part: usize, all: usize) -> String {
    match all {
        0 => "-".to_owned(),
        _ => format!("{part} of {all} ({:.1} %)", 100.0 * part as f64 / all as f64),
    }
}

/// For a script.
pub(crate) fn json(told: &[Told]) -> Value {
    let tally = |tally: &Tally| {
        json!({
            "comparisons": tally.all,
            "regressed": tally.regressed,
            "improved": tally.improved,
            "unchanged": tally.unchanged,
            "seconds_median": tally.seconds,
        })
    };
    let one = |told: &Told| {
        json!({
            "rounds": told.series.rounds.len(),
            "discarded": told.series.discarded,
            "failed": told.series.failed,
            "slice_seconds": told.series.slice_seconds,
            "extra_work": told.subject.kind.extra_work(),
            "equal": tally(&told.equal),
            "equal_disjoint": tally(&told.disjoint),
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
    let demands: Vec<Value> = demands(told)
        .into_iter()
        .map(|demand| json!({ "demand": demand.name, "holds": demand.holds }))
        .collect();
    json!({
        "ids": by_id,
        "others_equal": others[0],
        "others_slower": others[1],
        "demands": demands,
    })
}
