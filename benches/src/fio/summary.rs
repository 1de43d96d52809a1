//! A report in some lines.

use std::fmt::Write as _;

use bench_core::units::{print_ns, print_rate};
use bench_storage::files::job::Kind;

use super::run::Report;

/// What a job did, for people: a line for each kind of operation, and one for all of them.
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    let total = report.total();
    let elapsed_ns = total.meter.elapsed_ns();
    let label = report.options.label();
    if let Some(failed) = &report.failure {
        return format!("{label}: failed: {failed}\n");
    }
    for (name, kind) in [("read", Kind::Read), ("write", Kind::Write), ("sync", Kind::Sync)] {
        let book = total.meter.book(kind);
        if book.operations() == 0 {
            continue;
        }
        let at = |quantile: f64| print_ns(book.totals.value_at_quantile(quantile) as f64);
        let seconds = elapsed_ns as f64 / 1e9;
        let rate = match kind {
            Kind::Sync => String::new(),
            Kind::Read | Kind::Write => format!("{}, ", print_rate(book.bytes as f64 / seconds)),
        };
        let _infallible = writeln!(
            text,
            "{label}: {name}: {rate}{:.0} operations/s, latency median {}, p99 {}, maximum {}",
            book.operations() as f64 / seconds,
            at(0.5),
            at(0.99),
            print_ns(book.total.max as f64)
        );
    }
    if total.meter.interrupted {
        let _infallible = writeln!(text, "{label}: interrupted before all of it was done");
    }
    let moved: u64 = total.meter.books.iter().map(|book| book.bytes).sum();
    let said = |name: &str| {
        let of = report.dimensions.iter().find(|(known, _)| *known == name);
        of.map_or("unknown", |(_, value)| value.as_str())
    };
    let _infallible = writeln!(
        text,
        "{label}: {}, page cache {} ({} pages in memory at the start), {} of CPU time per GiB",
        said("backend"),
        said("page_cache"),
        said("resident_pages"),
        print_ns(report.cpu_ns as f64 * (1_u64 << 30) as f64 / moved.max(1) as f64)
    );
    text
}
