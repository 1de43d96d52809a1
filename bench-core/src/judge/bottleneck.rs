//! What was saturated while a scenario ran, by the rows of its watch.
//!
//! The method is Brendan Gregg's USE ("Thinking Methodically about Performance", CACM 2013): of every
//! resource ask for utilisation, saturation and errors. Of these, saturation names a bottleneck, work
//! that waits, and utilisation alone does only where nothing can wait: for a single thread. The
//! thresholds are our own choice, and each sentence says its rule:
//!
//! | resource | rule | threshold |
//! |---|---|---|
//! | processors | threads of the scenario waited for one: waited / (ran + waited), where they wanted half a processor or more | 10 % |
//! | one thread | a thread that is alone of its name ran: ran / elapsed | 90 % |
//! | host | time that the host gave to others: steal / time of all CPUs | 5 % |
//! | network | segments sent again / sent, of ten or more | 1 % |
//! | listener | connections that found its queue full | 1 |
//! | receivers | time in which the receiver's window was full / time in which there was something to send, where that was a tenth of the run or more | 50 % |
//! | send buffers | likewise, time in which the send buffer was full | 50 % |
//! | disk, memory | some thread of the machine was held up for want of it (PSI) / elapsed | 10 % |
//!
//! Rules of network, listener, sockets, disk and memory are about all that share the network namespace
//! or the machine; links between networks of their own are not among them, and the sentence says so
//! where there were some. A thread that spins to keep the time is saturated by these rules, and is so.

use std::collections::BTreeMap;
use std::fmt;

use crate::record::watched::{
    CPU_TIME, CPUS, MACHINE_TIME, NOT_LOOKED_INTO, PRESSURE_TIME, PROCESS, RESOURCE, SELF, STATE,
    TCP_BUFFER_LIMITED_TIME, TCP_BUSY_TIME, TCP_LISTEN_OVERFLOWS, TCP_RECEIVER_LIMITED_TIME,
    TCP_RETRANSMITTED, TCP_SENT, THREAD, THREAD_CPU_TIME, THREAD_WAIT_TIME, THREADS, WATCHED,
};
use crate::record::{Data, Row};

const WAITED_MIN: f64 = 0.10;
/// Processors that are wanted; less is too little for its waiting to matter.
const WANTED_MIN: f64 = 0.5;
const THREAD_MIN: f64 = 0.90;
const STEAL_MIN: f64 = 0.05;
const RETRANSMITTED_MIN: f64 = 0.01;
const SEGMENTS_MIN: f64 = 10.0;
const LIMITED_MIN: f64 = 0.50;
const BUSY_MIN: f64 = 0.10;
const PRESSURE_MIN: f64 = 0.10;

/// What was saturated.
#[derive(Clone, Debug, PartialEq)]
pub enum Bottleneck {
    /// Nobody knows: there is not one sample.
    NotSampled,
    /// Nothing that was sampled, and how busy the processors were.
    Nothing(Load),
    /// These, the first rule first.
    Saturated(Vec<Finding>, Load),
}

/// A resource that was saturated.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// As in "processors".
    pub resource: String,
    /// What was measured, in words.
    pub measured: String,
    /// By which rule that is too much.
    pub rule: String,
}

/// How busy the processors were, `None` where that was not sampled; and what the judgement is not about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The busy part of all of the machine's.
    pub machine: Option<f64>,
    /// How many processors the scenario's own process used on average.
    pub own: Option<f64>,
    /// How many it might have used.
    pub cpus: Option<u32>,
    /// Whether there were links between networks of their own, of which the rules of network, listener and
    /// sockets say nothing.
    pub links_unseen: bool,
}

/// What was saturated beside each scenario that was watched, by the scenario's id.
pub fn bottlenecks(rows: &[Row]) -> BTreeMap<&str, Bottleneck> {
    let mut watched: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_of_watch()) {
        if let Some(scenario) = row.dimensions.get(WATCHED) {
            watched.entry(scenario).or_default().push(row);
        }
    }
    watched.into_iter().map(|(scenario, rows)| (scenario, bottleneck(&rows))).collect()
}

