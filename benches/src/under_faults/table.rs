//! The rows as a table for people: a line for each phase, and below each fault what shows it.

use bench_core::judge::target::P99_SAMPLES_MIN;
use bench_core::record::{Data, Metric, Row};
use bench_core::units::print_ns;

use super::run::PHASE;
use crate::front::text::aligned;

/// Median and 99th percentile of latency, requests a second, and errors by kind, phase by phase.
pub fn table(rows: &[Row]) -> String {
    let titles = ["fault", "phase", "p50", "p99", "requests/s", "errors"].map(str::to_owned);
    let mut lines = vec![titles.to_vec()];
    let mut shown = Vec::new();
    for row in rows.iter().filter(|row| row.metric == Metric::Operations) {
        let mut parts = row.id.split('/').skip(1);
        let fault = parts.next().unwrap_or_default();
        let at = |quantile| {
            let latency = |other: &&Row| other.id == row.id && other.metric == Metric::Latency;
            let data = rows.iter().find(latency).and_then(|row| row.data.as_ref());
            let histogram = data.and_then(|data| data.histogram().ok());
            match histogram {
                None => "-".to_owned(),
                // Of too few it would be the maximum, and is named so.
                Some(few) if quantile > 0.5 && few.len() < P99_SAMPLES_MIN => {
                    format!("max {}", print_ns(few.max() as f64))
                }
                Some(all) => print_ns(all.value_at_quantile(quantile) as f64),
            }
        };
        let count = |metric: &Metric| {
            let of = |other: &&Row| other.id == row.id && other.metric == *metric;
            match rows.iter().find(of).and_then(|row| row.data.as_ref()) {
                Some(Data::Count { value }) => *value,
                _ => 0,
            }
        };
        let seconds = count(&Metric::Other("elapsed".to_owned())) as f64 / 1e9;
        let done = count(&Metric::Operations) - count(&Metric::Errors);
        let errors = row.errors.iter().map(|(kind, count)| format!("{count} {kind}"));
        let errors = errors.collect::<Vec<_>>().join(" ");
        lines.push(vec![
            fault.to_owned(),
            row.dimensions.get(PHASE).cloned().unwrap_or_default(),
            at(0.5),
            at(0.99),
            format!("{:.0}", done as f64 / seconds.max(1e-9)),
            if errors.is_empty() { "none".to_owned() } else { errors },
        ]);
        let told = |name| row.dimensions.get(name);
        if let (Some(asked), Some(struck), Some(measured)) =
            (told("fault"), told("fault_struck"), told("fault_measured"))
        {
            shown.push(format!("{asked}: struck {struck}; {measured}\n"));
        }
    }
    format!("{}\n{}", aligned(&lines), shown.concat())
}

#[cfg(test)]
mod tests {
    use bench_core::scale::Scale;

    use super::super::run::{Plan, measure};
    use super::*;

    #[test]
    fn a_99th_percentile_takes_a_hundred_samples() {
        let line = |samples: u64| {
            let mut times = hdrhistogram::Histogram::<u64>::new(3).expect("digits");
            (1..=samples).for_each(|ms| times.record(ms * 1_000_000).expect("in range"));
            let data = Data::from_histogram(&times);
            let latency = Row::measured("faults/reset/under", Metric::Latency, "ns", data);
            let count = Data::Count { value: samples };
            let count = Row::measured("faults/reset/under", Metric::Operations, "1", count);
            table(&[latency, count])
        };
        assert!(line(99).contains("max "), "{}", line(99));
        assert!(!line(100).contains("max "), "{}", line(100));
    }

    #[test]
    fn phases_have_lines_and_the_fault_its_proof() {
        let spec = "slicer:4KiB:1ms".parse().expect("a fault");
        let rows = measure(spec, &Plan::of(Scale::Smoke)).expect("shown");
        let text = table(&rows);
        let begin = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let begins: Vec<String> = text.lines().take(4).map(begin).collect();
        assert_eq!(begins, ["fault phase", "slicer baseline", "slicer under", "slicer after"]);
        assert!(text.contains("slicer 4KiB every 1ms: struck "), "{text}");
    }
}
