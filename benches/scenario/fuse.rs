//! How many requests does the kernel send a FUSE server, by kind, and how many of them does each way of
//! caching save? Arms in turns; reports, never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::fuse_requests::main()
}
