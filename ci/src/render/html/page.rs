//! The page around the rooms: the verdict, what failed, the machine, the raw rows.

use bench_core::record::RunRecord;
use sha2::{Digest, Sha256};

use super::escape::Html;
use super::{room, trend, verdict};
use crate::render::verdicts::{Verdicts, Word};
use crate::render::view::View;
use crate::render::{Report, words};

const STYLE: &str = concat!(
    include_str!("../../../assets/uplot/uPlot.min.css"),
    include_str!("style.css"),
    include_str!("print.css")
);
/// The charts are uPlot's; its licence goes wherever it goes.
const SCRIPT: &str = concat!(
    "/*\n",
    include_str!("../../../assets/uplot/LICENSE"),
    "*/\n",
    include_str!("../../../assets/uplot/uPlot.iife.min.js"),
    include_str!("charts.js"),
    include_str!("script.js")
);

/// The whole page.
pub(crate) fn report(report: &Report<'_>) -> String {
    let view = View::of(report.record);
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"").text(policy()).raw("\">");
    html.tag("title", title(report)).raw("<style>").raw(STYLE).raw("</style></head><body>");
    head(&mut html, report, &view);
    html.raw("<main>");
    failures(&mut html, &view);
    html.add(verdict::sections(report));
    html.add(trend::section(report.trends));
    machine(&mut html, report);
    for (index, one) in view.rooms.iter().enumerate() {
        html.add(room::section(one, index));
    }
    raw_rows(&mut html, "Raw rows, as the record holds them", report.record);
    if let Some(base) = report.base {
        raw_rows(&mut html, "Raw rows of the base", base);
    }
    html.raw("</main><script>").raw(SCRIPT).raw("</script></body></html>\n");
    html.finish()
}

/// The browser itself is told to load nothing and to run this one script.
fn policy() -> String {
    let hash = super::base64(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{hash}'"
    )
}

fn title(report: &Report<'_>) -> String {
    let said = report.verdicts.map(|verdicts| verdicts.sentence.as_str());
    said.unwrap_or("Benchmark report").to_owned()
}

fn head(html: &mut Html, report: &Report<'_>, view: &View<'_>) {
    html.raw("<header><div><p class=\"brand\">Weighbridge</p>");
    match report.verdicts {
        Some(verdicts) => banner(html, verdicts),
        None => _ = html.tag("h1", words::summary(view)),
    }
    html.raw("<p class=\"when\">Started <time>").text(&view.record.started_at);
    html.raw("</time>, run <code>").text(&view.record.run_id).raw("</code></p></div>");
    html.raw("<nav aria-label=\"Sections\">");
    if !report.trends.is_empty() {
        html.raw("<a href=\"#trends\">Trend<small>").text(report.trends.len()).raw("</small></a>");
    }
    for (index, room) in view.rooms.iter().enumerate() {
        let failed = room.entries.iter().filter(|entry| entry.failed()).count();
        html.raw(&format!("<a href=\"#room-{index}\">")).text(room.name);
        html.raw("<small>").text(room.entries.len());
        if failed > 0 {
            html.raw(" <b class=\"bad\">").text(failed).raw(" failed</b>");
        }
        html.raw("</small></a>");
    }
    html.raw("</nav><label class=\"filter\"><span>Filter ids</span>");
    html.raw("<input id=\"filter\" type=\"search\" placeholder=\"grpc stream 1MiB\" autocomplete=\"off\">");
    html.raw("<kbd>/</kbd><output id=\"found\" for=\"filter\"></output></label></header>");
}

/// What the banner shows: the gravest word. A budget that broke has no id, and so no word: where
/// none is bad, the exit code says how bad it is.
fn worst(verdicts: &Verdicts) -> Word {
    let gravest = verdicts.judged.iter().map(|one| one.word).min().unwrap_or(Word::Unchanged);
    match verdicts.exit {
        _ if gravest < Word::Undecided => gravest,
        0 if gravest == Word::Undecided => Word::Undecided,
        0 => Word::Unchanged,
        1 | 4 => Word::Missing,
        5 => Word::Incomparable,
        6 => Word::Undecided,
        _ => Word::Regressed,
    }
}

