//! What a replay has to say: by id, everyone on the same rounds, and what is demanded of ours.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::replay::Told;
use super::rivals::{self, Opinions, Said};
use super::subjects::Kind;
use super::trials::Tally;
use crate::exit::Exit;
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

/// Something that is demanded, and whether it holds; `None` where there are too few trials to say.
struct Demand {
    name: String,
    holds: Option<bool>,
}

/// For a person.
pub(crate) fn text(told: &[Told], colour: bool) -> String {
    let mut table = Table::new(&TITLES);
    for one in told {
        let tone = if one.equal.changed() > 0 { Tone::Bad } else { Tone::Neutral };
        table.push(tone, cells(one));
    }
    let demands = demands(told).into_iter().map(|Demand { name, holds }| {
        let word = match holds {
            Some(true) => "holds",
            Some(false) => "does not hold",
            None => "too few comparisons to say",
        };
        format!("{name}: {word}")
    });
    let failed = told.iter().filter(|one| one.series.failed > 0);
    let failed = failed
        .map(|one| format!("{}: a slice failed in {} rounds", one.subject.id, one.series.failed));
    let lines: Vec<String> = demands.chain(failed).collect();
    let kinds = by_kind(told).text(colour);
    let (by_id, all) = (table.text(colour), everyone(told).text(colour));
    format!("{by_id}\n{kinds}\n{all}\n{}\n\n{DEPENDENCE}", lines.join("\n"))
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

/// The exit code: a demand that is known not to hold wins over one of which nothing is known.
pub(crate) fn exit(told: &[Told]) -> Exit {
    let holds: Vec<Option<bool>> = demands(told).iter().map(|demand| demand.holds).collect();
    match () {
        () if holds.contains(&Some(false)) => Exit::Regressed,
        () if holds.contains(&None) => Exit::NotMeasured,
        () => Exit::Fine,
    }
}

/// What is demanded of the judge that `cargo perf compare` asks.
fn demands(told: &[Told]) -> Vec<Demand> {
    vec![quiet(told), mostly_unchanged(told), found(told)]
}

fn quiet(told: &[Told]) -> Demand {
    let sum = |of: fn(&Told) -> usize| told.iter().map(of).sum::<usize>();
    let (all, changed) = (sum(|one| one.equal.all), sum(|one| one.equal.changed()));
    let (apart, false_apart) = (sum(|one| one.disjoint.all), sum(|one| one.disjoint.changed()));
    let few = changed * FALSE_ONE_IN <= all.max(FALSE_ONE_IN);
    Demand {
        name: format!(
            "at most 1 of {FALSE_ONE_IN} comparisons of equal arms called changed: {changed} of \
             {all}, {false_apart} of the {apart} that do not overlap"
        ),
        holds: (!few || all >= FALSE_ONE_IN).then_some(few),
    }
}

fn mostly_unchanged(told: &[Told]) -> Demand {
    let enough = |ids: usize| ids as f64 >= UNCHANGED * told.len() as f64;
    let mostly = told.iter().filter(|one| 2 * one.equal.unchanged > one.equal.all).count();
    // An id of which no comparison came to its end has shown nothing.
    let silent = told.iter().filter(|one| one.equal.all == 0).count();
    Demand {
        name: format!("60 % of ids mostly unchanged: {mostly} of {}", told.len()),
        holds: (silent == 0 || !enough(mostly + silent)).then_some(enough(mostly)),
    }
}

fn found(told: &[Told]) -> Demand {
    let (share, trials) = FOUND;
    let of_id = |one: &Told| {
        let Tally { all, regressed, .. } = one.slower;
        (all >= trials).then_some(regressed as f64 >= share * all as f64)
    };
    let slept: Vec<&str> =
        told.iter().filter(|one| of_id(one) != Some(true)).map(|one| one.subject.id).collect();
    let at = if slept.is_empty() { String::new() } else { format!(", not {}", slept.join(", ")) };
    let of_ids: Vec<Option<bool>> = told.iter().map(of_id).collect();
    Demand {
        name: format!(
            "the slower arm found in 95 % of {trials} trials or more: {} of {} ids{at}",
            told.len() - slept.len(),
            told.len()
        ),
        holds: match () {
            () if of_ids.contains(&Some(false)) => Some(false),
            () if of_ids.contains(&None) => None,
            () => Some(true),
        },
    }
}

/// By what bounds the operation: what all ids together would hide.
fn by_kind(told: &[Told]) -> Table {
    let mut table = Table::new(&["bound by", "equal arms called changed", "slower arm found"]);
    for kind in [Kind::Cpu, Kind::Memory, Kind::Io] {
        let [equal, slower] = of_kind(told, kind);
        let cells = [
            kind.name().to_owned(),
            share(equal.regressed + equal.improved, equal.all),
            share(slower.regressed, slower.all),
        ];
        table.push(Tone::Neutral, cells.to_vec());
    }
    table
}

/// What was said of equal arms, and of the slower one.
fn of_kind(told: &[Told], kind: Kind) -> [Said; 2] {
    let of_kind = || told.iter().filter(|one| one.subject.kind == kind);
    [ours(of_kind().map(|one| one.equal)), ours(of_kind().map(|one| one.slower))]
}

fn ours(tallies: impl Iterator<Item = Tally>) -> Said {
    let said = tallies.map(|tally| Said {
        all: tally.all,
        regressed: tally.regressed,
        improved: tally.improved,
    });
    said.fold(Said::default(), Said::and)
}

/// Everyone's verdicts on the same rounds, ours first.
fn everyone(told: &[Told]) -> Table {
    let mut table = Table::new(&["judge", "equal arms called changed", "slower arm found"]);
    let mut push = |name: &str, equal: Said, slower: Said| {
        let cells = [
            name.to_owned(),
            share(equal.regressed + equal.improved, equal.all),
            share(slower.regressed, slower.all),
        ];
        table.push(Tone::Neutral, cells.to_vec());
    };
    let equal = ours(told.iter().map(|one| one.equal));
    push("cargo perf compare", equal, ours(told.iter().map(|one| one.slower)));
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
    let said = |said: Said| {
        json!({
            "comparisons": said.all,
            "regressed": said.regressed,
            "improved": said.improved,
        })
    };
    let kind = |kind: Kind| {
        let [equal, slower] = of_kind(told, kind).map(said);
        (kind.name(), json!({ "equal": equal, "slower": slower }))
    };
    let kinds: BTreeMap<&str, Value> = [Kind::Cpu, Kind::Memory, Kind::Io].map(kind).into();
    let others = totals(told).map(|opinions| {
        rivals::NAMES.into_iter().zip(opinions.map(said)).collect::<BTreeMap<_, _>>()
    });
    let demands: Vec<Value> = demands(told)
        .into_iter()
        .map(|demand| json!({ "demand": demand.name, "holds": demand.holds }))
        .collect();
    json!({
        "ids": by_id,
        "bound_by": kinds,
        "others_equal": others[0],
        "others_slower": others[1],
        "demands": demands,
    })
}

#[cfg(test)]
mod tests {
    use super::super::series::Series;
    use super::super::subjects::SUBJECTS;
    use super::*;

    /// Twelve ids of which every comparison said what it should.
    fn sound() -> Vec<Told> {
        let equal = Tally { all: 100, unchanged: 90, ..Tally::default() };
        let slower = Tally { all: 100, regressed: 97, ..Tally::default() };
        let one = |subject| Told {
            subject,
            series: Series::default(),
            equal,
            disjoint: equal,
            slower,
            others: Default::default(),
        };
        SUBJECTS.iter().map(one).collect()
    }

    fn with(change: impl Fn(&mut Told)) -> Vec<Told> {
        let mut told = sound();
        told.iter_mut().for_each(|one| {
            if one.subject.id == "reference/sum/64MiB" {
                change(one);
            }
        });
        told
    }

    #[test]
    fn a_demand_that_does_not_hold_is_an_exit_code() {
        assert_eq!(exit(&sound()), Exit::Fine);
        let slept = with(|one| one.slower.regressed = 81);
        assert_eq!(exit(&slept), Exit::Regressed);
        let said = text(&slept, false);
        assert!(said.contains("11 of 12 ids, not reference/sum/64MiB: does not hold"), "{said}");
        assert_eq!(exit(&with(|one| one.equal.improved = 2)), Exit::Regressed);
        let mut restless = sound();
        restless.iter_mut().take(5).for_each(|one| one.equal.unchanged = 50);
        assert_eq!(exit(&restless), Exit::Regressed);
    }

    #[test]
    fn too_few_trials_show_nothing_and_hide_no_failure() {
        let silent = with(|one| (one.equal, one.slower) = <(Tally, Tally)>::default());
        assert_eq!(exit(&silent), Exit::NotMeasured);
        let few = with(|one| one.slower = Tally { all: 39, regressed: 39, ..Tally::default() });
        assert_eq!(exit(&few), Exit::NotMeasured);
        let both = with(|one| {
            one.slower = Tally::default();
            one.equal.regressed = 2;
        });
        assert_eq!(exit(&both), Exit::Regressed);
        let mut short = sound();
        short.iter_mut().for_each(|one| one.equal = Tally { all: 9, unchanged: 9, ..one.equal });
        assert_eq!(exit(&short), Exit::NotMeasured);
    }

    #[test]
    fn no_kind_hides_behind_the_others() {
        let slept = with(|one| one.slower.regressed = 81);
        let said = text(&slept, false);
        for line in ["processor", "memory", "input and output"] {
            assert!(said.lines().any(|said| said.starts_with(line)), "{said}");
        }
        let memory = &json(&slept)["bound_by"]["memory"]["slower"];
        assert_eq!((&memory["comparisons"], &memory["regressed"]), (&json!(300), &json!(275)));
    }
}
