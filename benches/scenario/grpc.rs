//! How much goes through gRPC from end to end, by profile, operation and size? Reports; never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Servers in processes of their own are this program.
    bench_grpc::process::entry();
    benches::grpc_matrix::main()
}
