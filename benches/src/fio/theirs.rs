//! fio itself: whether it is here, one turn of it on a file of ours, and what it says of that.

use std::process::Command;

use bench_core::fixture::cpus::available;
use bench_core::workload::Failure;
use serde_json::Value;

use super::options::Options;
use super::peer::{Done, Turn};
use super::run::dimensions;
use super::site::Site;

/// What both are told in the same words.
const SAME: [&str; 10] = [
    "rw",
    "bs",
    "iodepth",
    "size",
    "ioengine",
    "direct",
    "loops",
    "fsync",
    "fdatasync",
    "end_fsync",
];

/// The version of the fio that is installed here, if one is.
pub fn installed() -> Option<String> {
    let said = Command::new("fio").arg("--version").output().ok()?;
    let version = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    (said.status.success() && !version.is_empty()).then_some(version)
}

/// Does the job of the cell once, from a state that is brought about and asserted as for ours.
///
/// # Errors
/// A state that is not reached or was lost; what fio failed with; JSON that says of nothing.
pub fn theirs(
    site: &mut Site,
    cell: &Options,
    version: &str,
    more: &[&str],
) -> Result<Done, Failure> {
    let path = site.path(std::slice::from_ref(cell), cell, 0)?;
    let mut fio = Command::new("fio");
    // What we have done already, it needs not do inside its time; and neither of us tells the kernel
    // in which order it will read.
    fio.args(["--name=peer", "--output-format=json", "--invalidate=0", "--norandommap=1"]);
    fio.arg("--fadvise_hint=0");
    fio.arg(format!("--filename={}", path.display()));
    fio.arg(format!("--cpus_allowed={}", available()?[0]));
    let options = cell.pairs();
    for (key, value) in options.iter().filter(|(key, _)| SAME.contains(key)) {
        fio.arg(format!("--{key}={value}"));
    }
    fio.args(more);
    site.reach()?;
    site.held_before()?;
    let said = fio.output().map_err(|error| format!("failed to start it: {error}"))?;
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr);
        return Err(format!("it ended with {}: {}", said.status, why.trim()).into());
    }
    site.held()?;
    let mut backend = format!("{version} {}", cell.engine);
    for part in more {
        backend += " ";
        backend += part.trim_start_matches("--").trim_end_matches("=1");
    }
    if cell.direct {
        backend += " O_DIRECT";
    }
    let turn = turn_of(&String::from_utf8(said.stdout)?)?;
    Ok(Done { turn, dimensions: dimensions(cell, site, &path, true, backend) })
}

/// What fio's JSON says of its one job.
pub(super) fn turn_of(text: &str) -> Result<Turn, Failure> {
    let start = text.find('{').ok_or("it printed no JSON")?;
    let file: Value = serde_json::from_str(&text[start..])?;
    let job = &file["jobs"][0];
    let number = |value: &Value, name: &str| {
        value[name].as_f64().ok_or_else(|| Failure::from(format!("its JSON has no {name}")))
    };
    let (read, write) = (&job["read"], &job["write"]);
    let sum = |name: &str| Ok::<_, Failure>(number(read, name)? + number(write, name)?);
    let runtime_ms = number(read, "runtime")?.max(number(write, "runtime")?);
    let busy = (number(job, "usr_cpu")? + number(job, "sys_cpu")?) / 100.0;
    let turn = Turn {
        bytes: sum("io_bytes")? as u64,
        operations: sum("total_ios")? as u64,
        wall_ns: runtime_ms * 1e6,
        cpu_ns: busy * number(job, "job_runtime")? * 1e6,
    };
    if turn.bytes == 0 || turn.wall_ns <= 0.0 {
        return Err("its JSON says that it did nothing".into());
    }
    Ok(turn)
}
