//! What every store does, whatever database it is in.

use std::time::Duration;

use bench_core::record::{Data, Metric, Row, RunRecord};
use serde_json::{Value, json};

use super::super::key::{key, keys};
use super::super::link::Link;
use super::super::place::Place;
use super::super::read::PAST;
use super::super::write::Stored;
use super::super::{PATIENCE, Store};
use super::{count, environment, record, times, with};
use crate::exit::{self, Exit};

/// Ids and dimensions that would end a statement, a tag or a line, were they pasted into one.
const HOSTILE: [&str; 6] = [
    "a'; DROP TABLE history_rows; --",
    "\"quoted\" $1 ? %s {}",
    "<script>alert(1)</script>",
    "new\nline\ttab\\ \u{1b}[2J",
    "Zürich/测试/\u{1f4a9}/\u{202e}",
    " ",
];

/// Runs the suite in an empty store.
pub(super) fn conform(place: &Place) {
    let mut store = Store::open(place).expect("opened");
    nothing_is_known_of_what_was_never_recorded(&mut store);
    any_record_comes_back_as_it_was(&mut store);
    the_same_run_is_stored_once(&mut store);
    what_was_stored_is_there_when_opened_again(place);
    series_run_by_time_and_not_by_arrival(&mut store);
    the_past_ends_with_the_newest(&mut store);
    environments_keep_values_apart(&mut store);
    an_error_on_the_way_stores_nothing(&mut store);
    more_rows_than_fit_a_statement_are_stored(&mut store);
    what_was_sampled_beside_a_scenario_is_left_out_and_not_counted(&mut store);
}

fn nothing_is_known_of_what_was_never_recorded(store: &mut Store) {
    assert_eq!(store.ids().expect("read"), []);
    assert_eq!(store.runs().expect("read"), []);
    assert_eq!(store.environments().expect("read"), []);
    assert_eq!(store.series("a", "wall_time", "").expect("read"), []);
    assert_eq!(store.past("a", "wall_time", "").expect("read"), [0.0; 0]);
    assert_eq!(store.run_record("a").expect("read"), None);
}

/// A record with every kind of row and with fields that nobody knows.
fn motley() -> RunRecord {
    let mut histogram = hdrhistogram::Histogram::new(3).expect("digits");
    for value in [10, 20, 30, 1_000_000] {
        histogram.record(value).expect("in range");
    }
    let latency = Data::from_histogram(&histogram);
    let mut rows = vec![
        count("motley/largest", u64::MAX),
        times("motley/times", &[0.1, 1e300, 2.0 / 3.0]),
        Row::measured("motley/latency", Metric::Latency, "ns", latency),
        Row::failed("motley/failed", Metric::WallTime, "ns", "the server 'closed'\n\0"),
        Row::measured(
            "motley/heat",
            Metric::Other("heat".to_owned()),
            "K",
            Data::Count { value: 0 },
        ),
        with(count("motley/twice", 1), "seed", "1"),
        with(count("motley/twice", 2), "seed", "2"),
    ];
    rows.extend(HOSTILE.map(|text| with(count(text, 1), text, text)));
    rows[0].errors.insert("reset".to_owned(), u64::MAX);
    let unknown = json!({"x_big": 1e300, "x_deep": {"ü": [null, true, "\0"]}});
    let Value::Object(unknown) = unknown else { unreachable!("an object") };
    rows[1].unknown = unknown.clone();
    let mut record = RunRecord { unknown: unknown.clone(), ..record(0, rows) };
    record.environment.unknown = unknown;
    record.environment.git_commit = Some(HOSTILE[0].to_owned());
    record
}

fn any_record_comes_back_as_it_was(store: &mut Store) {
    let motley = motley();
    let stored = store.record(&motley).expect("stored");
    assert_eq!(stored, Stored { runs: 1, rows: motley.rows.len(), known: 0 });
    let back = store.run_record(&motley.run_id).expect("read").expect("there");
    assert_eq!(back, motley);
    assert_eq!(back.to_json().expect("sound"), motley.to_json().expect("sound"));

    let ids = store.ids().expect("read");
    for hostile in HOSTILE {
        assert!(ids.iter().any(|series| series.id == hostile), "{hostile}");
    }
    let of = |id: &str, metric: &str| {
        let series = ids.iter().find(|one| one.id == id && one.metric == metric).expect(id);
        (series.environment.clone(), series.points)
    };
    assert_eq!(of("motley/failed", "wall_time").1, 0, "a row that failed is no point");
    let mut value = |id: &str, metric: &str| {
        let series = store.series(id, metric, &of(id, metric).0).expect("read");
        assert_eq!(series[0].run_id, motley.run_id);
        assert_eq!(series[0].started_at, motley.started_at);
        assert_eq!(
            (&series[0].commit, series[0].dirty),
            (&motley.environment.git_commit, Some(false))
        );
        series[0].value
    };
    // 0.1, 1e300 and 2/3 are totals of two operations each.
    assert_eq!(value("motley/times", "wall_time"), 1.0 / 3.0);
    assert_eq!(value("motley/latency", "latency"), 20.0);
    assert_eq!(value("motley/largest", "instructions"), u64::MAX as f64);
    let twice = ids.iter().filter(|series| series.id == "motley/twice").count();
    assert_eq!(twice, 1, "another seed is no other thing");
    assert_eq!(of("motley/twice", "instructions").1, 2);
}

