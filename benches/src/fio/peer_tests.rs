//! Cells, fio's words, and a real comparison where fio is installed.

use clap::Parser;

use super::*;

/// Written by fio 3.33; the front door's importer reads the same.
const WRITTEN: &str = include_str!("../../../ci/tests/import/fio.json");

fn cells_of(line: &str) -> Result<Vec<Options>, String> {
    let words = std::iter::once("scenario_files").chain(line.split_whitespace());
    cells(&Flags::try_parse_from(words).expect("flags"))
}

#[test]
fn flags_leave_cells_open_and_refuse_what_is_no_cell() {
    assert_eq!(cells_of("--peers").expect("all").len(), 36);
    let some = cells_of("--peers --rw=randread --bs=4k").expect("some");
    let labels: Vec<String> = some.iter().map(Options::label).collect();
    assert_eq!(
        labels,
        [
            "randread/io_uring_direct/bs4KiB/qd1/jobs1",
            "randread/io_uring_direct/bs4KiB/qd16/jobs1",
            "randread/psync/bs4KiB/qd1/jobs1",
        ]
    );
    assert!(some.iter().all(|cell| cell.size == ByteSize::mib(32)));
    let one = cells_of("--peers --rw=read --bs=8k --ioengine=psync --size=1m").expect("one");
    assert_eq!((one.len(), one[0].size), (1, ByteSize::mib(1)));
    let error = cells_of("--peers --numjobs=2").expect_err("two");
    assert!(error.ends_with("leave out --numjobs"), "{error}");
}

#[test]
fn what_fio_says_is_a_turn_and_nothing_is_none() {
    let turn = turn_of(WRITTEN).expect("sound");
    assert_eq!((turn.bytes, turn.operations), (48_390_144, 11_814));
    assert_eq!(turn.wall_ns, 1.001e9);
    // 2.7 % and 23.4 % of 1000 ms.
    assert!((turn.cpu_ns - 261e6).abs() < 1.0, "{turn:?}");
    for (text, told) in [
        ("fio: no such engine", "it printed no JSON"),
        (r#"{"jobs":[]}"#, "has no runtime"),
        (&WRITTEN.replace("\"io_bytes\" : 48390144", "\"io_bytes\" : 0"), "did nothing"),
    ] {
        let error = turn_of(text).expect_err(told).to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn ratios_are_of_rounds_and_not_of_times_apart() {
    let with = |name, walls: [f64; 3]| {
        let turn = |wall_ns| Turn { bytes: 100, operations: 1, wall_ns, cpu_ns: wall_ns / 2.0 };
        Arm { turns: walls.map(turn).into(), ..arm(name, Some(&[])) }
    };
    // The disk gets four times slower; ours needs half as long in every round.
    let (own, other) = (with("own", [1.0, 2.0, 4.0]), with("fio", [2.0, 4.0, 8.0]));
    let (speed, interval) = ratio(&own, &other, |turn| turn.bytes as f64 / turn.wall_ns);
    assert_eq!((speed, interval.low, interval.high), (2.0, 2.0, 2.0));
    let line = line(&Options::default(), &[own, other]);
    assert!(line.contains("fio: throughput 2.000 [2.000, 2.000], CPU per GiB 0.500 ["), "{line}");
}

#[test]
fn both_do_the_same_job_where_fio_is_installed() {
    let fio = installed();
    for cell in cells_of("--peers --rw=randwrite --bs=64k --size=1m").expect("cells") {
        let arms = match measure(&cell, 1, fio.is_some(), &AtomicBool::new(false)) {
            // No direct I/O, or no io_uring.
            Err(failure) => {
                assert!(failure.to_string().contains("cannot "), "{failure}");
                continue;
            }
            Ok(arms) => arms,
        };
        assert_eq!(arms.len() > 1, fio.is_some());
        for arm in &arms {
            let [turn] = arm.turns[..] else { panic!("one round counts: {arm:?}") };
            assert_eq!((turn.bytes, turn.operations), (1 << 20, 16), "{}", arm.name);
            assert!(turn.wall_ns > 0.0, "{}", arm.name);
            let rows = rows(&cell, arm, fio.as_deref());
            assert_eq!(rows.len(), 2);
            rows.iter().for_each(|row| row.check().expect("sound"));
        }
    }
}
