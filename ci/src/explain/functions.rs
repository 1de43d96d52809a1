//! Which functions a difference came from: two profiles of one id, subtracted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::Serialize;

use super::names::{own, shorten};
use super::profile::{Item, Profile};
use super::symbols::Symbols;
use crate::render::COMMENT_ROWS_MAX;

/// How one function's own instructions changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Demangled, without hash; the bare name where it was always inlined.
    pub(crate) function: String,
    /// Own instructions before.
    pub(crate) base: u64,
    /// Own instructions after.
    pub(crate) head: u64,
    /// File and line that changed most, preferably in the workspace; `None` where none is known.
    pub(crate) place: Option<String>,
}

impl Change {
    /// After minus before.
    pub(crate) fn difference(&self) -> i128 {
        i128::from(self.head) - i128::from(self.base)
    }
}

/// The functions that changed most, the largest change first, at most [`COMMENT_ROWS_MAX`].
/// `roots` are cut off the front of file names.
///
/// # Errors
/// When an output can't be read or is not callgrind's.
pub(crate) fn explain(
    base: &[PathBuf],
    head: &[PathBuf],
    roots: &[&Path],
) -> anyhow::Result<Vec<Change>> {
    let read = |files: &[PathBuf]| Profile::read(files, &mut Symbols::default());
    let mut changes = changes(&read(base)?, &read(head)?, roots);
    changes.truncate(COMMENT_ROWS_MAX);
    Ok(changes)
}

/// Every function whose own instructions changed, the largest change first.
pub(crate) fn changes(base: &Profile, head: &Profile, roots: &[&Path]) -> Vec<Change> {
    let symbols = symbols([base, head]);
    let mut functions: BTreeMap<(Rc<str>, Rc<str>), Function> = BTreeMap::new();
    for (profile, sign) in [(base, -1), (head, 1)] {
        for item in profile.own() {
            let function = functions.entry(key(item, &symbols)).or_default();
            let side = if sign < 0 { &mut function.base } else { &mut function.head };
            *side = side.saturating_add(item.instructions);
            let (frame, _) = item.counts_to();
            let line = function.lines.entry((Rc::clone(&frame.file), frame.line)).or_default();
            *line += sign * i128::from(item.instructions);
        }
    }
    let mut changes: Vec<Change> = functions
        .into_iter()
        .filter(|(_, function)| function.base != function.head)
        .map(|((name, _), function)| Change {
            place: place(&function.lines, roots),
            function: name.to_string(),
            base: function.base,
            head: function.head,
        })
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.difference().unsigned_abs()));
    changes
}

#[derive(Default)]
struct Function {
    base: u64,
    head: u64,
    lines: BTreeMap<(Rc<str>, u64), i128>,
}

/// The symbols of each bare name in a file.
type Symbolic = BTreeMap<(Rc<str>, Rc<str>), BTreeSet<Rc<str>>>;

fn symbols(profiles: [&Profile; 2]) -> Symbolic {
    let mut symbols = Symbolic::new();
    let own = profiles.into_iter().flat_map(Profile::own).map(Item::counts_to);
    for frame in own.filter_map(|(frame, symbol)| symbol.then_some(frame)) {
        let key = (Rc::clone(&frame.bare), Rc::clone(&frame.file));
        symbols.entry(key).or_default().insert(Rc::clone(&frame.name));
    }
    symbols
}

/// What a function is known by: its symbol; where it was inlined, the one symbol that has its bare
/// name and file, so that inlining alone does not make two functions of one; else name and file.
fn key(item: &Item, symbols: &Symbolic) -> (Rc<str>, Rc<str>) {
    let (frame, symbol) = item.counts_to();
    if symbol {
        return (Rc::clone(&frame.name), "".into());
    }
    let bare = (Rc::clone(&frame.bare), Rc::clone(&frame.file));
    match symbols.get(&bare).map(|names| (names.len(), names.first())) {
        Some((1, Some(symbol))) => (Rc::clone(symbol), "".into()),
        _ => bare,
    }
}

