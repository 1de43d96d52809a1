//! Targets against rows by hand.

use hdrhistogram::Histogram;

use super::*;

const ID: &str = "grpc/matrix/read/default/1MiB";

fn targets(text: &str) -> Result<Vec<Target>, serde_json::Error> {
    serde_json::from_str(&format!("[{text}]"))
}

fn latency(times_us: impl IntoIterator<Item = u64>) -> Row {
    let mut histogram = Histogram::new_with_bounds(1, 1 << 40, 3).expect("bounds");
    times_us.into_iter().for_each(|us| histogram.record(us * 1_000).expect("in range"));
    Row::measured(ID, Metric::Latency, "ns", Data::from_histogram(&histogram))
}

fn count(metric: Metric, value: u64) -> Row {
    Row::measured(ID, metric, "1", Data::Count { value })
}

fn outcomes(target: &str, rows: &[Row]) -> Vec<(&'static str, Outcome, String)> {
    let targets = targets(target).expect("sound");
    check(&targets, rows).into_iter().map(|c| (c.what, c.outcome, c.found)).collect()
}

const ALL: &str = r#"{"id": "grpc/matrix/*", "sizes": ["1MiB"], "p50_ms": 10, "p99_ms": 50,
    "mib_per_second": 600, "success": 1.0}"#;

#[test]
fn every_bound_is_met_or_missed_by_its_own_number() {
    let rounds = |ns: f64| {
        let data = Data::Samples { values: vec![ns * 4.0; 3], iterations: vec![4; 3] };
        Row::measured(ID, Metric::WallTime, "ns", data)
    };
    let errors = |failed| [count(Metric::Operations, 1000), count(Metric::Errors, failed)];
    let mut good = vec![latency(1..=9_000), rounds(1e6)];
    good.extend(errors(0));
    let met: Vec<Outcome> = outcomes(ALL, &good).into_iter().map(|c| c.1).collect();
    assert_eq!(met, [Outcome::Met; 4]);
    // 1 MiB in 2 ms is 500 MiB/s.
    let mut bad = vec![latency((0..200).map(|_| 60_000)), rounds(2e6)];
    bad.extend(errors(1));
    let expected = [
        ("p50", Outcome::Missed, "60.031 ms".to_owned()),
        ("p99", Outcome::Missed, "60.031 ms".to_owned()),
        ("throughput", Outcome::Missed, "500 MiB/s".to_owned()),
        ("success", Outcome::Missed, "999 of 1000".to_owned()),
    ];
    assert_eq!(outcomes(ALL, &bad), expected);
}

#[test]
fn of_few_samples_a_percentile_is_neither_met_nor_missed() {
    let p99 = r#"{"id": "*", "sizes": ["1MiB"], "p99_ms": 50}"#;
    let within = outcomes(p99, &[latency([1_000; 99])]);
    let told = "maximum of 99: 1.000 ms; a 99th percentile takes 100";
    assert_eq!((within[0].1, &*within[0].2), (Outcome::Unknown, told));
    let beyond = outcomes(p99, &[latency([1_000, 70_000])]);
    assert_eq!(beyond[0].1, Outcome::Unknown);
    assert!(beyond[0].2.starts_with("maximum of 2: 70.0"), "{}", beyond[0].2);
    let enough = |us| outcomes(p99, &[latency([us; 100])])[0].1;
    assert_eq!((enough(1_000), enough(70_000)), (Outcome::Met, Outcome::Missed));
}

#[test]
fn a_target_of_the_loopback_says_nothing_of_a_link() {
    let local = r#"{"id": "*", "sizes": ["1MiB"], "success": 1.0,
        "dimensions": {"rtt_added": ["none"], "path": ["segments"]}}"#;
    let measured = |dimensions: &[(&str, &str)]| {
        let mut rows = [count(Metric::Operations, 2), count(Metric::Errors, 1)];
        for row in &mut rows {
            let owned = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            row.dimensions.extend(owned);
        }
        let targets = targets(local).expect("sound");
        (check(&targets, &rows).len(), elsewhere(&targets, &rows))
    };
    assert_eq!(measured(&[]), (1, 0), "a record that tells no dimension is of the loopback");
    assert_eq!(
        measured(&[("rtt_added", "none"), ("path", "segments"), ("server", "ours")]),
        (1, 0)
    );
    assert_eq!(measured(&[("rtt_added", "20 ms"), ("path", "segments")]), (0, 1));
    assert_eq!(measured(&[("rtt_added", "none"), ("path", "vec")]), (0, 1));
}

