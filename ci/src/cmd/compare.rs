//! `cargo perf compare`: two records, saved criterion baselines or critcmp exports, offline. Times
//! taken one after the other are shown and never judged; counts compare exactly.

use std::path::{Path, PathBuf};

use bench_core::judge::{self, Comparability, Pair, Policy, Verdict};
use bench_core::record::{Environment, RunRecord};
use serde_json::{Value, json};

use crate::bench::ids::Only;
use crate::cli::CompareArgs;
use crate::cmd::report;
use crate::exit::{Exit, failure};
use crate::import::{critcmp, criterion};
use crate::policy;
use crate::render::number;
use crate::render::table::{Table, Tone};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// What an export is given for a host: it says nothing of its own, and two exports may be of the
/// same one. Against a record or a baseline it does not compare.
const HOST_OF_EXPORTS: &str = "not recorded in a critcmp export";

/// A pair and what is thought of it.
struct Judged {
    pair: Pair,
    verdict: Verdict,
}

pub(crate) fn run(args: &CompareArgs, ui: Ui) -> anyhow::Result<Exit> {
    let only = Only::parse(&args.only)?;
    let base = side(&args.base)?;
    let head = side(&args.head)?;
    let all = judge::compare(&base, &head);
    only.check(all.iter().map(|pair| pair.id.as_str()))?;
    let pairs: Vec<Pair> = all.into_iter().filter(|pair| only.wants(&pair.id)).collect();
    if pairs.is_empty() {
        let (base, head) = (&args.base, &args.head);
        let why = format!("'{base}' and '{head}' hold no rows, so nothing was compared");
        return Err(failure(Exit::NotMeasured, why));
    }
    if !pairs.iter().any(|pair| pair.base.is_some() && pair.head.is_some()) {
        let (base, head) = (&args.base, &args.head);
        let why = format!("'{base}' and '{head}' have no id in common, so nothing was compared");
        return Err(failure(Exit::NotMeasured, why));
    }
    let policy = policy()?;
    let judge = |pair: Pair| Judged { verdict: judge::judge(&pair, &policy), pair };
    let judged: Vec<Judged> = pairs.into_iter().map(judge).collect();
    let exit = exit_of(&overall(&judged), args.strict);
    ui.result(&text(&judged, exit, ui.colour()), &json(&judged, exit))?;
    Ok(exit)
}

/// The gate's policy; outside of a workspace the one this program was built with.
fn policy() -> anyhow::Result<Policy> {
    let root = Workspace::find().map(|workspace| workspace.root).unwrap_or_default();
    policy::read(&root)
}

/// A file is a record or an export, by its content; anything else is the name of a baseline.
fn side(name: &str) -> anyhow::Result<RunRecord> {
    let path = PathBuf::from(name);
    if path.is_file() {
        return file(&path);
    }
    if name.contains(['/', '\\']) || name.ends_with(".json") {
        let why = format!("there is no file '{name}'; make a record with `cargo perf run`");
        return Err(failure(Exit::NotMeasured, why));
    }
    let workspace = Workspace::find()?;
    let home = std::env::var_os("CRITERION_HOME")
        .map_or_else(|| workspace.target.join("criterion"), PathBuf::from);
    let mut record = RunRecord::begin(Environment::gather(&workspace.root));
    record.rows = criterion::saved(&home, name)?;
    Ok(record)
}

fn file(path: &Path) -> anyhow::Result<RunRecord> {
    let told = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| failure(Exit::Usage, format!("failed to read {told}: {error}")))?;
    let export = serde_json::from_slice::<Value>(&bytes).ok().filter(critcmp::is_export);
    let Some(export) = export else { return report::read(path) };
    let rows = critcmp::rows(&export).map_err(|why| {
        failure(Exit::Usage, format!("{told} is a critcmp export that makes no sense: {why}"))
    })?;
    let host_id = Some(HOST_OF_EXPORTS.to_owned());
    let mut record = RunRecord::begin(Environment { host_id, ..Environment::default() });
    record.rows = rows;
    Ok(record)
}

/// The join of all but the ids that are new, which have nothing to be judged by.
fn overall(judged: &[Judged]) -> Verdict {
    let old = judged.iter().filter(|one| !one.pair.is_new());
    Verdict::join_all(old.map(|one| one.verdict.clone()))
}

fn exit_of(verdict: &Verdict, strict: bool) -> Exit {
    match verdict {
        Verdict::Regressed | Verdict::Mixed => Exit::Regressed,
        Verdict::Missing => Exit::NotMeasured,
        Verdict::Incomparable(_) => Exit::NotComparable,
        Verdict::Undecided if strict => Exit::Undecided,
        Verdict::Undecided | Verdict::Improved | Verdict::Unchanged => Exit::Fine,
    }
}

fn text(judged: &[Judged], exit: Exit, colour: bool) -> String {
    let mut table =
        Table::new(&["id", "metric", "base", "head", "change", "95 % interval", "verdict", "note"]);
    for one in judged {
        table.push(tone(&one.verdict), cells(one));
    }
    format!("{}\n{}", table.text(colour), closing(judged, exit))
}

