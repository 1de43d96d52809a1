//! Whether a history could be that of one register in one place (linearizable), by real time.
//!
//! No value is written twice, so a read says which write it saw, and the question has an exact answer
//! without a search: Gibbons and Korach, "Testing shared memories" (1997). A write and the reads of
//! its value are a cluster. From the first answer in it to the last begin is its zone: forward where
//! the answer is earlier, during all of which the register must have held the value; backward
//! otherwise, somewhere in which it may have held it for a moment. A history is linearizable if and
//! only if no read is over before its write begins, no two forward zones overlap, and no backward zone
//! lies within a forward one.
//!
//! A write that nobody knows the end of counts where it was read, with an answer that never came; one
//! that was not read, and whatever was not done, does not count. An operation is before another where
//! it is over at an earlier time than the other begins; of equal times neither is before.

use std::collections::BTreeMap;
use std::fmt;

use super::history::{Entry, Function, Kind};

/// An operation from begin to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Whose.
    pub process: u64,
    /// Read or write.
    pub function: Function,
    /// What was read or written.
    pub value: u64,
    /// When it began.
    pub begin_ns: u64,
    /// When it was answered; `u64::MAX` where nobody knows.
    pub end_ns: u64,
}

/// What a history that is linearizable has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Reads that were answered.
    pub reads: usize,
    /// Writes that were done, or were seen by a read.
    pub writes: usize,
}

/// Why a history is not linearizable, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// It is no history of a register.
    Malformed(String),
    /// A read that returned what nobody wrote, or what was not written.
    NeverWritten(Operation),
    /// A read that was over before its value began to be written.
    BeforeItsWrite(Operation),
    /// A read of a value after another had taken its place: the read began after `newer` was over,
    /// which is a write that began after that of the value was over.
    Stale {
        /// The read.
        read: Operation,
        /// The later write.
        newer: Operation,
    },
    /// Two values that were both held at one time, as reads show.
    Torn([u64; 2]),
}

/// # Errors
/// The first anomaly that is found; a stale read before others.
pub fn linearizable(history: &[Entry]) -> Result<Witness, Anomaly> {
    let operations = operations(history)?;
    let clusters = clusters(&operations)?;
    if let Some((read, newer)) = stale(&operations).first() {
        return Err(Anomaly::Stale { read: *read, newer: *newer });
    }
    let zones = clusters.iter().map(|(value, zone)| (*value, *zone));
    let (mut forward, backward): (Vec<_>, Vec<_>) =
        zones.partition(|(_, [answered, begun])| answered < begun);
    forward.sort_by_key(|(_, zone)| *zone);
    for pair in forward.windows(2) {
        // What ends and begins at one time overlaps in nothing but that.
        if pair[0].1[1] > pair[1].1[0] {
            return Err(Anomaly::Torn([pair[0].0, pair[1].0]));
        }
    }
    for (value, [answered, begun]) in backward {
        // The last that begins before it, the only one that can hold it.
        let after = forward.partition_point(|(_, zone)| zone[0] < begun);
        if let Some((holder, zone)) = after.checked_sub(1).map(|last| forward[last])
            && answered < zone[1]
        {
            return Err(Anomaly::Torn([holder, value]));
        }
    }
    let count = |function| operations.iter().filter(|op| op.function == function).count();
    Ok(Witness { reads: count(Function::Read), writes: count(Function::Write) })
}

/// Every read that is stale for certain: it began after a write was over that began after the write of
/// its own value was over. With each the newest such write.
///
/// # Errors
/// As [`linearizable`], where it is no history of a register.
pub fn stale_reads(history: &[Entry]) -> Result<Vec<(Operation, Operation)>, Anomaly> {
    Ok(stale(&operations(history)?))
}

fn stale(operations: &[Operation]) -> Vec<(Operation, Operation)> {
    let is = |function| operations.iter().filter(move |op| op.function == function);
    let ends: BTreeMap<u64, u64> =
        is(Function::Write).map(|write| (write.value, write.end_ns)).collect();
    // By their ends; with each the one that began last of all that were over by then.
    let mut over: Vec<Operation> =
        is(Function::Write).filter(|write| write.end_ns < u64::MAX).copied().collect();
    over.sort_by_key(|write| write.end_ns);
    let newest = over.iter().scan(None, |newest: &mut Option<Operation>, write| {
        let later = newest.is_none_or(|newest| newest.begin_ns <= write.begin_ns);
        *newest = if later { Some(*write) } else { *newest };
        *newest
    });
    let newest: Vec<Operation> = newest.collect();
    let of = |read: &Operation| {
        let before = over.partition_point(|write| write.end_ns < read.begin_ns).checked_sub(1)?;
        let newer = newest[before];
        // The value of the start was written before everything.
        let written = if read.value == 0 { Some(None) } else { ends.get(&read.value).map(Some) }?;
        written.is_none_or(|end| *end < newer.begin_ns).then_some((*read, newer))
    };
    is(Function::Read).filter_map(of).collect()
}

