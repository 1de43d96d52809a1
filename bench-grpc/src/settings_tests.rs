//! Proves that a profile reaches the wire at both ends: raw peers read the SETTINGS and
//! WINDOW_UPDATE frames with which each end opens its connection.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use tokio::sync::oneshot;

use crate::link::{CLIENT_WINDOW, SERVER_WINDOW};
use crate::profile::{CONNECTION_WINDOW_BYTES_MIN, TransportProfile};
use crate::transport::dial::{Dial, dial};
use crate::transport::thread;
use crate::{DataPath, Layout, Loopback, LoopbackConfig, Target, Wire};

// RFC 9113: the preface, and the numbers of frames and settings.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: [u8; 9] = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;

/// What an end announced.
#[derive(Debug, PartialEq, Eq)]
struct Announced {
    stream_window: Option<u32>,
    connection_window: u32,
    max_concurrent_streams: Option<u32>,
    max_frame_size: Option<u32>,
}

/// Reads frames until the peer has sent its SETTINGS and has grown its connection window.
fn read_announced(socket: &mut impl Read) -> io::Result<Announced> {
    let mut settings: Option<BTreeMap<u16, u32>> = None;
    let mut grown = None;
    while settings.is_none() || grown.is_none() {
        let mut header = [0; 9];
        socket.read_exact(&mut header)?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length as usize];
        socket.read_exact(&mut payload)?;
        let stream = &header[5..];
        match (header[3], header[4] & ACK) {
            (SETTINGS, 0) => settings = Some(parse_settings(&payload)),
            (WINDOW_UPDATE, _) if stream == [0; 4] => {
                grown = Some(payload.try_into().map(u32::from_be_bytes).expect("four bytes"));
            }
            _ => {}
        }
    }
    let settings = settings.expect("read");
    Ok(Announced {
        stream_window: settings.get(&INITIAL_WINDOW_SIZE).copied(),
        connection_window: CONNECTION_WINDOW_BYTES_MIN + grown.expect("read"),
        max_concurrent_streams: settings.get(&MAX_CONCURRENT_STREAMS).copied(),
        max_frame_size: settings.get(&MAX_FRAME_SIZE).copied(),
    })
}

fn parse_settings(payload: &[u8]) -> BTreeMap<u16, u32> {
    let pairs = payload.as_chunks::<6>().0.iter();
    pairs
        .map(|&[a, b, c, d, e, f]| (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])))
        .collect()
}

fn announced_by_server(profile: TransportProfile) -> Announced {
    let loopback = Loopback::start(LoopbackConfig {
        profile,
        layout: Layout::TwoThreads,
        pinned: false,
        wire: Wire::Tcp,
        path: DataPath::ProstBytes,
        payload: Payload::seeded(7, ByteSize::kib(1)),
        chunk: ByteSize::kib(1),
        socket_buffer: None,
    })
    .expect("start");
    let mut socket = TcpStream::connect(loopback.address().tcp().expect("TCP")).expect("connect");
    socket.write_all(PREFACE).expect("preface");
    socket.write_all(&EMPTY_SETTINGS).expect("settings");
    read_announced(&mut socket).expect("frames of the server")
}

fn announced_by_client(profile: TransportProfile) -> Announced {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = listener.local_addr().expect("address");
    let (tell, told) = oneshot::channel();
    let peer = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("accept");
        let mut preface = [0; PREFACE.len()];
        socket.read_exact(&mut preface).expect("preface");
        assert_eq!(&preface, PREFACE);
        socket.write_all(&EMPTY_SETTINGS).expect("settings");
        tell.send(read_announced(&mut socket)).expect("the client waits");
        // Kept open: a closed connection would be news of its own.
        socket
    });
    let runtime = thread::runtime(0, "").expect("runtime");
    let target = Target::Tcp(address);
    let line = Dial { target: &target, profile: &profile, buffer: None, within: Duration::MAX };
    let announced = runtime.block_on(async {
        tokio::select! {
            _ = dial(&line) => panic!("the peer answers no call"),
            announced = told => announced.expect("the peer tells"),
        }
    });
    drop(peer.join().expect("peer"));
    announced.expect("frames of the client")
}

#[test]
fn both_ends_announce_the_profile() {
    let profiles = [
        TransportProfile::DEFAULT,
        TransportProfile::CONSERVATIVE,
        TransportProfile::AGGRESSIVE,
        TransportProfile::BULK,
        TransportProfile::LOCAL,
        TransportProfile { max_frame_size: Some((1 << 24) - 1), ..TransportProfile::AGGRESSIVE },
    ];
    for profile in profiles {
        let server = announced_by_server(profile);
        let expected = Announced {
            stream_window: profile.stream_window,
            connection_window: profile.connection_window.expect("set"),
            max_concurrent_streams: profile.max_concurrent_streams,
            max_frame_size: profile.max_frame_size.or(Some(16 << 10)),
        };
        assert_eq!(server, expected, "server, {profile}");
        // A client cannot limit the streams that it opens itself.
        let expected = Announced { max_concurrent_streams: None, ..expected };
        assert_eq!(announced_by_client(profile), expected, "client, {profile}");
    }
}

#[test]
fn without_a_profile_the_windows_are_not_64_kib() {
    let client = announced_by_client(TransportProfile::TONIC);
    assert_eq!((client.stream_window, client.connection_window), (Some(2 << 20), 5 << 20));
    assert_eq!(client.stream_window.map(u64::from), Some(CLIENT_WINDOW.bytes()));
    let server = announced_by_server(TransportProfile::TONIC);
    assert_eq!((server.stream_window, server.connection_window), (Some(1 << 20), 1 << 20));
    assert_eq!(server.stream_window.map(u64::from), Some(SERVER_WINDOW.bytes()));
}
