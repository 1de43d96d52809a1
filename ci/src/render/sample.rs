//! A record such as a run makes: rooms, ladders, both harnesses, latencies, one failure. All of
//! it is computed, so that it is the same on every machine.

use bench_core::judge::compare;
use bench_core::record::watched::{FAMILY, TCP_LISTEN_OVERFLOWS, WATCHED};
use bench_core::record::{Data, Environment, Metric, Row, RunRecord, SCHEMA_VERSION};
use bench_core::units::ByteSize;
use hdrhistogram::Histogram;

use crate::exit::Exit;
use crate::render::verdicts::{Function, Judged, Side, Verdicts, Word};

/// What was watched beside a scenario, in one second of which a listener's queue was full so often.
pub(crate) fn watched(scenario: &str, overflows: f64) -> Vec<Row> {
    let data = Data::Samples { values: vec![overflows], iterations: vec![1_000_000] };
    let metric = Metric::Other(TCP_LISTEN_OVERFLOWS.to_owned());
    let mut row = Row::measured(&format!("{FAMILY}{scenario}"), metric, "1", data);
    row.dimensions.insert(WATCHED.to_owned(), scenario.to_owned());
    vec![row]
}

/// A line of a ladder: name, fixed cost in ns, ns per byte, instructions per byte, spread.
type Line = (&'static str, f64, f64, f64, f64);

const LINES: [Line; 8] = [
    ("grpc/read/default", 62_000.0, 0.42, 1.31, 0.09),
    ("grpc/stream/default", 71_000.0, 0.61, 1.84, 0.12),
    ("grpc/write/default", 68_000.0, 0.55, 1.62, 0.10),
    ("network/tcp_echo", 9_000.0, 0.21, 0.02, 0.15),
    ("pool/cycle", 38.0, 0.0, 0.004, 0.01),
    ("storage/read_cold", 92_000.0, 0.77, 0.06, 0.22),
    ("storage/read_warm", 900.0, 0.071, 0.06, 0.03),
    ("storage/write", 4_100.0, 0.31, 0.07, 0.18),
];
const SIZES: [u64; 7] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 24];

/// 8 ladders, 3 scenarios, 2 odd ones and a failure: 60 ids.
pub(crate) fn record() -> RunRecord {
    let mut noise = Noise(42);
    let mut rows = Vec::new();
    for line in LINES {
        for size in SIZES {
            rows.extend(step(line, size, &mut noise));
        }
    }
    for (name, median, tail) in
        [("steady", 180e3, 0.35), ("burst", 260e3, 0.8), ("faults", 310e3, 1.2)]
    {
        rows.extend(scenario(&format!("scenario/grpc_mix/{name}"), median, tail, &mut noise));
    }
    rows.push(wall("network/tcp_connect", 41_000.0, 0.2, &mut noise));
    let why = "the server closed the connection after 3 of 50 operations: stream reset by peer";
    rows.push(Row::failed("grpc/read/large_window/64MiB", Metric::WallTime, "ns", why));
    RunRecord {
        schema: SCHEMA_VERSION,
        run_id: "019a9f3e-7c1d-7a44-8e0a-3f1a6a1f2b10".to_owned(),
        started_at: "2026-11-20T09:12:44Z".to_owned(),
        environment: environment(),
        rows,
        unknown: Default::default(),
    }
}

fn environment() -> Environment {
    let text = |text: &str| Some(text.to_owned());
    Environment {
        host_id: text("6b1f3c"),
        cpu_model: text("Intel(R) Xeon(R) Processor @ 2.70GHz"),
        cpu_features: ["avx2", "avx512f", "erms", "fsrm"].map(str::to_owned).to_vec(),
        cores: Some(2),
        memory_bytes: Some(8 << 30),
        kernel: text("6.18.0"),
        smt: Some(true),
        virtualised: Some(true),
        glibc: text("2.36"),
        rustc: text("1.95.0 (x86_64-unknown-linux-gnu)"),
        target: text("x86_64-unknown-linux-gnu"),
        rustflags: text(""),
        profile: text("bench"),
        valgrind: text("3.19.0"),
        glibc_tunables: text("glibc.cpu.x86_rep_movsb_threshold=0x40000000"),
        git_commit: text("52e648601f2b7a6c"),
        git_dirty: Some(true),
        tcp_congestion_control: text("bbr"),
        huge_pages: text("madvise"),
        ..Environment::default()
    }
}

fn step((name, fixed, per_byte, counted, spread): Line, size: u64, noise: &mut Noise) -> Vec<Row> {
    let id = format!("{name}/{}", ByteSize::new(size));
    let mut time = wall(&id, fixed + per_byte * size as f64, spread, noise);
    time.dimensions.insert("bytes".to_owned(), size.to_string());
    if name.starts_with("storage") {
        for (name, value) in [("backend", "pread"), ("file_system", "ext4")] {
            time.dimensions.insert(name.to_owned(), value.to_owned());
        }
        let state = if name.contains("cold") { "cold" } else { "warm" };
        time.dimensions.insert("page_cache".to_owned(), state.to_owned());
    }
    let mut rows = vec![time];
    if size <= 1 << 20 {
        let value = (fixed / 3.0 + counted * size as f64) as u64;
        let count = Data::Count { value };
        rows.push(Row::measured(&id, Metric::Instructions, "instructions", count));
    }
    rows
}

