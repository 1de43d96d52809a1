//! How long a region was not served: from a cut to the first write that is served in spite of it, and
//! from its end to the first read and write after it. And how much was served, second by second.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Node;
use super::effect::Applied;
use super::history::Function;
use crate::topology::Change;

/// An operation as its client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// In which region.
    pub node: Node,
    /// Read or write.
    pub function: Function,
    /// When it was to begin, since the start.
    pub due: Duration,
    /// From then to its answer, or until it was given up.
    pub took: Duration,
    /// Whether it was done.
    pub served: bool,
}

impl Sample {
    fn end(&self) -> Duration {
        self.due + self.took
    }
}

/// What a cut did to the writes of one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOver {
    /// Writes were due, none failed, and none waited until the cut was over.
    Untouched,
    /// No write was due while it lasted.
    NotTried,
    /// So long after the cut a write was served again, while the cut lasted.
    After(Duration),
    /// None was until the cut was over.
    Never,
}

/// A time in which something was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first link was cut.
    pub from: Duration,
    /// When the last was whole again; `None` where it stayed so.
    pub until: Option<Duration>,
    /// By region.
    pub fail_over: Vec<FailOver>,
    /// From the end of the cut until a read and a write that were due after it have been served; by
    /// region, `None` where that did not come.
    pub recovery: Vec<Option<Duration>>,
}

/// Every time in which something was cut.
pub fn outages(applied: &[Applied], samples: &[Sample], nodes: usize) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut cut: BTreeMap<(Node, Node), ()> = BTreeMap::new();
    let mut from = Duration::ZERO;
    for Applied { event, by, .. } in applied {
        let pair = (event.a.min(event.b), event.a.max(event.b));
        match event.change {
            Change::Partition(_) => {
                if cut.is_empty() {
                    from = *by;
                }
                cut.insert(pair, ());
            }
            Change::Heal => {
                if cut.remove(&pair).is_some() && cut.is_empty() {
                    outages.push(outage(from, Some(*by), samples, nodes));
                }
            }
            Change::Set(_) => (),
        }
    }
    if !cut.is_empty() {
        outages.push(outage(from, None, samples, nodes));
    }
    outages
}

fn outage(from: Duration, until: Option<Duration>, samples: &[Sample], nodes: usize) -> Outage {
    let of = |node: Node| samples.iter().filter(move |sample| sample.node == node);
    let end = until.unwrap_or(Duration::MAX);
    let fail_over = |node| {
        let writes = || {
            let writes = of(node).filter(|sample| sample.function == Function::Write);
            writes.filter(|write| write.due >= from && write.due < end)
        };
        if writes().next().is_none() {
            return FailOver::NotTried;
        }
        let in_time = || writes().filter(|write| write.served && write.end() < end);
        let usual = in_time().map(|write| write.took).max().unwrap_or_default();
        // The last ones are under way when the cut ends, but not for much longer than others take.
        let waited = |write: &&Sample| write.end() >= end && write.took > 2 * usual;
        let touched = writes().filter(|write| !write.served || waited(write));
        let Some(touched) = touched.map(|write| write.due).min() else {
            return FailOver::Untouched;
        };
        let first = in_time().filter(|write| write.due > touched).map(Sample::end).min();
        first.map_or(FailOver::Never, |first| FailOver::After(first - from))
    };
    let recovery = |node| {
        let until = until?;
        let first = |function| {
            let after = of(node).filter(|sample| sample.function == function && sample.served);
            after.filter(|sample| sample.due >= until).map(Sample::end).min()
        };
        Some(first(Function::Read)?.max(first(Function::Write)?) - until)
    };
    Outage {
        from,
        until,
        fail_over: (0..nodes).map(fail_over).collect(),
        recovery: (0..nodes).map(recovery).collect(),
    }
}

