//! What do reads of far objects cost through memory and disk, by whose cache, and which tier serves
//! them? Interleaved arms; reports, never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::tiers::main()
}
