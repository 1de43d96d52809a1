//! One look at `/proc`, some tens of files, and at the sockets.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use super::parse::{self, Account, Machine, Tcp};
use super::sockets::{self, Socket};
use crate::fixture::page_size;
use crate::record::watched::SELF;

/// More processes than a scenario starts.
const PROCESSES_MAX: usize = 32;
/// What there can be pressure on.
pub const RESOURCES: [&str; 3] = ["cpu", "io", "memory"];

/// What the kernel said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// This process first, then its children and theirs.
    pub processes: Vec<Process>,
    /// Nanoseconds on a processor of all threads of this process, those that have ended included.
    pub own_cpu_ns: u64,
    /// The machine.
    pub machine: Option<Machine>,
    /// TCP in the network namespace of this process.
    pub tcp: Option<Tcp>,
    /// Its sockets.
    pub sockets: Option<Vec<Socket>>,
    /// Nanoseconds for which somebody wanted for each of [`RESOURCES`].
    pub pressure_ns: [Option<u64>; 3],
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// [`SELF`], or what its first thread is called.
    pub name: String,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// Its threads.
    pub threads: Vec<Thread>,
}

/// A thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub id: u32,
    /// What it is called.
    pub name: String,
    /// What the scheduler says of it.
    pub account: Account,
}

impl Reading {
    /// Looks. What cannot be read is left out.
    pub fn take() -> Self {
        let (mut processes, mut waiting) = (Vec::new(), vec![std::process::id()]);
        while let Some(id) = waiting.pop()
            && processes.len() < PROCESSES_MAX
        {
            let (process, children) = process(id);
            processes.extend(process);
            waiting.extend(children);
        }
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let text = |path: &str| fs::read_to_string(path).ok();
        let snmp = text("/proc/self/net/snmp");
        let netstat = text("/proc/self/net/netstat").unwrap_or_default();
        Self {
            processes,
            own_cpu_ns: time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64,
            machine: text("/proc/stat").as_deref().and_then(parse::machine),
            tcp: snmp.and_then(|snmp| parse::tcp(&snmp, &netstat)),
            sockets: sockets::read(),
            pressure_ns: RESOURCES
                .map(|name| parse::pressure(&text(&format!("/proc/pressure/{name}"))?)),
        }
    }
}

/// A process, and the numbers of its children. One that has ended has neither.
fn process(id: u32) -> (Option<Process>, Vec<u32>) {
    let (folder, mut children) = (PathBuf::from(format!("/proc/{id}")), Vec::new());
    let Ok(tasks) = fs::read_dir(folder.join("task")) else { return (None, children) };
    let mut threads = Vec::new();
    for task in tasks.flatten() {
        let path = task.path();
        threads.extend(thread(&path));
        let started = fs::read_to_string(path.join("children")).unwrap_or_default();
        children.extend(started.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    let own = id == std::process::id();
    let first = threads.iter().find(|thread| thread.id == id);
    let name = match first {
        _ if own => SELF.to_owned(),
        Some(first) => first.name.clone(),
        None => return (None, children),
    };
    let statm = fs::read_to_string(folder.join("statm")).ok();
    let pages = statm.as_deref().and_then(parse::resident_pages);
    let rss_bytes = pages.map(|pages| pages * page_size() as u64);
    (Some(Process { id, name, rss_bytes, threads }), children)
}

fn thread(folder: &Path) -> Option<Thread> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let id = folder.file_name()?.to_str()?.parse().ok()?;
    let account = parse::account(&read("schedstat")?)?;
    Some(Thread { id, name: read("comm")?.trim_end().to_owned(), account })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_threads_are_found() {
        let reading = Reading::take();
        let own = reading.processes.first().expect("this process");
        assert_eq!((own.id, own.name.as_str()), (std::process::id(), SELF));
        assert!(own.rss_bytes.is_some_and(|bytes| bytes > 100_000), "{own:?}");
        assert!(!own.threads.is_empty() && reading.own_cpu_ns > 0);
        assert!(reading.machine.is_some_and(|machine| machine.busy_ns > 0));
    }

    #[test]
    fn a_process_that_is_not_there_is_none() {
        assert_eq!(process(u32::MAX), (None, vec![]));
    }
}
