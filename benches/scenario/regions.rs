//! What does it cost to keep one register in three regions, and what becomes of it when links between
//! them are cut: by majority quorum and by primary and backups? Reports; never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::regions::main()
}
