//! Cells, fio's words, and a real comparison where fio is installed.

use clap::Parser;

use super::super::theirs::turn_of;
use super::*;
use crate::front::BROKE;

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
fn what_cannot_be_compared_with_fio_is_refused() {
    for line in ["--ioengine=tokio", "--ioengine=tokio --rw=read --bs=4k"] {
        let error = cells_of(&format!("--peers {line}")).expect_err(line);
        assert_eq!(error, "fio has no engine tokio; leave out --peers");
    }
    for flag in ["--jobfile=x", "--output-json=x", "--output-format=json", "--name=x"] {
        let error = Flags::try_parse_from(["scenario_files", "--peers", flag]).expect_err(flag);
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict, "{flag}: {error}");
    }
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
    assert!(line.contains("a larger --size says more"), "{line}");
}

#[test]
fn a_file_gets_as_large_as_half_a_second_needs_and_no_larger() {
    let (mib, block) = (ByteSize::mib, ByteSize::mib(1));
    assert_eq!(larger(mib(256), block, LEAST_NS), mib(256));
    assert_eq!(larger(mib(256), block, 150e6), mib(1280));
    assert_eq!(larger(mib(256), block, 0.0), LARGEST);
    assert_eq!(larger(ByteSize::mib(8192), block, 1e6), ByteSize::mib(8192), "as it was asked for");
    let odd = ByteSize::kib(12);
    assert!(larger(mib(3), odd, 1e6).bytes().is_multiple_of(odd.bytes()));
}

#[test]
fn turns_of_other_work_are_not_compared() {
    let turn = Turn { bytes: 4096, operations: 1, wall_ns: 1.0, cpu_ns: 1.0 };
    same_work(turn, Turn { wall_ns: 9.0, ..turn }).expect("the same");
    let told = same_work(turn, Turn { operations: 2, ..turn }).expect_err("smaller blocks");
    assert!(told.to_string().contains("4096 bytes in 2 operations are not"), "{told}");
    same_work(turn, Turn { bytes: 8192, ..turn }).expect_err("more");
}

#[test]
fn without_fio_or_with_cells_that_failed_it_does_not_end_well() {
    let code = |interrupted, codes: &[u8], fio| {
        end(interrupted, codes, 2, fio).map_err(|(sentence, code)| {
            assert!(!sentence.is_empty());
            code
        })
    };
    assert_eq!(code(false, &[], true), Ok(()));
    assert_eq!(code(false, &[], false), Err(NOT_MEASURED));
    assert_eq!(code(true, &[], true), Err(NOT_MEASURED));
    assert_eq!(code(false, &[NOT_MEASURED, BROKE], true), Err(BROKE));
    assert_eq!(code(false, &[NOT_MEASURED], true), Err(NOT_MEASURED));
    assert_eq!(code(false, &[BROKE], false), Err(BROKE));
}

/// A file of 1 MiB: the clock of fio says nothing of it, but both say what they did.
#[test]
#[expect(clippy::print_stderr, reason = "a test that checks less has to say so")]
fn both_do_the_same_job_where_fio_is_installed() {
    let fio = installed();
    if fio.is_none() {
        eprintln!("skipped fio: it is not installed here");
    }
    let mut measured = Vec::new();
    for cell in cells_of("--peers --rw=randwrite --bs=64k --size=1m").expect("cells") {
        let arms = match measure(&cell, 1, fio.as_deref(), &AtomicBool::new(false)) {
            Err(failed) => {
                assert_eq!(failed.code, NOT_MEASURED, "{failed}");
                eprintln!("skipped {}: {failed}", cell.label());
                continue;
            }
            Ok(arms) => arms,
        };
        measured.push(cell.label());
        assert_eq!(arms.len() > 1, fio.is_some());
        for arm in &arms {
            let [turn] = arm.turns[..] else { panic!("one round counts: {arm:?}") };
            assert_eq!((turn.bytes, turn.operations), (1 << 20, 16), "{}", arm.name);
            assert!(turn.wall_ns > 0.0, "{}", arm.name);
            let rows = rows(&cell, arm);
            assert_eq!(rows.len(), 2);
            for row in &rows {
                row.check().expect("sound");
                let state = if cell.direct { "direct" } else { "cold, first touch" };
                assert_eq!(row.dimensions["page_cache"], state, "{}", arm.name);
                for name in ["resident_pages", "file_system", "read_ahead", "pinned"] {
                    assert!(row.dimensions.contains_key(name), "{name} of {}", arm.name);
                }
                let backend = &row.dimensions["backend"];
                let ours = arm.more.is_none();
                assert_eq!(!ours, backend.starts_with("fio-"), "{backend}");
                assert_eq!(cell.direct, backend.ends_with(" O_DIRECT"), "{backend}");
            }
        }
    }
    let by_calls = |label: &String| label.contains("/psync/");
    assert!(measured.iter().any(by_calls), "the page cache can be emptied here: {measured:?}");
}
