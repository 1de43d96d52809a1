//! The rules of the house that neither compiler nor clippy knows: layers, file length, file
//! headers, where unsafe may stand, unique ids.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// A file that grows beyond this has two subjects.
const LINES_MAX: usize = 400;

/// The only files that may lift the ban on unsafe code.
const UNSAFE_FILES: [&str; 13] = [
    "bench-core/src/fixture/buffer_pool/biased.rs",
    "bench-core/src/fixture/buffer_pool/block.rs",
    "bench-core/src/fixture/buffer_pool/local.rs",
    "bench-core/src/fixture/buffer_pool/memory.rs",
    "bench-core/src/fixture/buffer_pool/slab.rs",
    "bench-network/src/network/kernel.rs",
    "bench-network/src/tcp/kernel.rs",
    "bench-storage/src/residency.rs",
    "bench-storage/src/source/fixed_ring.rs",
    "bench-storage/src/source/mapped.rs",
    "bench-storage/src/source/ring.rs",
    "bench-storage/tests/uring_forbidden.rs",
    "benches/src/pools/allocators.rs",
];

/// Which of our crates a crate may use.
const CRATE_EDGES: [(&str, &[&str]); 6] = [
    ("bench-core", &[]),
    ("bench-grpc", &["bench-core"]),
    ("bench-storage", &["bench-core"]),
    ("bench-network", &["bench-core"]),
    ("benches", &["bench-core", "bench-grpc", "bench-network", "bench-storage"]),
    ("ci", &["bench-core"]),
];

/// Which modules of bench-core a module of it may use.
const MODULE_EDGES: [(&str, &[&str]); 8] = [
    ("units", &[]),
    ("scale", &[]),
    ("workload", &["units"]),
    ("fixture", &["scale", "units"]),
    ("workloads", &["fixture", "units", "workload"]),
    ("record", &["units"]),
    ("measure", &["fixture", "record", "scale", "units", "workload"]),
    ("judge", &["record", "units"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ci lies in the workspace").to_owned()
}

/// Every Rust file of the workspace with its text, by path from the root.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut folders: Vec<PathBuf> = CRATE_EDGES.iter().map(|(name, _)| root.join(name)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folder can be read") {
            let path = entry.expect("entry can be read").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").display().to_string();
                sources.push((name, fs::read_to_string(&path).expect("file is text")));
            }
        }
    }
    assert!(sources.len() > 40, "only {} sources were found: the walk is broken", sources.len());
    sources.sort();
    sources
}

fn table(path: &str) -> Table {
    fs::read_to_string(root().join(path)).expect(path).parse().expect(path)
}

fn offenders(rule: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            found.push(format!("{name} has {lines} lines"));
        }
        if !text.starts_with("//!") {
            found.push(format!("{name} does not open with //!"));
        }
    }
    offenders("a file has one subject, at most 400 lines, and opens by naming it", found);
}

#[test]
fn unsafe_stands_in_listed_files_only() {
    let lifts = |text: &str| {
        ["expect(unsafe_code", "allow(unsafe_code"].iter().any(|lint| text.contains(lint))
    };
    let lifting: Vec<String> = sources()
        .into_iter()
        .filter(|(name, text)| lifts(text) && !name.ends_with("tests/tidy.rs"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(lifting, UNSAFE_FILES, "the list of files with unsafe code is out of date");
}

#[test]
fn crates_use_only_the_layer_below() {
    let ours: Vec<&str> = CRATE_EDGES.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in CRATE_EDGES {
        let manifest = table(&format!("{name}/Cargo.toml"));
        let uses: BTreeSet<&str> = ["dependencies", "build-dependencies"]
            .iter()
            .filter_map(|kind| manifest.get(*kind)?.as_table())
            .flat_map(|dependencies| dependencies.keys().map(String::as_str))
            .filter(|dependency| ours.contains(dependency))
            .collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(uses.is_subset(&allowed), "{name} uses {uses:?}, but may use only {allowed:?}");
    }
}

#[test]
fn modules_of_bench_core_use_only_what_lies_before_them() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        let Some(path) = name.strip_prefix("bench-core/src/") else { continue };
        let module = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
        let Some((_, allowed)) = MODULE_EDGES.iter().find(|(known, _)| *known == module) else {
            continue;
        };
        // Tests below the code may use what they like.
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        let code: String = code.lines().filter(|line| !line.trim().starts_with("//")).collect();
        for target in MODULE_EDGES.iter().map(|(target, _)| *target) {
            let used = code.contains(&format!("crate::{target}"));
            if used && target != module && !allowed.contains(&target) {
                found.push(format!("{name} uses crate::{target}"));
            }
        }
    }
    offenders("data flows one way through bench-core", found);
}

