//! Readings, one after another, as rows: what was added to a counter in each interval, and what a
//! level was at the end of it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::parse::Account;
use super::reading::{RESOURCES, Reading};
use super::sockets::{Socket, TcpInfo};
use crate::fixture::cpus;
use crate::record::watched::{
    self, ACCEPT_QUEUE, BLOCKED, CPU_TIME, CPUS, FAMILY, MACHINE_SWITCHES, MACHINE_TIME,
    PRESSURE_TIME, PROCESS, QUEUE, RESOURCE, RSS, RUNNABLE, SELF, SOCKET_QUEUE, STATE,
    TCP_BUFFER_LIMITED_TIME, TCP_BUSY_TIME, TCP_LISTEN_OVERFLOWS, TCP_RECEIVER_LIMITED_TIME,
    TCP_RETRANSMITTED, TCP_SENT, TCP_SOCKET_RETRANSMITTED, TCP_TIMEOUTS, THREAD, THREAD_CPU_TIME,
    THREAD_SWITCHES, THREAD_WAIT_TIME, THREADS, WATCHED, is_level,
};
use crate::record::{Data, Metric, Row};

/// Threads of a process that have rows of their own; those that used the least share one.
const THREADS_MAX: usize = 16;
/// What the others are called.
const OTHERS: &str = "others";

/// A metric, and the dimensions that tell it from others of that name.
type Key = (&'static str, Vec<(&'static str, String)>);

/// All that was sampled.
#[derive(Debug, Default)]
pub struct Series {
    last: Option<(Duration, Reading)>,
    intervals_us: Vec<u64>,
    values: BTreeMap<Key, Vec<f64>>,
    /// The most threads of a name at a time, in all processes of a name.
    threads: HashMap<(String, String), usize>,
}

impl Series {
    /// Adds a reading that was taken so long after the start.
    pub fn add(&mut self, at: Duration, mut now: Reading) {
        if let Some((then, before)) = self.last.take() {
            // A look at the sockets that failed saw nothing new: what they did is in the next one.
            if now.sockets.is_none() {
                now.sockets.clone_from(&before.sockets);
            }
            let interval_us = (at.saturating_sub(then).as_micros() as u64).max(1);
            self.intervals_us.push(interval_us);
            self.machine(&before, &now);
            self.processes(&before, &now);
        }
        self.last = Some((at, now));
    }

    /// How many intervals there are between readings.
    pub fn intervals(&self) -> usize {
        self.intervals_us.len()
    }

