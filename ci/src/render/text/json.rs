//! `report.json`: what the report says, for scripts: the verdicts as they were handed over, one
//! number per row where there are none, trends with their change points, the machine.

use serde_json::{Value, json};

use super::super::trend::Trend;
use super::super::{Report, words};
use super::{lines, sentence};

/// The whole file, for people to read too.
pub(crate) fn report(report: &Report<'_>) -> String {
    let environment = &report.record.environment;
    let facts = words::facts(environment).into_iter();
    let facts = facts.map(|(name, value)| (name.to_owned(), Value::from(value)));
    let measured = |line: super::Line<'_>| {
        json!({
            "id": line.id, "metric": line.metric, "unit": line.unit, "state": line.word,
            "value": line.value, "note": line.note,
        })
    };
    let rows = report.verdicts.is_none().then(|| lines(report).into_iter().map(measured).collect());
    let rows: Vec<Value> = rows.unwrap_or_default();
    let json = json!({
        "report": 1,
        "sentence": sentence(report),
        "run_id": report.record.run_id,
        "started_at": report.record.started_at,
        "verdicts": report.verdicts,
        "measured": rows,
        "trends": report.trends.iter().map(trend).collect::<Vec<_>>(),
        "machine": facts.collect::<serde_json::Map<_, _>>(),
        "cannot_tell": words::caveats(environment),
    });
    format!("{json:#}\n")
}

fn trend(trend: &Trend) -> Value {
    let change = |change: &super::super::trend::Change| {
        let first = &trend.points[change.index];
        json!({
            "index": change.index, "commit": first.commit, "at": first.at, "before": change.before,
            "after": change.after, "p_value": change.p_value, "note": change.note,
        })
    };
    json!({
        "id": trend.id, "metric": trend.metric, "unit": trend.unit, "runs": trend.points.len(),
        "changes": trend.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::golden::{self, EVIL, Small};
    use super::*;
    use crate::render::view::sample;

    #[test]
    fn the_file_is_as_it_was_agreed() {
        golden::agrees("report.json", &report(&Small::new().report()));
    }

    #[test]
    fn hostile_text_comes_back_as_it_was() {
        let told: Value =
            serde_json::from_str(&report(&Small::spoilt(EVIL).report())).expect("JSON");
        assert_eq!(told["verdicts"]["remarks"][0], EVIL);
        assert_eq!(told["trends"][0]["changes"][0]["note"], EVIL);
    }

    #[test]
    fn a_record_alone_has_its_values() {
        let record = sample::record();
        let told: Value = serde_json::from_str(&report(&Report::of(&record))).expect("JSON");
        assert_eq!(told["measured"].as_array().expect("rows").len(), record.rows.len());
        assert_eq!(told["verdicts"], Value::Null);
    }
}