fn cells(Judged { pair, verdict }: &Judged) -> Vec<String> {
    let effect = pair.effect;
    let value = |value: Option<f64>| value.map(|v| number::with_unit(v, &pair.unit));
    let interval = effect.and_then(|effect| effect.interval);
    vec![
        pair.id.clone(),
        pair.metric.to_string(),
        value(effect.map(|effect| effect.base)).unwrap_or_default(),
        value(effect.map(|effect| effect.head)).unwrap_or_default(),
        effect.and_then(|effect| effect.ratio).map(number::change).unwrap_or_default(),
        interval
            .map(|i| format!("{} to {}", number::change(i.low), number::change(i.high)))
            .unwrap_or_default(),
        word(pair, verdict).to_owned(),
        note(pair),
    ]
}

fn tone(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Improved => Tone::Good,
        Verdict::Regressed | Verdict::Mixed | Verdict::Missing => Tone::Bad,
        Verdict::Incomparable(_) => Tone::Quiet,
        Verdict::Undecided | Verdict::Unchanged => Tone::Neutral,
    }
}

fn word(pair: &Pair, verdict: &Verdict) -> &'static str {
    match verdict {
        _ if pair.is_new() => "new",
        Verdict::Improved => "improved",
        Verdict::Unchanged => "unchanged",
        Verdict::Regressed => "regressed",
        Verdict::Mixed => "mixed",
        Verdict::Undecided => "undecided",
        Verdict::Missing => "missing",
        Verdict::Incomparable(_) => "incomparable",
    }
}

/// Why the verdict is not the one that the numbers suggest.
fn note(pair: &Pair) -> String {
    let failed = |row: &Option<bench_core::record::Row>| {
        row.as_ref().and_then(|row| row.error.clone()).map(|error| format!("failed: {error}"))
    };
    if pair.is_new() {
        return "not in the base".to_owned();
    }
    if pair.head.is_none() {
        return "not measured on the head".to_owned();
    }
    if let Some(why) = failed(&pair.head).or_else(|| failed(&pair.base)) {
        return why;
    }
    let estimate = [&pair.base, &pair.head]
        .into_iter()
        .flatten()
        .any(|row| row.dimensions.get("source").is_some_and(|source| source == critcmp::SOURCE));
    match &pair.comparability {
        Comparability::Yes => String::new(),
        Comparability::No(why) => why.clone(),
        Comparability::Unpaired(_) if estimate => "unpaired; an estimate, no samples".to_owned(),
        Comparability::Unpaired(_) => "unpaired".to_owned(),
    }
}

fn closing(judged: &[Judged], exit: Exit) -> String {
    let unpaired = judged
        .iter()
        .filter(|one| matches!(one.pair.comparability, Comparability::Unpaired(_)))
        .count();
    let ids = judged.len();
    let mut told = match exit {
        Exit::Regressed => "Something regressed.",
        Exit::NotMeasured => "Something that the base has was not measured on the head.",
        Exit::NotComparable => "Some pairs say nothing about each other.",
        _ => "Nothing is known to be worse.",
    }
    .to_owned();
    if unpaired > 0 {
        told.push_str(&format!(
            " {unpaired} of {ids} comparisons are unpaired: taken at two different times, so that \
             whatever else changed in between is in them, and no verdict."
        ));
    }
    told
}

fn json(judged: &[Judged], exit: Exit) -> Value {
    let row = |one: &Judged| {
        let effect = one.pair.effect;
        let interval = effect.and_then(|effect| effect.interval);
        json!({
            "id": one.pair.id,
            "metric": one.pair.metric,
            "unit": one.pair.unit,
            "base": effect.map(|effect| effect.base),
            "head": effect.map(|effect| effect.head),
            "ratio": effect.and_then(|effect| effect.ratio),
            "ratio_low": interval.map(|interval| interval.low),
            "ratio_high": interval.map(|interval| interval.high),
            "verdict": word(&one.pair, &one.verdict),
            "note": note(&one.pair),
        })
    };
    json!({"exit": exit as u8, "comparisons": judged.iter().map(row).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_exit_code() {
        let incomparable = Verdict::Incomparable("glibc differs".to_owned());
        let cases = [
            (Verdict::Improved, Exit::Fine),
            (Verdict::Unchanged, Exit::Fine),
            (Verdict::Regressed, Exit::Regressed),
            (Verdict::Mixed, Exit::Regressed),
            (Verdict::Undecided, Exit::Fine),
            (Verdict::Missing, Exit::NotMeasured),
            (incomparable, Exit::NotComparable),
        ];
        for (verdict, exit) in cases {
            assert_eq!(exit_of(&verdict, false), exit, "{verdict:?}");
        }
        assert_eq!(exit_of(&Verdict::Undecided, true), Exit::Undecided);
    }
}
