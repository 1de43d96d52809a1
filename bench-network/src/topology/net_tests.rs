//! Whether the links of a topology are those of its matrix and do what events say, on each backend that
//! the machine has. Bounds in time are lower bounds only.

use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use super::*;
use crate::link::named;
use crate::topology::file;

const MS: Duration = Duration::from_millis(1);
const TEXT: &str = "region eu\nregion us\nregion asia\nrtt eu us 20ms\ndelay eu asia 30ms\n\
                    delay asia eu 10ms\nrtt us asia 4ms\n";

fn net(kind: Kind) -> Option<Net> {
    let (topology, script) = file::parse("t", TEXT).expect("sound");
    match Net::start(Choice::Exact(kind), &topology, &script, 42) {
        Ok(net) => Some(net),
        Err(Error::Unavailable { .. }) if kind != Kind::Proxy => None,
        Err(error) => panic!("{kind}: {error}"),
    }
}

fn event(a: Region, b: Region, change: Change) -> Event {
    Event { at: Duration::ZERO, a, b, change }
}

fn one_way(from: &mut TcpStream, to: &mut TcpStream) -> Duration {
    let start = Instant::now();
    from.write_all(b"?").expect("send");
    to.read_exact(&mut [0]).expect("receive");
    start.elapsed()
}

fn silent(end: &mut TcpStream) -> bool {
    end.set_nonblocking(true).expect("non-blocking");
    let nothing = end.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    end.set_nonblocking(false).expect("blocking");
    nothing
}

fn conforms(kind: Kind) {
    let Some(mut net) = net(kind) else { return };
    match net.calibrate() {
        Ok(words) => assert!(words.starts_with("eu-us 20"), "{words}"),
        // On a busy machine that is the right answer.
        Err(error @ Error::OutOfTolerance { .. }) => {
            assert!(error.to_string().contains("was asked for"), "{error}");
        }
        Err(Error::Spoiled { .. }) if kind != Kind::Proxy => (),
        Err(error) => panic!("{error}"),
    }
    // From either end, by the delay of the way.
    let [mut asia, mut eu] = net.connect(2, 0).expect("connect");
    assert!(one_way(&mut eu, &mut asia) >= 30 * MS, "{kind}");
    assert!(one_way(&mut asia, &mut eu) >= 10 * MS, "{kind}");

    let [mut us, mut eu] = net.connect(1, 0).expect("connect");
    one_way(&mut us, &mut eu);
    net.apply(&event(1, 0, Change::Partition(Ways::There))).expect("cut");
    us.write_all(b"?").expect("into the socket");
    // The other way is whole, and takes longer than the cut one would.
    for _ in 0..3 {
        one_way(&mut eu, &mut us);
    }
    assert!(silent(&mut eu), "{kind}: nothing passes a cut");
    let [mut a, mut b] = net.connect(0, 2).expect("another link is whole");
    one_way(&mut a, &mut b);
    net.apply(&event(0, 1, Change::Heal)).expect("heal");
    eu.read_exact(&mut [0]).expect("it comes now");

    let link = LinkProfile::round_trip(100 * MS);
    net.apply(&event(1, 0, Change::Set(Box::new(link)))).expect("set");
    assert!(one_way(&mut us, &mut eu) >= 50 * MS, "{kind}");
    assert_eq!(net.topology().way(0, 1).delay, 50 * MS);
    let text = format!("{:?}", net.dimensions());
    assert!(text.contains(kind.title()) && text.contains("eu-us rtt_100ms"), "{text}");
    net.spoiled().expect("it can tell");
}

#[test]
fn links_of_the_proxy_do_what_events_say() {
    conforms(Kind::Proxy);
}

#[test]
fn links_of_the_tun_emulator_do_what_events_say() {
    conforms(Kind::Tun);
}

#[test]
fn links_of_the_packet_emulator_do_what_events_say() {
    conforms(Kind::Packet);
}

#[test]
fn a_link_that_only_the_script_makes_is_refused_before_anything_starts() {
    let (topology, script) =
        file::parse("t", &format!("{TEXT}at 1s set eu us wifi\n")).expect("sound");
    let start = |choice| Net::start(choice, &topology, &script, 42).map(drop);
    let error = start(Choice::Exact(Kind::Proxy)).expect_err("it loses").to_string();
    assert!(error.contains("cannot do the loss of link 'wifi'"), "{error}");
    let error = start(Choice::Exact(Kind::Simulation)).expect_err("no bytes").to_string();
    assert!(error.contains("write auto, exact:tun, exact:packet or exact:proxy"), "{error}");
    match TunLink::available().or_else(|_| PacketLink::available()) {
        Ok(()) => start(Choice::Auto).expect("packets may be lost"),
        Err(_) => {
            let error = start(Choice::Auto).expect_err("neither").to_string();
            assert!(error.starts_with("no backend can carry this link here"), "{error}");
        }
    }
}

#[test]
fn a_name_tells_links_apart() {
    let (mut topology, _) = file::parse("t", TEXT).expect("sound");
    topology.set(0, 1, named::find("lte").expect("known")).expect("sound");
    let text = describe(&topology);
    assert!(text.starts_with("eu-us lte, eu-asia "), "{text}");
    assert_eq!(round_trip_max(&topology), 70 * MS);
}
