//! How does an echo service fare before, under and after one fault after another, each of which is
//! shown to have happened? Reports; never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::under_faults::main()
}