/// The verdict in one sentence, what was compared, and how many ids have which word.
fn banner(html: &mut Html, verdicts: &Verdicts) {
    let worst = worst(verdicts);
    let sign = if worst == Word::Unchanged { "✓" } else { verdict::sign(worst) };
    html.raw("<h1 class=\"verdict ").raw(worst.name()).raw("\"><i aria-hidden=\"true\">");
    html.raw(sign).raw("</i> ").text(&verdicts.sentence).raw("</h1>");
    html.tag("p", words::sides(verdicts)).raw("<p class=\"words\">");
    for (word, number) in verdicts.counts() {
        html.raw("<button type=\"button\" aria-pressed=\"false\" data-word=\"").raw(word.name());
        html.raw("\" class=\"badge ").raw(word.name()).raw("\"><i aria-hidden=\"true\">");
        html.raw(verdict::sign(word)).raw("</i> ").text(number).raw(" ").raw(word.name());
        html.raw("</button> ");
    }
    html.raw("</p>");
}

fn failures(html: &mut Html, view: &View<'_>) {
    let failures = view.failures();
    if failures.is_empty() {
        return;
    }
    html.raw("<section class=\"card failed\" role=\"alert\"><h2>Failed</h2><dl>");
    for (why, rows) in failures {
        html.raw("<div>");
        for row in rows {
            html.raw("<dt><code>").text(&row.id).raw("</code> ");
            html.tag("small", words::name(&row.metric)).raw("</dt>");
        }
        html.tag("dd", why).raw("</div>");
    }
    html.raw("</dl></section>");
}

fn machine(html: &mut Html, report: &Report<'_>) {
    let environment = &report.record.environment;
    html.raw("<section class=\"machine\"><div class=\"card\"><h2>Machine</h2><dl class=\"facts\">");
    let before = report.base.map(|base| words::facts(&base.environment)).unwrap_or_default();
    for (name, value) in words::facts(environment) {
        html.raw("<div>").tag("dt", name).tag("dd", &value);
        let other = before.iter().find(|(known, other)| *known == name && *other != value);
        if let Some((_, other)) = other {
            html.tag("dd class=\"other\"", format!("base: {other}"));
        }
        html.raw("</div>");
    }
    html.raw("</dl></div>");
    let caveats = words::caveats(environment);
    if !caveats.is_empty() {
        html.raw("<div class=\"card caveats\"><h2>What these numbers cannot tell</h2><ul>");
        for caveat in caveats {
            html.tag("li", caveat);
        }
        html.raw("</ul></div>");
    }
    saturated(html, report.record);
    html.raw("</section>");
}

/// How many scenarios are told of before they are folded away: rooms come first.
const UNFOLDED: usize = 8;

fn saturated(html: &mut Html, record: &RunRecord) {
    let watched = words::watched(record);
    if watched.is_empty() {
        return;
    }
    html.raw("<div class=\"card caveats wide\"><h2>What was saturated</h2>");
    html.raw(if watched.len() > UNFOLDED { "<details>" } else { "<details open>" });
    let saturated = watched.iter().filter(|scenario| scenario.saturated).count();
    html.raw("<summary>Beside ").text(saturated).raw(" of ").text(watched.len());
    html.raw(" watched scenarios something was saturated</summary><ul>");
    for scenario in watched {
        html.tag("li", scenario.told);
    }
    html.raw("</ul></details></div>");
}

