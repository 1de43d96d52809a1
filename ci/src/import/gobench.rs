//! Rows out of what `go test -bench` prints: lines of a name, a number of iterations, and pairs of
//! value and unit, below lines of configuration (`pkg: …`, `cpu: …`). Grammar: the Go project's
//! proposal 14313, "benchmark data format".

use std::collections::HashMap;

use bench_core::record::{Data, Metric, Row};

use super::{Imported, by_unit};

/// The value of the dimension `source`.
const SOURCE: &str = "go test";
/// A benchmark that broke has no time.
const FAILED: &str = "--- FAIL: Benchmark";

/// The values of one unit of one benchmark, over its repetitions.
struct Series {
    id: String,
    unit: String,
    values: Vec<f64>,
    iterations: Vec<u64>,
}

/// The run in the text. An id is `package/Name-N` as Go prints it, number of processors included:
/// another one is another benchmark. Repetitions become the samples of one row; each is a total of
/// its iterations where Go prints an average per operation.
///
/// # Errors
/// The first line that makes no sense, by number; a text without a benchmark.
pub(crate) fn read(text: &str) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let mut series: Vec<Series> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let mut configuration = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let package = configuration.get("pkg").copied();
        if let Some(name) = line.trim_start().strip_prefix(FAILED) {
            let id = id(package, name.split_whitespace().next().unwrap_or_default());
            imported.push(Row::failed(&id, Metric::WallTime, "ns", "the benchmark failed"), SOURCE);
        } else if line.starts_with("Benchmark") {
            let measured = measured(line).map_err(|why| format!("line {number}: {why}"))?;
            let Some((name, iterations, pairs)) = measured else { continue };
            for (value, unit) in pairs {
                let id = id(package, name);
                let place = *places.entry((id.clone(), unit.to_owned())).or_insert_with(|| {
                    let unit = unit.to_owned();
                    series.push(Series { id, unit, values: Vec::new(), iterations: Vec::new() });
                    series.len() - 1
                });
                series[place].push(value, iterations);
            }
        } else if let Some((key, value)) = setting(line) {
            configuration.insert(key, value);
        }
    }
    if series.is_empty() && imported.rows.is_empty() {
        return Err("it holds no line of a benchmark".to_owned());
    }
    if !text.ends_with('\n') {
        return Err("it is cut short: its last line has no end".to_owned());
    }
    series.into_iter().for_each(|series| imported.push(series.row(), SOURCE));
    imported.machine = machine(&configuration);
    Ok(imported)
}

fn id(package: Option<&str>, name: &str) -> String {
    package.map_or_else(|| name.to_owned(), |package| format!("{package}/{name}"))
}

impl Series {
    fn push(&mut self, value: f64, iterations: u64) {
        let average = self.unit.ends_with("/op");
        let operations = if average { iterations } else { 1 };
        self.values.push(value * operations as f64);
        self.iterations.push(operations);
    }

    fn row(self) -> Row {
        let (metric, unit, factor) = by_unit(&self.unit);
        let values = self.values.into_iter().map(|value| value * factor).collect();
        let data = Data::Samples { values, iterations: self.iterations };
        Row::measured(&self.id, metric, unit, data)
    }
}

type Measured<'a> = (&'a str, u64, Vec<(f64, &'a str)>);

/// The name without `Benchmark`, the iterations, and the values with their units. `None` for a
/// name on a line of its own, which `go test -v` prints when a benchmark starts.
fn measured(line: &str) -> Result<Option<Measured<'_>>, String> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let Some(iterations) = words.next() else { return Ok(None) };
    let iterations: u64 = iterations
        .parse()
        .ok()
        .filter(|&iterations| iterations > 0)
        .ok_or_else(|| format!("'{iterations}' after {name} is no number of iterations"))?;
    let mut pairs = Vec::new();
    while let Some(value) = words.next() {
        let number = value.parse().map_err(|_| format!("'{value}' of {name} is no number"))?;
        let unit = words.next().ok_or_else(|| format!("{value} of {name} has no unit"))?;
        pairs.push((number, unit));
    }
    if pairs.is_empty() {
        return Err(format!("{name} has no value"));
    }
    let name = name.strip_prefix("Benchmark").unwrap_or(name);
    Ok(Some((name, iterations, pairs)))
}

