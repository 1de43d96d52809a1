//! `report.md`: for pull requests and for reading in an editor.

use std::fmt::Write;

use bench_core::record::Row;

use super::view::{Entry, Room, View};
use super::{number, words};

/// The whole report.
pub(crate) fn report(view: &View<'_>) -> String {
    let record = view.record;
    let mut out = String::from("# Benchmark report\n\n");
    put(&mut out, format_args!("{}\n\n", words::summary(view)));
    put(
        &mut out,
        format_args!("Started {}, run `{}`.\n", cell(&record.started_at), cell(&record.run_id)),
    );
    failures(&mut out, view);
    for room in &view.rooms {
        section(&mut out, room);
    }
    saturated(&mut out, view);
    machine(&mut out, view);
    out
}

fn failures(out: &mut String, view: &View<'_>) {
    let failures = view.failures();
    if failures.is_empty() {
        return;
    }
    out.push_str("\n## Failed\n\n");
    for (why, rows) in failures {
        let what = |row: &&Row| format!("**{}** ({})", cell(&row.id), words::name(&row.metric));
        let what: Vec<String> = rows.iter().map(what).collect();
        put(out, format_args!("- {}: {}\n", what.join(", "), cell(words::one_line(why))));
    }
}

fn section(out: &mut String, room: &Room<'_>) {
    put(out, format_args!("\n## {}\n", cell(room.name)));
    if !room.common.is_empty() {
        let common: Vec<String> =
            room.common.iter().map(|(name, value)| format!("{name}={value}")).collect();
        put(out, format_args!("\nConditions: {}.\n", cell(&common.join(", "))));
    }
    let timed = |entry: &&Entry<'_>| entry.time.is_some() || entry.instructions.is_some();
    let entries: Vec<_> = room.entries.iter().filter(timed).collect();
    if !entries.is_empty() {
        out.push_str(
            "\n| id | median | 95 % interval | throughput | ns/byte | instructions | per byte |\n",
        );
        out.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    }
    for entry in entries {
        let time = entry.time.as_ref();
        let interval = time.and_then(|time| time.interval);
        let cells = [
            cell(entry.id),
            time.map(|time| number::time(time.median)).unwrap_or_default(),
            interval
                .map(|(low, high)| format!("{} to {}", number::time(low), number::time(high)))
                .unwrap_or_default(),
            entry.throughput().map(number::rate).unwrap_or_default(),
            entry.ns_per_byte().map(number::short).unwrap_or_default(),
            entry.instructions.map(number::count).unwrap_or_default(),
            entry.instructions_per_byte().map(number::short).unwrap_or_default(),
        ];
        put(out, format_args!("| {} |\n", cells.join(" | ")));
    }
    latencies(out, room);
    others(out, room);
}

fn latencies(out: &mut String, room: &Room<'_>) {
    let mut entries =
        room.entries.iter().filter_map(|e| Some((e.id, e.latency.as_ref()?))).peekable();
    if entries.peek().is_some() {
        out.push_str("\n| latency | operations | p50 | p90 | p99 | p99.9 | max |\n");
        out.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    }
    for (id, latency) in entries {
        let [p50, p90, p99, p999] = [50.0, 90.0, 99.0, 99.9].map(|p| number::time(latency.at(p)));
        let (operations, max) = (number::count(latency.operations()), number::time(latency.max()));
        put(
            out,
            format_args!(
                "| {} | {operations} | {p50} | {p90} | {p99} | {p999} | {max} |\n",
                cell(id)
            ),
        );
    }
}

fn others(out: &mut String, room: &Room<'_>) {
    let mut told = room.entries.iter().filter(|entry| !entry.others.is_empty()).peekable();
    if told.peek().is_some() {
        out.push('\n');
    }
    for entry in told {
        let values: Vec<String> = entry.others.iter().map(|row| words::other(row)).collect();
        put(out, format_args!("- {}: {}\n", cell(entry.id), cell(&values.join(", "))));
    }
}

fn saturated(out: &mut String, view: &View<'_>) {
    let watched = words::watched(view.record);
    if watched.is_empty() {
        return;
    }
    out.push_str("\n## What was saturated\n\n");
    for scenario in watched {
        put(out, format_args!("- {}\n", cell(&scenario.told)));
    }
}

/// The machine and what it could not tell.
pub(crate) fn machine(out: &mut String, view: &View<'_>) {
    out.push_str("\n## Machine\n\n| | |\n|---|---|\n");
    for (name, value) in words::facts(&view.record.environment) {
        put(out, format_args!("| {name} | {} |\n", cell(&value)));
    }
    out.push('\n');
    for caveat in words::caveats(&view.record.environment) {
        put(out, format_args!("- {}\n", cell(&caveat)));
    }
}

/// Breaks what GitHub makes a link of by itself. An entity or a backslash would not: links are
/// looked for in the text that a reader sees.
const BREAK: char = '\u{200b}';

/// Text that stays text in a table: no markup, no line breaks, and no link to a person, who would
/// be notified, to an issue or to a site.
pub(crate) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        match c {
            '@' if rest.starts_with(char::is_alphanumeric) => out.extend([c, BREAK]),
            '#' if rest.starts_with(|next: char| next.is_ascii_digit()) => out.extend([c, BREAK]),
            ':' if rest.starts_with("//") => out.extend([c, BREAK]),
            '.' if out.ends_with(['w', 'W']) => out.extend([BREAK, c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '[' | ']' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use bench_core::record::Metric;

    use super::*;
    use crate::render::view::sample;

    /// Where this file is, so that the golden one is found from any folder.
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/report.md");

    #[test]
    fn the_report_is_as_it_was_agreed() {
        let told = report(&View::of(&sample::record()));
        if std::env::var_os("WEIGHBRIDGE_BLESS").is_some() {
            std::fs::write(GOLDEN, &told).expect("golden file written");
        }
        let agreed = std::fs::read_to_string(GOLDEN).expect("golden file");
        assert!(
            told == agreed,
            "report.md changed; if it should, run with WEIGHBRIDGE_BLESS=1:\n{told}"
        );
    }

    #[test]
    fn what_was_watched_is_summed_up_and_in_no_room() {
        let mut record = sample::record();
        record.rows.extend(sample::watched("grpc/load", 3.0));
        let told = report(&View::of(&record));
        let said = "## What was saturated\n\n- grpc/load: saturated: a listener: 3 connections found its \
                    queue full (rule: at least 1)";
        assert!(told.contains(said) && !told.contains("## watch"), "{told}");
    }

    #[test]
    fn what_failed_for_one_reason_is_one_line() {
        let mut record = sample::record();
        record.rows.retain(|row| row.ok);
        for id in ["link/a", "link/b"] {
            record.rows.push(Row::failed(id, Metric::WallTime, "ns", "late"));
        }
        let told = report(&View::of(&record));
        let said = "\n- **link/a** (wall time), **link/b** (wall time): late\n";
        assert!(told.contains(said), "{told}");
    }

    #[test]
    fn hostile_ids_stay_text() {
        let mut record = sample::record();
        record.rows[0].id = "a|b<script>\n# x".to_owned();
        let told = report(&View::of(&record));
        assert!(told.contains("a\\|b&lt;script&gt; # x"), "{told}");
        assert!(!told.contains("<script>"));
    }
}
