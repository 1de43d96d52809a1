//! The record: every row of one run with its environment, as one JSON object. The only folder that
//! knows the JSON. `schema/run-record.v1.json` describes it; ratios and percentiles are derived on
//! read and never stored.
//!
//! Here are the types; text and files are in `io`, what may not be said in `check`, histograms
//! and values per operation in `data`, the names of a resource watch in `watched`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod check;
mod data;
mod io;
pub mod watched;

pub use io::{RecordError, replace_file};

/// The version this program writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// All rows of one run with the environment that made them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA_VERSION`].
    pub schema: u32,
    /// UUID version 7: sorts by time.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Where and with what the rows were measured.
    pub environment: Environment,
    /// One per id and metric.
    pub rows: Vec<Row>,
    /// Fields that this version does not know, kept as they came.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// All values of one metric of one id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `room/workload/parameter…`
    pub id: String,
    /// What was measured.
    pub metric: Metric,
    /// The unit of every value: `ns`, `bytes`, `instructions`, `1`…
    pub unit: String,
    /// Whether a gate may judge it. Only counts may.
    pub gates: bool,
    /// The raw values; `None` on a failed row.
    pub data: Option<Data>,
    /// Size, profile, backend, seed…: what else tells this number from another.
    pub dimensions: BTreeMap<String, String>,
    /// Whether the benchmark did what it had to.
    pub ok: bool,
    /// Failed operations by kind.
    #[serde(default)]
    pub errors: BTreeMap<String, u64>,
    /// Why the benchmark failed; such a row has no data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Fields that this version does not know, kept as they came.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Raw values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Data {
    /// Samples in the row's unit; sample `i` is the total of `iterations[i]` operations.
    Samples {
        /// Totals.
        values: Vec<f64>,
        /// Operations per total.
        iterations: Vec<u64>,
    },
    /// An HDR histogram, V2 deflate, base64.
    Histogram {
        /// The encoded histogram.
        base64: String,
        /// Lowest discernible value.
        low: u64,
        /// Highest trackable value.
        high: u64,
        /// Significant decimal digits.
        digits: u8,
    },
    /// One count.
    Count {
        /// The count.
        value: u64,
    },
}

/// What a row measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Metric {
    /// User-space instructions under callgrind.
    Instructions,
    /// Time of one operation by a clock.
    WallTime,
    /// Time from the intended start of an operation to its end.
    Latency,
    /// Payload bytes moved.
    ThroughputBytes,
    /// Operations done.
    Operations,
    /// Operations failed.
    Errors,
    /// Allocation calls.
    Allocations,
    /// Bytes asked of the allocator.
    AllocatedBytes,
    /// User and system time.
    CpuTime,
    /// Peak resident memory.
    RssBytes,
    /// System calls.
    Syscalls,
    /// Requests that reached a server or kernel module.
    Requests,
    /// A metric that this version does not know.
    Other(String),
}

/// Where and with what rows were measured. `None` is "not readable here", never a guess.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// SHA-256 of the machine's id: the same host, without naming it.
    pub host_id: Option<String>,
    /// CPU model name.
    pub cpu_model: Option<String>,
    /// The feature flags by which glibc chooses its string functions, sorted.
    pub cpu_features: Vec<String>,
    /// Cores this process may use.
    pub cores: Option<u64>,
    /// Memory of the machine.
    pub memory_bytes: Option<u64>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Frequency governor.
    pub governor: Option<String>,
    /// Whether the CPU may exceed its base clock.
    pub turbo: Option<bool>,
    /// Whether cores share execution units.
    pub smt: Option<bool>,
    /// Whether this is a virtual machine.
    pub virtualised: Option<bool>,
    /// C library version.
    pub glibc: Option<String>,
    /// Compiler version.
    pub rustc: Option<String>,
    /// Target triple.
    pub target: Option<String>,
    /// Extra compiler flags.
    pub rustflags: Option<String>,
    /// Cargo profile.
    pub profile: Option<String>,
    /// SHA-256 of Cargo.lock.
    pub lockfile_hash: Option<String>,
    /// Valgrind version.
    pub valgrind: Option<String>,
    /// GLIBC_TUNABLES under which instructions were counted.
    pub glibc_tunables: Option<String>,
    /// Git commit.
    pub git_commit: Option<String>,
    /// Whether the tree differed from the commit.
    pub git_dirty: Option<bool>,
    /// Code hash of each bench executable, by target name.
    pub executables: BTreeMap<String, String>,
    /// TCP congestion control.
    pub tcp_congestion_control: Option<String>,
    /// Socket buffer limits: `net.core.*` and `net.ipv4.tcp_*` by name.
    pub socket_limits: BTreeMap<String, String>,
    /// Read-ahead of the disk under the workspace.
    pub read_ahead_bytes: Option<u64>,
    /// To what memory the kernel gives huge pages: `always`, `madvise` (what asks for them), `never`; `none`
    /// where it has none.
    pub huge_pages: Option<String>,
    /// Fields that this version does not know, kept as they came.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Names on disk, in the order of the enum.
const METRICS: [(Metric, &str); 12] = [
    (Metric::Instructions, "instructions"),
    (Metric::WallTime, "wall_time"),
    (Metric::Latency, "latency"),
    (Metric::ThroughputBytes, "throughput_bytes"),
    (Metric::Operations, "operations"),
    (Metric::Errors, "errors"),
    (Metric::Allocations, "allocations"),
    (Metric::AllocatedBytes, "allocated_bytes"),
    (Metric::CpuTime, "cpu_time"),
    (Metric::RssBytes, "rss_bytes"),
    (Metric::Syscalls, "syscalls"),
    (Metric::Requests, "requests"),
];

impl Metric {
    /// The name on disk.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => METRICS.iter().find(|(metric, _)| metric == known).expect("listed").1,
        }
    }
}

impl From<String> for Metric {
    fn from(name: String) -> Self {
        let known = METRICS.iter().find(|(_, known)| *known == name);
        known.map_or(Self::Other(name), |(metric, _)| metric.clone())
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.name().to_owned()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl RunRecord {
    /// An empty record that starts now.
    pub fn begin(environment: Environment) -> Self {
        Self {
            schema: SCHEMA_VERSION,
            run_id: uuid::Uuid::now_v7().to_string(),
            started_at: jiff::Timestamp::now().to_string(),
            environment,
            rows: Vec::new(),
            unknown: Map::new(),
        }
    }
}

impl Row {
    /// A row of raw values.
    pub fn measured(id: &str, metric: Metric, unit: &str, data: Data) -> Self {
        Self {
            id: id.to_owned(),
            gates: metric == Metric::Instructions,
            metric,
            unit: unit.to_owned(),
            data: Some(data),
            dimensions: BTreeMap::new(),
            ok: true,
            errors: BTreeMap::new(),
            error: None,
            unknown: Map::new(),
        }
    }

    /// A row that says why there is no value.
    pub fn failed(id: &str, metric: Metric, unit: &str, error: &str) -> Self {
        Self {
            data: None,
            ok: false,
            error: Some(error.to_owned()),
            ..Self::measured(id, metric, unit, Data::Count { value: 0 })
        }
    }
}
