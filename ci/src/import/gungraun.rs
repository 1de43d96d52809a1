//! Rows out of gungraun's `summary.json` (`--save-summary=json`), versions 6 and 7: the new side of
//! every count that a tool made over the whole benchmark.

use bench_core::record::{Data, Metric, Row};
use gungraun_summary::error::Error;
use gungraun_summary::util::{SummaryByVersion, parse_slice};
use serde_json::{Map, Value};

use super::{Imported, other};

/// The value of the dimension `source`.
const SOURCE: &str = "gungraun";

/// The run in the text. Its id is `module::path::id`, as gungraun names the benchmark.
///
/// # Errors
/// What is wrong and where; another version; a summary without a count.
pub(crate) fn read(text: &str) -> Result<Imported, String> {
    let summary = parse_slice(text.as_bytes()).map_err(|error| match error {
        Error::UnsupportedVersion(version) => {
            format!("it is a summary of version {version}, and 6 and 7 are read here")
        }
        Error::ParseError(why) if why.contains("EOF") => format!("it is cut short: {why}"),
        other => other.to_string(),
    })?;
    let json = |value: serde_json::Result<Value>| value.map_err(|error| error.to_string());
    let mut imported = Imported::default();
    let (id, profiles) = match summary {
        SummaryByVersion::V6(summary) => {
            let profiles = json(serde_json::to_value(&summary.profiles))?;
            (id(&summary.module_path, summary.id.as_deref()), totals_of_6(&profiles))
        }
        SummaryByVersion::V7(summary) => {
            let profiles = json(serde_json::to_value(&summary.profiles))?;
            let started = json(serde_json::to_value(&summary))?["started_at"].clone();
            imported.at = started.as_str().and_then(|time| time.parse().ok());
            (id(&summary.module_path, summary.id.as_deref()), totals_of_7(&profiles))
        }
        _ => return Err("it is a summary of a version that is not read here".to_owned()),
    };
    for (tool, name, value) in profiles {
        let (metric, unit) = metric(&tool, &name);
        imported.push(Row::measured(&id, metric, unit, Data::Count { value }), SOURCE);
    }
    if imported.rows.is_empty() {
        return Err("it holds no count".to_owned());
    }
    Ok(imported)
}

fn id(module_path: &str, id: Option<&str>) -> String {
    id.map_or_else(|| module_path.to_owned(), |id| format!("{module_path}::{id}"))
}

/// A tool, the name of what it counted, the count.
type Count = (String, String, u64);

/// Version 6: `profiles[].summaries.total.summary.TOOL.NAME.metrics`, either `Both` of new and old
/// or `Left`, the new; a count is an `Int`. What is a `Float` is a ratio, worked out of counts.
fn totals_of_6(profiles: &Value) -> Vec<Count> {
    let mut counts = Vec::new();
    for profile in profiles.as_array().into_iter().flatten() {
        let summary = &profile["summaries"]["total"]["summary"];
        for (tool, metrics) in summary.as_object().into_iter().flatten() {
            let new = |metric: &Value| {
                let sides = &metric["metrics"];
                sides["Both"][0]["Int"].as_u64().or_else(|| sides["Left"]["Int"].as_u64())
            };
            counts.extend(each(tool, metrics.as_object(), new));
        }
    }
    counts
}

/// Version 7: `profiles[].data.total.metrics.NAME.values.new`.
fn totals_of_7(profiles: &Value) -> Vec<Count> {
    let mut counts = Vec::new();
    for profile in profiles.as_array().into_iter().flatten() {
        let tool = profile["tool"].as_str().unwrap_or_default();
        let metrics = profile["data"]["total"]["metrics"].as_object();
        counts.extend(each(tool, metrics, |metric| metric["values"]["new"].as_u64()));
    }
    counts
}

fn each(
    tool: &str,
    metrics: Option<&Map<String, Value>>,
    new: impl Fn(&Value) -> Option<u64>,
) -> Vec<Count> {
    let counts = metrics.into_iter().flatten();
    let count =
        |(name, metric)| Some((tool.to_ascii_lowercase(), String::clone(name), new(metric)?));
    counts.filter_map(count).collect()
}

fn metric(tool: &str, name: &str) -> (Metric, &'static str) {
    match (tool, name) {
        ("callgrind", "Ir") => (Metric::Instructions, "instructions"),
        ("callgrind", "SysCount") => (Metric::Syscalls, "1"),
        ("dhat", "TotalBlocks") => (Metric::Allocations, "1"),
        ("dhat", "TotalBytes") => (Metric::AllocatedBytes, "bytes"),
        ("dhat", _) if name.ends_with("Bytes") => (other(&format!("{tool}.{name}")), "bytes"),
        _ => (other(&format!("{tool}.{name}")), "1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by gungraun 0.20 for one of the benches of this workspace.
    const VERSION_7: &str = include_str!("../../tests/import/gungraun-v7.json");
    /// The fixture of the crate gungraun-summary 7.0.0 (Apache-2.0 or MIT).
    const VERSION_6: &str = include_str!("../../tests/import/gungraun-v6.json");

    fn count(imported: &Imported, metric: &Metric) -> Option<Data> {
        imported.rows.iter().find(|row| row.metric == *metric).and_then(|row| row.data.clone())
    }

    #[test]
    fn version_7_becomes_rows() {
        let imported = read(VERSION_7).expect("sound");
        assert!(imported.rows.iter().all(|row| row.id == "count_pool::pool::fresh::_64KiB"));
        assert!(imported.rows.iter().all(|row| !row.gates));
        let counts = [
            (Metric::Instructions, 66_222),
            (Metric::Syscalls, 0),
            (Metric::Allocations, 1),
            (Metric::AllocatedBytes, 65_536),
            (other("dhat.TotalLifetimes"), 301),
        ];
        for (metric, value) in counts {
            assert_eq!(count(&imported, &metric), Some(Data::Count { value }), "{metric}");
        }
        let at = imported.at.expect("said").to_string();
        assert_eq!(at, "2026-11-21T05:02:19.083013461Z");
    }

    #[test]
    fn version_6_becomes_rows() {
        let imported = read(VERSION_6).expect("sound");
        let id = "test_lib_bench_iter::my_group::bench_allocation::measure_just_nested_setup_0";
        assert_eq!(imported.rows[0].id, id);
        assert_eq!(count(&imported, &Metric::Instructions), Some(Data::Count { value: 56 }));
        assert_eq!(count(&imported, &Metric::AllocatedBytes), Some(Data::Count { value: 8 }));
        assert_eq!(count(&imported, &other("callgrind.D1MissRate")), None, "a ratio is no count");
        assert_eq!(imported.at, None);
    }

    #[test]
    fn a_summary_that_is_cut_short_foreign_or_newer_says_so() {
        for cut in [40, VERSION_7.len() / 2, VERSION_7.trim().len() - 1] {
            let error = read(&VERSION_7[..cut]).expect_err("cut short");
            assert!(error.contains("cut short"), "{error}");
        }
        let newer = VERSION_7.replace(r#""version": "7""#, r#""version": "8""#);
        assert!(read(&newer).expect_err("newer").contains("version 8"));
        let empty = VERSION_7.split_once(r#""profiles": ["#).expect("there").0.to_owned()
            + r#""profiles": [], "project_root": "/", "started_at": "2026-11-21T05:02:19Z", "version": "7"}"#;
        assert_eq!(read(&empty).expect_err("empty"), "it holds no count");
        assert!(read("{}").is_err());
    }
}