    fn push(&mut self, metric: &'static str, dimensions: &[(&'static str, &str)], value: u64) {
        let dimensions = dimensions.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let values = self.values.entry((metric, dimensions.collect())).or_default();
        // What came later was nothing before; what several have in common adds up.
        values.resize(self.intervals_us.len(), 0.0);
        *values.last_mut().expect("there is an interval") += value as f64;
    }

    fn machine(&mut self, before: &Reading, now: &Reading) {
        if let Some((then, now)) = before.machine.zip(now.machine) {
            for (state, then, now) in [
                ("busy", then.busy_ns, now.busy_ns),
                ("steal", then.steal_ns, now.steal_ns),
                // The kernel's count of this one may go back.
                ("iowait", then.iowait_ns, now.iowait_ns),
                ("idle", then.idle_ns, now.idle_ns),
            ] {
                self.push(MACHINE_TIME, &[(STATE, state)], now.saturating_sub(then));
            }
            self.push(MACHINE_SWITCHES, &[], now.switches.saturating_sub(then.switches));
            self.push(RUNNABLE, &[], now.runnable);
            self.push(BLOCKED, &[], now.blocked);
        }
        if let Some((then, now)) = before.tcp.zip(now.tcp) {
            self.push(TCP_SENT, &[], now.sent.saturating_sub(then.sent));
            self.push(TCP_RETRANSMITTED, &[], now.retransmitted.saturating_sub(then.retransmitted));
            for (metric, then, now) in [
                (TCP_TIMEOUTS, then.timeouts, now.timeouts),
                (TCP_LISTEN_OVERFLOWS, then.listen_overflows, now.listen_overflows),
            ] {
                if let Some((then, now)) = then.zip(now) {
                    self.push(metric, &[], now.saturating_sub(then));
                }
            }
        }
        if let Some((then, now)) = before.sockets.as_deref().zip(now.sockets.as_deref()) {
            self.sockets(then, now);
        }
        for (place, resource) in RESOURCES.into_iter().enumerate() {
            if let Some((then, now)) = before.pressure_ns[place].zip(now.pressure_ns[place]) {
                self.push(PRESSURE_TIME, &[(RESOURCE, resource)], now.saturating_sub(then));
            }
        }
    }

    fn sockets(&mut self, before: &[Socket], now: &[Socket]) {
        let before: HashMap<u64, TcpInfo> =
            before.iter().filter_map(|socket| Some((socket.cookie, socket.info?))).collect();
        let (mut queues, mut accept, mut added) = ([0, 0], 0, TcpInfo::default());
        for socket in now {
            if socket.listens {
                accept += u64::from(socket.receive);
                continue;
            }
            queues[0] += u64::from(socket.send);
            queues[1] += u64::from(socket.receive);
            let Some(info) = socket.info else { continue };
            // One that was not there has done all that it did in this interval.
            let then = before.get(&socket.cookie).copied().unwrap_or_default();
            added.retransmitted += info.retransmitted.saturating_sub(then.retransmitted);
            added.busy_us += info.busy_us.saturating_sub(then.busy_us);
            added.receiver_limited_us +=
                info.receiver_limited_us.saturating_sub(then.receiver_limited_us);
            added.buffer_limited_us +=
                info.buffer_limited_us.saturating_sub(then.buffer_limited_us);
        }
        self.push(SOCKET_QUEUE, &[(QUEUE, "send")], queues[0]);
        self.push(SOCKET_QUEUE, &[(QUEUE, "receive")], queues[1]);
        self.push(ACCEPT_QUEUE, &[], accept);
        self.push(TCP_SOCKET_RETRANSMITTED, &[], added.retransmitted);
        self.push(TCP_BUSY_TIME, &[], added.busy_us * 1_000);
        self.push(TCP_RECEIVER_LIMITED_TIME, &[], added.receiver_limited_us * 1_000);
        self.push(TCP_BUFFER_LIMITED_TIME, &[], added.buffer_limited_us * 1_000);
    }

    fn processes(&mut self, before: &Reading, now: &Reading) {
        let own_cpu_ns = now.own_cpu_ns.saturating_sub(before.own_cpu_ns);
        self.push(CPU_TIME, &[(PROCESS, SELF)], own_cpu_ns);
        let all = before.processes.iter().flat_map(|process| &process.threads);
        let accounts: HashMap<u32, Account> =
            all.map(|thread| (thread.id, thread.account)).collect();
        // Over all processes of a name, as their times are.
        let mut names: HashMap<(&str, &str), usize> = HashMap::new();
        for process in &now.processes {
            let named = [(PROCESS, process.name.as_str())];
            if let Some(bytes) = process.rss_bytes {
                self.push(RSS, &named, bytes);
            }
            for thread in &process.threads {
                // A thread that was not there has done all that it did in this interval. A number that
                // was used again has an account that went back, and is such a thread.
                let then = accounts.get(&thread.id).copied().unwrap_or_default();
                let then =
                    if then.ran_ns > thread.account.ran_ns { Account::default() } else { then };
                let ran_ns = thread.account.ran_ns - then.ran_ns;
                let of = [named[0], (THREAD, thread.name.as_str())];
                self.push(THREAD_CPU_TIME, &of, ran_ns);
                let waited_ns = thread.account.waited_ns.saturating_sub(then.waited_ns);
                self.push(THREAD_WAIT_TIME, &of, waited_ns);
                let switches = thread.account.switches.saturating_sub(then.switches);
                self.push(THREAD_SWITCHES, &of, switches);
                if process.name != SELF {
                    self.push(CPU_TIME, &named, ran_ns);
                }
                *names.entry((&process.name, &thread.name)).or_default() += 1;
            }
        }
        for ((process, thread), count) in names {
            let most = self.threads.entry((process.to_owned(), thread.to_owned())).or_default();
            *most = (*most).max(count);
        }
    }

    /// The rows of the scenario with this id; `also` joins their dimensions.
    pub fn rows(
        &self,
        id: &str,
        also: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Vec<Row> {
        let count = self.intervals_us.len();
        let available = cpus::available().map_or(0, <[usize]>::len);
        let common = [(WATCHED, id.to_owned()), (CPUS, available.to_string())];
        let common: Vec<_> = common.into_iter().chain(also).collect();
        let rows = self.with_others().into_iter().map(|((metric, dimensions), mut values)| {
            values.resize(count, 0.0);
            let level = is_level(metric);
            let iterations = if level { vec![1; count] } else { self.intervals_us.clone() };
            let data = Data::Samples { values, iterations };
            let unit = unit(metric);
            let mut row = Row::measured(&format!("{FAMILY}{id}"), metric_of(metric), unit, data);
            let threads = self.threads_of(&dimensions);
            row.dimensions = dimensions
                .into_iter()
                .chain(common.iter().cloned())
                .chain(threads.map(|threads| (THREADS, threads.to_string())))
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            if !level {
                row.dimensions.insert("iterations".to_owned(), "us".to_owned());
            }
            row
        });
        rows.collect()
    }

    /// The series, with the threads that used the least in one.
    fn with_others(&self) -> BTreeMap<Key, Vec<f64>> {
        let mut used: Vec<(&Key, f64)> = Vec::new();
        for (key, values) in &self.values {
            if key.0 == THREAD_CPU_TIME {
                used.push((key, values.iter().sum()));
            }
        }
        used.sort_by(|a, b| b.1.total_cmp(&a.1));
        let kept: Vec<_> = used.iter().take(THREADS_MAX).map(|(key, _)| &key.1).collect();
        let mut all: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
        for ((metric, dimensions), values) in &self.values {
            let mut dimensions = dimensions.clone();
            let of_thread = dimensions.iter().any(|(name, _)| *name == THREAD);
            if of_thread && !kept.contains(&&dimensions) {
                dimensions.retain(|(name, _)| *name != THREAD);
                dimensions.push((THREAD, OTHERS.to_owned()));
            }
            let sum = all.entry((metric, dimensions)).or_default();
            sum.resize(sum.len().max(values.len()), 0.0);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        all
    }

    fn threads_of(&self, dimensions: &[(&'static str, String)]) -> Option<usize> {
        let value =
            |name| dimensions.iter().find(|(known, _)| *known == name).map(|(_, v)| v.clone());
        self.threads.get(&(value(PROCESS)?, value(THREAD)?)).copied()
    }
}

fn metric_of(name: &str) -> Metric {
    Metric::from(name.to_owned())
}

fn unit(metric: &str) -> &'static str {
    match metric {
        _ if metric.ends_with("_time") => "ns",
        watched::RSS | SOCKET_QUEUE => "B",
        _ => "1",
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
