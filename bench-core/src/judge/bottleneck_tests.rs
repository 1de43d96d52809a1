//! Each rule at its threshold and below it, by numbers that can be checked in one's head. All rows are
//! over one second.

use super::*;
use crate::record::Metric;

const MS: f64 = 1e6;

fn row(metric: &str, value: f64, dimensions: &[(&str, &str)]) -> Row {
    // Two intervals, so that sums are sums.
    let (values, iterations) = (vec![value / 2.0; 2], vec![500_000; 2]);
    let data = Data::Samples { values, iterations };
    let mut row = Row::measured("watch/a/b", Metric::from(metric.to_owned()), "1", data);
    let named = [(WATCHED, "a/b"), (CPUS, "2")].iter().chain(dimensions);
    row.dimensions = named.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    row
}

/// A machine with two CPUs of which these milliseconds were busy and stolen.
fn machine(busy_ms: f64, steal_ms: f64) -> Vec<Row> {
    let state = |state, ms: f64| row(MACHINE_TIME, ms * MS, &[(STATE, state)]);
    vec![
        state("busy", busy_ms),
        state("steal", steal_ms),
        state("iowait", 0.0),
        state("idle", 2000.0 - busy_ms - steal_ms),
    ]
}

/// A thread that ran and waited for so long.
fn thread(name: &str, threads: &str, ran_ms: f64, waited_ms: f64) -> [Row; 2] {
    let of = [(PROCESS, SELF), (THREAD, name), (THREADS, threads)];
    [row(THREAD_CPU_TIME, ran_ms * MS, &of), row(THREAD_WAIT_TIME, waited_ms * MS, &of)]
}

fn judged(rows: &[Row]) -> Bottleneck {
    bottleneck(&rows.iter().collect::<Vec<_>>())
}

/// What the rows say is saturated.
fn resources(rows: &[Row]) -> Vec<String> {
    match judged(rows) {
        Bottleneck::Saturated(findings, _) => findings.into_iter().map(|f| f.resource).collect(),
        Bottleneck::Nothing(_) => vec![],
        Bottleneck::NotSampled => panic!("nothing was sampled"),
    }
}

#[test]
fn threads_that_wait_for_processors_saturate_them() {
    assert_eq!(resources(&thread("w", "4", 900.0, 100.0)), ["processors"]);
    assert_eq!(resources(&thread("w", "4", 910.0, 90.0)), [""; 0], "9 %");
    assert_eq!(resources(&thread("w", "4", 240.0, 240.0)), [""; 0], "less than half a processor");
    let text = judged(&[&thread("w", "4", 1500.0, 500.0)[..], &machine(1900.0, 0.0)].concat());
    let said = "saturated: processors: the scenario's threads wanted 2.0 and waited 25 % of that time \
                (rule: waited at least 10 %) (processors of the machine 95 % busy; unknown of 2 used \
                by the scenario)";
    assert_eq!(text.to_string(), said);
}

#[test]
fn one_thread_that_always_runs_is_saturated_and_many_of_a_name_are_not() {
    assert_eq!(resources(&thread("proxy", "1", 900.0, 0.0)), ["thread 'proxy'"]);
    assert_eq!(resources(&thread("proxy", "1", 890.0, 0.0)), [""; 0]);
    assert_eq!(resources(&thread("proxy", "2", 1800.0, 0.0)), [""; 0]);
    let both = [thread("a", "1", 950.0, 0.0), thread("b", "1", 990.0, 0.0)].concat();
    assert_eq!(resources(&both), ["thread 'b'"], "the busiest");
}

#[test]
fn a_host_that_gives_the_time_to_others_is_named() {
    // 100 of 2000 ms.
    assert_eq!(resources(&machine(500.0, 100.0)), ["the host"]);
    assert_eq!(resources(&machine(500.0, 99.0)), [""; 0]);
}

