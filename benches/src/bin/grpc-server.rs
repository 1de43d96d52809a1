//! The blob service as a program of its own.

use std::process::ExitCode;

use benches::grpc_server::{Flags, run};
use clap::Parser;

fn main() -> ExitCode {
    run(Flags::parse())
}
