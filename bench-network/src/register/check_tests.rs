//! Histories with and without anomalies, and the check against a search that tries every order.

use proptest::prelude::*;

use super::*;

/// An operation of a process of its own.
fn op(
    function: Function,
    value: u64,
    begin_ns: u64,
    end_ns: u64,
    kind: Kind,
) -> [(u64, Kind, Function, u64); 2] {
    [(begin_ns, Kind::Invoke, function, value), (end_ns, kind, function, value)]
}

fn read(value: u64, begin_ns: u64, end_ns: u64) -> [(u64, Kind, Function, u64); 2] {
    op(Function::Read, value, begin_ns, end_ns, Kind::Ok)
}

fn write(value: u64, begin_ns: u64, end_ns: u64) -> [(u64, Kind, Function, u64); 2] {
    op(Function::Write, value, begin_ns, end_ns, Kind::Ok)
}

fn history(operations: &[[(u64, Kind, Function, u64); 2]]) -> Vec<Entry> {
    let entries = operations.iter().enumerate().flat_map(|(process, ends)| {
        ends.iter().map(move |&(time_ns, kind, function, value)| {
            let known = kind == Kind::Ok || function == Function::Write;
            let value = known.then_some(value);
            Entry { time_ns, process: process as u64, kind, function, value, error: None }
        })
    });
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_by_key(|entry| (entry.time_ns, entry.kind != Kind::Invoke));
    entries
}

fn check(operations: &[[(u64, Kind, Function, u64); 2]]) -> Result<Witness, Anomaly> {
    linearizable(&history(operations))
}

#[test]
fn one_register_in_one_place_passes() {
    let all = [write(1, 10, 20), read(0, 1, 2), read(1, 15, 18), read(1, 30, 31), write(2, 25, 40)];
    assert_eq!(check(&all), Ok(Witness { reads: 3, writes: 2 }));
    assert_eq!(check(&[]), Ok(Witness { reads: 0, writes: 0 }));
}

#[test]
fn a_planted_stale_read_is_found_and_named() {
    let all = [write(1, 10, 20), write(2, 30, 40), read(2, 50, 60)];
    check(&all).expect("sound so far");
    let planted = [&all[..], &[read(1, 70, 80)]].concat();
    let Err(Anomaly::Stale { read: found, newer }) = check(&planted) else { panic!("not found") };
    assert_eq!((found.value, found.begin_ns, newer.value), (1, 70, 2));
    let text = check(&planted).expect_err("stale").to_string();
    assert!(text.contains("returned 1 although 2 was written by"), "{text}");
    assert_eq!(stale_reads(&history(&planted)).expect("a history").len(), 1);
    // While the second write is under way both values are right.
    check(&[write(1, 10, 20), write(2, 30, 90), read(1, 70, 80)]).expect("fine");
    let first = [write(1, 10, 20), read(0, 30, 40)];
    assert_eq!(stale_reads(&history(&first)).expect("a history").len(), 1, "of the start");
}

#[test]
fn a_value_that_goes_and_comes_back_is_found() {
    let all = [write(1, 10, 100), write(2, 10, 100), read(2, 20, 30), read(1, 40, 50)];
    check(&all).expect("2 and then 1");
    let torn = [&all[..], &[read(2, 60, 70)]].concat();
    assert_eq!(check(&torn), Err(Anomaly::Torn([2, 1])));
    assert_eq!(stale_reads(&history(&torn)), Ok(Vec::new()), "no write was over by then");
}

#[test]
fn what_was_not_written_is_not_read() {
    assert!(matches!(check(&[read(7, 1, 2)]), Err(Anomaly::NeverWritten(_))));
    let early = [read(1, 1, 2), write(1, 3, 4)];
    assert!(matches!(check(&early), Err(Anomaly::BeforeItsWrite(_))));
    let failed = [op(Function::Write, 1, 1, 2, Kind::Fail), read(1, 3, 4)];
    assert!(matches!(check(&failed), Err(Anomaly::NeverWritten(_))));
}

#[test]
fn a_write_that_nobody_knows_of_may_have_been_done_at_any_time() {
    let unknown = op(Function::Write, 1, 1, 2, Kind::Info);
    check(&[unknown, read(0, 3, 4), read(1, 9, 10)]).expect("it came late");
    check(&[unknown, read(0, 3, 4)]).expect("it never came");
    let back = [unknown, read(1, 3, 4), read(0, 9, 10)];
    check(&back).expect_err("it came and went");
    let mut open = history(&[write(1, 1, 2), read(1, 5, 6)]);
    open.retain(|entry| entry.kind == Kind::Invoke || entry.function == Function::Read);
    linearizable(&open).expect("a write without an answer is one of those");
}

#[test]
fn what_is_no_history_is_refused() {
    let twice = check(&[write(1, 1, 2), write(1, 3, 4)]).expect_err("twice").to_string();
    assert!(twice.contains("the value 1 is written twice"), "{twice}");
    let mut unasked = history(&[read(0, 1, 2)]);
    unasked.remove(0);
    let text = linearizable(&unasked).expect_err("unasked").to_string();
    assert!(text.contains("entry 0 of the history answers what nobody asked"), "{text}");
    let mut busy = history(&[read(0, 1, 4), read(0, 2, 3)]);
    busy.iter_mut().for_each(|entry| entry.process = 0);
    let text = linearizable(&busy).expect_err("busy").to_string();
    assert!(text.contains("entry 1 of the history begins before"), "{text}");
}

/// Whether any order explains what was seen: the search of Wing and Gong (1993).
fn search(left: &[Operation], value: u64) -> bool {
    // What need not have been done may be left.
    if left.iter().all(|op| op.end_ns == u64::MAX) {
        return true;
    }
    (0..left.len()).any(|index| {
        let next = left[index];
        let rest: Vec<Operation> = [&left[..index], &left[index + 1..]].concat();
        let first = rest.iter().all(|other| other.end_ns >= next.begin_ns);
        match next.function {
            Function::Write => first && search(&rest, next.value),
            Function::Read => first && next.value == value && search(&rest, value),
        }
    })
}

proptest! {
    #[test]
    fn the_answer_is_that_of_a_search_through_all_orders(
        writes in prop::collection::vec((0..14_u64, 0..8_u64, 0..5_u8), 0..4),
        reads in prop::collection::vec((0..14_u64, 0..8_u64, 0..5_u64), 0..5),
    ) {
        let mut all = Vec::new();
        let mut expected = Vec::new();
        for (value, (begin_ns, length, fate)) in (1..).zip(writes) {
            let (function, end_ns) = (Function::Write, begin_ns + length);
            let kind = match fate { 0 => Kind::Fail, 1 => Kind::Info, _ => Kind::Ok };
            all.push(op(function, value, begin_ns, end_ns, kind));
            let end_ns = if kind == Kind::Info { u64::MAX } else { end_ns };
            if kind != Kind::Fail {
                expected.push(Operation { process: 0, function, value, begin_ns, end_ns });
            }
        }
        for (begin_ns, length, value) in reads {
            all.push(read(value, begin_ns, begin_ns + length));
            let end_ns = begin_ns + length;
            expected.push(Operation { process: 0, function: Function::Read, value, begin_ns, end_ns });
        }
        let answer = check(&all);
        prop_assert_eq!(answer.is_ok(), search(&expected, 0), "{:?} of {:?}", answer, expected);
    }
}
