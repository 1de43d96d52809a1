//! Rows out of `fio --output-format=json`, or `json+`: bandwidth, operations per second and
//! latencies of each job and direction. Field names: fio's own documentation, "Output" chapter.

use std::collections::BTreeMap;

use bench_core::record::{Metric, Row};
use jiff::Timestamp;
use serde_json::Value;

use super::{Imported, estimate, json, other};

/// The value of the dimension `source`.
const SOURCE: &str = "fio";
/// What a job does, as fio names it.
const DIRECTIONS: [&str; 4] = ["read", "write", "trim", "sync"];
/// The percentiles that become rows, as fio writes them.
const PERCENTILES: [(&str, &str); 4] =
    [("50.000000", "p50"), ("90.000000", "p90"), ("99.000000", "p99"), ("99.900000", "p99.9")];

/// The run in the text. An id is `fio/job/direction`; directions that did nothing have no rows. Jobs
/// of one name are told apart by the dimension `job`, their number among each other from 1.
///
/// # Errors
/// What is wrong and in which job; a file in which no job did anything.
pub(crate) fn read(text: &str) -> Result<Imported, String> {
    // With `--output`, warnings stand before the object in the same file.
    let start = text.find('{').ok_or("it holds no JSON object")?;
    let file: Value = json(text[start..].trim_end())?;
    let version = file["fio version"].as_str().ok_or("it names no fio version")?;
    let jobs = file["jobs"].as_array().ok_or("it holds no jobs")?;
    let mut imported = Imported { at: at(&file)?, ..Imported::default() };
    imported.notes.insert("fio_version".to_owned(), version.into());
    let named = |name: &Value| jobs.iter().filter(|job| job["jobname"] == *name).count();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, job) in (1..).zip(jobs) {
        let first = imported.rows.len();
        read_job(&mut imported, job).map_err(|why| format!("job {number}: {why}"))?;
        // The jobs of `numjobs` share their name and options.
        let name = &job["jobname"];
        if named(name) > 1 {
            let of = seen.entry(name.as_str().unwrap_or_default()).or_default();
            *of += 1;
            for row in &mut imported.rows[first..] {
                row.dimensions.insert("job".to_owned(), of.to_string());
            }
        }
    }
    if imported.rows.is_empty() {
        return Err("no job of it did anything".to_owned());
    }
    Ok(imported)
}

fn at(file: &Value) -> Result<Option<Timestamp>, String> {
    let Some(millis) = file["timestamp_ms"].as_i64() else { return Ok(None) };
    Timestamp::from_millisecond(millis).map(Some).map_err(|error| format!("timestamp_ms: {error}"))
}

fn read_job(imported: &mut Imported, job: &Value) -> Result<(), String> {
    let name = job["jobname"].as_str().ok_or("it has no jobname")?;
    let error = job["error"].as_i64().ok_or("it has no error field")?;
    if error != 0 {
        let why = format!("fio ended the job with error {error}");
        let row = Row::failed(&format!("fio/{name}"), Metric::WallTime, "ns", &why);
        imported.push(described(row, job), SOURCE);
        return Ok(());
    }
    for direction in DIRECTIONS {
        let Some(done) = job.get(direction) else { continue };
        let id = format!("fio/{name}/{direction}");
        let total =
            done["total_ios"].as_u64().ok_or_else(|| format!("{direction}: no total_ios"))?;
        if total == 0 {
            continue;
        }
        for (metric, unit, value) in values(done, direction)? {
            imported.push(described(estimate(&id, (metric, unit), value), job), SOURCE);
        }
    }
    Ok(())
}

/// What fio says of one direction. Sync has a latency and nothing else.
fn values(done: &Value, direction: &str) -> Result<Vec<(Metric, &'static str, f64)>, String> {
    let number =
        |value: &Value, name: &str| value.as_f64().ok_or_else(|| format!("{direction}: no {name}"));
    let mut values = Vec::new();
    let moves = direction != "sync";
    if moves {
        values.push((other("bandwidth"), "bytes/s", number(&done["bw_bytes"], "bw_bytes")?));
        values.push((other("iops"), "1/s", number(&done["iops"], "iops")?));
    }
    // From the submission to the end; a mean, because that is all fio keeps of it.
    let latency = &done["lat_ns"];
    values.push((other("latency_mean"), "ns", number(&latency["mean"], "lat_ns.mean")?));
    // `clat` ends where `lat` does; percentiles are of whichever the job file asked for.
    let percentiles = [("clat_ns", "completion"), ("lat_ns", "latency")];
    for (field, name) in percentiles {
        for (key, percentile) in PERCENTILES {
            let value = done[field]["percentile"][key].as_f64();
            let metric = other(&format!("{name}_{percentile}"));
            values.extend(value.map(|value| (metric, "ns", value)));
        }
    }
    Ok(values)
}