/// What the rows of one watch say was saturated.
pub fn bottleneck(rows: &[&Row]) -> Bottleneck {
    let watch = Watch(rows);
    if rows.iter().all(|row| totals(row).is_none()) {
        return Bottleneck::NotSampled;
    }
    let findings = [
        watch.processors(),
        watch.one_thread(),
        watch.host(),
        watch.network(),
        watch.listener(),
        watch.limited("receivers", TCP_RECEIVER_LIMITED_TIME, "the receiver's window was full"),
        watch.limited("send buffers", TCP_BUFFER_LIMITED_TIME, "the send buffer was full"),
        watch.pressure("disk", "io"),
        watch.pressure("memory", "memory"),
    ];
    let findings: Vec<Finding> = findings.into_iter().flatten().collect();
    match findings.is_empty() {
        true => Bottleneck::Nothing(watch.load()),
        false => Bottleneck::Saturated(findings, watch.load()),
    }
}

struct Watch<'a>(&'a [&'a Row]);

/// The sum of the values of a counter and the nanoseconds that they are over.
fn totals(row: &Row) -> Option<(f64, f64)> {
    match &row.data {
        Some(Data::Samples { values, iterations }) if row.ok && !values.is_empty() => {
            let us: u64 = iterations.iter().sum();
            Some((values.iter().sum(), us as f64 * 1e3))
        }
        _ => None,
    }
}

impl Watch<'_> {
    /// The rows of a metric with this value of a dimension, where one is given.
    fn of(&self, metric: &str, dimension: Option<(&str, &str)>) -> impl Iterator<Item = &Row> {
        self.0.iter().copied().filter(move |row| {
            let has = |(name, value): (&str, &str)| {
                row.dimensions.get(name).is_some_and(|known| known == value)
            };
            row.metric.name() == metric && dimension.is_none_or(has)
        })
    }

    /// The sum over all of these rows and the longest time of one; `None` where there is none.
    fn sum(&self, metric: &str, dimension: Option<(&str, &str)>) -> Option<(f64, f64)> {
        let all = self.of(metric, dimension).filter_map(totals);
        all.reduce(|(sum, longest), (value, ns)| (sum + value, longest.max(ns)))
    }

    fn processors(&self) -> Option<Finding> {
        let own = Some((PROCESS, SELF));
        let (ran, elapsed) = self.sum(THREAD_CPU_TIME, own)?;
        let (waited, _) = self.sum(THREAD_WAIT_TIME, own)?;
        let (share, wanted) = (ratio(waited, ran + waited)?, ratio(ran + waited, elapsed)?);
        (share >= WAITED_MIN && wanted >= WANTED_MIN).then(|| Finding {
            resource: "processors".to_owned(),
            measured: format!(
                "the scenario's threads wanted {wanted:.1} and waited {} of that time",
                percent(share)
            ),
            rule: format!("waited at least {}", percent(WAITED_MIN)),
        })
    }

    fn one_thread(&self) -> Option<Finding> {
        let alone = self.of(THREAD_CPU_TIME, Some((THREADS, "1")));
        let shares = alone.filter_map(|row| {
            let (ran, elapsed) = totals(row)?;
            Some((ratio(ran, elapsed)?, row.dimensions.get(THREAD)?, row.dimensions.get(PROCESS)?))
        });
        let (share, thread, process) = shares.max_by(|a, b| a.0.total_cmp(&b.0))?;
        let of = if process == SELF { String::new() } else { format!(" of {process}") };
        (share >= THREAD_MIN).then(|| Finding {
            resource: format!("thread '{thread}'{of}"),
            measured: format!("it ran {} of the time", percent(share)),
            rule: format!("ran at least {}", percent(THREAD_MIN)),
        })
    }

    fn host(&self) -> Option<Finding> {
        let share = ratio(self.sum(MACHINE_TIME, Some((STATE, "steal")))?.0, self.capacity()?)?;
        (share >= STEAL_MIN).then(|| Finding {
            resource: "the host".to_owned(),
            measured: format!("it gave {} of the CPUs' time to others", percent(share)),
            rule: format!("at least {}", percent(STEAL_MIN)),
        })
    }

    fn network(&self) -> Option<Finding> {
        let again = self.sum(TCP_RETRANSMITTED, None)?.0;
        let share = ratio(again, self.sum(TCP_SENT, None)?.0)?;
        (share >= RETRANSMITTED_MIN && again >= SEGMENTS_MIN).then(|| Finding {
            resource: "network".to_owned(),
            measured: format!("{again:.0} segments were sent again, {} of all", percent(share)),
            rule: format!("at least {}", percent(RETRANSMITTED_MIN)),
        })
    }

    fn listener(&self) -> Option<Finding> {
        let overflows = self.sum(TCP_LISTEN_OVERFLOWS, None)?.0;
        (overflows >= 1.0).then(|| Finding {
            resource: "a listener".to_owned(),
            measured: format!("{overflows:.0} connections found its queue full"),
            rule: "at least 1".to_owned(),
        })
    }

    fn limited(&self, resource: &str, metric: &str, what: &str) -> Option<Finding> {
        let (busy, elapsed) = self.sum(TCP_BUSY_TIME, None)?;
        let share = ratio(self.sum(metric, None)?.0, busy)?;
        let matters = ratio(busy, elapsed)? >= BUSY_MIN;
        (share >= LIMITED_MIN && matters).then(|| Finding {
            resource: resource.to_owned(),
            measured: format!("{what} {} of the time that sockets had to send", percent(share)),
            rule: format!("at least {}", percent(LIMITED_MIN)),
        })
    }

    fn pressure(&self, resource: &str, name: &str) -> Option<Finding> {
        let (held, elapsed) = self.sum(PRESSURE_TIME, Some((RESOURCE, name)))?;
        let share = ratio(held, elapsed)?;
        (share >= PRESSURE_MIN).then(|| Finding {
            resource: resource.to_owned(),
            measured: format!("somebody was held up for want of it {} of the time", percent(share)),
            rule: format!("at least {}", percent(PRESSURE_MIN)),
        })
    }

    /// The time of all CPUs.
    fn capacity(&self) -> Option<f64> {
        Some(self.sum(MACHINE_TIME, None)?.0)
    }

    fn load(&self) -> Load {
        let busy = || ratio(self.sum(MACHINE_TIME, Some((STATE, "busy")))?.0, self.capacity()?);
        let own = || {
            let (ran, elapsed) = self.sum(CPU_TIME, Some((PROCESS, SELF)))?;
            ratio(ran, elapsed)
        };
        let cpus = self.0.iter().find_map(|row| row.dimensions.get(CPUS)?.parse().ok());
        let links_unseen = self.0.iter().any(|row| row.dimensions.contains_key(NOT_LOOKED_INTO));
        Load { machine: busy(), own: own(), cpus, links_unseen }
    }
}

/// `None` where nothing is divided by.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSampled => f.write_str("nobody knows what was saturated: nothing was sampled"),
            Self::Nothing(load) => write!(f, "nothing was saturated ({load})"),
            Self::Saturated(findings, load) => {
                for (place, finding) in findings.iter().enumerate() {
                    let Finding { resource, measured, rule } = finding;
                    let before = if place == 0 { "saturated: " } else { "; " };
                    write!(f, "{before}{resource}: {measured} (rule: {rule})")?;
                }
                write!(f, " ({load})")
            }
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine.map_or("unknown".to_owned(), percent);
        let own = self.own.map_or("unknown".to_owned(), |own| format!("{own:.2}"));
        write!(f, "processors of the machine {machine} busy; {own}")?;
        if let Some(cpus) = self.cpus {
            write!(f, " of {cpus}")?;
        }
        f.write_str(" used by the scenario")?;
        if self.links_unseen {
            f.write_str("; the links' own networks were not looked into")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "bottleneck_tests.rs"]
mod tests;
