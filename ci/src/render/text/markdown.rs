//! `report.md`: the verdict, what changed and why, short enough for a comment on a pull request.
//! Of a record alone it is the whole of [`crate::render::markdown`].

use std::fmt::Write;

use super::super::markdown::{self, cell};
use super::super::trend::Trend;
use super::super::verdicts::{Function, Judged, Site, Verdicts, Word};
use super::super::view::View;
use super::super::{COMMENT_ROWS_MAX, Report, number, words};

/// The report in at most `max` bytes, cut at a whole row; what is left out is said, with a link to
/// where all of it is.
pub(crate) fn report(report: &Report<'_>, link: &str, max: usize) -> String {
    let text = match report.verdicts {
        Some(verdicts) => compared(report, verdicts, link),
        None => markdown::report(&View::of(report.record)),
    };
    fit(text, link, max)
}

fn compared(report: &Report<'_>, verdicts: &Verdicts, link: &str) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a String takes all");
    line(format!("# {}\n", cell(&verdicts.sentence)));
    line(format!("{}\n", cell(&words::sides(verdicts))));
    verdicts.remarks.iter().for_each(|remark| line(format!("- {}", cell(remark))));
    let told = verdicts.by_gravity();
    let changed = || told.iter().filter(|one| one.word != Word::Unchanged);
    if changed().next().is_some() {
        line("\n| verdict | id | metric | base | head | change | 95 % interval | note |".into());
        line("|---|---|---|--:|--:|--:|--:|---|".into());
        changed().for_each(|one| line(row(one)));
    }
    let quiet = told.len() - changed().count();
    if quiet > 0 {
        line(format!("\nUnchanged: {}.", number::count(quiet as u64)));
    }
    for one in changed() {
        reasons(one).into_iter().for_each(&mut line);
    }
    report.trends.iter().flat_map(trend).for_each(&mut line);
    line(format!("\nAll numbers, samples and charts: {}.", linked(link)));
    markdown::machine(&mut out, &View::of(report.record));
    out
}

fn row(one: &Judged) -> String {
    let told = |value: Option<f64>| {
        value.map(|value| number::with_unit(value, &one.unit)).unwrap_or_default()
    };
    let note = [&one.bound, &one.note].into_iter().flatten().cloned().collect::<Vec<_>>();
    let cells = [
        one.word.name().to_owned(),
        one.id.clone(),
        words::name(&one.metric),
        told(one.base),
        told(one.head),
        one.ratio.map(number::change).unwrap_or_default(),
        words::interval(one.interval),
        note.join("; "),
    ];
    format!("| {} |", cells.map(|text| cell(&text)).join(" | "))
}

/// Where it came from: functions and sites, each cut; nothing where nothing is known.
fn reasons(one: &Judged) -> Vec<String> {
    let metric = cell(&words::name(&one.metric));
    let mut lines = Vec::new();
    if !one.functions.is_empty() || !one.sites.is_empty() {
        lines.push(format!("\n## {} ({metric})", cell(&one.id)));
    }
    if !one.functions.is_empty() {
        lines.push(format!("\n| own {metric} of | base | head | difference | where |"));
        lines.push("|---|--:|--:|--:|---|".to_owned());
        lines.extend(cut(&one.functions, "functions", function));
    }
    if !one.sites.is_empty() {
        lines.push("\n| allocations of | base | head | difference | bytes | where |".to_owned());
        lines.push("|---|--:|--:|--:|--:|---|".to_owned());
        lines.extend(cut(&one.sites, "sites", site));
    }
    lines
}

/// The first rows, and how many more there are.
fn cut<T>(all: &[T], what: &str, row: fn(&T) -> Vec<String>) -> Vec<String> {
    let line = |one| row(one).iter().map(|text| cell(text)).collect::<Vec<_>>().join(" | ");
    let shown = all.iter().take(COMMENT_ROWS_MAX);
    let mut lines: Vec<String> = shown.map(|one| format!("| {} |", line(one))).collect();
    if let Some(more) = all.len().checked_sub(COMMENT_ROWS_MAX).filter(|more| *more > 0) {
        lines.push(format!("\nAnd {more} more {what}."));
    }
    lines
}

fn function(one: &Function) -> Vec<String> {
    vec![
        one.function.clone(),
        number::count(one.base),
        number::count(one.head),
        words::difference(one.base, one.head),
        one.place.clone().unwrap_or_default(),
    ]
}

fn site(one: &Site) -> Vec<String> {
    vec![
        one.function.clone(),
        number::count(one.base_allocations),
        number::count(one.head_allocations),
        words::difference(one.base_allocations, one.head_allocations),
        words::difference(one.base_bytes, one.head_bytes),
        one.place.clone(),
    ]
}

