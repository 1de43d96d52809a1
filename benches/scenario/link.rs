//! Is a link what it was asked to be: round trip, rate, goodput, loss, each asked, used and measured?
//! Reports, never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::link_table::main()
}