fn the_same_run_is_stored_once(store: &mut Store) {
    let motley = motley();
    let known = Stored { runs: 0, rows: 0, known: 1 };
    store.record(&motley).expect("stored");
    let before = store.ids().expect("read");
    assert_eq!(store.record(&motley).expect("known"), known);
    let twice = [Ok(motley.clone()), Ok(motley)];
    assert_eq!(store.record_all(twice).expect("known"), Stored { known: 2, ..known });
    assert_eq!(store.ids().expect("read"), before);
}

fn what_was_stored_is_there_when_opened_again(place: &Place) {
    let mut again = Store::existing(place).expect("opened again, while it is open");
    assert_eq!(again.runs().expect("read").len(), 2);
}

fn series_run_by_time_and_not_by_arrival(store: &mut Store) {
    for (seconds, value) in [(30, 3), (10, 1), (20, 2)] {
        store.record(&record(seconds, vec![count("order", value)])).expect("stored");
    }
    let fraction = RunRecord {
        started_at: "2026-11-20T09:00:10.5Z".to_owned(),
        ..record(0, vec![count("order", 15)])
    };
    store.record(&fraction).expect("stored");
    let key = key(&environment(), &count("order", 0)).hash;
    let series = store.series("order", "instructions", &key).expect("read");
    let values: Vec<f64> = series.iter().map(|point| point.value).collect();
    assert_eq!(values, [1.0, 15.0, 2.0, 3.0]);
}

fn the_past_ends_with_the_newest(store: &mut Store) {
    let key = key(&environment(), &count("past", 0)).hash;
    let records = (0..40).map(|n| Ok(record(n, vec![count("past", u64::from(n))])));
    store.record_all(records).expect("stored");
    let past = store.past("past", "instructions", &key).expect("read");
    assert_eq!(past.len(), PAST);
    assert_eq!((past[0], past[PAST - 1]), (10.0, 39.0));
    assert_eq!(store.past("order", "instructions", &key).expect("read").len(), 4);
    let mut dirty = record(50, vec![count("past", 1_000)]);
    dirty.environment.git_dirty = Some(true);
    let mut unknown = record(51, vec![count("past", 40)]);
    unknown.environment.git_dirty = None;
    store.record_all([dirty, unknown].map(Ok)).expect("stored");
    let past = store.past("past", "instructions", &key).expect("read");
    assert_eq!((past[0], past[PAST - 1]), (11.0, 40.0), "a changed tree belongs to no commit");
}

fn environments_keep_values_apart(store: &mut Store) {
    let here = record(0, vec![count("apart", 1), times("apart", &[1.0])]);
    let mut there = record(1, vec![count("apart", 2), times("apart", &[2.0])]);
    there.environment.host_id = Some("another".to_owned());
    let mut newer = record(2, vec![count("apart", 3), times("apart", &[3.0])]);
    newer.environment.rustc = Some("1.96.0".to_owned());
    let all = [here.clone(), there.clone(), newer.clone()];
    store.record_all(all.map(Ok)).expect("stored");
    let mut values = |record: &RunRecord, row: usize| {
        let (metric, key) = (record.rows[row].metric.name(), keys(record)[row].hash.clone());
        let series = store.series("apart", metric, &key).expect("read");
        series.into_iter().map(|point| point.value).collect::<Vec<_>>()
    };
    // Instructions do not ask for the host, times do not ask for the compiler.
    assert_eq!(values(&here, 0), [1.0, 2.0]);
    assert_eq!(values(&newer, 0), [3.0]);
    assert_eq!(values(&here, 1), [0.5, 1.5]);
    assert_eq!(values(&there, 1), [1.0]);
    let known = store.environments().expect("read");
    let host = |known: &&super::super::read::Known| {
        known.facts.contains(&("host".to_owned(), Some("another".to_owned())))
    };
    assert_eq!(known.iter().filter(host).count(), 1);
}

