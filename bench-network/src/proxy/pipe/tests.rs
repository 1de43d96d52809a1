//! Whether a pipe keeps bytes in order, and no longer and no shorter than it should.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::link::{Capacity, LinkProfile, Queue};
use bench_core::units::ByteSize;

const MS: u64 = 1_000_000;

/// The way up of a link of 10 ms round trip, with a rate in kbit/s or none.
fn link(rate: Option<u64>) -> LinkModel {
    let mut link = LinkProfile::round_trip(Duration::from_millis(10));
    link.up.capacity = rate.map_or(Capacity::Unlimited, Capacity::kbit);
    link.up.queue = Queue::Bytes(ByteSize::new(6_000));
    let [up, _] = LinkModel::both(&link, 1).expect("sound");
    up
}

struct Bench {
    pipe: Pipe,
    spare: Spare,
    link: LinkModel,
    now_ns: Cell<u64>,
}

impl Bench {
    fn new(rate: Option<u64>) -> Self {
        let (pipe, spare) = (Pipe::default(), Spare::default());
        Self { pipe, spare, link: link(rate), now_ns: Cell::new(0) }
    }

    fn receive(&mut self, bytes: &[u8]) -> Intake {
        let now = || self.now_ns.get();
        let read = |room: &mut [u8]| {
            let bytes = &bytes[..bytes.len().min(room.len())];
            room[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        };
        self.pipe.receive(&mut self.link, &mut self.spare, 1 << 20, now, read).expect("no error")
    }

    fn release(&mut self, room: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let write = |bytes: &[u8]| match bytes.len().min(room - out.len()) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            taken => {
                out.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
        };
        let written = self.pipe.release(&mut self.spare, self.now_ns.get(), |_| (), write);
        assert_eq!(written.expect("no error"), out.len());
        out
    }
}

#[test]
fn bytes_arrive_after_the_delay_and_not_before() {
    let mut bench = Bench::new(None);
    assert_eq!(bench.receive(b"abc"), Intake::Bytes(3));
    bench.now_ns.set(2 * MS);
    bench.receive(b"de");
    bench.now_ns.set(5 * MS - 1);
    assert_eq!((bench.release(9), bench.pipe.next_ns()), (vec![], Some(5 * MS)));
    bench.now_ns.set(5 * MS);
    assert_eq!((bench.release(9), bench.pipe.next_ns()), (b"abc".to_vec(), Some(7 * MS)));
    bench.now_ns.set(9 * MS);
    assert_eq!((bench.release(9), bench.pipe.next_ns()), (b"de".to_vec(), None));
}

#[test]
fn a_receiver_that_takes_nothing_is_waited_for_without_a_timer() {
    let mut bench = Bench::new(None);
    bench.receive(b"abcd");
    bench.now_ns.set(5 * MS);
    assert_eq!((bench.release(3), bench.pipe.next_ns()), (b"abc".to_vec(), None));
    assert_eq!(bench.release(3), b"");
    bench.pipe.unblock();
    assert_eq!(bench.release(3), b"d");
}

#[test]
fn what_arrived_and_is_not_taken_holds_the_sender_up() {
    let mut bench = Bench::new(None);
    let chunk = vec![1; BLOCK_BYTES];
    let held_max = 4 * READY_BYTES_MAX;
    loop {
        let read = |room: &mut [u8]| Ok(room.len().min(chunk.len()));
        let now = || bench.now_ns.get();
        match bench.pipe.receive(&mut bench.link, &mut bench.spare, held_max, now, read) {
            Ok(Intake::Bytes(_)) => bench.now_ns.set(bench.now_ns.get() + MS),
            Ok(Intake::Held { overflow }) => break assert!(!overflow),
            other => panic!("{other:?}"),
        }
        bench.release(0);
    }
    assert!(bench.pipe.held_bytes >= READY_BYTES_MAX && bench.pipe.held_bytes < held_max);
}

#[test]
fn an_end_comes_after_the_last_byte_and_a_reset_does_not_wait_for_the_receiver() {
    let mut bench = Bench::new(None);
    bench.receive(b"ab");
    bench.now_ns.set(MS);
    bench.pipe.end(2 * MS, End::Closed);
    bench.now_ns.set(5 * MS);
    assert_eq!(bench.release(1), b"a");
    assert_eq!((bench.pipe.take_end(5 * MS), bench.pipe.next_ns()), (None, None));
    bench.pipe.unblock();
    assert_eq!(bench.release(1), b"b");
    assert_eq!(bench.pipe.take_end(5 * MS), Some(End::Closed));
    assert_eq!(bench.pipe.take_end(5 * MS), None, "once");

    bench.receive(b"cd");
    bench.pipe.end(0, End::Reset);
    bench.now_ns.set(10 * MS - 1);
    assert_eq!(bench.pipe.take_end(bench.now_ns.get()), None, "what was sent comes first");
    assert_eq!(bench.pipe.take_end(10 * MS), Some(End::Reset));
}

#[test]
fn a_rate_lets_in_what_its_queue_holds_and_says_when_more() {
    // 1500 bytes at 12 Mbit/s are 1 ms; four packets fit.
    let mut bench = Bench::new(Some(12_000));
    assert_eq!(bench.receive(&[0; 10_000]), Intake::Bytes(4 * SEGMENT_BYTES));
    assert_eq!(bench.receive(&[0; 10_000]), Intake::Held { overflow: false });
    assert_eq!(bench.pipe.next_ns(), Some(MS));
    bench.now_ns.set(MS);
    assert_eq!(bench.receive(&[0; 10_000]), Intake::Bytes(SEGMENT_BYTES));
    bench.now_ns.set(7 * MS);
    assert_eq!(bench.release(usize::MAX).len(), 2 * SEGMENT_BYTES, "at 6 and at 7 ms");
}

#[test]
fn full_memory_is_told_once_until_there_is_room_again() {
    let mut bench = Bench::new(None);
    let receive = |bench: &mut Bench| {
        let read = |room: &mut [u8]| Ok(room.len().min(10));
        let now = || bench.now_ns.get();
        bench.pipe.receive(&mut bench.link, &mut bench.spare, 10, now, read).expect("no error")
    };
    for _ in 0..2 {
        assert_eq!(receive(&mut bench), Intake::Bytes(10));
        assert_eq!(receive(&mut bench), Intake::Held { overflow: true });
        assert_eq!(receive(&mut bench), Intake::Held { overflow: false });
        bench.now_ns.set(bench.now_ns.get() + 5 * MS);
        assert_eq!(bench.release(10).len(), 10);
    }
}

#[test]
fn memory_is_taken_once_and_used_again() {
    let mut bench = Bench::new(None);
    let chunk = vec![3; BLOCK_BYTES];
    for _ in 0..100 {
        for _ in 0..3 {
            bench.receive(&chunk);
        }
        bench.now_ns.set(bench.now_ns.get() + 5 * MS);
        assert_eq!(bench.release(usize::MAX).len(), 3 * BLOCK_BYTES);
    }
    assert!(bench.spare.0.len() + bench.pipe.blocks.len() <= 4);
    bench.pipe.discard(&mut bench.spare);
    assert!(bench.pipe.blocks.is_empty() && bench.pipe.held_bytes == 0);
}

proptest! {
    #[test]
    fn every_byte_leaves_once_in_order_and_no_earlier_than_its_delay(
        steps in proptest::collection::vec((0..4_000_usize, 0..3_000_000_u64, 0..5_000_usize), 1..60),
        rate in proptest::option::of(1_000..100_000_u64),
    ) {
        let mut bench = Bench::new(rate);
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        // When each byte was let in.
        let mut let_in = Vec::new();
        for (bytes, gap_ns, room) in steps {
            let chunk: Vec<u8> = (0..bytes).map(|index| (sent.len() + index) as u8).collect();
            if !chunk.is_empty() && let Intake::Bytes(taken) = bench.receive(&chunk) {
                sent.extend_from_slice(&chunk[..taken]);
                let_in.resize(sent.len(), bench.now_ns.get());
            }
            bench.now_ns.set(bench.now_ns.get() + gap_ns);
            bench.pipe.unblock();
            received.extend(bench.release(room));
            if let Some(last) = received.len().checked_sub(1) {
                prop_assert!(let_in[last] + 5 * MS <= bench.now_ns.get());
            }
        }
        bench.pipe.fits_at_ns = 0; // Nothing more is to be let in.
        loop {
            bench.pipe.unblock();
            received.extend(bench.release(usize::MAX));
            let Some(next_ns) = bench.pipe.next_ns() else { break };
            bench.now_ns.set(next_ns);
        }
        prop_assert!(received == sent);
        prop_assert_eq!(bench.pipe.held_bytes, 0);
    }
}
