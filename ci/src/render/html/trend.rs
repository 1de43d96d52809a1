//! Trends: a chart of all runs with their change points, the change points in a table, the runs
//! folded below.

use serde::Serialize;

use super::chart::figure;
use super::escape::Html;
use super::table::{cell, open_table};
use crate::render::number;
use crate::render::trend::Trend;
use crate::render::words;

/// A day, as the axis shows it.
const DAY: usize = 10;

/// What the script draws: one value a run, and the level of its segment.
#[derive(Serialize)]
struct Spec<'a> {
    /// What values are divided by, and the unit that they then have.
    scale: (f64, &'a str),
    /// The metric.
    name: &'a str,
    days: Vec<&'a str>,
    commits: Vec<String>,
    values: Vec<f64>,
    levels: Vec<Option<f64>>,
    changes: Vec<(usize, String)>,
}

/// The section of all trends; nothing where there is none.
pub(super) fn section(trends: &[Trend]) -> Html {
    let mut html = Html::default();
    if trends.is_empty() {
        return html;
    }
    html.raw("<section class=\"card room\" id=\"trends\"><h2>Trend</h2>");
    let (loud, quiet): (Vec<&Trend>, Vec<&Trend>) =
        trends.iter().partition(|trend| !trend.changes.is_empty());
    loud.iter().for_each(|trend| one(&mut html, trend));
    if !quiet.is_empty() {
        html.raw(if loud.is_empty() { "<details open>" } else { "<details>" });
        html.raw("<summary>Without a change point (").text(quiet.len()).raw(")</summary>");
        quiet.iter().for_each(|trend| one(&mut html, trend));
        html.raw("</details>");
    }
    html.raw("</section>");
    html
}

fn one(html: &mut Html, trend: &Trend) {
    html.raw("<article data-about=\"").text(&trend.id).raw("\"><h3><code>").text(&trend.id);
    html.raw("</code> ").tag("small", words::name(&trend.metric)).raw("</h3>");
    if !trend.environment.is_empty() {
        html.tag("p class=\"conditions\"", &trend.environment);
    }
    html.add(figure(&sentence(trend), "trend", &spec(trend)));
    changes(html, trend);
    runs(html, trend);
    html.raw("</article>");
}

fn sentence(trend: &Trend) -> String {
    let runs = number::count(trend.points.len() as u64);
    match trend.changes.as_slice() {
        [] => format!("{runs} runs, no change point"),
        [_] => format!("{runs} runs, one change point"),
        all => format!("{runs} runs, {} change points", all.len()),
    }
}

fn spec(trend: &Trend) -> Spec<'_> {
    let highest = trend.points.iter().map(|point| point.value.abs()).fold(0.0, f64::max);
    let runs = 0..trend.points.len();
    let change = |change: &crate::render::trend::Change| {
        let told = if change.before == 0.0 {
            String::new()
        } else {
            number::change(change.after / change.before)
        };
        (change.index, told)
    };
    Spec {
        scale: number::scale(highest, &trend.unit),
        name: trend.metric.name(),
        days: trend.points.iter().map(|point| point.at.get(..DAY).unwrap_or(&point.at)).collect(),
        commits: runs.clone().map(|run| trend.name(run)).collect(),
        values: trend.points.iter().map(|point| point.value).collect(),
        levels: runs.map(|run| trend.level(run)).collect(),
        changes: trend.changes.iter().map(change).collect(),
    }
}

fn changes(html: &mut Html, trend: &Trend) {
    if trend.changes.is_empty() {
        return;
    }
    let titles = ["first run", "when", "before", "after", "change", "p", "what is known"];
    open_table(html, &titles.map(|title| (title, true)));
    for change in &trend.changes {
        let name = trend.name(change.index);
        html.raw("<tr><th scope=\"row\" data-id=\"").text(&name).raw("\"><code>").text(&name);
        html.raw("</code></th>").tag("td", &trend.points[change.index].at);
        let told = |value: f64| number::with_unit(value, &trend.unit);
        cell(html, Some(change.before), told);
        cell(html, Some(change.after), told);
        let ratio = (change.before != 0.0).then(|| change.after / change.before);
        cell(html, ratio, number::change);
        cell(html, Some(change.p_value), number::short);
        html.tag("td class=\"left\"", change.note.as_deref().unwrap_or("")).raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

/// Every run, folded away; cells without attributes, because there may be ten thousand.
fn runs(html: &mut Html, trend: &Trend) {
    html.raw("<details class=\"runs\"><summary>All ")
        .text(number::count(trend.points.len() as u64));
    html.raw(" runs</summary><div class=\"wide\"><table><thead><tr><th scope=\"col\">commit</th>");
    html.raw("<th scope=\"col\">started</th><th scope=\"col\">").text(words::name(&trend.metric));
    html.raw("</th></tr></thead><tbody>");
    for (index, point) in trend.points.iter().enumerate() {
        html.raw("<tr><td>").text(trend.name(index)).raw("<td>").text(&point.at);
        html.raw("<td>").text(number::with_unit(point.value, &trend.unit)).raw("\n");
    }
    html.raw("</tbody></table></div></details>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::trend::{Step, sample};

    #[test]
    fn every_run_is_in_the_chart_and_in_the_table() {
        let page = section(&[sample(90)]).finish();
        assert_eq!(page.matches("<tr><td>").count(), 90);
        assert!(page.contains("90 runs, 2 change points") && page.contains("+12.00 %"), "{page}");
        assert!(page.contains("\"scale\":[1000.0,\"µs\"]"), "{page}");
    }

    #[test]
    fn hostile_commits_stay_text() {
        let evil = "</script><img src=x onerror=alert(1)>";
        let mut trend = sample(90);
        trend.points[0] = Step { commit: Some(evil.into()), at: evil.into(), value: 1.0 };
        trend.changes[0].note = Some(evil.into());
        let page = section(&[trend]).finish();
        assert!(!page.contains("<img") && page.matches("</script>").count() == 1, "{page}");
    }

    #[test]
    fn no_history_is_no_section() {
        assert_eq!(section(&[]).finish(), "");
    }
}