fn an_error_on_the_way_stores_nothing(store: &mut Store) {
    let before = store.runs().expect("read");
    let good = || Ok(record(0, vec![count("half", 1)]));
    let broken = exit::failure(Exit::Usage, "line 7 is cut short");
    let error = store.record_all([good(), Err(broken), good()]).expect_err("broken");
    assert_eq!(error.to_string(), "line 7 is cut short");
    let unsound = record(0, vec![count("", 1)]);
    let zero = record(0, vec![count("a\0b", 1)]);
    for bad in [unsound, zero] {
        let error = store.record_all([good(), Ok(bad)]).expect_err("makes no sense");
        assert_eq!(exit::of(&error), Exit::Usage, "{error}");
    }
    assert_eq!(store.runs().expect("read"), before);
    store.record(&good().expect("sound")).expect("the store can be written again");
}

fn more_rows_than_fit_a_statement_are_stored(store: &mut Store) {
    let rows = (0..1_001).map(|n| count(&format!("many/{n}"), n)).collect();
    let many = record(0, rows);
    assert_eq!(store.record(&many).expect("stored").rows, 1_001);
    assert_eq!(store.run_record(&many.run_id).expect("read"), Some(many));
}

fn what_was_sampled_beside_a_scenario_is_left_out_and_not_counted(store: &mut Store) {
    let mut watched = record(0, vec![count("watched/run", 1), count("watch/watched/run", 2)]);
    assert_eq!(store.record(&watched).expect("stored").rows, 1);
    let runs = store.runs().expect("read");
    let run = runs.iter().find(|run| run.run_id == watched.run_id).expect("there");
    assert_eq!(run.rows, 1);
    watched.rows.pop();
    assert_eq!(store.run_record(&watched.run_id).expect("read"), Some(watched));
}

/// Does this to the store by another connection, as another program would.
fn beside(place: &Place, statements: &[&'static str]) -> (tokio::runtime::Runtime, Link) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("runtime");
    let link = runtime.block_on(async {
        let mut link = Link::open(place, PATIENCE).await.expect("opened");
        for statement in statements {
            link.execute(*statement, Vec::new()).await.expect(statement);
        }
        link
    });
    (runtime, link)
}

/// A store that another process writes can be read, and who writes waits and then says so. `lock`
/// is how the other begins.
pub(super) fn locked_is_said(place: &Place, lock: &[&'static str]) {
    let (runtime, link) = beside(place, lock);
    let mut store = Store::open_with(place, Duration::from_secs(2)).expect("opened to read");
    assert_eq!(store.runs().expect("read"), []);
    let waits = record(0, vec![count("a", 1)]);
    let error = store.record(&waits).expect_err("locked");
    assert_eq!(exit::of(&error), Exit::Broke);
    assert!(error.to_string().contains("another process is writing"), "{error}");
    runtime.block_on(link.close());
    assert_eq!(store.record(&waits).expect("free again").runs, 1);
}

/// Looking makes nothing, in a database that is there and empty.
pub(super) fn nothing_is_made_by_looking(place: &Place) {
    for _ in 0..2 {
        let error = Store::existing(place).err().expect("no history in it");
        assert_eq!(exit::of(&error), Exit::NotMeasured);
        assert!(error.to_string().starts_with("there is no history at"), "{error}");
    }
    Store::open(place).expect("made");
    Store::existing(place).expect("there");
}

/// A store of a newer program is not touched.
pub(super) fn newer_is_left_alone(place: &Place) {
    let newer = "INSERT INTO history_migrations \
                 (version, description, success, checksum, execution_time) \
                 VALUES (7, 'of tomorrow', TRUE, 'x', 0)";
    let (runtime, link) = beside(place, &[newer]);
    runtime.block_on(link.close());
    let error = Store::open(place).err().expect("newer");
    assert_eq!(exit::of(&error), Exit::Usage);
    let told = error.to_string();
    assert!(told.contains("schema version 7") && told.ends_with("upgrade the program"), "{told}");
}

/// Whoever comes first makes the schema; the others wait for it.
pub(super) fn many_at_once_are_served(place: &Place) {
    std::thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn(move || {
                let mut store = Store::open(place).expect("opened");
                store.record(&record(n, vec![count("a", 1)])).expect("stored");
            });
        }
    });
    assert_eq!(Store::open(place).expect("opened").runs().expect("read").len(), 4);
}
