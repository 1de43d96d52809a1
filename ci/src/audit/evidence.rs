//! What two profiles of one id hold, and where they part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustc_demangle::demangle;

use super::cause::Names;
use super::series::Value;
use crate::gate::callgrind;
use crate::gate::explain::{Change, explain};

/// Names for [`causes`](super::cause::causes), and the functions that differ most, the largest
/// difference first.
///
/// # Errors
/// When a profile can't be read or is not callgrind's.
pub(crate) fn gather(
    (least, most): (&Value, &Value),
    root: &Path,
) -> anyhow::Result<(Names, Vec<Change>)> {
    let [a, b] = [least, most].map(|value| by_name(&value.callgrind));
    let changes = explain(&least.callgrind, &most.callgrind, &[root])?;
    Ok((names(&a?, &b?), changes))
}

/// Own instructions by name of a function or of a file.
type ByName = BTreeMap<String, u64>;

fn by_name(profiles: &[PathBuf]) -> anyhow::Result<ByName> {
    let mut total = ByName::new();
    for path in profiles {
        let bytes =
            std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let costs = callgrind::parse(&String::from_utf8_lossy(&bytes))
            .with_context(|| format!("failed to understand {}", path.display()))?;
        for (place, cost) in costs {
            let function = format!("{:#}", demangle(&place.function));
            for name in [function, place.file] {
                *total.entry(name).or_default() += cost;
            }
        }
    }
    Ok(total)
}

fn names(a: &ByName, b: &ByName) -> Names {
    let all = || a.keys().chain(b.keys());
    let parted = all().filter(|name| a.get(*name) != b.get(*name));
    Names { parted: parted.cloned().collect(), present: all().cloned().collect() }
}

#[cfg(test)]
mod tests {
    use super::super::condition::Condition;
    use super::*;

    #[test]
    fn names_that_differ_are_told_from_names_that_are_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let value = |name: &str, count: u64| {
            let path = folder.path().join(name);
            let text = format!(
                "events: Ir\nfl=sip.rs\nfn=_ZN4core4fill17h0123456789abcdefE\n1 9\n\
                 fl=map.rs\nfn=insert\n2 {count}\n"
            );
            std::fs::write(&path, text).expect("written");
            Value { condition: Condition::Idle, count: count + 9, callgrind: vec![path] }
        };
        let (least, most) = (value("a", 5), value("b", 8));
        let (names, changes) = gather((&least, &most), Path::new("/w")).expect("readable");
        assert_eq!(names.parted, ["insert", "map.rs"].map(str::to_owned).into());
        let all = ["core::fill", "insert", "map.rs", "sip.rs"];
        assert_eq!(names.present, all.map(str::to_owned).into());
        assert_eq!((changes[0].function.as_str(), changes[0].head), ("insert", 8));
    }

    #[test]
    fn a_profile_that_is_gone_is_named() {
        let value = Value {
            condition: Condition::Idle,
            count: 1,
            callgrind: vec!["no/such/callgrind.out".into()],
        };
        let error = gather((&value, &value), Path::new("/w")).expect_err("gone");
        assert!(format!("{error:#}").contains("no/such/callgrind.out"), "{error:#}");
    }
}