/// How many operations were due in each second and how many of them were served, by region; the last
/// second may be a part of one.
pub fn by_second(samples: &[Sample], node: Node) -> Vec<[u64; 2]> {
    let mut seconds: Vec<[u64; 2]> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.node == node) {
        let second = sample.due.as_secs() as usize;
        if seconds.len() <= second {
            seconds.resize(second + 1, [0; 2]);
        }
        seconds[second][0] += 1;
        seconds[second][1] += u64::from(sample.served);
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Event, Ways};

    const MS: Duration = Duration::from_millis(1);

    fn applied(at: u32, b: Node, change: Change) -> Applied {
        let event = Event { at: at * MS, a: 0, b, change };
        Applied { event, from: at * MS, by: at * MS }
    }

    fn sample(node: Node, function: Function, due: u32, took: u32, served: bool) -> Sample {
        Sample { node, function, due: due * MS, took: took * MS, served }
    }

    #[test]
    fn an_outage_lasts_from_the_first_cut_to_the_last_end() {
        let applied = [
            applied(100, 1, Change::Partition(Ways::Both)),
            applied(110, 2, Change::Partition(Ways::There)),
            applied(500, 1, Change::Heal),
            applied(600, 2, Change::Heal),
            applied(900, 1, Change::Partition(Ways::Both)),
        ];
        use Function::{Read, Write};
        let samples = [
            sample(0, Write, 150, 10, true),
            sample(0, Write, 650, 20, true),
            sample(0, Read, 640, 90, true),
            sample(1, Write, 120, 200, false),
            sample(1, Write, 110, 10, true),
            sample(1, Write, 300, 50, true),
            sample(1, Write, 700, 50, true),
            sample(2, Write, 200, 300, false),
            sample(2, Write, 590, 30, true),
        ];
        let outages = outages(&applied, &samples, 3);
        assert_eq!(outages.len(), 2);
        assert_eq!((outages[0].from, outages[0].until), (100 * MS, Some(600 * MS)));
        let [untouched, after] = [FailOver::Untouched, FailOver::After(250 * MS)];
        assert_eq!(outages[0].fail_over, [untouched, after, FailOver::Never]);
        // Of the second region no read came, of the third nothing at all.
        assert_eq!(outages[0].recovery, [Some(130 * MS), None, None]);
        assert_eq!((outages[1].until, &outages[1].recovery[..]), (None, &[None; 3][..]));
    }

    #[test]
    fn a_region_that_nothing_was_asked_of_or_that_waited_a_cut_out_is_not_untouched() {
        let cut = [applied(100, 1, Change::Partition(Ways::Both)), applied(200, 1, Change::Heal)];
        let write = |due, took| sample(0, Function::Write, due, took, true);
        let fail_over = |samples: &[Sample]| outages(&cut, samples, 1)[0].fail_over[0];
        assert_eq!(fail_over(&[]), FailOver::NotTried);
        let around = [sample(0, Function::Read, 150, 5, true), write(50, 20), write(200, 20)];
        assert_eq!(fail_over(&around), FailOver::NotTried, "no write was due in it");
        assert_eq!(fail_over(&[write(110, 95), write(150, 60)]), FailOver::Never);
        let long = [write(105, 20), write(120, 85), write(170, 20)];
        assert_eq!(fail_over(&long), FailOver::After(90 * MS));
        let under_way = [write(110, 20), write(150, 21), write(190, 25)];
        assert_eq!(fail_over(&under_way), FailOver::Untouched, "the last one ends after the cut");
    }

    #[test]
    fn what_was_served_is_counted_where_it_was_due() {
        let samples = [
            sample(0, Function::Read, 999, 500, true),
            sample(0, Function::Read, 2100, 5, false),
            sample(1, Function::Read, 0, 5, true),
        ];
        assert_eq!(by_second(&samples, 0), [[1, 1], [0, 0], [1, 0]]);
        assert_eq!(by_second(&samples, 2), Vec::<[u64; 2]>::new());
    }
}
