//! How many user-space instructions does a gRPC call cost, client and server together, on one
//! current-thread runtime? Gates.

use bench_grpc::workloads::{Read, Stream, Write};

benches::counts! {
    grpc:
        write = Write [
            default__1KiB default__4KiB default__16KiB default__64KiB default__256KiB default__1MiB
            default__segments__1KiB default__segments__16KiB default__segments__64KiB
            default__segments__1MiB
        ];
        read = Read [
            default__1KiB default__4KiB default__16KiB default__64KiB default__256KiB default__1MiB
            default__segments__1KiB default__segments__16KiB default__segments__64KiB
            default__segments__1MiB
        ];
        stream = Stream [
            default__1KiB default__4KiB default__16KiB default__64KiB default__256KiB default__1MiB
            default__segments__1KiB default__segments__16KiB default__segments__64KiB
            default__segments__1MiB
        ];
}
