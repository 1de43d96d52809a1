//! `report.md`: the verdict, what changed and why, short enough for a comment on a pull request.
//! Of a record alone it is the whole of [`crate::render::markdown`].

use std::fmt::Write;

use super::super::markdown::{self, cell};
use super::super::trend::Trend;
use super::super::verdicts::{Judged, Verdicts, Word};
use super::super::view::View;
use super::super::{Report, number, words};

/// GitHub takes comments of 65,536 characters; the rest is for whoever puts words around it.
pub(crate) const BYTES_MAX: usize = 60_000;
/// A reader of a comment wants the first few; the page has all.
const FUNCTIONS_MAX: usize = 5;

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
    for one in changed().filter(|one| !one.functions.is_empty()) {
        functions(one).into_iter().for_each(&mut line);
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

fn functions(one: &Judged) -> Vec<String> {
    let metric = words::name(&one.metric);
    let mut lines = vec![
        format!("\n## {} ({})\n", cell(&one.id), cell(&metric)),
        format!("| own {} of | base | head | difference | where |", cell(&metric)),
        "|---|--:|--:|--:|---|".to_owned(),
    ];
    for function in one.functions.iter().take(FUNCTIONS_MAX) {
        let (base, head) = (function.base, function.head);
        let cells = [
            function.function.clone(),
            number::count(base),
            number::count(head),
            words::difference(base, head),
            function.place.clone().unwrap_or_default(),
        ];
        lines.push(format!("| {} |", cells.map(|text| cell(&text)).join(" | ")));
    }
    let more = one.functions.len().saturating_sub(FUNCTIONS_MAX);
    if more > 0 {
        lines.push(format!("\nAnd {more} more functions."));
    }
    lines
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

    #[test]
    fn the_report_is_as_it_was_agreed() {
        golden::agrees("verdict.md", &report(&Small::new().report(), "report.html", BYTES_MAX));
    }

    #[test]
    fn a_long_report_ends_with_a_whole_row_and_says_what_it_left_out() {
        let mut small = Small::new();
        small.repeat(300);
        let whole = report(&small.report(), "report.html", usize::MAX);
        let cut = report(&small.report(), "report.html", BYTES_MAX);
        assert!(whole.len() > 2 * BYTES_MAX && cut.len() <= BYTES_MAX, "{}", cut.len());
        let rows = |text: &str| text.lines().filter(|line| line.starts_with("| ")).count();
        let left = format!("{} more table rows", number::count((rows(&whole) - rows(&cut)) as u64));
        let (kept, said) = cut.rsplit_once("\nCut here for length: ").expect("it is said");
        assert!(said.starts_with(&left) && said.contains("(<report.html>)"), "{said}");
        assert!(whole.starts_with(kept) && kept.ends_with("|\n"), "a whole row comes last");
    }

    #[test]
    fn hostile_text_stays_text() {
        let told = report(&Small::spoilt(EVIL).report(), EVIL, BYTES_MAX);
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
    fn a_tiny_limit_leaves_the_closing_sentence() {
        let told = report(&Small::new().report(), "report.html", 10);
        assert!(told.starts_with("\nCut here"), "{told}");
    }
}
