//! What rows of a resource watch are called: who measures writes these names, and who judges reads
//! them.
//!
//! Such a row is no number of a benchmark: its id begins with [`FAMILY`] and its dimension
//! [`WATCHED`] names the scenario beside which it was sampled. Of a counter, sample `i` is what was
//! added in interval `i`, over the microseconds of that interval in place of operations; of a level
//! ([`is_level`]), sample `i` is what it was at the end of it.

use super::Row;

/// How the ids begin.
pub const FAMILY: &str = "watch/";
/// The dimension that names the scenario.
pub const WATCHED: &str = "watched";
/// The dimension with the number of CPUs that the process might use.
pub const CPUS: &str = "cpus";
/// The dimension that names a process; [`SELF`] is the scenario's own.
pub const PROCESS: &str = "process";
/// The process that watches, which is that of the scenario.
pub const SELF: &str = "self";
/// The dimension that names a thread, or all threads of that name.
pub const THREAD: &str = "thread";
/// The dimension with the most threads of that name at one time.
pub const THREADS: &str = "threads";
/// The dimension that names the state of all CPUs: `busy`, `steal`, `iowait`, `idle`.
pub const STATE: &str = "state";
/// The dimension that names what there is pressure on: `cpu`, `io`, `memory`.
pub const RESOURCE: &str = "resource";
/// The dimension that names a queue of sockets: `send`, `receive`.
pub const QUEUE: &str = "queue";

/// The dimension that names what was not looked into, where something was not.
pub const NOT_LOOKED_INTO: &str = "not_looked_into";
/// Its one value: links between networks of their own, whose TCP and whose sockets no watch sees.
pub const LINKS: &str = "links";

/// The dimension of a row that names what carried its link.
const LINK_BACKEND: &str = "link_backend";
/// Carriers that need no network of their own: their bytes go over the network of the process, or are
/// simulated and no bytes at all. Of any other it is not known that it was looked into.
pub const OF_THIS_NETWORK: [&str; 3] = ["in-process proxy", "simulation", "simulated regions"];

/// Nanoseconds on a processor, of a process.
pub const CPU_TIME: &str = "cpu_time";
/// Nanoseconds on a processor, of threads.
pub const THREAD_CPU_TIME: &str = "thread_cpu_time";
/// Nanoseconds in the queue for a processor, of threads.
pub const THREAD_WAIT_TIME: &str = "thread_wait_time";
/// How often threads were given a processor: their context switches.
pub const THREAD_SWITCHES: &str = "thread_switches";
/// Resident memory of a process; a level.
pub const RSS: &str = "rss_bytes";
/// Nanoseconds of all CPUs of the machine in a state.
pub const MACHINE_TIME: &str = "machine_time";
/// Context switches of the whole machine.
pub const MACHINE_SWITCHES: &str = "machine_switches";
/// Threads of the machine that run or could; a level.
pub const RUNNABLE: &str = "runnable";
/// Threads of the machine that wait for a disk; a level.
pub const BLOCKED: &str = "blocked";
/// TCP segments sent in the network namespace of the process.
pub const TCP_SENT: &str = "tcp_segments_sent";
/// Those of them that were sent again.
pub const TCP_RETRANSMITTED: &str = "tcp_segments_retransmitted";
/// Retransmission time-outs.
pub const TCP_TIMEOUTS: &str = "tcp_timeouts";
/// Connections that found the queue of a listener full.
pub const TCP_LISTEN_OVERFLOWS: &str = "tcp_listen_overflows";
/// Bytes in the queues of all sockets of the namespace; a level.
pub const SOCKET_QUEUE: &str = "socket_queue_bytes";
/// Connections that wait to be accepted; a level.
pub const ACCEPT_QUEUE: &str = "accept_queue";
/// Nanoseconds in which sockets of the namespace had something to send, each for itself.
pub const TCP_BUSY_TIME: &str = "tcp_busy_time";
/// Those of them in which the receiver's window was full: its program did not read.
pub const TCP_RECEIVER_LIMITED_TIME: &str = "tcp_receiver_limited_time";
/// Those in which the sender's own buffer held no more.
pub const TCP_BUFFER_LIMITED_TIME: &str = "tcp_buffer_limited_time";
/// Segments that sockets sent again which are still there.
pub const TCP_SOCKET_RETRANSMITTED: &str = "tcp_socket_retransmitted";
/// Nanoseconds in which some thread of the machine was held up for want of a resource (PSI, `some`).
pub const PRESSURE_TIME: &str = "pressure_time";

/// Whether the metric is a level, and not a counter.
pub fn is_level(metric: &str) -> bool {
    [RSS, RUNNABLE, BLOCKED, SOCKET_QUEUE, ACCEPT_QUEUE].contains(&metric)
}

/// The rows of a watch over what left these: they say so where that was not looked into.
pub fn beside(mut watched: Vec<Row>, measured: &[Row]) -> Vec<Row> {
    let mut carriers = measured.iter().filter_map(|row| row.dimensions.get(LINK_BACKEND));
    if carriers.any(|carrier| !OF_THIS_NETWORK.contains(&carrier.as_str())) {
        for row in &mut watched {
            row.dimensions.insert(NOT_LOOKED_INTO.to_owned(), LINKS.to_owned());
        }
    }
    watched
}

impl Row {
    /// Whether it is of a watch, and no number of a benchmark.
    pub fn is_of_watch(&self) -> bool {
        self.id.starts_with(FAMILY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Data, Metric};

    #[test]
    fn links_between_networks_of_their_own_are_told_beside() {
        let row = |id: &str| Row::measured(id, Metric::CpuTime, "ns", Data::Count { value: 1 });
        let told = |carriers: &[&str]| {
            let over = |carrier: &&str| {
                let mut row = row("a/b");
                row.dimensions.insert(LINK_BACKEND.to_owned(), (*carrier).to_owned());
                row
            };
            let measured: Vec<Row> = carriers.iter().map(over).chain([row("a/c")]).collect();
            let watched = beside(vec![row("watch/a")], &measured);
            watched[0].dimensions.get(NOT_LOOKED_INTO).cloned()
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&OF_THIS_NETWORK), None);
        assert_eq!(told(&["simulation", "TUN emulator"]).as_deref(), Some(LINKS));
    }
}