fn wall(id: &str, ns: f64, spread: f64, noise: &mut Noise) -> Row {
    let iterations: Vec<u64> = (1..=40).collect();
    let one = |count: &u64| ns * *count as f64 * (1.0 + spread * noise.skewed());
    let values = iterations.iter().map(one).collect();
    Row::measured(id, Metric::WallTime, "ns", Data::Samples { values, iterations })
}

fn scenario(id: &str, median: f64, tail: f64, noise: &mut Noise) -> Vec<Row> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("bounds");
    for _ in 0..20_000 {
        let slow = if noise.unit() > 0.995 { 9.0 } else { 1.0 };
        histogram.saturating_record((median * slow * (tail * noise.skewed()).exp()) as u64);
    }
    let mut errors = Row::measured(id, Metric::Errors, "1", Data::Count { value: 3 });
    errors.errors.insert("deadline".to_owned(), 3);
    vec![
        Row::measured(id, Metric::Latency, "ns", Data::from_histogram(&histogram)),
        Row::measured(id, Metric::Operations, "1", Data::Count { value: 20_000 }),
        errors,
    ]
}

/// A fixed sequence: SplitMix64.
struct Noise(u64);

impl Noise {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Mostly near 0, seldom far above it: the shape of times.
    fn skewed(&mut self) -> f64 {
        let (a, b, c) = (self.unit(), self.unit(), self.unit());
        (a + b - 1.0) * 0.5 + if c > 0.93 { 2.0 * (c - 0.93) / 0.07 } else { 0.0 }
    }
}

/// Two sides of a comparison and what was thought of them, every word among it.
pub(crate) fn comparison() -> (RunRecord, RunRecord, Verdicts) {
    comparison_of(record())
}

/// As [`comparison`], of fewer rows.
pub(crate) fn comparison_of(base: RunRecord) -> (RunRecord, RunRecord, Verdicts) {
    let mut head = base.clone();
    head.run_id = "019a9f3e-9d1d-7a44-8e0a-3f1a6a1f2b11".to_owned();
    head.environment.kernel = Some("6.18.1".to_owned());
    let slower = ["grpc/stream/default/64KiB", "pool/cycle/4KiB", "storage/write/1MiB"];
    let factor = |row: &Row| match row.metric {
        Metric::WallTime | Metric::Instructions if slower.contains(&row.id.as_str()) => 1.12,
        Metric::WallTime if row.id == "storage/read_warm/16KiB" => 0.81,
        _ => 1.0,
    };
    for row in &mut head.rows {
        let factor = factor(row);
        match &mut row.data {
            Some(Data::Samples { values, .. }) => values.iter_mut().for_each(|v| *v *= factor),
            Some(Data::Count { value }) => *value = (*value as f64 * factor) as u64,
            _ => {}
        }
    }
    let side = |name: &str, commit: &str, record: &str| Side {
        name: name.to_owned(),
        commit: Some(commit.repeat(5)),
        record: Some(record.to_owned()),
    };
    let sentence = "gate did not pass (exit 3): 6 regressed".to_owned();
    let base_side = side("main", "52e64860", "base.json");
    let head_side = side("the working tree", "0b1f2c3d", "head.json");
    let mut verdicts = Verdicts::new("gate", Exit::Regressed, sentence, base_side, head_side);
    verdicts.remarks.push("both sides were built and counted in one place".to_owned());
    for pair in compare(&base, &head) {
        let ratio = pair.effect.and_then(|effect| effect.ratio).unwrap_or(1.0);
        let word = match () {
            () if ratio > 1.05 => Word::Regressed,
            () if ratio < 0.95 => Word::Improved,
            () if pair.measured_head().is_none() => Word::Missing,
            () if pair.id == "network/tcp_echo/1KiB" => Word::Undecided,
            () if pair.id == "pool/cycle/1KiB" => Word::Incomparable,
            () => Word::Unchanged,
        };
        let mut judged = Judged::of(&pair, word);
        judged.bound = Some("limit 0.3 % (policy)".to_owned());
        if word == Word::Regressed && pair.metric == Metric::Instructions {
            judged.functions = vec![Function {
                function: "<bench_core::fixture::Pool<u8> as Fill>::fill::{closure}".to_owned(),
                base: 1_000,
                head: 3_500,
                place: Some("bench-core/src/fixture/pool.rs:71".to_owned()),
            }];
        }
        verdicts.judged.push(judged);
    }
    let gone =
        Judged::absent("pool/drain/4KiB", Metric::Instructions, Word::Removed, "in the base only");
    verdicts.judged.push(gone);
    (base, head, verdicts)
}
