//! The verdicts: one table of all, and below it what changed and why, with both sides' samples on
//! one axis.

use bench_core::judge::{Pair, compare};
use bench_core::record::Data;

use super::chart::Kind;
use super::escape::Html;
use super::table::{cell, open_table};
use super::{room, samples, svg};
use crate::render::verdicts::{Function, Judged, Verdicts, Word};
use crate::render::view::Latency;
use crate::render::{Report, number, words};

/// A sign beside each word, so that none is told by its colour alone.
pub(super) const fn sign(word: Word) -> &'static str {
    match word {
        Word::Regressed | Word::Mixed => "✗",
        Word::Missing => "∅",
        Word::Incomparable => "≠",
        Word::Undecided => "?",
        Word::Improved | Word::Mended => "✓",
        Word::New => "+",
        Word::Removed => "−",
        Word::Unchanged => "=",
    }
}

/// Sign and word.
pub(super) fn badge(html: &mut Html, word: Word) {
    html.raw("<span class=\"badge ").raw(word.name()).raw("\"><i aria-hidden=\"true\">");
    html.raw(sign(word)).raw("</i> ").raw(word.name()).raw("</span>");
}

/// The sections of the verdicts; nothing where the report has none.
pub(super) fn sections(report: &Report<'_>) -> Html {
    let mut html = Html::default();
    let Some(verdicts) = report.verdicts else { return html };
    html.raw("<section class=\"card room tall\" id=\"verdicts\"><h2>Verdicts</h2>");
    remarks(&mut html, verdicts);
    all(&mut html, verdicts);
    html.raw("</section>");
    reasons(&mut html, report, verdicts);
    html
}

fn remarks(html: &mut Html, verdicts: &Verdicts) {
    if verdicts.remarks.is_empty() {
        return;
    }
    html.raw("<ul class=\"remarks\">");
    for remark in &verdicts.remarks {
        html.tag("li", remark);
    }
    html.raw("</ul>");
}

fn all(html: &mut Html, verdicts: &Verdicts) {
    let judged = verdicts.by_gravity();
    let ends = |one: &&Judged| [one.ratio, one.interval.map(|i| i.0), one.interval.map(|i| i.1)];
    let reach = svg::change_reach(judged.iter().flat_map(ends).flatten());
    let drawn = format!("change, ±{}", words::percent(reach.exp_m1()));
    open_table(
        html,
        &[
            ("id", true),
            ("verdict", true),
            ("metric", true),
            ("base", true),
            ("head", true),
            ("change", true),
            (&drawn, false),
            ("95 % interval", false),
            ("limit and note", false),
        ],
    );
    for one in judged {
        line(html, one, reach);
    }
    html.raw("</tbody></table></div>");
}

fn line(html: &mut Html, one: &Judged, reach: f64) {
    html.raw("<tr data-word=\"").raw(one.word.name()).raw("\"><th scope=\"row\" data-id=\"");
    html.text(&one.id).raw("\"><code>").text(&one.id).raw("</code></th>");
    html.raw(&format!("<td class=\"mid\" data-value=\"{}\">", one.word as u8));
    badge(html, one.word);
    let metric = words::name(&one.metric);
    html.raw("</td><td data-id=\"").text(&metric).raw("\">").text(&metric).raw("</td>");
    let told = |value: f64| number::with_unit(value, &one.unit);
    cell(html, one.base, told);
    cell(html, one.head, told);
    cell(html, one.ratio, number::change);
    html.raw("<td class=\"drawn\">");
    if let Some(ratio) = one.ratio {
        html.add(svg::change(ratio, one.interval, reach, one.word.name()));
    }
    html.raw("</td><td>").text(words::interval(one.interval)).raw("</td><td class=\"left note\">");
    // A note may say of itself what was allowed.
    let repeated = |bound: &&String| one.note.as_ref().is_some_and(|note| note.contains(*bound));
    let bound = one.bound.as_ref().filter(|bound| !repeated(bound));
    let said: Vec<&str> = bound.into_iter().chain(&one.note).map(String::as_str).collect();
    html.text(said.join("; ")).raw("</td></tr>");
}

/// What changed in full, and what did not folded away.
fn reasons(html: &mut Html, report: &Report<'_>, verdicts: &Verdicts) {
    let pairs = report.base.map(|base| compare(base, report.record)).unwrap_or_default();
    let (mut loud, mut quiet) = (Vec::new(), Vec::new());
    for one in verdicts.by_gravity() {
        let pair = pairs.iter().find(|pair| pair.id == one.id && pair.metric == one.metric);
        let told = reason(report, one, pair);
        let some = told.as_ref().is_some_and(|_| one.word != Word::Unchanged);
        if some { loud.extend(told) } else { quiet.extend(told) }
    }
    if !loud.is_empty() {
        html.raw("<section class=\"card room\" id=\"why\"><h2>What changed and why</h2>");
        loud.into_iter().for_each(|one| _ = html.add(one));
        html.raw("</section>");
    }
    if !quiet.is_empty() {
        html.raw(
            "<details class=\"card room\" id=\"same\"><summary>Samples of what did not change (",
        );
        html.text(quiet.len()).raw(")</summary>");
        quiet.into_iter().for_each(|one| _ = html.add(one));
        html.raw("</details>");
    }
}

