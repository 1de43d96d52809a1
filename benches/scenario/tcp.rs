//! How many connections go in a second, plain and under TLS, and how much through one of them? Other
//! people's programs against the same server where they are asked for. Reports; never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::tcp::main()
}
