//! Whether the kernel's own links are made, and what is said where it has none.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::*;

#[test]
fn what_the_kernel_does_not_know_is_told_as_such_and_all_else_as_it_came() {
    let io = |kind: ErrorKind| Error::io("put netem up")(std::io::Error::from(kind));
    let text = unavailable(&io(ErrorKind::NotFound)).to_string();
    assert!(text.starts_with("the kernel netem is not available here: this kernel has no netem;"));
    assert!(text.contains("modprobe sch_netem"), "{text}");
    let text = unavailable(&io(ErrorKind::PermissionDenied)).to_string();
    assert!(text.contains("failed to put netem up: permission denied"), "{text}");
}

/// Whether there is a link is no other than whether there can be one.
#[test]
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn netem_is_there_or_says_why_not() {
    match NetemLink::available() {
        Ok(()) => {
            drop(NetemLink::start(&LinkProfile::round_trip(Duration::ZERO), 1).expect("there"))
        }
        Err(Error::Unavailable { reason, .. }) => eprintln!("skipped: {reason}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn a_token_bucket_holds_its_rate() {
    let link = match VethLink::tbf(20_000_000, 60_000) {
        Ok(link) => link,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let [mut client, mut server] = link.ends.pair().expect("connect");
    let (sent, mut received) = (vec![1; 500_000], vec![0; 500_000]);
    let start = Instant::now();
    let sending = std::thread::spawn(move || client.write_all(&sent).map(|()| client));
    server.read_exact(&mut received).expect("receive");
    // But for the 16 KiB that the bucket may hold, at 2.5 bytes a microsecond.
    assert!(start.elapsed() >= Duration::from_millis(193), "{:?}", start.elapsed());
    drop(sending.join().expect("sender").expect("send"));
}

/// What netem is put before; without netem it is all of it that can be seen here.
#[test]
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn a_pair_that_sends_segments_one_by_one_carries_connections() {
    let plan = Bulk { warm_up: Duration::ZERO, duration: Duration::from_millis(20) };
    match veth::ends(Segments::Single) {
        Ok(ends) => {
            let found = ends.goodput(Way::Down, "reno", plan).expect("goodput");
            assert!(found.bytes > 0, "{found:?}");
        }
        Err(error) => eprintln!("skipped: {error}"),
    }
}
