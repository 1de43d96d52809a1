//! Any record comes back from its text as it was, and its text is what the schema says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bench_core::record::{Data, Environment, Metric, Row, RunRecord};
use jsonschema::Validator;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = include_str!("../schema/run-record.v1.json");
    let schema = serde_json::from_str(text).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is a schema");
    jsonschema::draft202012::new(&schema).expect("the schema compiles")
});

fn assert_valid(record: &Value) {
    let faults: Vec<String> = SCHEMA.iter_errors(record).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{record:#}");
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-z_.]{1,8}", ".{0,8}", 0..4)
}

fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(".{0,4}", inner, 0..3).prop_map(|m| m.into_iter().collect()),
        ]
    });
    btree_map("x_[a-z]{1,6}", tree, 0..3).prop_map(|m| m.into_iter().collect())
}

fn data() -> impl Strategy<Value = Data> {
    let sample = (prop_oneof![0.0..1e12, Just(0.1), Just(f64::MAX)], 1..=u64::MAX);
    let samples = vec(sample, 1..9).prop_map(|pairs| {
        let (values, iterations) = pairs.into_iter().unzip();
        Data::Samples { values, iterations }
    });
    let histogram = vec(1_u64..1_000_000, 1..9).prop_map(|values| {
        let mut histogram =
            hdrhistogram::Histogram::new_with_bounds(1, 1 << 30, 2).expect("bounds");
        values.into_iter().for_each(|value| histogram.record(value).expect("in range"));
        Data::from_histogram(&histogram)
    });
    prop_oneof![samples, histogram, any::<u64>().prop_map(|value| Data::Count { value })]
}

fn metric() -> impl Strategy<Value = Metric> {
    const KNOWN: [&str; 5] = ["instructions", "wall_time", "latency", "requests", "errors"];
    prop_oneof![proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned), "[a-z_]{1,9}"]
        .prop_map(Metric::from)
}

fn row() -> impl Strategy<Value = Row> {
    let what = (".{1,12}", metric(), ".{1,6}", option::of(data()), any::<bool>(), ".{0,12}");
    let more = (texts(), btree_map(".{1,6}", any::<u64>(), 0..3), unknown());
    (what, more).prop_map(|((id, metric, unit, data, gates, error), more)| {
        let may_gate = metric.may_gate() && matches!(data, None | Some(Data::Count { .. }));
        let row = match data {
            Some(data) => Row::measured(&id, metric, &unit, data),
            None => Row::failed(&id, metric, &unit, &error),
        };
        let (dimensions, errors, unknown) = more;
        Row { gates: gates && may_gate, dimensions, errors, unknown, ..row }
    })
}

fn environment() -> impl Strategy<Value = Environment> {
    let text = || option::of(".{0,12}");
    let few = (text(), text(), vec(".{0,6}", 0..4), option::of(any::<u64>()), text(), text());
    let rest = (option::of(any::<bool>()), texts(), texts(), unknown());
    (few, rest).prop_map(|((host_id, rustc, cpu_features, cores, rustflags, glibc), rest)| {
        let (turbo, executables, socket_limits, unknown) = rest;
        let known = Environment {
            host_id,
            rustc,
            cpu_features,
            cores,
            rustflags,
            glibc,
            ..Environment::default()
        };
        Environment { turbo, executables, socket_limits, unknown, ..known }
    })
}

fn record() -> impl Strategy<Value = RunRecord> {
    (environment(), vec(row(), 0..5), unknown()).prop_map(|(environment, mut rows, unknown)| {
        for (number, row) in rows.iter_mut().enumerate() {
            row.id = format!("{number}/{}", row.id);
        }
        RunRecord { rows, unknown, ..RunRecord::begin(environment) }
    })
}

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was_and_fits_the_schema(record in record()) {
        let text = record.to_json().expect("sound");
        assert_valid(&serde_json::from_str(&text).expect("JSON"));
        prop_assert_eq!(RunRecord::from_json(&text).expect("reads"), record);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in r#"[\[\]{}",:0-9a-z\\ -]{0,60}"#) {
        prop_assert!(RunRecord::from_json(&text).is_err());
    }
}

/// One row of every kind.
fn example() -> Value {
    let histogram = {
        let mut histogram =
            hdrhistogram::Histogram::new_with_bounds(1, 1 << 20, 2).expect("bounds");
        histogram.record(100).expect("in range");
        Data::from_histogram(&histogram)
    };
    let samples = Data::Samples { values: vec![10.5], iterations: vec![2] };
    let mut record = RunRecord::begin(Environment::default());
    record.rows = vec![
        Row::measured("a/b/1KiB", Metric::Instructions, "instructions", Data::Count { value: 9 }),
        Row::measured("a/b/1KiB", Metric::WallTime, "ns", samples),
        Row::measured("a/c", Metric::Latency, "ns", histogram),
        Row::failed("a/d", Metric::WallTime, "ns", "it broke"),
    ];
    serde_json::from_str(&record.to_json().expect("sound")).expect("JSON")
}

