//! An explanation as text, as Markdown short enough for a comment, and as a piece of a page.

use std::fmt::Write;

use super::functions::Change;
use super::names::short;
use super::{Explanation, flame};
use crate::render::html::escape::Html;
use crate::render::markdown::cell;
use crate::render::table::{Table, Tone};
use crate::render::verdicts::Site;
use crate::render::words::difference;
use crate::render::{COMMENT_ROWS_MAX, PAGE_ROWS_MAX, number};

/// Titles are set in a little under an id, and trimmed where they are not.
const FUNCTIONS: [&str; 5] =
    ["  own instructions of", "base", "head", "difference", "changed most at"];
const SITES: [&str; 6] = ["  allocations of", "base", "head", "difference", "bytes", "at"];
const NOTHING: &str = "no difference";

fn function(change: &Change) -> Vec<String> {
    vec![
        short(&change.function),
        number::count(change.base),
        number::count(change.head),
        difference(change.base, change.head),
        change.place.clone().unwrap_or_default(),
    ]
}

fn site(site: &Site) -> Vec<String> {
    vec![
        short(&site.function),
        number::count(site.base_allocations),
        number::count(site.head_allocations),
        difference(site.base_allocations, site.head_allocations),
        difference(site.base_bytes, site.head_bytes),
        site.place.clone(),
    ]
}

/// One table of an explanation, cut.
struct Part {
    titles: &'static [&'static str],
    rows: Vec<Vec<String>>,
    /// Rows before the cut.
    all: usize,
}

/// The tables that have rows, each with at most so many of them.
fn parts(explanation: &Explanation, most: usize) -> Vec<Part> {
    let Explanation { functions, allocations, .. } = explanation;
    let functions = Part {
        titles: &FUNCTIONS,
        rows: functions.iter().take(most).map(function).collect(),
        all: functions.len(),
    };
    let allocations = Part {
        titles: &SITES,
        rows: allocations.iter().take(most).map(site).collect(),
        all: allocations.len(),
    };
    [functions, allocations].into_iter().filter(|part| part.all > 0).collect()
}

fn more(rows: usize, all: usize) -> Option<String> {
    (all > rows).then(|| format!("and {} more", number::count((all - rows) as u64)))
}

/// For a terminal.
pub(crate) fn text(explanation: &Explanation, colour: bool) -> String {
    let mut out = format!("{}\n", explanation.id);
    let parts = parts(explanation, COMMENT_ROWS_MAX);
    if parts.is_empty() {
        writeln!(out, "  {NOTHING}").expect("a string takes all");
    }
    for Part { titles, rows, all } in parts {
        let shown = rows.len();
        let mut table = Table::new(titles);
        for mut row in rows {
            row[0].insert_str(0, "  ");
            table.push(Tone::Neutral, row);
        }
        out += &table.text(colour);
        out.extend(more(shown, all).map(|more| format!("  {more}\n")));
        out.push('\n');
    }
    out
}

/// For a comment on a pull request: at most [`COMMENT_ROWS_MAX`] rows of each table.
pub(crate) fn markdown(explanation: &Explanation) -> String {
    let mut out = format!("## {}\n\n", cell(&explanation.id));
    let parts = parts(explanation, COMMENT_ROWS_MAX);
    if parts.is_empty() {
        out += &format!("{NOTHING}\n\n");
    }
    for Part { titles, rows, all } in parts {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        out += &line(&titles.iter().map(|title| title.trim().to_owned()).collect::<Vec<_>>());
        let last = titles.len() - 1;
        let rule = |column| if column == 0 || column == last { "---" } else { "--:" };
        out += &format!("|{}|\n", (0..titles.len()).map(rule).collect::<Vec<_>>().join("|"));
        for row in &rows {
            out += &line(&row.iter().map(|text| cell(text)).collect::<Vec<_>>());
        }
        out.extend(more(rows.len(), all).map(|more| format!("\n{more}\n")));
        out.push('\n');
    }
    out
}