/// The line that changed most; one of the workspace's own where there is any, because a reader
/// can change that one.
fn place(lines: &BTreeMap<(Rc<str>, u64), i128>, roots: &[&Path]) -> Option<String> {
    let ((file, line), _) =
        lines.iter().filter(|((file, _), _)| !file.is_empty() && &**file != "???").max_by_key(
            |((file, _), change)| (own(file, roots) && **change != 0, change.unsigned_abs()),
        )?;
    let file = shorten(file, roots);
    Some(if *line == 0 { file } else { format!("{file}:{line}") })
}

#[cfg(test)]
mod tests {
    use super::super::profile::sample;
    use super::super::symbols::Frame;
    use super::*;

    #[test]
    fn the_functions_that_changed_are_named_largest_first_and_the_rest_is_not() {
        let base = sample("fl=/w/src/a.rs\nfn=fill\n1 100\nfn=same\n2 9\nfn=gone\n3 5\n");
        let head = sample(
            "fl=/w/src/a.rs\nfn=fill\n1 100\n7 10\nfi=/w/src/b.rs\n8 30\nfe=/w/src/a.rs\n\
             fn=same\n2 9\nfn=canary\n4 200\n",
        );
        let changes = changes(&base, &head, &[Path::new("/w")]);
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
        let head = sample("fl=/w/a.rs\nfn=f\n7 10\nfi=/rustc/1/library/core/x.rs\n1 99\n");
        let changes = changes(&Profile::default(), &head, &[Path::new("/w")]);
        assert_eq!(changes[0].place.as_deref(), Some("a.rs:7"));
    }

    fn frame(name: &str, bare: &str) -> Frame {
        Frame { name: name.into(), bare: bare.into(), file: "a.rs".into(), line: 1 }
    }

    fn executed(chains: &[(&[Frame], u64)]) -> Profile {
        let item = |(chain, instructions): &(&[Frame], u64)| Item {
            chain: Rc::from(*chain),
            callee: None,
            instructions: *instructions,
        };
        let items = chains.iter().map(item).collect();
        Profile { functions: [(Default::default(), items)].into() }
    }

    #[test]
    fn a_function_that_is_inlined_on_one_side_only_is_one_function() {
        let outer = frame("w::run", "run");
        let base =
            executed(&[(&[frame("w::fill", "fill")], 50), (std::slice::from_ref(&outer), 10)]);
        let head = executed(&[(&[outer.clone(), frame("fill", "fill")], 70), (&[outer], 10)]);
        let changes = changes(&base, &head, &[]);
        let seen: Vec<_> = changes.iter().map(|c| (&*c.function, c.base, c.head)).collect();
        assert_eq!(seen, [("w::fill", 50, 70)]);
    }

    #[test]
    fn what_the_standard_library_does_inline_counts_to_whom_it_does_it_for() {
        let library =
            |name: &str| Frame { file: "/rustc/1/library/core/x.rs".into(), ..frame(name, name) };
        let closure = frame("{closure#0}", "{closure#0}");
        let own = [frame("w::pass", "pass"), library("fold"), closure, library("next")];
        let head =
            executed(&[(&own, 50), (&[library("core::str::from_utf8"), library("next")], 7)]);
        let changes = changes(&Profile::default(), &head, &[]);
        let seen: Vec<_> = changes.iter().map(|c| (&*c.function, c.head)).collect();
        assert_eq!(seen, [("w::pass", 50), ("core::str::from_utf8", 7)]);
        assert_eq!(changes[0].place.as_deref(), Some("a.rs:1"));
    }

    #[test]
    fn two_symbols_of_one_bare_name_are_not_taken_for_one_another() {
        let base = executed(&[(&[frame("a::poll", "poll")], 5), (&[frame("b::poll", "poll")], 5)]);
        let head = executed(&[(&[frame("w::run", "run"), frame("poll", "poll")], 10)]);
        let changes = changes(&base, &head, &[]);
        let mut seen: Vec<_> = changes.iter().map(|c| (&*c.function, c.base, c.head)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [("a::poll", 5, 0), ("b::poll", 5, 0), ("poll", 0, 10)]);
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
