//! Series as Apache Otava reads them: CSV files, and the configuration that names them.
//!
//! Otava wants a value in every cell. So series stand in one file when they are of one environment
//! and have their values of the same runs; of an environment whose series differ in that there are
//! several files.

use bench_core::judge::Direction;
use bench_core::record::Metric;

use super::read::{Point, Series};

/// The configuration, beside the CSV files that it names.
pub(crate) const CONFIG: &str = "otava.yaml";
/// The group that holds every test.
pub(crate) const GROUP: &str = "all";
/// What Otava takes for the time and what it tells with each change point.
const TIME: &str = "time";
const ATTRIBUTES: [&str; 2] = ["commit", "run"];

/// A file and the name of the test that reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    /// The environment key, with a number behind it from the second file on.
    pub(crate) name: String,
    pub(crate) csv: String,
    /// Column, and which way of it is better as Otava says it: -1 or 1; `None` where nobody knows.
    columns: Vec<(String, Option<i8>)>,
}

impl Test {
    /// The name of its CSV file.
    pub(crate) fn file(&self) -> String {
        format!("{}.csv", self.name)
    }
}

/// The tests of these series, in the order of their first series. Series without a point are left
/// out. Lines run by the time of their run, as the points do.
pub(crate) fn tests(series: &[(Series, Vec<Point>)]) -> Vec<Test> {
    let mut groups: Vec<Vec<&(Series, Vec<Point>)>> = Vec::new();
    for one in series.iter().filter(|(_, points)| !points.is_empty()) {
        match groups.iter_mut().find(|group| together(group[0], one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let mut tests: Vec<Test> = Vec::new();
    for group in groups {
        let key = &group[0].0.environment;
        let before = tests.iter().filter(|test| test.name.starts_with(key.as_str())).count();
        let name = if before == 0 { key.clone() } else { format!("{key}-{}", before + 1) };
        tests.push(Test { name, csv: csv(&group), columns: columns(&group) });
    }
    tests
}

fn together(a: &(Series, Vec<Point>), b: &(Series, Vec<Point>)) -> bool {
    let runs = |points: &'_ [Point]| -> Vec<String> {
        points.iter().map(|point| point.run_id.clone()).collect()
    };
    a.0.environment == b.0.environment && a.1.len() == b.1.len() && runs(&a.1) == runs(&b.1)
}

fn columns(group: &[&(Series, Vec<Point>)]) -> Vec<(String, Option<i8>)> {
    let direction = |series: &Series| {
        Some(match Metric::from(series.metric.clone()).direction()? {
            Direction::Lower => -1,
            Direction::Higher => 1,
        })
    };
    group.iter().map(|(series, _)| (column(series), direction(series))).collect()
}

/// No two series of an environment have both in common.
fn column(series: &Series) -> String {
    format!("{} {}", series.id, series.metric)
}

fn csv(group: &[&(Series, Vec<Point>)]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: Vec<String>| out.write_record(cells).expect("a vector takes all");
    let titles = [TIME].into_iter().chain(ATTRIBUTES).map(str::to_owned);
    write(titles.chain(group.iter().map(|(series, _)| column(series))).collect());
    for (line, point) in group[0].1.iter().enumerate() {
        let commit = point.commit.clone().unwrap_or_default();
        let cells = [point.started_at.clone(), commit, point.run_id.clone()];
        // As short as it can be and still the same number to the last bit.
        let values = group.iter().map(|(_, points)| points[line].value.to_string());
        write(cells.into_iter().chain(values).collect());
    }
    let bytes = out.into_inner().expect("a vector takes all");
    String::from_utf8(bytes).expect("text was written")
}

/// `otava.yaml` for these tests.
pub(crate) fn config(tests: &[Test]) -> String {
    let mut out = "tests:\n".to_owned();
    let attributes = ATTRIBUTES.join(", ");
    for test in tests {
        out.push_str(&format!("  {}:\n    type: csv\n", quoted(&test.name)));
        out.push_str(&format!("    file: {}\n    time_column: {TIME}\n", quoted(&test.file())));
        out.push_str(&format!("    attributes: [{attributes}]\n    metrics:\n"));
        for (column, direction) in &test.columns {
            let column = quoted(column);
            out.push_str(&format!("      {column}:\n        column: {column}\n"));
            if let Some(direction) = direction {
                out.push_str(&format!("        direction: {direction}\n"));
            }
        }
    }
    let names: Vec<String> = tests.iter().map(|test| quoted(&test.name)).collect();
    out.push_str(&format!("test_groups:\n  {GROUP}: [{}]\n", names.join(", ")));
    out
}

/// A double-quoted scalar of YAML 1.2, section 7.3.1: whatever is in the text stays text.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Not printable to YAML, or a line break.
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(id: &str, metric: &str, environment: &str, runs: &[u32]) -> (Series, Vec<Point>) {
        let point = |run: &u32| Point {
            started_at: format!("2026-01-{run:02}T00:00:00Z"),
            commit: (*run != 2).then(|| format!("{run:02x}").repeat(20)),
            dirty: Some(false),
            value: f64::from(*run) + 0.5,
            run_id: format!("run-{run}"),
        };
        let (id, metric, environment) = (id.to_owned(), metric.to_owned(), environment.to_owned());
        let series =
            Series { id, metric, environment, unit: "1".to_owned(), points: runs.len() as u64 };
        (series, runs.iter().map(point).collect())
    }

    #[test]
    fn files_are_one_per_environment_and_set_of_runs() {
        let all = [
            series("a", "instructions", "aa", &[1, 2]),
            series("b", "operations", "aa", &[1, 2]),
            series("c", "instructions", "aa", &[1, 3]),
            series("a", "instructions", "bb", &[1, 2]),
            series("d", "instructions", "cc", &[]),
        ];
        let tests = tests(&all);
        let files: Vec<String> = tests.iter().map(Test::file).collect();
        assert_eq!(files, ["aa.csv", "aa-2.csv", "bb.csv"]);
        let first = "0101010101010101010101010101010101010101";
        let csv = format!(
            "time,commit,run,a instructions,b operations\n\
             2026-01-01T00:00:00Z,{first},run-1,1.5,1.5\n\
             2026-01-02T00:00:00Z,,run-2,2.5,2.5\n"
        );
        assert_eq!(tests[0].csv, csv);
    }

    #[test]
    fn the_configuration_says_which_way_is_better_and_keeps_text_text() {
        let all = [
            series("a\": [x]\n#\u{7f}", "instructions", "aa", &[1]),
            series("b", "operations", "aa", &[1]),
            series("c", "heat", "aa", &[1]),
        ];
        let expected = r#"tests:
  "aa":
    type: csv
    file: "aa.csv"
    time_column: time
    attributes: [commit, run]
    metrics:
      "a\": [x]\u000a#\u007f instructions":
        column: "a\": [x]\u000a#\u007f instructions"
        direction: -1
      "b operations":
        column: "b operations"
        direction: 1
      "c heat":
        column: "c heat"
test_groups:
  all: ["aa"]
"#;
        assert_eq!(config(&tests(&all)), expected);
    }
}