/// The record's rows as they are on disk, one a line, folded away.
fn raw_rows(html: &mut Html, title: &str, record: &RunRecord) {
    html.raw("<details class=\"card raw\"><summary>").text(title).raw(" (").text(record.rows.len());
    html.raw(")</summary><pre tabindex=\"0\">");
    for row in &record.rows {
        let line = serde_json::to_string(row).expect("a row is made of plain values");
        html.text(line).raw("\n");
    }
    html.raw("</pre></details>");
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Metric, Row};

    use super::*;
    use crate::render::view::sample;

    #[test]
    fn what_was_watched_is_summed_up_and_in_no_room() {
        let mut record = sample::record();
        assert!(!report(&Report::of(&record)).contains("What was saturated"));
        record.rows.extend(sample::watched("grpc/load", 3.0));
        let page = report(&Report::of(&record));
        assert!(page.contains("<li>grpc/load: saturated: a listener: 3 connections found its"));
        assert!(page.contains(
            "<details open><summary>Beside 1 of 1 watched scenarios something was saturated<"
        ));
        assert!(!page.contains(">watch<"));
    }

    #[test]
    fn of_many_scenarios_what_was_saturated_is_folded_away() {
        let mut record = sample::record();
        for number in 0..=UNFOLDED {
            record.rows.extend(sample::watched(&format!("grpc/load/{number}"), 0.0));
        }
        let page = report(&Report::of(&record));
        assert!(page.contains(
            "<details><summary>Beside 0 of 9 watched scenarios something was saturated<"
        ));
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = report(&Report::of(&sample::record()));
        // The library names its home in a comment.
        let page = page.replace(SCRIPT, "");
        for load in ["http://", "https://", "src=", "@import", "url(", "<link", "<iframe", "fetch("]
        {
            assert!(!page.contains(load), "{load}");
        }
        for link in page.split("href=\"").skip(1) {
            assert!(link.starts_with('#'), "{}", &link[..20]);
        }
    }

    #[test]
    fn every_id_is_on_the_page_and_the_failure_says_why() {
        let record = sample::record();
        let page = report(&Report::of(&record));
        for row in &record.rows {
            assert!(page.contains(&row.id), "{}", row.id);
        }
        assert!(page.contains("stream reset by peer"));
        assert!(!page.contains("NaN") && !page.contains("inf "));
    }

    #[test]
    fn a_reason_stands_once_under_all_that_failed_by_it() {
        let mut record = sample::record();
        for id in ["link/a", "link/b"] {
            record.rows.push(Row::failed(id, Metric::WallTime, "ns", "late"));
        }
        let page = report(&Report::of(&record));
        let term = |id| format!("<dt><code>{id}</code> <small>wall time</small></dt>");
        let said = format!("<div>{}{}<dd>late</dd></div>", term("link/a"), term("link/b"));
        assert!(page.contains(&said), "{page}");
    }

    #[test]
    fn hostile_text_never_becomes_markup() {
        const EVIL: &str = "x\"'><script>alert(1)</script>/&<img src=http://a onerror=b>/1KiB";
        let mut record = sample::record();
        for row in &mut record.rows {
            row.id = format!("{EVIL}{}", row.id);
            row.dimensions.insert(EVIL.to_owned(), EVIL.to_owned());
        }
        record.rows.push(Row::failed(EVIL, Metric::Other(EVIL.to_owned()), EVIL, EVIL));
        record.started_at = EVIL.to_owned();
        record.environment.cpu_model = Some(EVIL.to_owned());
        let page = report(&Report::of(&record));
        assert_eq!(page.matches("<script>").count(), 1, "our own");
        assert!(!page.contains("<img"));
        assert!(!page.contains("x\"'"));
    }

    #[test]
    fn the_banner_has_the_gravest_word_and_the_code_where_no_word_is_bad() {
        let cases = [
            (Some(Word::Missing), 4, Word::Missing),
            (Some(Word::Missing), 1, Word::Missing),
            (Some(Word::Undecided), 6, Word::Undecided),
            (Some(Word::Undecided), 0, Word::Undecided),
            (Some(Word::Improved), 3, Word::Regressed),
            (Some(Word::Mixed), 3, Word::Mixed),
            (Some(Word::Incomparable), 5, Word::Incomparable),
            (None, 0, Word::Unchanged),
            (None, 1, Word::Missing),
            (None, 4, Word::Missing),
            (None, 5, Word::Incomparable),
            (None, 6, Word::Undecided),
        ];
        for (word, exit, told) in cases {
            let (_, _, mut verdicts) = sample::comparison();
            verdicts.exit = exit;
            verdicts.judged.truncate(2);
            verdicts.judged[0].word = Word::Unchanged;
            verdicts.judged[1].word = word.unwrap_or(Word::New);
            assert_eq!(worst(&verdicts), told, "{word:?} and {exit}");
        }
    }

    #[test]
    fn an_empty_record_is_a_page_too() {
        let mut record = sample::record();
        record.rows.clear();
        assert!(report(&Report::of(&record)).contains("0 benchmarks measured"));
    }
}
