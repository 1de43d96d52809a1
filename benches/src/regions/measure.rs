//! One way to agree, from links to what happened, and the rows of that.

use std::collections::BTreeMap;
use std::time::Duration;

use bench_core::record::{Data, Metric, Row};
use bench_core::workload::Failure;
use bench_network::backend::{Choice, Kind};
use bench_network::register::check::{Anomaly, Witness, linearizable, stale_reads};
use bench_network::register::history::Function;
use bench_network::register::outage::{FailOver, Outage, Sample, by_second};
use bench_network::register::run::{Run, run};
use bench_network::register::simulate::{self, simulate};
use bench_network::register::{Mode, Node};
use bench_network::topology::net::{Net, describe};
use hdrhistogram::Histogram;

use super::plan::Plan;
use crate::attempts::until_sound;
use crate::link_table::measure::refuse;

/// Of a region and an outage: 1 where no write was served until the cut was over, 0 where one was.
const UNSERVED: &str = "unserved_until_whole";

/// The longest latency that is told from longer ones, nanoseconds.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

/// What happened, and all that is concluded from it.
#[derive(Debug)]
pub struct Measured {
    /// How copies agreed.
    pub mode: Mode,
    /// The regions' names.
    pub regions: Vec<String>,
    /// What happened.
    pub run: Run,
    /// Whether one register in one place could have answered so.
    pub checked: Result<Witness, Anomaly>,
    /// Reads that are stale for certain, by region.
    pub stale: Vec<u64>,
    /// Why times are not those of the links; `None` where they are.
    pub spoiled: Option<String>,
    /// Whether they are refused then.
    pub judged: bool,
    /// What made it.
    pub dimensions: BTreeMap<String, String>,
}

/// A run, and what made it.
struct Ran {
    run: Run,
    dimensions: Vec<(&'static str, String)>,
    spoiled: Option<String>,
}

/// Over links, or without.
fn ran(plan: &Plan, mode: Mode) -> Result<Ran, Failure> {
    let config = plan.config(mode);
    if plan.backend == Choice::Exact(Kind::Simulation) {
        let run = simulate(&plan.topology, &plan.script, config)?;
        let dimensions = vec![
            ("backend", simulate::BACKEND.to_owned()),
            ("topology", describe(&plan.topology)),
            ("link_backend", simulate::BACKEND.to_owned()),
            ("link_backend_asked", plan.backend.to_string()),
            ("link_backend_reason", "it was asked for".to_owned()),
            ("link_not_modelled", simulate::NOT_MODELLED.to_owned()),
            ("seed", plan.seed.to_string()),
        ];
        return Ok(Ran { run, dimensions, spoiled: None });
    }
    let mut net = Net::start(plan.backend, &plan.topology, &plan.script, plan.seed)?;
    let calibrated = if plan.calibrated { net.calibrate()? } else { "no".to_owned() };
    let mut dimensions = net.dimensions();
    dimensions.push(("backend", net.backend().to_owned()));
    dimensions.push(("link_calibrated", calibrated));
    let run = run(&mut net, &plan.script, config)?;
    Ok(Ran { run, dimensions, spoiled: net.spoiled()? })
}

/// Runs one way to agree.
///
/// # Errors
/// What the links refused, or what broke.
pub fn measure(plan: &Plan, mode: Mode) -> Result<Measured, Failure> {
    let is_spoiled = |ran: &Ran| ran.spoiled.is_some();
    let (ran, attempts) = until_sound(plan.judged, is_spoiled, || ran(plan, mode))?;
    let Ran { run, mut dimensions, spoiled } = ran;
    let config = plan.config(mode);
    let regions = plan.topology.names().to_vec();
    let mut stale = vec![0; regions.len()];
    // A process is in the region of its number modulo theirs.
    for (read, _) in stale_reads(&run.history).map_err(|anomaly| anomaly.to_string())? {
        stale[read.process as usize % regions.len()] += 1;
    }
    let checked = linearizable(&run.history);
    dimensions.extend([
        ("mode", mode.to_string()),
        ("every", format!("{:?}", config.every)),
        ("writes", config.writes.to_string()),
        ("length", format!("{:?}", config.length)),
        ("heartbeat", format!("{:?}", config.timing.heartbeat)),
        ("patience", format!("{:?}", config.timing.patience)),
        ("give_up", format!("{:?}", config.timing.give_up)),
        ("attempts", attempts.to_string()),
        ("link_spoiled", spoiled.clone().unwrap_or_else(|| "no".to_owned())),
        ("linearizable", checked.as_ref().map_or_else(|a| format!("no: {a}"), |_| "yes".into())),
    ]);
    let dimensions = dimensions.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let judged = plan.judged;
    Ok(Measured { mode, regions, run, checked, stale, spoiled, judged, dimensions })
}

impl Measured {
    /// Operations of one kind in one region.
    pub fn samples(&self, node: Node, function: Function) -> impl Iterator<Item = &Sample> {
        let samples = self.run.samples.iter();
        samples.filter(move |sample| sample.node == node && sample.function == function)
    }

