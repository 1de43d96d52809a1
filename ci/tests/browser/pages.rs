//! The pages that the browser opens, made by the program from records of known content.

use std::path::PathBuf;

use bench_core::record::{Data, Environment, Metric, Row, RunRecord};
use serde_json::{Value, json};

use crate::front_door::Folder;

/// What a name must not do.
pub(crate) const EVIL: &str = "</script><img src=x onerror=evil=1><script>evil=1</script>\"'|";

/// A folder with the pages in it.
pub(crate) struct Pages(Folder);

impl Pages {
    pub(crate) fn new() -> Self {
        Self(Folder::new())
    }

    /// A file of this content.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        self.0.write(name, text).into()
    }

    /// A comparison in which one id regressed, one improved, and the rest did not move.
    pub(crate) fn pair(&self) -> PathBuf {
        self.page("")
    }

    /// As [`pair`](Self::pair), with a hostile end of every name.
    pub(crate) fn hostile(&self) -> PathBuf {
        self.page(EVIL)
    }

    /// One id over so many runs in the history, with a step in the middle.
    pub(crate) fn trend(&self, runs: usize) -> PathBuf {
        let store = self.0.path("history.sqlite");
        let mut files = Vec::new();
        for n in 0..runs {
            let mut one = record();
            one.started_at =
                format!("2026-01-{:02}T{:02}:{:02}:00Z", n / 1_440 % 28 + 1, n / 60 % 24, n % 60);
            one.environment.git_commit = Some(format!("{:040x}", n + 1));
            let level = if n < runs / 2 { 10_000 } else { 11_000 };
            let data = Data::Count { value: level + (n * 7_919 % 101) as u64 };
            one.rows.push(Row::measured(
                "pool/cycle/4KiB",
                Metric::Instructions,
                "instructions",
                data,
            ));
            files.push(self.0.write(&format!("run-{n}.json"), &one.to_json().expect("sound")));
        }
        let mut args = vec!["history", "--store", &store, "record"];
        args.extend(files.iter().map(String::as_str));
        self.0.run(&args).exits(0);
        let history = format!("--history={store}");
        self.0.run(&["report", files.last().expect("a run"), &history]).exits(0);
        self.0.path("report.html").into()
    }

    fn page(&self, evil: &str) -> PathBuf {
        let ids = [
            ("pool/cycle/1KiB", 20.0, 1.0, "unchanged"),
            ("pool/cycle/4KiB", 40.0, 1.1, "regressed"),
            ("storage/write/4KiB", 1_000.0, 0.8, "improved"),
            ("storage/write/16KiB", 4_000.0, 1.0, "unchanged"),
        ];
        let mut sides = [record(), record()];
        let mut judged: Vec<Value> = Vec::new();
        for (id, median, ratio, word) in ids {
            let id = format!("{id}{evil}");
            sides[0].rows.push(times(&id, median));
            sides[1].rows.push(times(&id, median * ratio));
            let fill = json!({
                "function": format!("fill{evil}"), "base": 10_000, "head": 11_234,
                "place": "src/pool.rs:7",
            });
            judged.push(json!({
                "id": id, "metric": "wall_time", "unit": "ns", "word": word, "base": median,
                "head": median * ratio, "ratio": ratio, "interval": [ratio * 0.99, ratio * 1.01],
                "note": (!evil.is_empty()).then_some(evil), "bound": "limit 1 %",
                "functions": if word == "regressed" { json!([fill]) } else { json!([]) },
            }));
        }
        for (side, name) in sides.iter().zip(["base.json", "head.json"]) {
            self.0.write(name, &side.to_json().expect("sound"));
        }
        let side = |name: &str, record: &str| json!({ "name": format!("{name}{evil}"), "commit": null, "record": record });
        let verdicts = json!({
            "verdicts": 1, "command": "compare", "exit": 3, "remarks": [format!("in turns{evil}")],
            "sentence": format!("compare: 1 regressed, 1 improved, 2 unchanged{evil}"),
            "base": side("main", "base.json"), "head": side("tree", "head.json"), "judged": judged,
        });
        let verdicts = self.0.write("verdicts.json", &verdicts.to_string());
        self.0.run(&["report", &verdicts]).exits(0);
        self.0.path("report.html").into()
    }
}

fn record() -> RunRecord {
    RunRecord::begin(Environment { cpu_model: Some("a CPU".into()), ..Environment::default() })
}

/// 41 samples around the median, which is the middle one.
fn times(id: &str, median: f64) -> Row {
    let values = (0..41).map(|n| median * (1.0 + (f64::from(n) - 20.0) / 1_000.0)).collect();
    let data = Data::Samples { values, iterations: vec![1; 41] };
    Row::measured(id, Metric::WallTime, "ns", data)
}
