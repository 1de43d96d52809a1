//! Series from readings that are made up: what is added up, what is kept apart, and what is left out.

use super::super::parse::{Machine, Tcp};
use super::super::reading::{Process, Thread};
use super::*;

const MS: Duration = Duration::from_millis(1);

fn reading(threads: &[(u32, &str, u64)]) -> Reading {
    let thread = |&(id, name, ran_ns): &(u32, &str, u64)| Thread {
        id,
        name: name.to_owned(),
        account: Account { ran_ns, waited_ns: ran_ns / 2, switches: 1 },
    };
    let threads: Vec<Thread> = threads.iter().map(thread).collect();
    let process = Process { id: 1, name: SELF.to_owned(), rss_bytes: Some(4096), threads };
    Reading { processes: vec![process], ..Reading::default() }
}

fn values(rows: &[Row], metric: &str, thread: Option<&str>) -> (Vec<f64>, Vec<u64>) {
    let is = |row: &&Row| {
        row.metric.name() == metric && row.dimensions.get(THREAD).map(String::as_str) == thread
    };
    let row = rows.iter().find(is).unwrap_or_else(|| panic!("{metric} of {thread:?}"));
    match &row.data {
        Some(Data::Samples { values, iterations }) => (values.clone(), iterations.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn threads_come_and_go_and_their_series_are_as_long_as_the_others() {
    let mut series = Series::default();
    series.add(Duration::ZERO, reading(&[(1, "main", 100)]));
    series.add(10 * MS, reading(&[(1, "main", 150)]));
    series.add(30 * MS, reading(&[(1, "main", 150), (2, "work", 40), (3, "work", 2)]));
    // The number 2 is another thread now, and 1 is gone.
    series.add(40 * MS, reading(&[(2, "work", 9), (3, "work", 2)]));
    let rows = series.rows("a/b", []);
    let us = vec![10_000, 20_000, 10_000];
    let main = values(&rows, THREAD_CPU_TIME, Some("main"));
    assert_eq!(main, (vec![50.0, 0.0, 0.0], us.clone()));
    let work = values(&rows, THREAD_CPU_TIME, Some("work"));
    assert_eq!(work, (vec![0.0, 42.0, 9.0], us));
    assert_eq!(values(&rows, RSS, None), (vec![4096.0; 3], vec![1; 3]));
    let of_work = rows.iter().find(|row| row.dimensions.get(THREAD).is_some_and(|n| n == "work"));
    assert_eq!(of_work.expect("there").dimensions[THREADS], "2");
}

#[test]
fn two_processes_of_a_name_are_no_thread_that_is_alone() {
    let process = |id, ran_ns| {
        let account = Account { ran_ns, ..Account::default() };
        let threads = vec![Thread { id, name: "peer".to_owned(), account }];
        Process { id, name: "peer".to_owned(), rss_bytes: None, threads }
    };
    let at = |ran_ns| Reading {
        processes: vec![process(1, ran_ns), process(2, ran_ns)],
        ..Reading::default()
    };
    let mut series = Series::default();
    series.add(Duration::ZERO, at(0));
    series.add(MS, at(900_000));
    let rows = series.rows("a/b", []);
    assert_eq!(values(&rows, THREAD_CPU_TIME, Some("peer")).0, [1_800_000.0]);
    let of_both = rows.iter().find(|row| row.metric.name() == THREAD_CPU_TIME);
    assert_eq!(of_both.expect("there").dimensions[THREADS], "2", "it ran 180 % of the time");
}

#[test]
fn threads_that_used_the_least_share_a_row() {
    let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let at = |factor: u64| {
        let used = |(number, name): (usize, &'static str)| {
            (number as u32, name, factor * (number as u64 + 1))
        };
        let names = names.iter().map(|name| &*name.clone().leak()).enumerate();
        reading(&names.map(used).collect::<Vec<_>>())
    };
    let mut series = Series::default();
    series.add(Duration::ZERO, at(0));
    series.add(MS, at(10));
    let rows = series.rows("a/b", []);
    let threads = rows.iter().filter(|row| row.metric.name() == THREAD_CPU_TIME);
    assert_eq!(threads.count(), THREADS_MAX + 1);
    // 10 x (1 + .. + 24).
    assert_eq!(values(&rows, THREAD_CPU_TIME, Some(OTHERS)).0, [3000.0]);
    assert_eq!(values(&rows, THREAD_CPU_TIME, Some("t39")).0, [400.0]);
}

#[test]
fn sockets_add_up_and_a_new_one_counts_from_its_start() {
    let socket = |cookie, busy_us| Socket {
        cookie,
        receive: 10,
        info: Some(TcpInfo { busy_us, receiver_limited_us: busy_us / 2, ..TcpInfo::default() }),
        ..Socket::default()
    };
    let listener = Socket { cookie: 9, listens: true, receive: 3, ..Socket::default() };
    let at = |sockets| Reading { sockets: Some(sockets), ..Reading::default() };
    let mut series = Series::default();
    series.add(Duration::ZERO, at(vec![socket(1, 100), socket(2, 50)]));
    series.add(MS, at(vec![socket(1, 140), socket(3, 20), listener]));
    let rows = series.rows("a/b", []);
    assert_eq!(values(&rows, TCP_BUSY_TIME, None).0, [60_000.0]);
    assert_eq!(values(&rows, TCP_RECEIVER_LIMITED_TIME, None).0, [30_000.0]);
    assert_eq!(values(&rows, ACCEPT_QUEUE, None).0, [3.0]);
    let receive = rows.iter().find(|row| row.dimensions.get(QUEUE).is_some_and(|q| q == "receive"));
    assert_eq!(receive.expect("there").per_operation(), [20.0]);
}

#[test]
fn what_sockets_did_before_a_look_that_failed_is_in_no_interval_twice() {
    let at = |busy_us: Option<u64>| {
        let info = |busy_us| Some(TcpInfo { busy_us, ..TcpInfo::default() });
        let socket = |busy_us| Socket { cookie: 1, info: info(busy_us), ..Socket::default() };
        Reading { sockets: busy_us.map(|us| vec![socket(us)]), ..Reading::default() }
    };
    let busy = |looks: &[Option<u64>]| {
        let mut series = Series::default();
        for (place, look) in looks.iter().enumerate() {
            series.add(place as u32 * MS, at(*look));
        }
        values(&series.rows("a/b", []), TCP_BUSY_TIME, None).0
    };
    assert_eq!(busy(&[Some(900), Some(910), None, Some(930)]), [10_000.0, 0.0, 20_000.0]);
    assert_eq!(busy(&[None, Some(900), Some(905)]), [0.0, 5_000.0], "its life is no interval");
}

#[test]
fn counters_are_differences_and_what_is_unknown_has_no_row() {
    let mut series = Series::default();
    let at = |busy_ns, retransmitted| Reading {
        machine: Some(Machine { busy_ns, runnable: 3, ..Machine::default() }),
        tcp: Some(Tcp { retransmitted, ..Tcp::default() }),
        pressure_ns: [Some(busy_ns), None, None],
        ..Reading::default()
    };
    series.add(Duration::ZERO, at(1_000, 5));
    assert!(series.rows("a/b", []).is_empty(), "one look is no interval");
    series.add(MS, at(1_500, 9));
    let rows = series.rows("a/b", []);
    assert_eq!(values(&rows, TCP_RETRANSMITTED, None).0, [4.0]);
    assert_eq!(values(&rows, RUNNABLE, None).0, [3.0]);
    for metric in [TCP_TIMEOUTS, SOCKET_QUEUE, RSS] {
        assert!(rows.iter().all(|row| row.metric.name() != metric), "{metric}");
    }
    let pressure = rows.iter().filter(|row| row.metric.name() == PRESSURE_TIME);
    assert_eq!(pressure.count(), 1);
}
