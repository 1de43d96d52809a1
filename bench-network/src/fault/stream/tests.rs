//! What is refused, and what does not count as shown.

use super::*;

const MS: Duration = Duration::from_millis(1);
const UP: Ways = Ways::Up;

fn kinds() -> [StreamFault; 8] {
    [
        StreamFault::Latency { ways: UP, delay: 20 * MS, jitter: 5 * MS },
        StreamFault::Bandwidth { ways: Ways::Down, bytes_per_second: 1 << 20 },
        StreamFault::SlowClose { ways: Ways::Both, delay: 20 * MS },
        StreamFault::Reset { after: Duration::ZERO },
        StreamFault::TimeOut { ways: UP, after: 20 * MS },
        StreamFault::Slicer { ways: UP, bytes: 100, pause: MS },
        StreamFault::LimitData { ways: UP, bytes: 4096 },
        StreamFault::SlowAccept { delay: 20 * MS },
    ]
}

#[test]
fn rows_name_the_fault_with_its_numbers_and_ways() {
    assert_eq!(
        kinds().map(|fault| fault.to_string()),
        [
            "latency 20ms ± 5ms up",
            "bandwidth 1.00 MiB/s down",
            "slow_close 20ms",
            "reset after 0ns",
            "time_out after 20ms up",
            "slicer 100B every 1ms up",
            "limit_data 4KiB up",
            "slow_accept 20ms",
        ]
    );
    for fault in kinds() {
        fault.check().expect("sound");
    }
}

#[test]
fn numbers_that_make_no_sense_are_refused_with_what_they_may_be() {
    let long = TIME_MAX + MS;
    let ways = UP;
    let cases = [
        (StreamFault::Latency { ways, delay: Duration::ZERO, jitter: MS }, "the delay of"),
        (StreamFault::Latency { ways, delay: long, jitter: MS }, "at most 3600s"),
        (StreamFault::Latency { ways, delay: MS, jitter: 2 * MS }, "the jitter of"),
        (StreamFault::Bandwidth { ways, bytes_per_second: 0 }, "at least 1 B/s"),
        (StreamFault::SlowClose { ways, delay: Duration::ZERO }, "the delay of"),
        (StreamFault::Reset { after: long }, "the wait of"),
        (StreamFault::TimeOut { ways, after: long }, "the wait of"),
        (StreamFault::Slicer { ways, bytes: 0, pause: MS }, "at least 1B"),
        (StreamFault::Slicer { ways, bytes: 1, pause: long }, "the pause of"),
        (StreamFault::SlowAccept { delay: Duration::ZERO }, "the delay of"),
    ];
    for (fault, said) in cases {
        let error = fault.check().expect_err(said);
        let text = error.to_string();
        assert!(text.contains(said) && text.contains(fault.name()), "{text}");
        assert!(error.is_of_usage());
    }
}

#[test]
fn two_faults_collide_where_they_share_kind_and_way() {
    let on = |ways| StreamFault::LimitData { ways, bytes: 1 };
    assert!(on(UP).collides(&on(UP)) && on(Ways::Both).collides(&on(Ways::Down)));
    assert!(!on(UP).collides(&on(Ways::Down)));
    assert!(!on(UP).collides(&StreamFault::SlowClose { ways: UP, delay: MS }));
}

#[test]
fn a_fault_that_never_struck_is_not_shown() {
    for fault in kinds() {
        let error = judge(&fault, &Observed::default()).expect_err("nothing happened");
        let text = error.to_string();
        assert!(text.contains(&format!("'{fault}' was not shown to happen: n")), "{text}");
        assert!(!error.is_of_usage());
    }
}

#[test]
fn a_fault_that_struck_as_asked_is_shown_with_numbers() {
    let seen = Observed {
        times: 2,
        bytes: 20_000,
        held_ns: 50_000_000,
        least_ns: Some(20_000_000),
        slice_bytes: 100,
        resets: Some(4),
    };
    for fault in kinds() {
        let proof = judge(&fault, &seen).expect("shown");
        assert_eq!((proof.times, proof.fault), (2, fault.to_string()));
        assert!(proof.measured.chars().any(|letter| letter.is_ascii_digit()), "{}", proof.measured);
    }
}

#[test]
fn a_fault_that_struck_less_than_asked_is_not_shown() {
    let seen = Observed {
        times: 2,
        bytes: 100_000,
        held_ns: 50_000_000,
        least_ns: Some(100),
        slice_bytes: 5_000,
        resets: Some(1),
    };
    // 2 MB/s where 1 MiB/s was asked for; closed, accepted and handed on too soon; slices too large.
    for fault in kinds() {
        let text = judge(&fault, &seen).expect_err("not as asked").to_string();
        assert!(text.contains("was not shown to happen: "), "{text}");
    }
    let told = Observed { resets: None, ..seen };
    let reset = StreamFault::Reset { after: MS };
    assert!(judge(&reset, &told).expect_err("unknown").to_string().contains("does not tell"));
    let early = Observed { bytes: 0, least_ns: None, ..seen };
    let time_out = StreamFault::TimeOut { ways: UP, after: MS };
    assert!(judge(&time_out, &early).expect_err("nothing held").to_string().contains("no byte"));
}