#[test]
fn lost_segments_and_full_queues_are_of_the_network() {
    let tcp = |sent, again| [row(TCP_SENT, sent, &[]), row(TCP_RETRANSMITTED, again, &[])];
    assert_eq!(resources(&tcp(1000.0, 10.0)), ["network"]);
    assert_eq!(resources(&tcp(1001.0, 10.0)), [""; 0]);
    assert_eq!(resources(&tcp(100.0, 9.0)), [""; 0], "nine are not many");
    assert_eq!(resources(&tcp(0.0, 0.0)), [""; 0], "nothing was sent");
    assert_eq!(resources(&[row(TCP_LISTEN_OVERFLOWS, 1.0, &[])]), ["a listener"]);
    assert_eq!(resources(&[row(TCP_LISTEN_OVERFLOWS, 0.0, &[])]), [""; 0]);
}

#[test]
fn sockets_are_limited_by_their_receivers_or_their_buffers() {
    let limited = |metric, busy_ms: f64, limited_ms: f64| {
        let zero = |name| row(name, 0.0, &[]);
        let other = [TCP_RECEIVER_LIMITED_TIME, TCP_BUFFER_LIMITED_TIME];
        let other = other.into_iter().filter(|name| *name != metric).map(zero);
        let rows = [row(TCP_BUSY_TIME, busy_ms * MS, &[]), row(metric, limited_ms * MS, &[])];
        resources(&rows.into_iter().chain(other).collect::<Vec<_>>())
    };
    assert_eq!(limited(TCP_RECEIVER_LIMITED_TIME, 800.0, 400.0), ["receivers"]);
    assert_eq!(limited(TCP_BUFFER_LIMITED_TIME, 800.0, 400.0), ["send buffers"]);
    assert_eq!(limited(TCP_RECEIVER_LIMITED_TIME, 800.0, 399.0), [""; 0]);
    assert_eq!(limited(TCP_RECEIVER_LIMITED_TIME, 99.0, 99.0), [""; 0], "hardly anything to send");
    assert_eq!(limited(TCP_RECEIVER_LIMITED_TIME, 0.0, 0.0), [""; 0]);
}

#[test]
fn pressure_names_disk_and_memory() {
    let pressure = |name, ms: f64| row(PRESSURE_TIME, ms * MS, &[(RESOURCE, name)]);
    assert_eq!(resources(&[pressure("io", 100.0), pressure("memory", 99.0)]), ["disk"]);
    assert_eq!(resources(&[pressure("memory", 100.0)]), ["memory"]);
    assert_eq!(resources(&[pressure("cpu", 1000.0)]), [""; 0], "threads tell that better");
}

#[test]
fn nothing_saturated_says_how_busy_it_was_and_nothing_sampled_says_so() {
    let own = row(CPU_TIME, 500.0 * MS, &[(PROCESS, SELF)]);
    let rows = [machine(860.0, 0.0), vec![own]].concat();
    let said = "nothing was saturated (processors of the machine 43 % busy; 0.50 of 2 used by the \
                scenario)";
    assert_eq!(judged(&rows).to_string(), said);
    let mut rows = rows;
    rows[0].dimensions.insert(NOT_LOOKED_INTO.to_owned(), "links".to_owned());
    let said = "(processors of the machine 43 % busy; 0.50 of 2 used by the scenario; the links' own \
                networks were not looked into)";
    assert_eq!(judged(&rows).to_string(), format!("nothing was saturated {said}"));
    for rows in [vec![], vec![Row::failed("watch/a/b", Metric::CpuTime, "ns", "no /proc")]] {
        assert_eq!(judged(&rows), Bottleneck::NotSampled);
        assert!(judged(&rows).to_string().contains("nothing was sampled"));
    }
}

#[test]
fn scenarios_are_judged_each_by_its_own_rows() {
    let mut rows = thread("w", "4", 900.0, 300.0).to_vec();
    let mut other = machine(10.0, 0.0);
    for row in &mut other {
        row.dimensions.insert(WATCHED.to_owned(), "c/d".to_owned());
    }
    rows.extend(other);
    rows.push(Row::measured("a/b", Metric::CpuTime, "ns", Data::Count { value: 1 }));
    let found = bottlenecks(&rows);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), ["a/b", "c/d"]);
    assert!(matches!(found["a/b"], Bottleneck::Saturated(..)));
    assert!(matches!(found["c/d"], Bottleneck::Nothing(_)));
    assert!(bottlenecks(&[]).is_empty());
}
