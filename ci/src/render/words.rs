//! What a report says in sentences: the summary, the machine, and what it could not tell.

use bench_core::judge::bottleneck::{Bottleneck, bottlenecks};
use bench_core::record::{Data, Environment, Metric, Row, RunRecord};

use super::number;
use super::verdicts::{Judged, Side, Verdicts};
use super::view::View;

/// Where the environment of a run keeps what doctor found to be limited or missing, a line each.
pub(crate) const DOCTOR: &str = "doctor";

/// One sentence: what was measured, and what failed.
pub(crate) fn summary(view: &View<'_>) -> String {
    let (mut times, mut counts, mut latencies, mut failed, mut ids) = (0, 0, 0, 0, 0);
    for entry in view.entries() {
        ids += 1;
        times += usize::from(entry.time.is_some());
        counts += usize::from(entry.instructions.is_some());
        latencies += usize::from(entry.latency.is_some());
        failed += usize::from(entry.failed());
    }
    let parts = [
        (counts, "instruction count", "instruction counts"),
        (times, "time", "times"),
        (latencies, "latency distribution", "latency distributions"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(many, ..)| *many > 0)
        .map(|(many, one, more)| format!("{many} {}", if many == 1 { one } else { more }))
        .collect();
    let measured = if parts.is_empty() { "nothing".to_owned() } else { join(&parts) };
    let ids = if ids == 1 { "1 benchmark".to_owned() } else { format!("{ids} benchmarks") };
    match failed {
        0 => format!("{ids} measured, none failed: {measured}."),
        failed => format!("{failed} of {ids} failed; measured were {measured}."),
    }
}

/// A scenario that was watched.
pub(crate) struct Watched {
    /// Whether something was saturated meanwhile.
    pub(crate) saturated: bool,
    /// What, and by which rule.
    pub(crate) told: String,
}

/// Each scenario that was watched.
pub(crate) fn watched(record: &RunRecord) -> Vec<Watched> {
    let told = |(scenario, bottleneck): (&str, Bottleneck)| Watched {
        saturated: matches!(bottleneck, Bottleneck::Saturated(..)),
        told: format!("{scenario}: {bottleneck}"),
    };
    bottlenecks(&record.rows).into_iter().map(told).collect()
}

/// The machine and the toolchain: a name and what is known. What is not known is not here.
pub(crate) fn facts(e: &Environment) -> Vec<(&'static str, String)> {
    let commit = e.git_commit.as_ref().map(|commit| {
        let dirty = if e.git_dirty == Some(true) { " with uncommitted changes" } else { "" };
        format!("{}{dirty}", commit.chars().take(12).collect::<String>())
    });
    let yes = |known: Option<bool>| known.map(|yes| if yes { "on" } else { "off" }.to_owned());
    let facts = [
        ("CPU", e.cpu_model.clone()),
        ("cores", e.cores.map(|cores| cores.to_string())),
        ("memory", e.memory_bytes.map(number::bytes)),
        ("kernel", e.kernel.clone()),
        ("virtual machine", e.virtualised.map(|yes| if yes { "yes" } else { "no" }.to_owned())),
        ("governor", e.governor.clone()),
        ("turbo", yes(e.turbo)),
        ("SMT", yes(e.smt)),
        ("glibc", e.glibc.clone()),
        ("rustc", e.rustc.clone()),
        ("target", e.target.clone()),
        ("profile", e.profile.clone()),
        ("RUSTFLAGS", e.rustflags.clone().filter(|flags| !flags.is_empty())),
        ("valgrind", e.valgrind.clone()),
        ("GLIBC_TUNABLES", e.glibc_tunables.clone().filter(|tunables| !tunables.is_empty())),
        ("commit", commit),
        ("TCP congestion control", e.tcp_congestion_control.clone()),
        ("read-ahead", e.read_ahead_bytes.map(number::bytes)),
        ("huge pages", e.huge_pages.clone()),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What the numbers of this machine can't tell, and what could not be read.
pub(crate) fn caveats(e: &Environment) -> Vec<String> {
    // Doctor looked at more, and says the same of what both look at.
    let mut told = examined(e).unwrap_or_else(|| guessed(e));
    if e.git_dirty == Some(true) {
        told.push(
            "The tree had uncommitted changes: the commit alone does not make these numbers."
                .to_owned(),
        );
    }
    let unread = unread(e);
    if !unread.is_empty() {
        told.push(format!("Not readable here, and so not known: {}.", join(&unread)));
    }
    told
}

/// What doctor found when the record was made; `None` in a record of another program.
fn examined(e: &Environment) -> Option<Vec<String>> {
    let lines = e.unknown.get(DOCTOR)?.as_array()?;
    lines.iter().map(|line| line.as_str().map(str::to_owned)).collect()
}

/// What follows from the fields of the environment alone.
fn guessed(e: &Environment) -> Vec<String> {
    let mut told = Vec::new();
    if e.virtualised == Some(true) {
        told.push(
            "This is a virtual machine: what its neighbours do is in every time. \
             Compare times only within interleaved pairs."
                .to_owned(),
        );
    }
    if e.turbo == Some(true) {
        told.push("Turbo is on: times depend on how warm the CPU was.".to_owned());
    }
    if e.smt == Some(true) {
        told.push("Cores share execution units: a busy sibling slows a benchmark down.".to_owned());
    }
    if e.governor.as_deref().is_some_and(|governor| governor != "performance") {
        told.push(
            "The governor is not 'performance': short benchmarks run at a lower clock.".to_owned(),
        );
    }
    if e.cores.is_some_and(|cores| cores < 4) {
        told.push(
            "Fewer than four cores: clients and servers take time from each other, so latencies \
             under load are an upper bound."
                .to_owned(),
        );
    }
    if e.valgrind.is_none() {
        told.push(
            "No valgrind: no instructions were counted, and nothing here can gate.".to_owned(),
        );
    }
    told
}

fn unread(e: &Environment) -> Vec<String> {
    let fields = [
        ("host", e.host_id.is_none()),
        ("CPU model", e.cpu_model.is_none()),
        ("cores", e.cores.is_none()),
        ("memory", e.memory_bytes.is_none()),
        ("governor", e.governor.is_none()),
        ("turbo", e.turbo.is_none()),
        ("SMT", e.smt.is_none()),
        ("virtualisation", e.virtualised.is_none()),
        ("glibc", e.glibc.is_none()),
        ("rustc", e.rustc.is_none()),
        ("commit", e.git_commit.is_none()),
        ("TCP congestion control", e.tcp_congestion_control.is_none()),
        ("read-ahead", e.read_ahead_bytes.is_none()),
    ];
    fields.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name.to_owned()).collect()
}

/// A row that has no column of its own, as `metric value`.
pub(crate) fn other(row: &Row) -> String {
    let value = match &row.data {
        Some(Data::Count { value }) => number::with_unit(*value as f64, &row.unit),
        Some(Data::Samples { values, iterations }) => {
            let total: u64 = iterations.iter().sum();
            let mean = values.iter().sum::<f64>() / total.max(1) as f64;
            format!("{} on average", number::with_unit(mean, &row.unit))
        }
        Some(data @ Data::Histogram { .. }) => match data.histogram() {
            Ok(histogram) => {
                let at = |value: u64| number::with_unit(value as f64, &row.unit);
                let median = histogram.value_at_quantile(0.5);
                format!("median {}, maximum {}", at(median), at(histogram.max()))
            }
            Err(_) => "a histogram that can't be read".to_owned(),
        },
        None => "no value".to_owned(),
    };
    let kinds: Vec<String> =
        row.errors.iter().map(|(kind, many)| format!("{kind} {}", number::count(*many))).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    format!("{} {value}{kinds}", name(&row.metric))
}

/// What became of one number, in one sentence.
pub(crate) fn change(one: &Judged) -> String {
    let told = |value: f64| number::with_unit(value, &one.unit);
    let mut said = match (one.base.map(told), one.head.map(told)) {
        (Some(base), Some(head)) => format!("From {base} to {head}"),
        (None, Some(head)) => format!("{head}, and no number in the base"),
        (Some(base), None) => format!("{base} in the base, and no number in the head"),
        (None, None) => "No number on either side".to_owned(),
    };
    if let Some(ratio) = one.ratio {
        said += &format!(": {}", number::change(ratio));
    }
    if one.interval.is_some() {
        said += &format!(" (95 % interval {})", interval(one.interval));
    }
    for more in [&one.bound, &one.note].into_iter().flatten() {
        said += &format!("; {more}");
    }
    said + "."
}

/// Where a ratio lies; nothing where that is not known.
pub(crate) fn interval(interval: Option<(f64, f64)>) -> String {
    interval.map_or_else(String::new, |(low, high)| {
        format!("{} to {}", number::change(low), number::change(high))
    })
}

/// How far a count moved: `+2,500`.
pub(crate) fn difference(base: u64, head: u64) -> String {
    let sign = match head.cmp(&base) {
        std::cmp::Ordering::Less => "-",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "+",
    };
    format!("{sign}{}", number::count(head.abs_diff(base)))
}

/// A share as whole percent; below ten with one digit after the point.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// The two sides in one sentence.
pub(crate) fn sides(verdicts: &Verdicts) -> String {
    let told = |side: &Side| match &side.commit {
        Some(commit) => format!("{} ({})", side.name, commit.chars().take(12).collect::<String>()),
        None => side.name.clone(),
    };
    format!("Base: {}. Head: {}.", told(&verdicts.base), told(&verdicts.head))
}

/// A metric as people say it.
pub(crate) fn name(metric: &Metric) -> String {
    metric.name().replace('_', " ")
}

/// Why a row failed.
pub(crate) fn reason(failed: &Row) -> &str {
    failed.error.as_deref().unwrap_or("no reason given")
}

/// The first line of a text.
pub(crate) fn one_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim()
}

/// `a, b and c`.
pub(crate) fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::view::sample;

    #[test]
    fn the_summary_leads_with_what_failed() {
        let mut record = sample::record();
        let told = summary(&View::of(&record));
        assert!(told.contains(" failed; measured were "), "{told}");
        record.rows.retain(|row| row.ok);
        let told = summary(&View::of(&record));
        assert!(told.contains("none failed"), "{told}");
    }

    #[test]
    fn what_is_not_known_is_said_and_not_shown_as_a_fact() {
        let environment = Environment { turbo: Some(true), ..Environment::default() };
        assert_eq!(facts(&environment), [("turbo", "on".to_owned())]);
        let told = caveats(&environment).join("\n");
        assert!(told.contains("Turbo is on"), "{told}");
        assert!(told.contains("governor, SMT"), "{told}");
        assert!(told.contains("No valgrind"), "{told}");
    }

    #[test]
    fn what_doctor_found_speaks_in_place_of_what_the_fields_suggest() {
        let mut environment = Environment { turbo: Some(true), ..Environment::default() };
        environment.unknown.insert(DOCTOR.into(), serde_json::json!(["turbo: on; so what"]));
        let told = caveats(&environment);
        assert_eq!(told[0], "turbo: on; so what");
        assert!(!told.join("\n").contains("Turbo is on"), "{told:?}");
        environment.unknown.insert(DOCTOR.into(), serde_json::json!([7]));
        assert!(caveats(&environment)[0].contains("Turbo is on"));
    }

    #[test]
    fn a_distribution_without_a_column_is_told_by_median_and_maximum() {
        let mut histogram = hdrhistogram::Histogram::new(3).expect("three digits");
        for value in [1_000, 2_000, 3_000] {
            histogram.record(value).expect("in range");
        }
        let data = Data::from_histogram(&histogram);
        let row = Row::measured("a/b", Metric::Other("service_time".into()), "ns", data);
        assert_eq!(other(&row), "service time median 2.00 µs, maximum 3.00 µs");
    }

    #[test]
    fn lists_read_as_sentences() {
        let parts: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(join(&parts), "a, b and c");
        assert_eq!(join(&parts[..1]), "a");
        assert_eq!(one_line("\n  why \nmore"), "why");
    }
}