/// The operations that count.
fn operations(history: &[Entry]) -> Result<Vec<Operation>, Anomaly> {
    let malformed = |index: usize, what: &str| {
        Anomaly::Malformed(format!("entry {index} of the history {what}"))
    };
    let mut open: BTreeMap<u64, (Function, Option<u64>, u64)> = BTreeMap::new();
    let (mut all, mut unknown) = (Vec::new(), Vec::new());
    for (index, entry) in history.iter().enumerate() {
        if entry.kind == Kind::Invoke {
            let begun = (entry.function, entry.value, entry.time_ns);
            if open.insert(entry.process, begun).is_some() {
                return Err(malformed(index, "begins before its process is done"));
            }
            continue;
        }
        let begun = open.remove(&entry.process);
        let (function, written, begin_ns) =
            begun.ok_or_else(|| malformed(index, "answers what nobody asked"))?;
        let value = if function == Function::Write { written } else { entry.value };
        match (entry.kind, function) {
            (Kind::Ok, _) => {
                let value = value.ok_or_else(|| malformed(index, "has no value"))?;
                let (process, end_ns) = (entry.process, entry.time_ns);
                all.push(Operation { process, function, value, begin_ns, end_ns });
            }
            (Kind::Info, Function::Write) => unknown.push((entry.process, written, begin_ns)),
            _ => (),
        }
    }
    let left = open.into_iter().filter(|(_, (function, ..))| *function == Function::Write);
    unknown.extend(left.map(|(process, (_, written, begin_ns))| (process, written, begin_ns)));
    for (process, written, begin_ns) in unknown {
        let seen = |op: &&Operation| op.function == Function::Read && Some(op.value) == written;
        if let Some(read) = all.iter().find(seen).copied() {
            let (function, end_ns) = (Function::Write, u64::MAX);
            all.push(Operation { process, function, value: read.value, begin_ns, end_ns });
        }
    }
    Ok(all)
}

/// The zone of each value: its first answer and its last begin. The value 0 was there before time.
fn clusters(operations: &[Operation]) -> Result<BTreeMap<u64, [u64; 2]>, Anomaly> {
    let mut zones = BTreeMap::from([(0, [0, 0])]);
    let mut begins = BTreeMap::from([(0, 0)]);
    for write in operations.iter().filter(|op| op.function == Function::Write) {
        begins.insert(write.value, write.begin_ns);
        if zones.insert(write.value, [write.end_ns, write.begin_ns]).is_some() {
            let what = format!("the value {} is written twice, or is 0", write.value);
            return Err(Anomaly::Malformed(what));
        }
    }
    for read in operations.iter().filter(|op| op.function == Function::Read) {
        let Some([answered, begun]) = zones.get_mut(&read.value) else {
            return Err(Anomaly::NeverWritten(*read));
        };
        if read.end_ns < begins[&read.value] {
            return Err(Anomaly::BeforeItsWrite(*read));
        }
        *answered = read.end_ns.min(*answered);
        *begun = read.begin_ns.max(*begun);
    }
    Ok(zones)
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |ns: u64| ns as f64 / 1e9;
        match self {
            Self::Malformed(what) => f.write_str(what),
            Self::NeverWritten(read) => {
                let Operation { value, begin_ns, .. } = read;
                write!(
                    f,
                    "the read at {:.3} s returned {value}, which was not written",
                    at(*begin_ns)
                )
            }
            Self::BeforeItsWrite(read) => write!(
                f,
                "the read at {:.3} s returned {} before that began to be written",
                at(read.begin_ns),
                read.value
            ),
            Self::Stale { read, newer } => write!(
                f,
                "the read at {:.3} s returned {} although {} was written by {:.3} s",
                at(read.begin_ns),
                read.value,
                newer.value,
                at(newer.end_ns)
            ),
            Self::Torn([one, other]) => {
                write!(f, "{one} and {other} were both held at one time, as reads show")
            }
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