#[test]
fn scenarios_write_their_records_by_the_front_door_alone() {
    // It adds what the scenario used; a record without that says nothing of what was saturated.
    let writes = |name: &str, text: &str| {
        name.starts_with("benches/")
            && name != "benches/src/front/mod.rs"
            && text.lines().any(|line| line.contains("record.write("))
    };
    assert!(writes("benches/src/a.rs", "    self.record.write(path)?;"));
    let written = sources().into_iter().filter(|(name, text)| writes(name, text));
    let found = written.map(|(name, _)| name).collect();
    offenders("a scenario writes its record by front::write_record", found);
    assert!(sources().iter().any(|(name, text)| {
        name == "benches/src/front/mod.rs" && text.contains("record.write(")
    }));
}

#[test]
fn every_crate_keeps_libtest_out_of_cargo_bench() {
    for (name, _) in CRATE_EDGES {
        let manifest = table(&format!("{name}/Cargo.toml"));
        let off = |target: &Value| target.get("bench").and_then(Value::as_bool) == Some(false);
        assert!(manifest.get("lib").is_none_or(off), "{name}: [lib] wants bench = false");
        let bins = manifest.get("bin").and_then(Value::as_array);
        assert!(
            bins.is_none_or(|bins| bins.iter().all(off)),
            "{name}: [[bin]] wants bench = false"
        );
    }
}

#[test]
fn expected_ids_are_unique_and_those_that_count_targets_declare() {
    let expected = table("benches/expected.toml");
    let counted = unique("count.ids", [&expected["count"]["ids"]]);
    let declared = sources()
        .iter()
        .filter(|(name, _)| name.starts_with("benches/count/"))
        .flat_map(|(_, text)| declared_ids(text))
        .collect::<BTreeSet<_>>();
    assert_eq!(declared, counted, "benches/expected.toml and the count targets differ");
    let lists = |kind: &'static str| {
        let scales = ["smoke", "quick", "full", "asked"].into_iter();
        scales.filter_map(|scale| expected[kind].get(scale)).collect::<Vec<_>>()
    };
    unique("timed and scenario", lists("timed").into_iter().chain(lists("scenario")));
    let timed = unique("timed", lists("timed"));
    // Odd sizes are counted only: they are there for the code that small and uneven sizes take.
    let workload =
        |id: &String| id.rsplit_once('/').map_or(id.as_str(), |(workload, _)| workload).to_owned();
    let timed: BTreeSet<String> = timed.iter().map(workload).collect();
    let lonely: Vec<&String> = counted.iter().filter(|id| !timed.contains(&workload(id))).collect();
    assert!(lonely.is_empty(), "counted, but at no size timed: {lonely:?}");
}

/// The ids of these lists, none of which may stand twice.
fn unique<'a>(what: &str, lists: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for id in lists.into_iter().flat_map(|list| list.as_array().expect("a list")) {
        let id = id.as_str().expect("an id is text").to_owned();
        assert!(ids.insert(id.clone()), "{id} stands twice in {what} of expected.toml");
    }
    ids
}

/// The ids that a count target declares by `counts! { group: function = Workload [parameters]; }`.
fn declared_ids(text: &str) -> Vec<String> {
    let Some((_, body)) = text.split_once("counts! {") else { return Vec::new() };
    let body = body.split('}').next().unwrap_or(body);
    let Some((group, functions)) = body.split_once(':') else { return Vec::new() };
    let mut ids = Vec::new();
    for function in functions.split(';').filter(|function| function.contains('=')) {
        let (name, rest) = function.split_once('=').expect("filtered");
        let parameters = rest.split(['[', ']']).nth(1).expect("parameters stand in brackets");
        for parameter in parameters.split_whitespace() {
            let parameter = parameter.trim_start_matches('_').replace("__", "/");
            ids.push(format!("{}/{}/{parameter}", group.trim(), name.trim()));
        }
    }
    ids
}

#[test]
fn declared_ids_are_read_as_the_macro_reads_them() {
    let text = "benches::counts! {\n    pool:\n        cycle = PoolCycle [_1KiB x__1MiB];\n}";
    assert_eq!(declared_ids(text), ["pool/cycle/1KiB", "pool/cycle/x/1MiB"]);
}
