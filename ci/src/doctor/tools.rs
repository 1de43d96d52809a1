//! Programs that the harnesses need.

use super::{Finding, Status};

/// `version` is what `valgrind --version` prints, as in `valgrind-3.19.0`.
pub(crate) fn valgrind(version: Option<&str>) -> Finding {
    match version {
        Some(version) => Finding::new(
            "valgrind",
            Status::Ok,
            version.trim_start_matches("valgrind-"),
            "instructions can be counted, and gates can judge",
        ),
        None => Finding::new(
            "valgrind",
            Status::Missing,
            "not installed",
            "no instruction is counted and no gate can judge; `cargo perf setup` installs it",
        ),
    }
}

/// `version` is the first line of `cc --version`.
pub(crate) fn linker(version: Option<&str>) -> Finding {
    match version {
        Some(version) => {
            Finding::new("C compiler", Status::Ok, version, "benches can be linked and built")
        }
        None => Finding::new(
            "C compiler",
            Status::Missing,
            "no cc",
            "nothing can be linked; `cargo perf setup` installs one",
        ),
    }
}

/// `version` is what `critcmp --version` prints.
pub(crate) fn critcmp(version: Option<&str>) -> Finding {
    match version {
        Some(version) => Finding::new(
            "critcmp",
            Status::Ok,
            version.trim_start_matches("critcmp "),
            "saved baselines can also be compared as criterion's users do",
        ),
        None => Finding::new(
            "critcmp",
            Status::Limited,
            "not installed",
            "`cargo perf compare` reads the same baselines; `cargo perf setup` installs it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_says_how_to_get_it() {
        for finding in [valgrind(None), linker(None), critcmp(None)] {
            assert_ne!(finding.status, Status::Ok);
            assert!(finding.consequence.contains("cargo perf setup"), "{finding:?}");
        }
        assert_eq!(valgrind(Some("valgrind-3.19.0")).found, "3.19.0");
        assert_eq!(critcmp(Some("critcmp 0.1.8")).found, "0.1.8");
    }
}