#[test]
fn the_reader_and_the_schema_refuse_the_same() {
    assert_valid(&example());
    // Where, what is put there (nothing: the field is taken away), what the reader says.
    let wrongs = [
        ("/schema", Some(json!(2)), "version 2"),
        ("/schema", None, "version missing"),
        ("/schema", Some(json!("1")), "version \"1\""),
        ("/run_id", None, "run_id"),
        ("/run_id", Some(json!("yesterday")), "no UUID"),
        ("/run_id", Some(json!("019A9F3E-7C1D-7A44-8E0A-3F1A6A1F2B10")), "lower case"),
        ("/run_id", Some(json!("019a9f3e-7c1d-4a44-8e0a-3f1a6a1f2b10")), "version 7"),
        ("/started_at", Some(json!("yesterday")), "RFC 3339"),
        ("/started_at", Some(json!("2026-11-20T09:12:44+00:00")), "ends in Z"),
        ("/environment", None, "environment"),
        ("/environment/cores", Some(json!(-1)), "-1"),
        ("/rows", Some(json!({})), "expected a sequence"),
        ("/rows/0/id", None, "id"),
        ("/rows/0/id", Some(json!("")), "id is empty"),
        ("/rows/0/unit", Some(json!("")), "unit is empty"),
        ("/rows/0/metric", Some(json!(7)), "7"),
        ("/rows/0/ok", Some(json!(false)), "failed and has data"),
        ("/rows/0/ok", Some(json!("yes")), "yes"),
        ("/rows/0/data", Some(json!(null)), "no data"),
        ("/rows/0/data/value", Some(json!(-1)), "-1"),
        ("/rows/0/data/value", Some(json!(1.5)), "1.5"),
        ("/rows/0/data/kind", Some(json!("guess")), "guess"),
        ("/rows/0/data/more", Some(json!(1)), "more"),
        ("/rows/0/error", Some(json!("but")), "has an error"),
        ("/rows/0/errors/timeout", Some(json!(-1)), "-1"),
        ("/rows/0/dimensions/size", Some(json!(1)), "1"),
        ("/rows/1/gates", Some(json!(true)), "only counts"),
        ("/rows/1/data/values", Some(json!([])), "no samples"),
        ("/rows/1/data/values/0", Some(json!(-1.0)), "negative"),
        ("/rows/1/data/values/0", Some(json!(null)), "null"),
        ("/rows/1/data/iterations/0", Some(json!(0)), "no iterations"),
        ("/rows/1/data/iterations/0", Some(json!(-1)), "-1"),
        ("/rows/2/data/digits", Some(json!(9)), "digits"),
        ("/rows/2/data/base64", Some(json!("")), "histogram"),
        ("/rows/3/error", None, "does not say why"),
        ("/rows/3/data", Some(json!({"kind": "count", "value": 0})), "failed and has data"),
    ];
    for (place, wrong, said) in wrongs {
        let mut record = example();
        put(&mut record, place, wrong);
        assert!(!SCHEMA.is_valid(&record), "{place}: the schema takes {record:#}");
        let error = RunRecord::from_json(&record.to_string()).expect_err(place).to_string();
        assert!(error.contains(said), "{place}: {error}");
    }
}

#[test]
fn what_no_schema_can_say_the_reader_refuses_alone() {
    let mut unequal = example();
    put(&mut unequal, "/rows/1/data/iterations", Some(json!([1, 2])));
    let error = RunRecord::from_json(&unequal.to_string()).expect_err("unequal").to_string();
    assert!(error.contains("1 values have 2 iterations"), "{error}");

    let mut twice = example();
    let row = twice["rows"][0].clone();
    twice["rows"].as_array_mut().expect("rows").push(row);
    let error = RunRecord::from_json(&twice.to_string()).expect_err("twice").to_string();
    assert!(error.contains("there twice"), "{error}");
}

fn put(record: &mut Value, place: &str, value: Option<Value>) {
    let (parent, field) = place.rsplit_once('/').expect("a path");
    match (record.pointer_mut(parent).expect("there"), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(field.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(field)),
        (Value::Array(items), Some(value)) => items[field.parse::<usize>().expect("index")] = value,
        (other, _) => panic!("{parent} is {other}"),
    }
}
