//! What gungraun leaves in the folder of one bench: the summary with the counts, and the profiles of
//! the tools that it ran.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use gungraun_summary::util::{SummaryByVersion, parse};
use serde_json::Value;

use super::count::Metrics;
use super::dhat;
use crate::exit::{Exit, failure};
use crate::gate::callgrind::of_operation;

/// What one run left in its folder.
#[derive(Debug)]
pub(super) struct Output {
    /// In the order of the metrics asked for.
    pub(super) values: Vec<u64>,
    pub(super) callgrind: Vec<PathBuf>,
    pub(super) dhat: Vec<PathBuf>,
}

/// The counts, and the profiles of both tools.
///
/// # Errors
/// When the run left no result, or not what was asked for.
pub(super) fn read_output(folder: &Path, metrics: Metrics) -> anyhow::Result<Output> {
    let path = folder.join("summary.json");
    if !path.exists() {
        let sentence = "the bench ended without a result, as if it had not run";
        return Err(failure(Exit::NotMeasured, sentence));
    }
    let profiles = match parse(&path).map_err(|error| anyhow::anyhow!("{error}"))? {
        SummaryByVersion::V7(summary) => serde_json::to_value(summary.profiles)?,
        other => anyhow::bail!("gungraun wrote a summary that is not read here: {other:?}"),
    };
    let of_callgrind = |event: &str, name: &str| {
        total(&profiles, event).with_context(|| format!("the summary holds no {name}"))
    };
    let instructions = of_callgrind("Ir", "instructions")?;
    anyhow::ensure!(instructions > 0, "not one instruction was counted: the operation is empty");
    let mut output = Output { values: vec![instructions], callgrind: Vec::new(), dhat: Vec::new() };
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.strip_suffix(".out") {
            Some(name) if name.starts_with("callgrind.") => output.callgrind.push(path),
            Some(name) if name.starts_with("dhat.") => output.dhat.push(path),
            _ => {}
        }
    }
    output.callgrind.sort();
    output.dhat.sort();
    if metrics.allocations {
        let heap = dhat::read(&output.dhat)?;
        output.values.extend([heap.blocks(), heap.bytes()]);
    }
    if metrics.syscalls {
        output.values.push(syscalls(&output.callgrind)?);
    }
    Ok(output)
}

/// System calls of the operation, over the files of all its processes.
fn syscalls(files: &[PathBuf]) -> anyhow::Result<u64> {
    let mut sum = None;
    for path in files {
        let text = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let calls = of_operation(&String::from_utf8_lossy(&text), "sysCount")
            .with_context(|| format!("failed to understand {}", path.display()))?;
        sum = sum.into_iter().chain(calls).reduce(|sum, calls| sum + calls);
    }
    sum.context("callgrind's output holds no system calls of the operation")
}

fn total(profiles: &Value, event: &str) -> Option<u64> {
    let callgrind = profiles.as_array()?.iter().find(|profile| profile["tool"] == "Callgrind")?;
    callgrind["data"]["total"]["metrics"][event]["values"]["new"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_those_of_callgrinds_total() {
        let profiles = serde_json::json!([
            {"tool": "DHAT", "data": {}},
            {"tool": "Callgrind", "data": {"total": {"metrics": {"Ir": {"values": {"new": 42}}}}}},
        ]);
        assert_eq!(total(&profiles, "Ir"), Some(42));
        assert_eq!(total(&profiles, "EstimatedCycles"), None);
        assert_eq!(total(&Value::Null, "Ir"), None);
    }

    #[test]
    fn system_calls_of_set_up_are_not_the_operations() {
        let folder = tempfile::tempdir().expect("folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("write");
            path
        };
        let counted = write(
            "callgrind.a.out",
            "events: Ir sysCount\nsummary: 70 6\nfn=t::run\n9 0 5\n\
             cfn=t::__gungraun_wrapper_mod::op\ncalls=1 1\n9 70 1\n",
        );
        let child = write("callgrind.b.out", "events: Ir sysCount\nfn=t::run\n9 0 5\n");
        assert_eq!(syscalls(&[counted, child.clone()]).expect("one call"), 1);
        let error = syscalls(&[child]).expect_err("no operation").to_string();
        assert!(error.contains("no system calls of the operation"), "{error}");
    }

    #[test]
    fn a_run_that_left_nothing_has_not_run() {
        let folder = tempfile::tempdir().expect("folder");
        let error = read_output(folder.path(), Metrics::INSTRUCTIONS).expect_err("nothing");
        assert!(error.to_string().contains("as if it had not run"), "{error}");
    }
}
