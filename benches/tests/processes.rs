//! The matrix with its server in a process of its own, which is this program again: a whole run, small.

use std::env;
use std::process::{Command, ExitCode};

use bench_core::record::RunRecord;
use bench_core::scale::SCALE_VARIABLE;

fn main() -> ExitCode {
    bench_grpc::process::entry();
    // With flags of the matrix it is the matrix, and else the test of it.
    if env::args().any(|argument| argument == "--layout") {
        return benches::grpc_matrix::main();
    }
    judge(&matrix(&["--size", "64KiB"]));
    #[cfg(feature = "peers")]
    judge_peers();
    ExitCode::SUCCESS
}

/// What the matrix recorded that was asked for so.
fn matrix(flags: &[&str]) -> RunRecord {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("record.json");
    let status = Command::new(env::current_exe().expect("this program"))
        .args(["--layout", "processes", "--profile", "default", "--output"])
        .arg(&output)
        .args(flags)
        .env(SCALE_VARIABLE, "smoke")
        .status();
    assert!(status.expect("it starts").success(), "the matrix failed: {flags:?}");
    RunRecord::read(&output).expect("a record")
}

/// Each operation was measured between two processes, beside a socket of the same layout.
fn judge(record: &RunRecord) {
    let rows = || record.rows.iter().filter(|row| row.dimensions.contains_key("layout"));
    assert!(rows().all(|row| row.ok && row.dimensions["layout"] == "processes"), "{record:?}");
    for metric in ["wall_time", "ceiling_time", "cpu_time", "page_faults"] {
        let found = rows().filter(|row| row.metric.name() == metric);
        let mut ids: Vec<&str> = found.map(|row| row.id.as_str()).collect();
        ids.sort_unstable();
        let asked =
            ["read", "stream", "write"].map(|what| format!("grpc/matrix/{what}/default/64KiB"));
        assert_eq!(ids, asked, "{metric}");
    }
}

/// Small calls, several at a time, are measured beside both of grpcio's ends, or it is said that there
/// is no grpcio.
#[cfg(feature = "peers")]
fn judge_peers() {
    use std::io::Write as _;

    if let Err(why) = benches::grpcio::python() {
        let _unread = writeln!(std::io::stderr(), "NOT TESTED, grpcio: {why}");
        return;
    }
    let flags = ["--peers", "--only", "read", "--size", "1KiB", "--concurrency", "4"];
    let record = matrix(&flags);
    let times = record.rows.iter().filter(|row| row.metric.name() == "wall_time" && row.ok);
    let mut ids: Vec<&str> = times.map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    let asked = ["bytes", "grpcio-server", "grpcio", "segments", "tonic"]
        .map(|arm| format!("grpc/peers/read/{arm}/1KiB"));
    assert_eq!(ids, asked);
}
