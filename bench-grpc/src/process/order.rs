//! What parent and child write to each other: what to serve, and what the child's socket is like.
//! One line of JSON each. The two are of the same build, so there is no version in it.

use std::net::SocketAddr;
use std::path::PathBuf;

use bench_core::fixture::{Payload, PayloadKind};
use bench_core::units::ByteSize;
use serde::{Deserialize, Serialize};

use crate::profile::TransportProfile;
use crate::serve::ServerConfig;
use crate::transport::SocketFacts;
use crate::wire::Bind;

/// [`ServerConfig`] in types that JSON has.
#[derive(Serialize, Deserialize)]
struct Order {
    profile: String,
    stream_window: Option<u32>,
    connection_window: Option<u32>,
    max_concurrent_streams: Option<u32>,
    max_frame_size: Option<u32>,
    adaptive_window: bool,
    nodelay: bool,
    address: Address,
    path: String,
    seed: u64,
    size_bytes: u64,
    kind: Kind,
    workers: usize,
    cpu: Option<usize>,
    socket_buffer_bytes: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Kind {
    Incompressible,
    Compressible,
    Zero,
}

/// [`SocketFacts`] in the same way.
#[derive(Serialize, Deserialize)]
struct Facts {
    nodelay: bool,
    congestion_control: Option<String>,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
}

/// An order as a line.
pub(super) fn write(config: &ServerConfig) -> Result<String, String> {
    let ServerConfig { profile, address, path, payload, workers, cpu, socket_buffer } = config;
    let order = Order {
        profile: profile.name.to_owned(),
        stream_window: profile.stream_window,
        connection_window: profile.connection_window,
        max_concurrent_streams: profile.max_concurrent_streams,
        max_frame_size: profile.max_frame_size,
        adaptive_window: profile.adaptive_window,
        nodelay: profile.nodelay,
        address: match address {
            Bind::Tcp(address) => Address::Tcp(*address),
            Bind::Unix(path) => Address::Unix(path.clone()),
        },
        path: path.to_string(),
        seed: payload.seed,
        size_bytes: payload.size.bytes(),
        kind: match payload.kind {
            PayloadKind::Incompressible => Kind::Incompressible,
            PayloadKind::Compressible => Kind::Compressible,
            PayloadKind::Zero => Kind::Zero,
        },
        workers: *workers,
        cpu: *cpu,
        socket_buffer_bytes: socket_buffer.map(ByteSize::bytes),
    };
    // A socket file whose name is no text cannot be written down.
    serde_json::to_string(&order).map_err(|error| error.to_string())
}

/// What a line orders.
pub(super) fn read(line: &str) -> Result<ServerConfig, String> {
    let order: Order =
        serde_json::from_str(line).map_err(|error| format!("the order cannot be read: {error}"))?;
    // The name is for messages only, and names of profiles outlive the program.
    let known = TransportProfile::ALL.into_iter().find(|known| known.name == order.profile);
    Ok(ServerConfig {
        profile: TransportProfile {
            name: known.map_or("custom", |known| known.name),
            stream_window: order.stream_window,
            connection_window: order.connection_window,
            max_concurrent_streams: order.max_concurrent_streams,
            max_frame_size: order.max_frame_size,
            adaptive_window: order.adaptive_window,
            nodelay: order.nodelay,
        },
        address: match order.address {
            Address::Tcp(address) => Bind::Tcp(address),
            Address::Unix(path) => Bind::Unix(path),
        },
        path: order.path.parse().map_err(|error| format!("{error}"))?,
        payload: Payload {
            seed: order.seed,
            size: ByteSize::new(order.size_bytes),
            kind: match order.kind {
                Kind::Incompressible => PayloadKind::Incompressible,
                Kind::Compressible => PayloadKind::Compressible,
                Kind::Zero => PayloadKind::Zero,
            },
        },
        workers: order.workers,
        cpu: order.cpu,
        socket_buffer: order.socket_buffer_bytes.map(ByteSize::new),
    })
}

/// What a socket is like, as an answer.
pub(super) fn write_facts(facts: Option<&SocketFacts>) -> String {
    let facts = facts.cloned().map(|facts| Facts {
        nodelay: facts.nodelay,
        congestion_control: facts.congestion_control,
        send_buffer_bytes: facts.send_buffer_bytes,
        receive_buffer_bytes: facts.receive_buffer_bytes,
    });
    serde_json::to_string(&facts)
        .map_or_else(|error| format!("error {error}"), |facts| format!("ok {facts}"))
}

/// What an answer says about a socket; `None` when there was none yet.
pub(super) fn read_facts(answer: &str) -> Result<Option<SocketFacts>, String> {
    let facts: Option<Facts> = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    Ok(facts.map(|facts| SocketFacts {
        nodelay: facts.nodelay,
        congestion_control: facts.congestion_control,
        send_buffer_bytes: facts.send_buffer_bytes,
        receive_buffer_bytes: facts.receive_buffer_bytes,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::path::DataPath;

    proptest! {
        #[test]
        fn an_order_is_read_as_it_was_written(
            windows in (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u32>())),
            frame in option::of(any::<u32>()),
            (adaptive_window, nodelay) in any::<(bool, bool)>(),
            (profile, path, kind) in
                (0..TransportProfile::ALL.len(), 0..DataPath::ALL.len(), 0_usize..3),
            (seed, size, workers) in any::<(u64, u64, usize)>(),
            (cpu, buffer) in (option::of(any::<usize>()), option::of(any::<u64>())),
            unix in option::of("/[a-z \"\\\\\n]{0,20}"),
        ) {
            let kinds = [PayloadKind::Incompressible, PayloadKind::Compressible, PayloadKind::Zero];
            let config = ServerConfig {
                profile: TransportProfile {
                    stream_window: windows.0,
                    connection_window: windows.1,
                    max_concurrent_streams: windows.2,
                    max_frame_size: frame,
                    adaptive_window,
                    nodelay,
                    ..TransportProfile::ALL[profile]
                },
                address: match unix {
                    Some(path) => Bind::Unix(path.into()),
                    None => Bind::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))),
                },
                path: DataPath::ALL[path % DataPath::ALL.len()],
                payload: Payload { seed, size: ByteSize::new(size), kind: kinds[kind] },
                workers,
                cpu,
                socket_buffer: buffer.map(ByteSize::new),
            };
            let line = write(&config).expect("text");
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(read(&line), Ok(config));
        }

        #[test]
        fn no_line_makes_the_reader_panic(line in ".*") {
            prop_assert!(read(&line).is_err());
        }
    }

    #[test]
    fn facts_are_read_as_they_were_written() {
        let facts = SocketFacts {
            nodelay: true,
            congestion_control: Some("cubic".to_owned()),
            send_buffer_bytes: Some(1 << 20),
            receive_buffer_bytes: None,
        };
        for facts in [Some(facts), None] {
            let answer = write_facts(facts.as_ref());
            let answer = answer.strip_prefix("ok ").expect("an answer");
            assert_eq!(read_facts(answer), Ok(facts));
        }
    }
}