/// For a page: all that changed, and the picture.
pub(crate) fn html_fragment(explanation: &Explanation) -> Html {
    let mut html = Html::default();
    html.raw("<section class=\"card explanation\">").tag("h2", &explanation.id);
    let parts = parts(explanation, PAGE_ROWS_MAX);
    if parts.is_empty() {
        html.tag("p", NOTHING);
    }
    for Part { titles, rows, all } in parts {
        let last = titles.len() - 1;
        html.raw("<table><thead><tr>");
        for title in titles {
            html.tag("th", title.trim());
        }
        html.raw("</tr></thead><tbody>");
        for row in &rows {
            html.raw("<tr>");
            for (column, text) in row.iter().enumerate() {
                let words = column == 0 || column == last;
                html.tag(if words { "td" } else { "td class=\"n\"" }, text);
            }
            html.raw("</tr>");
        }
        html.raw("</tbody></table>");
        if let Some(more) = more(rows.len(), all) {
            html.tag("p", more);
        }
    }
    html.raw(&flame::draw(&explanation.id, &explanation.stacks)).raw("</section>");
    html
}

/// A page of explanations by itself.
pub(crate) fn page(explanations: &[Explanation]) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" ");
    html.raw("content=\"default-src 'none'; style-src 'unsafe-inline'\">");
    html.raw("<title>Where the difference came from</title><style>");
    html.raw(
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:78rem;padding:0 1rem}",
    );
    html.raw(
        "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem .7rem;text-align:left;",
    );
    html.raw(
        "border-bottom:1px solid #8884}.n{text-align:right;font-variant-numeric:tabular-nums}",
    );
    html.raw("td:first-child{font-family:ui-monospace,monospace;overflow-wrap:anywhere}");
    html.raw("</style></head><body><main><h1>Where the difference came from</h1>");
    for explanation in explanations {
        html.add(html_fragment(explanation));
    }
    html.raw("</main></body></html>\n");
    html.finish()
}

#[cfg(test)]
mod tests {
    use super::super::stacks::Node;
    use super::*;

    const EVIL: &str = "x\"'><script>alert(1)</script>|&<img src=http://a onerror=b>";

    fn sample(functions: usize, name: &str) -> Explanation {
        let change = |number: usize| Change {
            function: format!("{name}{number}"),
            base: 1,
            head: 2_501,
            place: Some(name.to_owned()),
        };
        let site = Site {
            function: name.to_owned(),
            place: name.to_owned(),
            head_allocations: 3,
            head_bytes: 4096,
            ..Site::default()
        };
        Explanation {
            id: format!("a/{name}"),
            functions: (0..functions).map(change).collect(),
            allocations: vec![site],
            stacks: Node {
                base: 1.0,
                head: 2.0,
                children: [(name.into(), Node::default())].into(),
            },
        }
    }

    #[test]
    fn functions_and_allocations_are_in_all_three() {
        let one = sample(12, "fill");
        for told in [text(&one, false), markdown(&one), page(&[one])] {
            for part in ["fill0", "2,501", "+2,500", "+4,096", "allocations of"] {
                assert!(told.contains(part), "{part} is not in\n{told}");
            }
        }
    }

    #[test]
    fn a_comment_names_ten_functions_and_says_how_many_more_there_are() {
        let told = markdown(&sample(12, "fill"));
        assert!(told.contains("fill9") && !told.contains("fill10"), "{told}");
        assert!(told.contains("and 2 more"), "{told}");
        assert!(page(&[sample(12, "fill")]).contains("fill11"));
    }

    #[test]
    fn no_difference_is_said_and_hostile_names_stay_text() {
        let none = Explanation { functions: Vec::new(), allocations: Vec::new(), ..sample(0, "f") };
        assert!(text(&none, false).contains("no difference"));
        assert!(markdown(&none).contains("no difference"));
        let evil = sample(3, EVIL);
        for told in [markdown(&evil), page(&[evil])] {
            assert!(!told.contains("<script") && !told.contains("<img"), "{told}");
        }
    }
}
