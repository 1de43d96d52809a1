//! Whether pacing, limits, latencies and endings are what was asked, on a clock of the tests.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::fault::stream::judge;

proptest! {
    #[test]
    fn a_sender_that_always_has_more_gets_its_rate_and_no_more(
        bytes_per_second in 1_000..1_000_000_000_u64,
        late_ns in proptest::collection::vec(0..3_000_000_u64, 200),
    ) {
        let (mut faults, mut struck) = (Faults::new(1), Struck::default());
        let fault = StreamFault::Bandwidth { ways: Ways::Up, bytes_per_second };
        let number = faults.inject(fault, 0).expect("sound");
        let (mut now_ns, mut passed) = (0, 0);
        for late_ns in late_ns {
            struck.ask_sender();
            match faults.admits(Way::Up, &mut struck, now_ns) as u64 {
                // The proxy wakes late, and never early.
                0 => now_ns = struck.next_ns().expect("a time") + late_ns,
                most => {
                    faults.admitted(Way::Up, &mut struck, most, now_ns);
                    passed += most;
                }
            }
            let carried = u128::from(bytes_per_second) * u128::from(now_ns) / 1_000_000_000;
            let slack = u128::from(bytes_per_second) * u128::from(SLACK_NS) / 1_000_000_000;
            let most = carried + slack + u128::from(CHUNK_BYTES.1);
            prop_assert!(u128::from(passed) <= most, "{passed} of {most} by {now_ns}");
        }
        prop_assert!(judge(&fault, &faults.seen(number)).is_ok());
    }

    #[test]
    fn a_limit_is_met_to_the_byte_whatever_the_pieces(
        bytes in 1..100_000_u64,
        pieces in proptest::collection::vec(1..9_000_u64, 1..200),
    ) {
        let (mut faults, mut struck) = (Faults::new(1), Struck::default());
        let fault = StreamFault::LimitData { ways: Ways::Up, bytes };
        let number = faults.inject(fault, 0).expect("sound");
        let mut passed = 0;
        for piece in pieces {
            let taken = piece.min(faults.admits(Way::Up, &mut struck, 0) as u64);
            passed += taken;
            let reached = faults.admitted(Way::Up, &mut struck, taken, 0);
            prop_assert_eq!(reached, passed == bytes);
            if reached {
                break;
            }
        }
        prop_assert!(passed <= bytes);
        prop_assert_eq!(judge(&fault, &faults.seen(number)).is_ok(), passed == bytes);
    }
}

#[test]
fn a_latency_is_within_its_jitter_and_repeats_with_its_seed() {
    let drawn = || {
        let mut faults = Faults::new(7);
        let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(5));
        let fault = StreamFault::Latency { ways: Ways::Up, delay, jitter };
        faults.inject(fault, 0).expect("sound");
        assert_eq!(faults.added(Way::Down), None);
        let added = (0..1000).filter_map(|_| Some(faults.added(Way::Up)?.1));
        added.collect::<Vec<_>>()
    };
    let added = drawn();
    assert!(added.iter().all(|ns| (15_000_000..=25_000_000).contains(ns)));
    // The mean of a thousand is within 0.5 ms but for one seed in ten thousand.
    let mean = added.iter().sum::<u64>() / 1000;
    assert!(mean.abs_diff(20_000_000) < 500_000, "{mean}");
    assert_eq!(added, drawn());
}

#[test]
fn what_ends_a_connection_counts_from_the_later_of_injection_and_birth() {
    let mut faults = Faults::new(1);
    let number = faults.inject(StreamFault::Reset { after: Duration::from_nanos(10) }, 100);
    let number = number.expect("sound");
    assert_eq!(faults.ending(50, 109), Err(Some(110)));
    assert_eq!(faults.ending(50, 110), Ok(Ending::Reset(number)));
    assert_eq!(faults.ending(105, 110), Err(Some(115)));
    faults.end(number);
    assert_eq!((faults.ending(50, 200), faults.is_empty()), (Err(None), true));
}