#[test]
fn what_was_interrupted_is_named_and_not_judged() {
    let mut rows = [count(Metric::Operations, 2), count(Metric::Errors, 1)];
    let whole = Row { id: ID.replace("read", "write"), ..count(Metric::Requests, 1) };
    let targets = targets(ALL).expect("sound");
    let of = |rows: &[Row]| (check(&targets, rows).len(), interrupted(&targets, rows));
    assert_eq!(of(&rows), (4, Vec::new()));
    for row in &mut rows {
        row.dimensions.insert(INTERRUPTED.to_owned(), "3 of 10 rounds".to_owned());
    }
    let told = format!("{ID} (3 of 10 rounds)");
    assert_eq!(of(&rows), (0, vec![told.clone()]));
    let both: Vec<Row> = rows.iter().cloned().chain([whole]).collect();
    assert_eq!(of(&both), (4, vec![told]), "another id is judged all the same");
    rows.iter_mut().for_each(|row| row.id = "grpc/peers/read/raw/1MiB".to_owned());
    assert_eq!(of(&rows), (0, Vec::new()), "of which nothing was asked");
}

#[test]
fn what_was_not_measured_is_unknown_and_what_failed_is_missed() {
    let unknown = outcomes(ALL, &[count(Metric::Requests, 1)]);
    assert!(unknown.iter().all(|check| check.1 == Outcome::Unknown), "{unknown:?}");
    assert_eq!(unknown.len(), 4);
    let failed = Row::failed(ID, Metric::Latency, "ns", "no operation succeeded");
    let missed = outcomes(ALL, &[failed]);
    assert!(missed.iter().all(|check| check.1 == Outcome::Missed), "{missed:?}");
    assert_eq!(missed[0].2, "failed: no operation succeeded");
}

#[test]
fn nothing_is_asked_of_a_ceiling_that_failed() {
    let ceiling = Metric::Other(CEILING.to_owned());
    let failed = Row::failed("grpc/matrix/read/raw/1MiB", ceiling, "ns", "no ceiling");
    assert_eq!(outcomes(ALL, &[failed]), []);
}

#[test]
fn a_target_holds_for_its_sizes_and_ids_only() {
    let success = |sizes, id| {
        let target = format!(r#"{{"id": "{id}", "sizes": [{sizes}], "success": 1.0}}"#);
        outcomes(&target, &[count(Metric::Operations, 1), count(Metric::Errors, 0)]).len()
    };
    assert_eq!(success("\"1MiB\"", "*/default/*"), 1);
    assert_eq!(success("\"1024KiB\", \"16MiB\"", "grpc/*"), 1, "the size counts, not its spelling");
    assert_eq!(success("\"16MiB\"", "grpc/*"), 0);
    assert_eq!(success("\"1MiB\"", "*/aggressive/*"), 0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (target, complaint) in [
        (r#"{"id": "a", "sizes": [], "success": 1}"#, "names no size"),
        (r#"{"id": "a", "sizes": ["1MiB"]}"#, "bounds nothing"),
        (r#"{"id": "a", "sizes": ["1MB"], "success": 1}"#, "'1MB' is not a size"),
        (r#"{"id": "a", "sizes": ["1MiB"], "success": 1.5}"#, "success = 1.5"),
        (r#"{"id": "a", "sizes": ["1MiB"], "p50_ms": 0}"#, "p50_ms = 0 for a"),
        (r#"{"id": "a", "sizes": ["1MiB"], "p50": 1}"#, "p50"),
        (
            r#"{"id": "a", "sizes": ["1MiB"], "success": 1, "dimensions": {"rtt_added": []}}"#,
            "no value of rtt_added",
        ),
        (r#"{"sizes": ["1MiB"], "success": 1}"#, "id"),
    ] {
        let error = targets(target).expect_err(target).to_string();
        assert!(error.contains(complaint), "{error}");
    }
}
