//! Every fault is caught, in every operation, on every data path.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use tokio::runtime::Runtime;
use tonic::Code;

use super::*;
use crate::transport::thread;
use crate::{
    Bind, Client, ConnectConfig, Connections, DataPath, Delivery, Layout, Loopback, LoopbackConfig,
    Operation, Sink, TransportProfile, Wire,
};

const CHUNKS: u64 = 5;

fn config(path: DataPath, chunks: u64) -> LoopbackConfig {
    LoopbackConfig {
        profile: TransportProfile::DEFAULT,
        layout: Layout::OneThread,
        pinned: false,
        wire: Wire::Tcp,
        path,
        payload: Payload::seeded(7, ByteSize::new(900 * chunks)),
        chunk: ByteSize::new(900),
        socket_buffer: None,
    }
}

fn with_fault(path: DataPath, chunks: u64, fault: Fault) -> Loopback {
    let config = config(path, chunks);
    let (content, stored) = (config.payload.to_bytes(), Stored::default());
    let limit = limits::message_limit(config.payload.size);
    let service = service(fault, content.clone(), stored.clone(), limit);
    Loopback::connect(config, content, service, stored).expect("the fault is in the calls")
}

/// The whole way that a call goes in a benchmark. Nothing that should end takes so long.
fn call(loopback: &Loopback, operation: Operation, limit: Duration) -> Result<(), Error> {
    let client: Client = loopback.client().with_time_limit(limit);
    let delivery: Delivery = loopback.block_on(client.call(operation))?;
    loopback.delivered(delivery).verify(&loopback.config().payload)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn every_fault_is_caught_in_every_operation_on_every_data_path() {
    for path in DataPath::ALL {
        for fault in Fault::ALL {
            let loopback = with_fault(path, CHUNKS, fault);
            for operation in Operation::ALL {
                let what = format!("{fault} in {operation} on {path}");
                if (fault, operation) == (Fault::Merged, Operation::Read) {
                    call(&loopback, operation, LONG).expect(&what);
                    continue;
                }
                let limit = if fault == Fault::Stall { Duration::from_millis(50) } else { LONG };
                let error = call(&loopback, operation, limit).expect_err(&what);
                let caught = match fault {
                    Fault::FlippedByte | Fault::WrongOrder => {
                        matches!(error, Error::Content { .. })
                    }
                    Fault::ShortStream => {
                        matches!(error, Error::Length { expected: 4500, found: 4499, .. })
                    }
                    Fault::Merged => {
                        matches!(error, Error::Messages { expected: CHUNKS, found: 1, .. })
                    }
                    Fault::MissingTrailers => {
                        error.to_string().contains("missing grpc-status trailer")
                    }
                    Fault::WrongStatus => {
                        error.to_string()
                            == format!("{operation} ended with status DataLoss: a disk lost it")
                    }
                    Fault::Stall => {
                        error.to_string()
                            == format!("{operation} had not ended after 50ms and was given up")
                    }
                };
                assert!(caught, "{what}: {error}");
            }
        }
    }
}

#[test]
fn a_fixture_does_not_start_with_a_server_that_goes_wrong_or_stalls() {
    for path in DataPath::ALL {
        let flipped = with_fault(path, CHUNKS, Fault::FlippedByte).verified(LONG);
        let error = flipped.expect_err("another byte").to_string();
        assert!(error.contains("wrong content at offset 4499"), "{error}");
        let stalled = with_fault(path, CHUNKS, Fault::Stall).verified(Duration::from_millis(50));
        let error = stalled.expect_err("it stalls").to_string();
        assert_eq!(error, "write had not ended after 50ms and was given up");
    }
}

#[test]
fn content_is_damaged_where_there_is_one_chunk_too() {
    for fault in [Fault::FlippedByte, Fault::WrongOrder] {
        let loopback = with_fault(DataPath::ProstBytes, 1, fault);
        for operation in Operation::ALL {
            let error = call(&loopback, operation, LONG).expect_err("a fault");
            assert!(matches!(error, Error::Content { .. }), "{fault} in {operation}: {error}");
        }
    }
}

/// A faulty server on a thread of its own, and a client of it.
fn elsewhere(path: DataPath, fault: Fault) -> (Server, Runtime, Client) {
    let LoopbackConfig { profile, path, payload, chunk, .. } = config(path, CHUNKS);
    let server = ServerConfig {
        profile,
        address: Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        path,
        payload,
        workers: 1,
        cpu: None,
        socket_buffer: None,
    };
    let server = start(&server, fault).expect("start");
    let open = ConnectConfig {
        target: server.address().clone(),
        profile,
        path,
        payload,
        chunk,
        connections: 1,
        socket_buffer: None,
        retry: LONG,
    };
    let runtime = thread::runtime(0, "").expect("runtime");
    let client = runtime.block_on(Connections::open(open)).expect("open").client(0);
    (server, runtime, client)
}

#[test]
fn a_comparing_sink_catches_damage_at_either_end() {
    for fault in [Fault::FlippedByte, Fault::WrongOrder] {
        let (_server, runtime, client) = elsewhere(DataPath::Segments, fault);
        let client = client.with_sink(Sink::Verify);
        for operation in Operation::ALL {
            match runtime.block_on(client.call(operation)).expect_err("a fault") {
                Error::Content { .. } => assert_ne!(operation, Operation::Write),
                Error::Status { status, .. } => {
                    assert_eq!((operation, status.code()), (Operation::Write, Code::DataLoss));
                }
                other => panic!("{fault} in {operation}: {other}"),
            }
        }
    }
}

#[test]
fn a_call_fails_when_its_server_ends() {
    for path in DataPath::ALL {
        for operation in Operation::ALL {
            let (mut server, runtime, client) = elsewhere(path, Fault::Stall);
            let call = client.call(operation);
            let end = async {
                // The call begins meanwhile; it cannot end, because the server stalls.
                tokio::time::sleep(Duration::from_millis(20)).await;
                server.stop();
            };
            let (outcome, ()) = runtime.block_on(async { tokio::join!(call, end) });
            let error = outcome.expect_err("the server is gone").to_string();
            assert!(error.starts_with(&format!("{operation} ended with status")), "{error}");
        }
    }
}
