//! Turns into rows.

use bench_core::units::ByteSize;
use bench_grpc::Operation;

use super::*;

const CELL_1M: Cell = Cell::of_matrix(Operation::Read, ByteSize::mib(1));

fn turn(ms: u64, operations: u64) -> Turn {
    let mut turn = Turn { operations, elapsed: Duration::from_millis(ms), ..Turn::empty() };
    turn.latency.record_n(ms * 1_000_000 / operations, operations).expect("in range");
    turn
}

#[test]
fn rounds_become_samples_and_latencies_one_histogram() {
    let (mut tally, mut raw) = (Tally::new("default"), Tally::new("raw"));
    for ms in [10, 20] {
        tally.push(turn(ms, 5));
        raw.push(turn(ms / 2, 5));
    }
    let rows = tally.rows(&CELL_1M, "loopback", Some(&raw));
    let find = |metric: &str| rows.iter().find(|row| row.metric.name() == metric);
    let time = find("wall_time").expect("measured");
    assert_eq!(time.per_operation(), [2e6, 4e6]);
    assert_eq!(find(CEILING).expect("measured").per_operation(), [1e6, 2e6]);
    let latency = find("latency").and_then(|row| row.data.as_ref()).expect("measured");
    assert_eq!(latency.histogram().expect("decodes").len(), 10);
    assert_eq!(time.id, "grpc/matrix/read/default/1MiB");
    assert_eq!(time.dimensions[CELL], "grpc/matrix/read/1MiB");
    for metric in ["cpu_time", "server_cpu_time", "page_faults", "rss_bytes"] {
        assert!(find(metric).is_none(), "nobody told {metric}");
    }
    assert!(find("first_byte").is_none(), "nothing came");
    rows.iter().for_each(|row| row.check().expect("sound"));
}

#[test]
fn what_was_used_has_a_row_for_each_end_that_tells() {
    let memory = |mib: u64| Memory { before_bytes: mib << 19, peak_bytes: mib << 20 };
    let used = |mib, cpu_ns| Usage {
        cpu_ns,
        other_cpu_ns: None,
        faults: Some(20),
        other_faults: Some(10),
        memory: Some(memory(mib)),
        other_memory: None,
    };
    let mut tally = Tally::new("default");
    tally.stand_on(Some(1 << 20));
    tally.push(Turn { usage: Some(used(7, Some(100))), ..turn(10, 5) });
    tally.push(Turn { usage: Some(used(5, None)), ..turn(10, 5) });
    let rows = tally.rows(&CELL_1M, "loopback", None);
    let find = |metric: &str| rows.iter().find(|row| row.metric.name() == metric);
    assert!(find("cpu_time").is_none(), "one turn does not know it");
    assert!(find("server_rss_bytes").is_none());
    assert_eq!(find("page_faults").expect("told").per_operation(), [4.0, 4.0]);
    assert_eq!(find("server_page_faults").expect("told").per_operation(), [2.0, 2.0]);
    let count = |metric: &str| find(metric).and_then(|row| row.data.clone());
    assert_eq!(count("rss_bytes"), Some(Data::Count { value: 7 << 20 }));
    assert_eq!(count("rss_bytes_base"), Some(Data::Count { value: 1 << 20 }));
    assert_eq!(count("rss_bytes_before"), Some(Data::Count { value: 7 << 19 }));
}

#[test]
fn an_arm_that_failed_is_one_row_that_says_why() {
    let mut tally = Tally::new("default");
    let errors = vec![("Unavailable".to_owned(), 5)];
    tally.push(Turn { errors, ..turn(1, 5) });
    tally.fail("the server is gone".into());
    tally.fail("and more".into());
    let rows = tally.rows(&CELL_1M, "loopback", None);
    let metrics: Vec<&str> = rows.iter().map(|row| row.metric.name()).collect();
    assert_eq!(metrics, ["wall_time", "operations", "errors"]);
    assert_eq!(rows[0].error.as_deref(), Some("the server is gone"));
    assert_eq!(rows[0].errors["Unavailable"], 5);
    assert!(Tally::new("none").rows(&CELL_1M, "loopback", None).is_empty());
}

#[test]
fn one_operation_that_failed_fails_the_cell_and_keeps_the_counts() {
    let mut tally = Tally::new("default");
    tally.push(turn(10, 5));
    let mut second = turn(10, 5);
    second.operations = 6;
    second.failed("Unavailable".to_owned());
    tally.push(second);
    assert!(tally.is_running(), "it goes on, so that all that fails is counted");
    let rows = tally.rows(&CELL_1M, "loopback", None);
    assert!(!rows[0].ok && rows[0].metric == Metric::WallTime);
    assert_eq!(rows[0].error.as_deref(), Some("1 of 11 operations: 1 × Unavailable"));
    assert!(rows.iter().all(|row| row.errors["Unavailable"] == 1));
    let counts: Vec<Option<Data>> = rows[1..].iter().map(|row| row.data.clone()).collect();
    let count = |value| Some(Data::Count { value });
    assert_eq!(counts, [count(11), count(1)]);
    rows.iter().for_each(|row| row.check().expect("sound"));
    // What a time is per: those that succeeded.
    let times = tally.samples("a", Metric::WallTime, "ns", |t| Some(t.elapsed.as_nanos() as f64));
    assert_eq!(times.expect("measured").per_operation(), [2e6, 2e6]);
}

#[test]
fn a_raw_socket_that_failed_is_a_row_that_nobody_ranks() {
    let mut raw = Tally::new("raw");
    assert!(raw.no_ceiling(&CELL_1M, "loopback").is_none());
    raw.push(turn(10, 5));
    assert!(raw.is_sound() && raw.no_ceiling(&CELL_1M, "loopback").is_none());
    let mut broken = turn(10, 5);
    broken.failed("reset".to_owned());
    raw.push(broken);
    assert!(!raw.is_sound() && raw.is_running());
    raw.fail("the machine refused".to_owned());
    let row = raw.no_ceiling(&CELL_1M, "loopback").expect("it failed");
    assert_eq!(row.error.as_deref(), Some("no ceiling: the machine refused"));
    assert_eq!((row.id.as_str(), row.ok), ("grpc/matrix/read/raw/1MiB", false));
    assert!(bench_core::judge::matrix::arms(&[row]).is_empty());
}
