//! Where allocations were made more or less often: two of DHAT's outputs, subtracted by call site.
//!
//! A site is the innermost call that is neither the allocator nor the standard library's, because
//! that is the line a reader can change. Sites are matched by function, not by line, so that code
//! which only moved is no difference.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use super::names::{readable, shorten, standard};
use super::symbols::Symbols;
use crate::bench::dhat::{Frame, Heap};
use crate::render::verdicts::Site;

/// Where valgrind loads a position-independent executable on 64-bit Linux (`m_ume/elf.c`). That it
/// did is checked by the symbol at each address.
const LOADED_AT: u64 = 0x10_8000;
/// What stands between a caller and the allocator, where no file is known.
const ALLOCATOR: [&str; 6] = ["alloc::", "<alloc::", "core::", "<core::", "__rust", "std::"];

/// One call of a stack with its inlined ones resolved: function, file, line.
type Call = (String, String, u64);

fn size(site: &Site) -> (u64, u64) {
    let calls = site.base_allocations.abs_diff(site.head_allocations);
    (site.base_bytes.abs_diff(site.head_bytes), calls)
}

/// The sites whose allocations changed, the largest difference in bytes first, and in calls where
/// the bytes are the same.
pub(crate) fn changes(
    base: (&Heap, &mut Symbols),
    head: (&Heap, &mut Symbols),
    roots: &[&Path],
) -> Vec<Site> {
    let mut sites: BTreeMap<String, Site> = BTreeMap::new();
    for ((heap, symbols), is_head) in [(base, false), (head, true)] {
        let executable: Rc<str> = heap.executable.as_str().into();
        for point in &heap.points {
            let (function, file, line) = site(&point.stack, &executable, symbols);
            let site = sites.entry(function.clone()).or_default();
            let (calls, bytes) = if is_head {
                (&mut site.head_allocations, &mut site.head_bytes)
            } else {
                (&mut site.base_allocations, &mut site.base_bytes)
            };
            *calls = calls.saturating_add(point.blocks);
            *bytes = bytes.saturating_add(point.bytes);
            let file = shorten(&file, roots);
            site.place = if line == 0 { file } else { format!("{file}:{line}") };
            site.function = function;
        }
    }
    let mut changes: Vec<Site> = sites.into_values().filter(|site| size(site) != (0, 0)).collect();
    changes.sort_by_key(|site| std::cmp::Reverse(size(site)));
    changes
}

/// The innermost call that is the program's own; the allocator itself where there is none.
fn site(stack: &[Frame], executable: &Rc<str>, symbols: &mut Symbols) -> Call {
    let calls: Vec<Call> =
        stack.iter().flat_map(|frame| resolve(frame, executable, symbols)).collect();
    let inner = calls.iter().skip(1).find(|(function, file, _)| !is_library(function, file));
    inner.or(calls.first()).cloned().unwrap_or_else(|| ("?".into(), String::new(), 0))
}

fn is_library(function: &str, file: &str) -> bool {
    standard(file) || ALLOCATOR.iter().any(|prefix| function.starts_with(prefix))
}

/// A frame with what was inlined into it, innermost first; valgrind's own words where the address
/// is not of the executable.
fn resolve(frame: &Frame, executable: &Rc<str>, symbols: &mut Symbols) -> Vec<Call> {
    let name = readable(&frame.function);
    let address = frame.address.checked_sub(LOADED_AT);
    let of_executable =
        address.filter(|&at| symbols.symbol(executable, at).as_ref() == Some(&name));
    let inlined = of_executable.map(|at| symbols.frames(executable, at)).unwrap_or_default();
    if inlined.is_empty() {
        let (file, line) = match frame.place.rsplit_once(':') {
            Some((file, line)) => (file, line.parse().unwrap_or(0)),
            None => (frame.place.as_str(), 0),
        };
        return vec![(name, file.to_owned(), line)];
    }
    let last = inlined.len() - 1;
    let named = |(place, (bare, file, line)): (usize, (Option<String>, String, u64))| {
        let function = if place == last { None } else { bare };
        (function.unwrap_or_else(|| name.clone()), file, line)
    };
    inlined.into_iter().enumerate().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::dhat::Point;

    fn frame(function: &str, place: &str) -> Frame {
        Frame { address: 0, function: function.into(), place: place.into() }
    }

    /// Blocks, bytes, and the stack as functions with their places.
    type Allocated<'a> = (u64, u64, &'a [(&'a str, &'a str)]);

    fn heap(points: &[Allocated<'_>]) -> Heap {
        let point = |(blocks, bytes, stack): &Allocated<'_>| Point {
            blocks: *blocks,
            bytes: *bytes,
            stack: stack.iter().map(|(function, place)| frame(function, place)).collect(),
        };
        Heap { points: points.iter().map(point).collect(), executable: String::new() }
    }

    fn subtract(base: &Heap, head: &Heap) -> Vec<Site> {
        let (mut before, mut after) = (Symbols::default(), Symbols::default());
        changes((base, &mut before), (head, &mut after), &[Path::new("/w")])
    }

    const MALLOC: (&str, &str) = ("malloc", "/usr/libexec/valgrind/vgpreload_dhat.so");

    #[test]
    fn a_site_is_the_programs_own_function_by_whatever_line() {
        let grow = ("alloc::raw_vec::finish_grow", "alloc.rs:95");
        let base = heap(&[
            (1, 64, &[MALLOC, grow, ("w::read", "/w/src/read.rs:7")]),
            (2, 20, &[MALLOC, ("w::same", "/w/src/same.rs:1")]),
        ]);
        let head = heap(&[
            (1, 64, &[MALLOC, grow, ("w::read", "/w/src/read.rs:9")]),
            (2, 36, &[MALLOC, ("w::read", "/w/src/read.rs:11")]),
            (2, 20, &[MALLOC, ("w::same", "/w/src/same.rs:5")]),
        ]);
        let expected = Site {
            function: "w::read".into(),
            place: "src/read.rs:11".into(),
            base_allocations: 1,
            head_allocations: 3,
            base_bytes: 64,
            head_bytes: 100,
        };
        assert_eq!(subtract(&base, &head), [expected]);
        assert!(subtract(&head, &head).is_empty());
    }

    #[test]
    fn a_stack_without_a_function_of_the_program_names_the_allocator() {
        let changes = subtract(&heap(&[]), &heap(&[(1, 8, &[MALLOC]), (1, 9, &[])]));
        let names: Vec<&str> = changes.iter().map(|site| site.function.as_str()).collect();
        assert_eq!(names, ["?", "malloc"]);
    }
}
