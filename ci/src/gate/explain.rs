//! Which functions a difference came from: two callgrind outputs of one id, subtracted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::callgrind::{self, Costs};

/// How many functions are worth a reader's time.
pub(crate) const FUNCTIONS_MAX: usize = 10;

/// How one function's own instructions changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Demangled, without hash.
    pub(crate) function: String,
    /// Own instructions before.
    pub(crate) base: u64,
    /// Own instructions after.
    pub(crate) head: u64,
    /// File and line, inlined code included, that changed most, preferably in the workspace;
    /// `None` where none is known.
    pub(crate) place: Option<String>,
}

impl Change {
    /// After minus before.
    pub(crate) fn difference(&self) -> i128 {
        i128::from(self.head) - i128::from(self.base)
    }
}

/// The functions that changed most, the largest change first, at most [`FUNCTIONS_MAX`].
/// `roots` are cut off the front of file names.
///
/// # Errors
/// When an output can't be read or is not callgrind's.
pub(crate) fn explain(
    base: &[PathBuf],
    head: &[PathBuf],
    roots: &[&Path],
) -> anyhow::Result<Vec<Change>> {
    Ok(subtract(&read(base)?, &read(head)?, roots))
}

fn read(files: &[PathBuf]) -> anyhow::Result<Costs> {
    let mut total = Costs::new();
    for path in files {
        let bytes =
            std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let costs = callgrind::parse(&String::from_utf8_lossy(&bytes))
            .with_context(|| format!("failed to understand {}", path.display()))?;
        for (place, cost) in costs {
            *total.entry(place).or_default() += cost;
        }
    }
    Ok(total)
}

#[derive(Default)]
struct Function {
    base: u64,
    head: u64,
    lines: BTreeMap<(String, u64), i128>,
}

fn subtract(base: &Costs, head: &Costs, roots: &[&Path]) -> Vec<Change> {
    let mut functions: BTreeMap<String, Function> = BTreeMap::new();
    for (costs, sign) in [(base, -1), (head, 1)] {
        for (place, &cost) in costs {
            let function = functions.entry(readable(&place.function)).or_default();
            let side = if sign < 0 { &mut function.base } else { &mut function.head };
            *side = side.saturating_add(cost);
            let line = function.lines.entry((place.file.clone(), place.line)).or_default();
            *line += sign * i128::from(cost);
        }
    }
    let mut changes: Vec<Change> = functions
        .into_iter()
        .filter(|(_, function)| function.base != function.head)
        .map(|(name, function)| Change {
            place: place(&function.lines, roots),
            function: name,
            base: function.base,
            head: function.head,
        })
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.difference().unsigned_abs()));
    changes.truncate(FUNCTIONS_MAX);
    changes
}

/// The line that changed most; one of the workspace's own where there is any, because a reader
/// can change that one.
fn place(lines: &BTreeMap<(String, u64), i128>, roots: &[&Path]) -> Option<String> {
    let own = |file: &str| roots.iter().any(|root| Path::new(file).starts_with(root));
    let ((file, line), _) = lines
        .iter()
        .filter(|((file, _), _)| !file.is_empty() && file != "???")
        .max_by_key(|((file, _), change)| (own(file) && **change != 0, change.unsigned_abs()))?;
    let file = shorten(file, roots);
    Some(if *line == 0 { file } else { format!("{file}:{line}") })
}

/// File names as people know them: below the workspace, or from the crate's or library's name on.
fn shorten(file: &str, roots: &[&Path]) -> String {
    let below = |root: &&Path| Path::new(file).strip_prefix(root).ok();
    if let Some(path) = roots.iter().find_map(below) {
        return path.display().to_string();
    }
    let after = |marker: &str| {
        let (_, rest) = file.split_once(marker)?;
        rest.split_once('/').map(|(_, rest)| rest.to_owned())
    };
    after("/registry/src/").or_else(|| after("/rustc/")).unwrap_or_else(|| file.to_owned())
}

/// Demangled where valgrind did not, without the hash of legacy names and callgrind's marks of
/// recursion (`'2`).
fn readable(function: &str) -> String {
    let unmarked = match function.rsplit_once('\'') {
        Some((name, mark)) if !mark.is_empty() && mark.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => function,
    };
    let name = format!("{:#}", rustc_demangle::demangle(unmarked));
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            path.to_owned()
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(text: &str) -> Costs {
        callgrind::parse(&format!("events: Ir\n{text}")).expect("callgrind's")
    }

    #[test]
    fn the_functions_that_changed_are_named_largest_first_and_the_rest_is_not() {
        let base = costs("fl=/w/src/a.rs\nfn=fill\n1 100\nfn=same\n2 9\nfn=gone\n3 5\n");
        let head = costs(
            "fl=/w/src/a.rs\nfn=fill\n1 100\n7 10\nfi=/w/src/b.rs\n8 30\nfe=/w/src/a.rs\n\
             fn=same\n2 9\nfn=canary\n4 200\n",
        );
        let changes = subtract(&base, &head, &[Path::new("/w")]);
        let seen: Vec<_> = changes
            .iter()
            .map(|c| (c.function.as_str(), c.base, c.head, c.place.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                ("canary", 0, 200, Some("src/a.rs:4")),
                ("fill", 100, 140, Some("src/b.rs:8")),
                ("gone", 5, 0, Some("src/a.rs:3")),
            ]
        );
    }

    #[test]
    fn a_line_of_the_workspace_is_named_before_a_larger_one_of_a_library() {
        let head = costs("fl=/w/a.rs\nfn=f\n7 10\nfi=/rustc/1/library/core/x.rs\n1 99\n");
        let changes = subtract(&Costs::new(), &head, &[Path::new("/w")]);
        assert_eq!(changes[0].place.as_deref(), Some("a.rs:7"));
    }

    #[test]
    fn names_lose_hashes_manglings_and_marks_of_recursion() {
        assert_eq!(readable("core::fill::h0123456789abcdef"), "core::fill");
        assert_eq!(readable("_ZN4core4fill17h0123456789abcdefE"), "core::fill");
        assert_eq!(readable("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(readable("walk'2"), "walk");
        assert_eq!(readable("(below main)"), "(below main)");
    }

    #[test]
    fn files_of_crates_and_of_the_standard_library_are_shortened() {
        let registry = "/home/u/.cargo/registry/src/index.crates.io-1/bytes-1.0/src/lib.rs";
        assert_eq!(shorten(registry, &[]), "bytes-1.0/src/lib.rs");
        assert_eq!(shorten("/rustc/5980/library/core/src/ptr.rs", &[]), "library/core/src/ptr.rs");
        assert_eq!(shorten("./csu/libc-start.c", &[]), "./csu/libc-start.c");
    }

    #[test]
    fn an_output_that_is_missing_or_foreign_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("callgrind.out");
        let error = explain(std::slice::from_ref(&path), &[], &[]).expect_err("missing");
        assert!(error.to_string().contains("callgrind.out"), "{error}");
        std::fs::write(&path, "hello").expect("write");
        assert!(explain(&[path], &[], &[]).is_err());
    }
}