    /// Their latencies, of those that were served, in nanoseconds.
    pub fn latencies(&self, node: Node, function: Function) -> Histogram<u64> {
        let served = self.samples(node, function).filter(|sample| sample.served);
        histogram(served.map(|sample| sample.took))
    }

    /// How long values that came from this region needed until a majority held them.
    pub fn replication(&self, node: Node) -> Histogram<u64> {
        histogram(self.run.replicated[node].iter().copied())
    }

    /// Effects that the script should have had and that nothing shows.
    ///
    /// # Errors
    /// All of them in one sentence.
    pub fn shown(&self) -> Result<(), String> {
        let hidden = self.run.effects.iter().filter_map(|effect| {
            let why = effect.shown.as_ref().err()?;
            Some(format!("{} ({why})", effect.what))
        });
        let hidden: Vec<String> = hidden.collect();
        if hidden.is_empty() {
            return Ok(());
        }
        Err(format!("the script did not take effect, or nothing shows it: {}", hidden.join("; ")))
    }

    /// That no promise was broken: a quorum's only, because a primary makes none here.
    ///
    /// # Errors
    /// What was answered and cannot be.
    pub fn kept(&self) -> Result<(), String> {
        match (&self.checked, self.mode) {
            (Err(anomaly), Mode::Quorum) => {
                Err(format!("the quorum's register is not linearizable: {anomaly}"))
            }
            _ => Ok(()),
        }
    }

    /// That times are those of the links, where that is judged. What was answered holds in any case.
    ///
    /// # Errors
    /// Why they are not.
    pub fn timed(&self) -> Result<(), String> {
        match self.spoiled.as_ref().filter(|_| self.judged) {
            Some(why) => {
                Err(format!("times are not those of the links: {why}; is the machine busy?"))
            }
            None => Ok(()),
        }
    }

