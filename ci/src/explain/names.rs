//! Names of functions and files as people know them.

use std::path::Path;

/// Longer names lose the types between their angle brackets.
const NAME_MAX: usize = 80;

/// Demangled where valgrind did not, without the hash of legacy names and callgrind's marks of
/// recursion (`'2`).
pub(crate) fn readable(function: &str) -> String {
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

/// A name short enough for a table: types in angle brackets become `…`, but for the
/// `<T as Trait>` that it begins with; what is still too long is cut.
pub(crate) fn short(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    let (mut out, mut before) = (String::new(), ' ');
    // The brackets that are open, and whether types are between them.
    let mut open: Vec<bool> = Vec::new();
    for c in name.chars() {
        let hidden = open.contains(&true);
        match c {
            '<' => {
                // What a name begins with, or what stands alone, says whose it is.
                let types = before.is_alphanumeric() || before == '_' || before == ':';
                if !hidden {
                    out.push_str(if types { "<…>" } else { "<" });
                }
                open.push(types);
            }
            // The arrow of a function type closes nothing.
            '>' if before != '-' => {
                let types = open.pop() == Some(true);
                out.extend((!types && !hidden).then_some('>'));
            }
            _ if !hidden => out.push(c),
            _ => {}
        }
        before = c;
    }
    if out.chars().count() > NAME_MAX {
        out = out.chars().take(NAME_MAX - 1).collect();
        out.push('…');
    }
    out
}

/// File names as people know them: below the workspace, or from the crate's or library's name on.
pub(crate) fn shorten(file: &str, roots: &[&Path]) -> String {
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

/// Where files of Rust's standard library lie, below whatever folder.
const STANDARD: [&str; 3] = ["library/alloc/", "library/core/", "library/std/"];

/// Whether the file is of Rust's standard library.
pub(crate) fn standard(file: &str) -> bool {
    let below = |part: &str| file.find(part).is_some_and(|at| at == 0 || file[..at].ends_with('/'));
    STANDARD.iter().any(|part| below(part))
}

/// Whether the file is of the workspace: one that its reader can change.
pub(crate) fn own(file: &str, roots: &[&Path]) -> bool {
    roots.iter().any(|root| Path::new(file).starts_with(root))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_hashes_manglings_and_marks_of_recursion() {
        assert_eq!(readable("core::fill::h0123456789abcdef"), "core::fill");
        assert_eq!(readable("_ZN4core4fill17h0123456789abcdefE"), "core::fill");
        assert_eq!(readable("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(readable("walk'2"), "walk");
        assert_eq!(readable("(below main)"), "(below main)");
    }

    #[test]
    fn long_names_lose_their_types_and_short_ones_nothing() {
        assert_eq!(short("fill<u8>"), "fill<u8>");
        let types = "alloc::vec::Vec<core::option::Option<fn(u8) -> u64>, ".repeat(3);
        assert_eq!(short(&format!("fold<{types}>>>>")), "fold<…>");
        let long = format!("<a::Fresh as b::Workload<{types}>>>>>::run");
        assert_eq!(short(&long), "<a::Fresh as b::Workload<…>>::run");
        assert_eq!(short(&"x".repeat(200)).chars().count(), NAME_MAX);
    }

    #[test]
    fn files_of_crates_and_of_the_standard_library_are_shortened() {
        let registry = "/home/u/.cargo/registry/src/index.crates.io-1/bytes-1.0/src/lib.rs";
        assert_eq!(shorten(registry, &[]), "bytes-1.0/src/lib.rs");
        assert_eq!(shorten("/rustc/5980/library/core/src/ptr.rs", &[]), "library/core/src/ptr.rs");
        assert_eq!(shorten("./csu/libc-start.c", &[]), "./csu/libc-start.c");
        assert!(standard("/rustc/5980/library/core/src/ptr.rs") && !standard("/w/src/library.rs"));
        assert!(standard("library/std/src/io.rs") && !standard("/w/mylibrary/core/a.rs"));
        assert!(own("/w/src/a.rs", &[Path::new("/w")]) && !own("/wild/a.rs", &[Path::new("/w")]));
    }

    proptest! {
        #[test]
        fn no_name_becomes_too_long_or_panics(name in "[a-z<> ,:-]{0,200}") {
            prop_assert!(short(&name).chars().count() <= NAME_MAX);
        }
    }
}