/// What there is to be said beyond the table; `None` where there is nothing.
fn reason(report: &Report<'_>, one: &Judged, pair: Option<&Pair>) -> Option<Html> {
    let mut body = Html::default();
    let mut some = false;
    if let Some(drawn) = pair.and_then(|pair| both(report, pair)) {
        body.add(drawn);
        some = true;
    }
    if !one.functions.is_empty() {
        functions(&mut body, one);
        some = true;
    }
    if !one.sites.is_empty() {
        sites(&mut body, one);
        some = true;
    }
    if let Some(svg) = one.flamegraph.as_ref().and_then(|name| report.flames.get(name)) {
        body.raw("<details class=\"flame\"><summary>Differential flamegraph</summary>");
        body.raw("<img alt=\"Differential flamegraph of ").text(&one.id).raw("\" src=\"");
        body.raw("data:image/svg+xml;base64,").raw(&super::base64(svg)).raw("\"></details>");
        some = true;
    }
    let mut html = Html::default();
    html.raw("<article data-about=\"").text(&one.id).raw("\"><h3>");
    badge(&mut html, one.word);
    html.raw(" <code>").text(&one.id).raw("</code> ").tag("small", words::name(&one.metric));
    html.raw("</h3>").tag("p", words::change(one)).add(body).raw("</article>");
    some.then_some(html)
}

/// Both sides on one axis, and their quantiles.
fn both(report: &Report<'_>, pair: &Pair) -> Option<Html> {
    let (base, head) = (pair.measured_base()?, pair.measured_head()?);
    let names = report.side_names();
    match (&base.data, &head.data) {
        (Some(Data::Samples { .. }), Some(Data::Samples { .. })) => {
            let sides = [base.per_operation(), head.per_operation()];
            samples::both(&names, &pair.unit, [&sides[0], &sides[1]], remark(report))
        }
        (Some(b @ Data::Histogram { .. }), Some(h @ Data::Histogram { .. })) => {
            let sides = [Latency::of(b)?, Latency::of(h)?];
            let lines: Vec<_> = names.into_iter().zip(&sides).collect();
            Some(room::percentiles("Both sides by percentile", Kind::Curves, &lines))
        }
        _ => None,
    }
}

/// A comparison in turns judges by less than it keeps.
fn remark(report: &Report<'_>) -> &'static str {
    match report.verdicts.map(|verdicts| verdicts.command.as_str()) {
        Some("compare") => "; all batches are here, the verdict is by the fastest of each slice",
        _ => "",
    }
}

fn functions(html: &mut Html, one: &Judged) {
    let own = format!("own {} of", words::name(&one.metric));
    open_table(
        html,
        &[(&own, true), ("base", true), ("head", true), ("difference", true), ("where", false)],
    );
    for Function { function, base, head, place } in &one.functions {
        html.raw("<tr><th scope=\"row\" class=\"long\" data-id=\"").text(function).raw("\"><code>");
        html.text(function).raw("</code></th>");
        let count = |count: f64| number::count(count as u64);
        cell(html, Some(*base as f64), count);
        cell(html, Some(*head as f64), count);
        let difference = i128::from(*head) - i128::from(*base);
        cell(html, Some(difference as f64), |_| words::difference(*base, *head));
        html.raw("<td class=\"left\"><code>").text(place.as_deref().unwrap_or(""));
        html.raw("</code></td></tr>");
    }
    html.raw("</tbody></table></div>");
}

fn sites(html: &mut Html, one: &Judged) {
    open_table(
        html,
        &[
            ("allocations of", true),
            ("base", true),
            ("head", true),
            ("difference", true),
            ("bytes", true),
            ("where", false),
        ],
    );
    for site in &one.sites {
        html.raw("<tr><th scope=\"row\" class=\"long\" data-id=\"").text(&site.function);
        html.raw("\"><code>").text(&site.function).raw("</code></th>");
        let (base, head) = (site.base_allocations, site.head_allocations);
        let count = |count: f64| number::count(count as u64);
        cell(html, Some(base as f64), count);
        cell(html, Some(head as f64), count);
        for (base, head) in [(base, head), (site.base_bytes, site.head_bytes)] {
            let difference = i128::from(head) - i128::from(base);
            cell(html, Some(difference as f64), |_| words::difference(base, head));
        }
        html.raw("<td class=\"left\"><code>").text(&site.place).raw("</code></td></tr>");
    }
    html.raw("</tbody></table></div>");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::render::text::golden::Small;
    use crate::render::view::sample;

    #[test]
    fn every_verdict_is_in_the_table_and_what_changed_has_its_samples() {
        let (base, head, verdicts) = sample::comparison();
        let report = Report { base: Some(&base), verdicts: Some(&verdicts), ..Report::of(&head) };
        let page = sections(&report).finish();
        let table = page.split("</table>").next().expect("the first");
        assert_eq!(table.matches("<tr data-word").count(), verdicts.judged.len());
        let why = page.split("id=\"same\"").next().expect("before");
        // Three slower times, one faster, and the times among what has no verdict.
        assert_eq!(why.matches("class=\"chart\"").count(), 6, "{}", page.len());
        assert!(why.contains("Fill&gt;::fill") && why.contains("+2,500"));
    }

    #[test]
    fn every_function_and_site_is_on_the_page() {
        let mut small = Small::new();
        small.explain(200);
        let page = sections(&small.report()).finish();
        for part in ["fill_199<", "site_199<", "+8,192", "allocations of"] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn a_flamegraph_is_a_picture_and_runs_no_script() {
        let (base, head, mut verdicts) = sample::comparison();
        let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
        let one = verdicts.judged.iter_mut().find(|one| one.word == Word::Regressed);
        one.expect("one").flamegraph = Some("flame.svg".into());
        let flames = BTreeMap::from([("flame.svg".to_owned(), svg.to_owned())]);
        let base = Some(&base);
        let report = Report { base, verdicts: Some(&verdicts), flames, ..Report::of(&head) };
        let page = sections(&report).finish();
        assert!(page.contains("src=\"data:image/svg+xml;base64,PHN2Zy"), "no picture");
        assert!(!page.contains("alert"));
    }
}