    /// Everything as rows. Those of times are failed ones where the emulator spoiled them.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (node, region) in self.regions.iter().enumerate() {
            for (function, name) in [(Function::Write, "write"), (Function::Read, "read")] {
                let id = format!("regions/{}/{name}/{region}", self.mode);
                let mut row = latency(&id, &self.latencies(node, function));
                let failed = self.samples(node, function).filter(|sample| !sample.served).count();
                if row.ok && failed > 0 {
                    row.errors.insert("not served".to_owned(), failed as u64);
                }
                rows.push(row);
            }
            rows.extend(self.region_rows(node, region));
        }
        if let Err(why) = self.timed() {
            // The script's times are those of our own clock, and counts are no times.
            rows.iter_mut()
                .filter(|row| row.ok && row.unit == "ns")
                .for_each(|row| refuse(row, &why));
        }
        rows.extend(self.script_row());
        for row in &mut rows {
            row.dimensions.extend(self.dimensions.clone());
        }
        rows
    }

    /// When each event was in force, beside what it was and by what it is shown; `None` where the
    /// script is empty.
    fn script_row(&self) -> Option<Row> {
        let applied = &self.run.applied;
        let values: Vec<f64> = applied.iter().map(|event| event.by.as_nanos() as f64).collect();
        let iterations = vec![1; values.len()];
        let statements = applied.iter().map(|applied| applied.event.statement(&self.regions));
        let statements: Vec<String> = statements.collect();
        let id = format!("regions/{}/script", self.mode);
        let data = Data::Samples { values, iterations };
        let mut row = Row::measured(&id, Metric::Other("applied_at".to_owned()), "ns", data);
        row.dimensions.insert("script".to_owned(), statements.join("; "));
        for effect in &self.run.effects {
            let shown = effect.shown.as_ref();
            let words = shown.map_or_else(|why| format!("not shown: {why}"), String::clone);
            row.dimensions.insert(format!("effect {}", effect.what), words);
        }
        (!applied.is_empty()).then_some(row)
    }

    fn region_rows(&self, node: Node, region: &str) -> Vec<Row> {
        let id = format!("regions/{}/{region}", self.mode);
        let other = |name: &str| Metric::Other(name.to_owned());
        let count = |name: &str, unit: &str, value: u64| {
            Row::measured(&id, other(name), unit, Data::Count { value })
        };
        let seconds = by_second(&self.run.samples, node);
        let seconds = seconds.iter().filter(|[due, _]| *due > 0);
        let (iterations, values) = seconds.map(|[due, served]| (*due, *served as f64)).unzip();
        let mut rows = vec![
            Row::measured(
                &id,
                other("served_by_second"),
                "1",
                Data::Samples { values, iterations },
            ),
            count("stale_reads", "1", self.stale[node]),
        ];
        let replication = self.replication(node);
        if !replication.is_empty() {
            let data = Data::from_histogram(&replication);
            rows.push(Row::measured(&id, other("replication"), "ns", data));
        }
        for (number, outage) in self.run.outages.iter().enumerate() {
            let mut of_outage = outage_rows(&id, outage, node);
            for row in &mut of_outage {
                row.dimensions.insert("outage".to_owned(), number.to_string());
            }
            rows.extend(of_outage);
        }
        rows
    }
}

/// What an outage did to a region: how long until it was served again in spite of it and after it, and
/// whether it never was. That it was not in spite of it is an answer, and after it a want of time.
fn outage_rows(id: &str, outage: &Outage, node: Node) -> Vec<Row> {
    let other = |name: &str| Metric::Other(name.to_owned());
    let count =
        |name: &str, unit: &str, value| Row::measured(id, other(name), unit, Data::Count { value });
    let time = |name: &str, time: Duration| count(name, "ns", time.as_nanos() as u64);
    let mut rows = match outage.fail_over[node] {
        FailOver::NotTried => Vec::new(),
        FailOver::Untouched => vec![time("fail_over", Duration::ZERO), count(UNSERVED, "1", 0)],
        FailOver::After(after) => vec![time("fail_over", after), count(UNSERVED, "1", 0)],
        FailOver::Never => vec![count(UNSERVED, "1", 1)],
    };
    rows.extend(match (outage.recovery[node], outage.until) {
        (Some(after), _) => Some(time("recovery", after)),
        (None, Some(_)) => {
            let why =
                "no read and write that were due after the cut were served; give the run more time";
            Some(Row::failed(id, other("recovery"), "ns", why))
        }
        // Nothing to recover from yet.
        (None, None) => None,
    });
    rows
}

fn latency(id: &str, histogram: &Histogram<u64>) -> Row {
    if histogram.is_empty() {
        return Row::failed(id, Metric::Latency, "ns", "none was served");
    }
    Row::measured(id, Metric::Latency, "ns", Data::from_histogram(histogram))
}

fn histogram(times: impl Iterator<Item = Duration>) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_max(LATENCY_NS_MAX, 3).expect("these bounds are valid");
    times.for_each(|time| histogram.saturating_record(time.as_nanos() as u64));
    histogram
}
