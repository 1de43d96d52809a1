//! How fast are files read and written, job by job, as fio would; and what is a pooled buffer worth in
//! it? With fio's flags, by its job files, or against it. Reports; never gates.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::fio::main()
}
