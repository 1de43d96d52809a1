//! Two records, saved criterion baselines or critcmp exports. Times taken one after the other are
//! shown and never judged; counts compare exactly.

use std::path::{Path, PathBuf};

use bench_core::judge::builds::Step;
use bench_core::judge::{Comparability, Direction, Pair, Verdict};
use bench_core::record::{Data, Environment, Row, RunRecord};
use serde_json::{Value, json};

use super::CompareArgs;
use crate::bench::ids::Only;
use crate::compare::records::{Compared, Judged, compare};
use crate::exit::{Exit, failure};
use crate::gate::standing;
use crate::import::{critcmp, criterion};
use crate::records;
use crate::render::number;
use crate::render::table::{Table, Tone};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// What an export is given for a host: it says nothing of its own, and two exports may be of the
/// same one. Against a record or a baseline it does not compare.
const HOST_OF_EXPORTS: &str = "not recorded in a critcmp export";

/// Both sides.
///
/// # Errors
/// A name that stands for nothing, a file that can't be read.
pub(crate) fn sides(args: &CompareArgs) -> anyhow::Result<[RunRecord; 2]> {
    Ok([side(&args.base)?, side(&args.head)?])
}

/// Compares them.
///
/// # Errors
/// [`Exit::NotMeasured`] when a filter matches nothing or they have no id in common.
pub(crate) fn run(
    args: &CompareArgs,
    [base, head]: [RunRecord; 2],
    only: &Only,
    ui: Ui,
) -> anyhow::Result<Exit> {
    let names = [args.base.as_str(), args.head.as_str()];
    let compared = compare([&base, &head], names, only, args.strict)?;
    compared.remark.iter().for_each(|remark| ui.say(remark));
    let Compared { judged, exit, .. } = compared;
    ui.result(&text(&judged, exit, ui.colour()), &json(&judged, exit))?;
    Ok(exit)
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
    let mut record = RunRecord::begin(Environment::gather(&workspace.root));
    record.rows = criterion::saved(&home(&workspace), name)?;
    Ok(record)
}

/// Where criterion saves baselines.
pub(super) fn home(workspace: &Workspace) -> PathBuf {
    std::env::var_os("CRITERION_HOME")
        .map_or_else(|| workspace.target.join("criterion"), PathBuf::from)
}

fn file(path: &Path) -> anyhow::Result<RunRecord> {
    let told = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| failure(Exit::Usage, format!("failed to read {told}: {error}")))?;
    let export = serde_json::from_slice::<Value>(&bytes).ok().filter(critcmp::is_export);
    let Some(export) = export else { return records::read(path) };
    let rows = critcmp::rows(&export).map_err(|why| {
        failure(Exit::Usage, format!("{told} is a critcmp export that makes no sense: {why}"))
    })?;
    let host_id = Some(HOST_OF_EXPORTS.to_owned());
    let mut record = RunRecord::begin(Environment { host_id, ..Environment::default() });
    record.rows = rows;
    Ok(record)
}

fn text(judged: &[Judged], exit: Exit, colour: bool) -> String {
    let mut table =
        Table::new(&["id", "metric", "base", "head", "change", "95 % interval", "verdict", "note"]);
    for one in judged {
        table.push(tone(&one.verdict), cells(one));
    }
    format!("{}\n{}", table.text(colour), closing(judged, exit))
}

fn cells(Judged { pair, verdict, step }: &Judged) -> Vec<String> {
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
        noted(pair, *step),
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
    standing::announced(pair).unwrap_or_else(|| verdict.name())
}

/// The note, and the band of a cell of the gRPC matrix.
fn noted(pair: &Pair, step: Option<Step>) -> String {
    let parts = [Some(note(pair)), step.map(|step| step.to_string())];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

/// Why the verdict is not the one that the numbers suggest.
fn note(pair: &Pair) -> String {
    if pair.is_new() {
        return "not in the base".to_owned();
    }
    if pair.head.is_none() {
        return "not measured on the head".to_owned();
    }
    if let Some(error) = standing::broke(pair) {
        return format!("failed: {error}");
    }
    if let Some(error) = standing::failed_before(pair) {
        return format!("mended: base failed: {error}");
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
    let number = |wanted: fn(&Judged) -> bool| judged.iter().filter(|one| wanted(one)).count();
    let ids = judged.len();
    let unpaired = number(|one| matches!(one.pair.comparability, Comparability::Unpaired(_)));
    let (changed, worse) = (number(changed), number(worse));
    let mut told = match exit {
        Exit::Regressed => "Something regressed.",
        Exit::Broke => "Something failed on the head.",
        _ if number(|one| standing::announced(&one.pair).is_none()) == 0 => {
            "Nothing on the head has anything to be judged by."
        }
        Exit::NotMeasured => "Something that the base has was not measured on the head.",
        Exit::NotComparable => "Some pairs say nothing about each other.",
        _ if changed > 0 => "No verdict says worse.",
        _ => "Nothing is known to be worse.",
    }
    .to_owned();
    if changed > 0 {
        told.push_str(&format!(
            " {changed} of {ids} comparisons are counts that changed without a verdict, {worse} of \
             them for the worse: they do not gate."
        ));
    }
    if unpaired > 0 {
        told.push_str(&format!(
            " {unpaired} of {ids} comparisons are unpaired: taken at two different times, so that \
             whatever else changed in between is in them, and no verdict."
        ));
    }
    told
}

/// Whether two counts differ and no verdict says which way that matters. Times always differ.
fn changed(one: &Judged) -> bool {
    let counted = |row: &Option<Row>| {
        row.as_ref().is_some_and(|row| matches!(row.data, Some(Data::Count { .. })))
    };
    one.verdict == Verdict::Undecided
        && counted(&one.pair.base)
        && counted(&one.pair.head)
        && one.pair.effect.is_some_and(|effect| effect.base != effect.head)
}

fn worse(one: &Judged) -> bool {
    let grew = one.pair.effect.is_some_and(|effect| effect.head > effect.base);
    let bad = if grew { Direction::Lower } else { Direction::Higher };
    changed(one) && one.pair.metric.direction() == Some(bad)
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
            "band": one.step.map(|step| step.change.name()),
        })
    };
    json!({
        "exit": exit as u8,
        "changed_without_verdict": judged.iter().filter(|one| changed(one)).count(),
        "comparisons": judged.iter().map(row).collect::<Vec<_>>(),
    })
}