/// The row with the options of its job.
fn described(mut row: Row, job: &Value) -> Row {
    for (name, value) in job["job options"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        row.dimensions.insert(name.clone(), value);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `fio --name=randread --size=4m --rw=randread --bs=4k --ioengine=psync
    /// --runtime=1 --output-format=json` of fio 3.33.
    const WRITTEN: &str = include_str!("../../tests/import/fio.json");

    /// Written by our own `scenario_files --output-json`, whose tests hold it to be what is written.
    const OURS: &str = include_str!("../../tests/import/fio-weighbridge.json");

    fn value(imported: &Imported, id: &str, metric: &str) -> f64 {
        let of = |row: &&Row| row.id == id && row.metric == other(metric);
        imported.rows.iter().find(of).expect(metric).per_operation()[0]
    }

    #[test]
    fn a_direction_becomes_rows_of_what_fio_says() {
        let imported = read(WRITTEN).expect("sound");
        assert_eq!(imported.at.expect("said").as_millisecond(), 1_795_237_467_458);
        let id = "fio/randread/read";
        assert!(imported.rows.iter().all(|row| row.id == id && !row.gates));
        assert_eq!(value(&imported, id, "bandwidth"), 48_341_802.0);
        assert_eq!(value(&imported, id, "iops"), 11_802.197_802);
        assert_eq!(value(&imported, id, "latency_mean"), 83_846.725_58);
        assert_eq!(value(&imported, id, "completion_p50"), 47_360.0);
        assert_eq!(value(&imported, id, "completion_p99.9"), 5_472_256.0);
        assert_eq!(imported.rows[0].dimensions["bs"], "4k");
        assert_eq!(imported.rows.len(), 7, "no write, trim or sync was done");
    }

    #[test]
    fn what_our_own_scenario_writes_is_read_like_fios() {
        let imported = read(OURS).expect("sound");
        assert_eq!(imported.at.expect("said").as_millisecond(), 1_795_237_467_458);
        assert_eq!(imported.left_out, Vec::<String>::new());
        let id = "fio/mixed/read";
        assert_eq!(value(&imported, id, "bandwidth"), 409_600.0);
        assert_eq!(value(&imported, id, "iops"), 100.0);
        assert_eq!(value(&imported, id, "latency_mean"), 5_100_500.0);
        assert!((value(&imported, id, "completion_p50") / 5e6 - 1.0).abs() < 2e-3);
        assert_eq!(imported.rows[0].dimensions["rw"], "randrw");
        let ids: BTreeMap<&str, usize> =
            imported.rows.iter().fold(BTreeMap::new(), |mut ids, row| {
                *ids.entry(row.id.as_str()).or_default() += 1;
                ids
            });
        // A sync has its latency and no percentiles.
        let expected = [("fio/mixed/read", 7), ("fio/mixed/sync", 1), ("fio/mixed/write", 7)];
        assert_eq!(ids, BTreeMap::from(expected));
    }

    #[test]
    fn warnings_before_the_object_are_passed_over() {
        let warned = format!("fio: file hash not empty on exit\n{WRITTEN}");
        assert_eq!(read(&warned), read(WRITTEN));
    }

    #[test]
    fn a_job_that_broke_is_a_failed_row() {
        let broken = WRITTEN.replace(r#""error" : 0"#, r#""error" : 28"#);
        let rows = read(&broken).expect("readable").rows;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].error.as_deref(), Some("fio ended the job with error 28"));
    }

    #[test]
    fn a_file_that_is_cut_short_or_foreign_says_where() {
        for cut in [40, WRITTEN.len() / 3, WRITTEN.trim_end().len() - 1] {
            let error = read(&WRITTEN[..cut]).expect_err("cut short");
            assert!(error.contains("cut short"), "{error}");
        }
        for (foreign, told) in [
            ("randread: (g=0): rw=randread", "no JSON object"),
            ("{}", "no fio version"),
            (r#"{"fio version":"fio-3"}"#, "no jobs"),
            (r#"{"fio version":"fio-3","jobs":[]}"#, "no job of it did anything"),
            (r#"{"fio version":"fio-3","jobs":[{}]}"#, "job 1: it has no jobname"),
        ] {
            let error = read(foreign).expect_err(foreign);
            assert!(error.contains(told), "{error}");
        }
    }
}
