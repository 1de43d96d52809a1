//! Does simulated TCP take as long as the kernel's, over the same links? Reports; never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::agreement::main()
}