fn trend(trend: &Trend) -> Vec<String> {
    let runs = number::count(trend.points.len() as u64);
    let title = format!("{} ({}), {runs} runs", trend.id, words::name(&trend.metric));
    let mut lines = vec![format!("\n## Trend of {}\n", cell(&title))];
    if trend.changes.is_empty() {
        lines.push("No change point.".to_owned());
        return lines;
    }
    lines.push("| first run | when | before | after | change | what is known |".to_owned());
    lines.push("|---|---|--:|--:|--:|---|".to_owned());
    for change in &trend.changes {
        let told = |value: f64| number::with_unit(value, &trend.unit);
        let ratio = if change.before == 0.0 { None } else { Some(change.after / change.before) };
        let cells = [
            trend.name(change.index),
            trend.points[change.index].at.clone(),
            told(change.before),
            told(change.after),
            ratio.map(number::change).unwrap_or_default(),
            change.note.clone().unwrap_or_default(),
        ];
        lines.push(format!("| {} |", cells.map(|text| cell(&text)).join(" | ")));
    }
    lines
}

fn linked(link: &str) -> String {
    let address: String = link
        .chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .map(|c| if matches!(c, '<' | '>' | '(' | ')') { '_' } else { c })
        .collect();
    format!("[{}](<{address}>)", cell(link))
}

/// Cut at the end of a line, so that no row is half there.
fn fit(text: String, link: &str, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let closing = |rows: usize| {
        let rows = number::count(rows as u64);
        format!("\nCut here for length: {rows} more table rows are in {}.\n", linked(link))
    };
    let reserve = closing(usize::MAX).len();
    let mut end = max.saturating_sub(reserve);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').map_or(0, |line| line + 1);
    let (kept, left) = text.split_at(end);
    let rows = left.lines().filter(|line| line.starts_with("| ")).count();
    format!("{kept}{}", closing(rows))
}

#[cfg(test)]
mod tests {
    use super::super::golden::{self, EVIL, Small};
    use super::*;
    use crate::render::MARKDOWN_BYTES_MAX;

    #[test]
    fn the_report_is_as_it_was_agreed() {
        golden::agrees(
            "verdict.md",
            &report(&Small::new().report(), "report.html", MARKDOWN_BYTES_MAX),
        );
    }

    #[test]
    fn a_long_report_ends_with_a_whole_row_and_says_what_it_left_out() {
        let mut small = Small::new();
        small.repeat(300);
        let whole = report(&small.report(), "report.html", usize::MAX);
        let cut = report(&small.report(), "report.html", MARKDOWN_BYTES_MAX);
        assert!(
            whole.len() > 2 * MARKDOWN_BYTES_MAX && cut.len() <= MARKDOWN_BYTES_MAX,
            "{}",
            cut.len()
        );
        let rows = |text: &str| text.lines().filter(|line| line.starts_with("| ")).count();
        let left = format!("{} more table rows", number::count((rows(&whole) - rows(&cut)) as u64));
        let (kept, said) = cut.rsplit_once("\nCut here for length: ").expect("it is said");
        assert!(said.starts_with(&left) && said.contains("(<report.html>)"), "{said}");
        assert!(whole.starts_with(kept) && kept.ends_with("|\n"), "a whole row comes last");
    }

    #[test]
    fn hostile_text_stays_text() {
        let told = report(&Small::spoilt(EVIL).report(), EVIL, MARKDOWN_BYTES_MAX);
        assert!(!told.contains("<img") && !told.contains("</script>"), "{told}");
        let foreign = |c: char| c.is_control() && c != '\n' || c == '\u{2028}';
        assert!(!told.contains(foreign), "{told:?}");
        let pipes = |line: &str| line.replace("\\|", "").matches('|').count();
        let table: Vec<&str> = told.lines().filter(|line| line.starts_with("| ")).collect();
        assert!(table.len() > 5);
        for line in table {
            assert!([3, 6, 7, 9].contains(&pipes(line)), "{line}");
        }
    }

    #[test]
    fn ten_functions_and_sites_are_told_and_how_many_more_there_are() {
        let mut small = Small::new();
        small.explain(12);
        let told = report(&small.report(), "report.html", MARKDOWN_BYTES_MAX);
        assert!(told.contains("fill_9 ") && !told.contains("fill_10 "), "{told}");
        assert!(told.contains("And 2 more functions."), "{told}");
        assert!(told.contains("| site_9 | 1 | 3 | +2 | +8,192 |"), "{told}");
        assert!(told.contains("And 2 more sites.") && !told.contains("site_10 "), "{told}");
    }

    #[test]
    fn names_of_people_issues_and_sites_are_no_links() {
        let told = report(&Small::spoilt(EVIL).report(), "report.html", MARKDOWN_BYTES_MAX);
        assert!(told.contains("all") && told.contains("a.b"), "{told}");
        for live in ["@all", "#1", "https://", "www."] {
            assert!(!told.contains(live), "{live} in\n{told}");
        }
    }

    #[test]
    fn a_tiny_limit_leaves_the_closing_sentence() {
        let told = report(&Small::new().report(), "report.html", 10);
        assert!(told.starts_with("\nCut here"), "{told}");
    }
}