/// `key: value`, the key in small letters and without blanks.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let small = |c: char| !c.is_whitespace() && !c.is_uppercase();
    (key.starts_with(char::is_lowercase) && key.chars().all(small)).then(|| (key, value.trim()))
}

/// The system, the architecture and the processor, as far as Go says them.
fn machine(configuration: &HashMap<&str, &str>) -> Option<String> {
    let words: Vec<&str> = ["goos", "goarch", "cpu"]
        .iter()
        .filter_map(|key| configuration.get(key).copied())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::other;

    /// Printed by `go test -bench . -benchtime 200x -count 3` of Go 1.19, a bench that fails among
    /// the benches.
    const PRINTED: &str = include_str!("../../tests/import/go-bench.txt");

    fn row<'a>(imported: &'a Imported, id: &str, metric: &Metric) -> &'a Row {
        let found = imported.rows.iter().find(|row| row.id == id && row.metric == *metric);
        found.unwrap_or_else(|| panic!("no {metric} of {id}"))
    }

    #[test]
    fn repetitions_are_samples_of_one_row_for_each_unit() {
        let imported = read(PRINTED).expect("sound");
        assert_eq!(imported.machine.as_deref(), Some("linux amd64 AMD EPYC"));
        assert_eq!(imported.left_out, [""; 0]);
        let copy = "example.com/copying/Copy/size=64-2";
        let time = row(&imported, copy, &Metric::WallTime);
        assert_eq!(time.per_operation(), [4.76, 4.605, 22.29]);
        let Some(Data::Samples { iterations, .. }) = &time.data else { panic!("samples") };
        assert_eq!(iterations, &[200, 200, 200]);
        assert_eq!((time.unit.as_str(), time.dimensions["source"].as_str()), ("ns", "go test"));
        let rate = row(&imported, copy, &other("throughput"));
        assert_eq!((rate.unit.as_str(), rate.per_operation()[0]), ("MB/s", 13445.38));
        let allocate = "example.com/copying/Allocate-2";
        assert_eq!(row(&imported, allocate, &Metric::Allocations).per_operation(), [1.0; 3]);
        assert_eq!(row(&imported, allocate, &Metric::AllocatedBytes).per_operation(), [1024.0; 3]);
        assert_eq!(row(&imported, allocate, &other("widgets/op")).per_operation(), [3.0; 3]);
        let broken = row(&imported, "example.com/copying/Broken", &Metric::WallTime);
        assert!(!broken.ok && broken.data.is_none());
        assert!(imported.rows.iter().all(|row| !row.gates));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        for (line, told) in [
            ("BenchmarkA-8 many 1 ns/op\n", "line 2: 'many' after BenchmarkA-8 is no number"),
            ("BenchmarkA-8 0 1 ns/op\n", "no number of iterations"),
            ("BenchmarkA-8 10 fast ns/op\n", "'fast' of BenchmarkA-8 is no number"),
            ("BenchmarkA-8 10 12.5\n", "12.5 of BenchmarkA-8 has no unit"),
            ("BenchmarkA-8 10\n", "BenchmarkA-8 has no value"),
            ("BenchmarkA-8 10 12.5 ns/o", "cut short"),
            ("PASS\n", "no line of a benchmark"),
            ("BenchmarkA-8\n", "no line of a benchmark"),
        ] {
            let error = read(&format!("goos: linux\n{line}")).expect_err(line);
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn what_is_not_a_number_of_this_world_is_left_out() {
        let imported = read("BenchmarkA 1 NaN ns/op 2 B/op\n").expect("readable");
        assert_eq!((imported.rows.len(), imported.left_out.len()), (1, 1));
    }
}
