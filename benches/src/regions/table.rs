//! What happened, as tables for people: each region's operations, its seconds, and what the script did.
//! Of several outages the longest fail-over and recovery are shown; a fail-over of 0 is none that was
//! needed.

use std::time::Duration;

use bench_core::judge::target::P99_SAMPLES_MIN;
use bench_network::register::history::Function;
use bench_network::register::outage::{FailOver, by_second};
use hdrhistogram::Histogram;

use super::measure::Measured;
use crate::front::text::aligned;

const TITLES: [&str; 11] = [
    "region",
    "ops",
    "served %",
    "write p50 ms",
    "p99 ms",
    "read p50 ms",
    "p99 ms",
    "replicated p50 ms",
    "stale reads",
    "fail-over ms",
    "recovery ms",
];

/// The tables of one way to agree.
pub fn table(measured: &Measured) -> String {
    let named = |name: &str| measured.dimensions.get(name).map_or("", String::as_str);
    let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
    lines.extend((0..measured.regions.len()).map(|node| line(measured, node)));
    let mut text = format!(
        "{} over {} ({}): {}\n{}\n{}\n",
        measured.mode,
        named("link_backend"),
        named("link_backend_reason"),
        named("topology"),
        aligned(&lines),
        seconds(measured)
    );
    for effect in &measured.run.effects {
        let (mark, words) = match &effect.shown {
            Ok(words) => ("", words),
            Err(words) => ("NOT SHOWN: ", words),
        };
        text.push_str(&format!("{}: {mark}{words}\n", effect.what));
    }
    text.push_str(&match &measured.checked {
        Ok(witness) => {
            format!("history: linearizable ({} reads, {} writes)\n", witness.reads, witness.writes)
        }
        Err(anomaly) => format!("history: not linearizable: {anomaly}\n"),
    });
    if let Some(why) = &measured.spoiled {
        text.push_str(&format!("times are not those of the links: {why}; is the machine busy?\n"));
    }
    text
}

fn line(measured: &Measured, node: usize) -> Vec<String> {
    let of = |function| measured.samples(node, function);
    let all = of(Function::Read).chain(of(Function::Write)).collect::<Vec<_>>();
    let served = all.iter().filter(|sample| sample.served).count();
    let [write, read] =
        [Function::Write, Function::Read].map(|function| measured.latencies(node, function));
    let outages = &measured.run.outages;
    let fail_over = outages.iter().filter_map(|outage| match outage.fail_over[node] {
        FailOver::NotTried => None,
        FailOver::Untouched => Some(Some(Duration::ZERO)),
        FailOver::After(time) => Some(Some(time)),
        FailOver::Never => Some(None),
    });
    let recovery = outages.iter().map(|outage| outage.recovery[node]);
    vec![
        measured.regions[node].clone(),
        all.len().to_string(),
        format!("{:.1}", served as f64 / all.len().max(1) as f64 * 100.0),
        ms(&write, 0.5),
        ms(&write, 0.99),
        ms(&read, 0.5),
        ms(&read, 0.99),
        ms(&measured.replication(node), 0.5),
        measured.stale[node].to_string(),
        longest(fail_over, "never"),
        longest(recovery, "not seen"),
    ]
}

/// A quantile; a 99th percentile takes a hundred samples.
fn ms(times: &Histogram<u64>, quantile: f64) -> String {
    let least = if quantile > 0.5 { P99_SAMPLES_MIN } else { 1 };
    if times.len() < least {
        return "-".to_owned();
    }
    format!("{:.2}", times.value_at_quantile(quantile) as f64 / 1e6)
}

/// The longest of these times, `-` where there is nothing to tell of; `none` and how often, where there was none.
fn longest(times: impl Iterator<Item = Option<Duration>>, none: &str) -> String {
    let times: Vec<Option<Duration>> = times.collect();
    let missing = times.iter().filter(|time| time.is_none()).count();
    match (missing, times.iter().flatten().max()) {
        (0, None) => "-".to_owned(),
        (0, Some(time)) => format!("{:.0}", time.as_secs_f64() * 1e3),
        (_, _) if times.len() == 1 => none.to_owned(),
        _ => format!("{none} ({missing} of {})", times.len()),
    }
}

/// The share that was served of what was due in each second.
fn seconds(measured: &Measured) -> String {
    let by_region: Vec<Vec<[u64; 2]>> =
        (0..measured.regions.len()).map(|node| by_second(&measured.run.samples, node)).collect();
    let longest = by_region.iter().map(Vec::len).max().unwrap_or(0);
    let titles = (0..longest).map(|second| format!("{second} s"));
    let mut lines = vec![std::iter::once("served %".to_owned()).chain(titles).collect::<Vec<_>>()];
    for (region, seconds) in measured.regions.iter().zip(&by_region) {
        let shares = (0..longest).map(|second| match seconds.get(second) {
            Some([due, served]) if *due > 0 => format!("{}", served * 100 / due),
            _ => "-".to_owned(),
        });
        lines.push(std::iter::once(region.clone()).chain(shares).collect());
    }
    aligned(&lines)
}
