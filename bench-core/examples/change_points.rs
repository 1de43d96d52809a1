//! Finds the change points of a series in a file, one number a line, and times that. For the same
//! by Apache Otava: `pip install apache-otava==0.8.0`, then in python
//!
//! ```text
//! import time; from otava.analysis import compute_change_points
//! series = [float(line) for line in open("FILE")]; start = time.perf_counter()
//! print([p.index for p in compute_change_points(series)[0]], time.perf_counter() - start)
//! ```

#![expect(clippy::print_stdout, reason = "an example tells its result")]

use std::time::{Duration, Instant};

use bench_core::judge::changepoint::{Settings, change_points};

/// Of so many repetitions the fastest is told: what is slower is somebody else's.
const REPETITIONS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("name a file with one number a line")?;
    let text = std::fs::read_to_string(file)?;
    let series: Vec<f64> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let mut fastest = Duration::MAX;
    let mut points = Vec::new();
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        points = change_points(&series, Settings::OTAVA);
        fastest = fastest.min(start.elapsed());
    }
    for point in &points {
        println!("{}: {} to {}, p = {:.2e}", point.index, point.before, point.after, point.p_value);
    }
    let each = fastest.as_secs_f64() * 1e9 / series.len().max(1) as f64;
    println!(
        "{} points in {} values: {fastest:?}, {each:.0} ns a value",
        points.len(),
        series.len()
    );
    Ok(())
}
