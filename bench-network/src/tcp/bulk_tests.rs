//! That a transfer is checked, and that what limited it is told.

use std::time::{Duration, Instant};

use bench_core::workload::{conforms, id};
use proptest::prelude::*;

use super::*;

fn config(block: ByteSize, total: ByteSize) -> BulkConfig {
    // Every kernel has it, and allows it to everybody.
    let cell = BulkCell { control: "reno".to_owned(), block };
    BulkConfig { cell, total, receive_buffer: None }
}

#[test]
fn a_transfer_conforms_and_names_what_made_it() {
    let cell: BulkCell = "reno/128KiB".parse().expect("a cell");
    conforms::<Bulk>(&cell).expect("conforms");
    let bulk = Bulk::start(config(cell.block, ByteSize::new(1_000_000))).expect("start");
    assert_eq!(bulk.bytes(), Some(ByteSize::kib(7 * 128)), "whole blocks only");
    let value = |key| {
        let found = bulk.dimensions().into_iter().find(|(name, _)| *name == key);
        found.unwrap_or_else(|| panic!("no {key}")).1
    };
    assert_eq!(
        (value("congestion_control"), value("block_size")),
        ("reno".into(), "128KiB".into())
    );
    assert!(value("limited_by").starts_with("unknown: busy for "), "{}", value("limited_by"));
    assert_eq!(value("retransmits"), "0");
    let reached = value("receive_buffer_reached").parse::<ByteSize>().expect("a size");
    assert!(value("receive_buffer") == "grows" && !reached.is_empty(), "{reached}");
    let receive_buffer = Some(ByteSize::kib(64));
    let fixed = BulkConfig { receive_buffer, ..config(cell.block, ByteSize::mib(1)) };
    let dimensions = Bulk::start(fixed).expect("start").dimensions();
    assert!(dimensions.contains(&("receive_buffer", "64KiB".to_owned())), "{dimensions:?}");
    assert_eq!(id::<Bulk>(&cell), "network/tcp/bulk/reno/128KiB");
}

#[test]
fn a_wrong_byte_in_the_last_block_is_caught_and_in_the_first_operation_in_any() {
    let mut bulk = Bulk::start(config(ByteSize::kib(4), ByteSize::kib(64))).expect("start");
    bulk.block[1_000] ^= 1;
    bulk.prepare().expect("prepare");
    bulk.run();
    let error = bulk.check().expect_err("a flipped bit").to_string();
    assert!(error.contains("offset 1000 "), "{error}");

    let (client, server) = socket::connected_pair(|_| Ok(())).expect("connect");
    let payload = Payload::seeded(SEED, ByteSize::kib(4));
    let (tell, verdicts) = channel();
    let thorough = Arc::new(AtomicBool::new(true));
    let reading = Reading { payload, blocks: 3, thorough, verdicts: tell };
    let reader = std::thread::spawn(move || receive(&server, &reading));
    let (right, mut wrong) = (payload.to_bytes(), payload.to_bytes().to_vec());
    wrong[7] ^= 1;
    for block in [&right[..], &wrong, &right] {
        (&client).write_all(block).expect("send");
    }
    (&client).read_exact(&mut [0; 8]).expect("the count");
    verdicts.recv().expect("a verdict").expect_err("a flipped bit in the middle");
    drop((client, verdicts));
    let _ = reader.join().expect("no panic");
}

#[test]
fn a_server_that_is_gone_is_an_error_and_no_hang() {
    let mut bulk = Bulk::start(config(ByteSize::kib(4), ByteSize::kib(64))).expect("start");
    bulk.server.shutdown(Shutdown::Both).expect("shut down");
    bulk.run();
    let error = bulk.check().expect_err("nobody reads").to_string();
    assert!(error.starts_with("the connection failed while it was measured: "), "{error}");
}

/// Transfers for so long that the kernel's ticks say something.
fn limit(mut bulk: Bulk) -> Limit {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(400) {
        bulk.prepare().expect("prepare");
        bulk.run();
        bulk.check().expect("all there");
    }
    bulk.limit().expect("info")
}

#[test]
fn a_small_receive_buffer_is_named_as_the_limit() {
    // 4 KiB of window for a sender that writes 64 KiB at once: whatever else is slow, the sender has
    // more to send than the window takes for most of the time. The kernel's ticks miss what happens
    // while somebody else has the processor, so that a busy machine gets more than one chance.
    let receive_buffer = Some(ByteSize::kib(4));
    let small = || BulkConfig { receive_buffer, ..config(ByteSize::kib(64), ByteSize::mib(2)) };
    let mut chances = (0..20).map(|_| limit(Bulk::start(small()).expect("start")));
    let named = chances.any(|limited| matches!(limited, Limit::ReceiveWindow(_)));
    assert!(named, "it was never the receiver's window");
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence() {
    let refused = |config: BulkConfig| Bulk::start(config).expect_err("refused").to_string();
    let sentence = "a block of 0B cannot carry 64KiB; write a block of 1B to 64KiB";
    assert_eq!(refused(config(ByteSize::new(0), ByteSize::kib(64))), sentence);
    let sentence = "a block of 1MiB cannot carry 64KiB; write a block of 1B to 64KiB";
    assert_eq!(refused(config(ByteSize::mib(1), ByteSize::kib(64))), sentence);
    let mut unknown = config(ByteSize::kib(1), ByteSize::kib(64));
    unknown.cell.control = "carrier-pigeon".to_owned();
    let said = refused(unknown);
    assert!(said.starts_with("failed to use congestion control 'carrier-pigeon': "), "{said}");
    assert!(said.contains("allowed here: ") && said.contains("reno"), "{said}");
    for bad in ["reno", "/1KiB", "reno/1024B", "re no/1KiB", "reno/much"] {
        bad.parse::<BulkCell>().expect_err(bad);
    }
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same_cell(bytes: u64, control in "[a-z_]{1,12}") {
        let cell = BulkCell { control, block: ByteSize::new(bytes) };
        prop_assert_eq!(cell.to_string().parse(), Ok(cell));
    }
}
