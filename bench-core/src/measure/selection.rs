//! Which ids a command line selects, by criterion's rules: scenarios go by them, and criterion
//! itself is going to run these.
//!
//! Criterion keeps its filter to itself but wants to know the bytes of an operation before it
//! decides, and these only the fixtures know. Without a look ahead, a process that measures one id
//! would set up the fixtures of all. A wrong guess costs no measurement: see `wall`.
//!
//! A scenario with flags of its own asks [`is_of_harnesses`] which are not its own.

use regex::Regex;

/// Options of criterion 0.8 and libtest that take their value from the next argument.
const WITH_VALUE: [&str; 19] = [
    "--baseline",
    "--baseline-lenient",
    "--color",
    "--colour",
    "--confidence-level",
    "--format",
    "--load-baseline",
    "--measurement-time",
    "--noise-threshold",
    "--nresamples",
    "--output-format",
    "--plotting-backend",
    "--profile-time",
    "--sample-size",
    "--save-baseline",
    "--significance-level",
    "--skip",
    "--test-threads",
    "--warm-up-time",
];

/// Those without one.
const WITHOUT_VALUE: [&str; 13] = [
    "--bench",
    "--discard-baseline",
    "--exact",
    "--ignored",
    "--include-ignored",
    "--list",
    "--no-capture",
    "--nocapture",
    "--noplot",
    "--quiet",
    "--quick",
    "--test",
    "--verbose",
];

/// Whether cargo, libtest and criterion may say `option`, as in `--bench`, to every bench target.
pub fn is_of_harnesses(option: &str) -> bool {
    WITH_VALUE.contains(&option) || WITHOUT_VALUE.contains(&option)
}

/// What a command line selects.
#[derive(Clone, Debug)]
pub(super) enum Selection {
    /// Every id, or nobody can tell.
    All,
    /// None: ids are listed only.
    Nothing,
    /// This one.
    Exactly(String),
    /// Those that match.
    Matching(Regex),
}

impl Selection {
    /// A guess at what criterion is going to run under `arguments`, without the program's name.
    pub(super) fn of(arguments: impl IntoIterator<Item = String>) -> Self {
        let arguments: Vec<String> = arguments.into_iter().collect();
        let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
        if asked("--list") {
            return Self::Nothing;
        }
        // Without `--bench` this is a test: of the benches, or of ours, whose filter names other
        // things.
        if !asked("--bench") && !asked("--ignored") {
            return Self::All;
        }
        Self::filter(arguments).unwrap_or(Self::All)
    }

    /// What `arguments`, without the program's name, select: an id after `--exact`, else a regular
    /// expression that the id has to contain.
    ///
    /// # Errors
    /// When the filter is no regular expression.
    pub(super) fn filter(
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Self, regex::Error> {
        let mut filter = None;
        let mut exact = false;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // The ignored tests of libtest; there are none here.
                "--ignored" => return Ok(Self::Nothing),
                "--exact" => exact = true,
                option if takes_next(option) => drop(arguments.next()),
                option if option.starts_with('-') => {}
                _ => filter = filter.or(Some(argument)),
            }
        }
        match filter {
            Some(id) if exact => Ok(Self::Exactly(id)),
            Some(pattern) => Ok(Self::Matching(Regex::new(&pattern)?)),
            None => Ok(Self::All),
        }
    }

    /// Whether `id` is going to run.
    pub(super) fn contains(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Exactly(one) => one == id,
            Self::Matching(pattern) => pattern.is_match(id),
        }
    }
}

fn takes_next(option: &str) -> bool {
    let short = ["-b", "-c", "-s"].contains(&option);
    short || WITH_VALUE.contains(&option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(line: &str) -> Selection {
        Selection::of(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn an_exact_filter_selects_one_id() {
        let one = selection("--bench --exact a/b/1KiB --measurement-time 2");
        assert!(one.contains("a/b/1KiB"));
        assert!(!one.contains("a/b/1KiBx") && !one.contains("a/b"));
    }

    #[test]
    fn a_filter_is_a_pattern_and_values_of_options_are_not_filters() {
        for line in [
            "--bench b/.*KiB",
            "--save-baseline main -s x -c never --bench --profile-time 5 b/.*KiB other",
            "--save-baseline=main b/.*KiB --bench",
        ] {
            let some = selection(line);
            assert!(some.contains("a/b/1KiB"), "{line}");
            assert!(!some.contains("a/c/1KiB"), "{line}");
        }
    }

    #[test]
    fn where_nothing_is_listed_or_said_everything_or_nothing_runs() {
        for line in
            ["", "--bench", "--bench --verbose", "--bench --save-baseline main", "--bench ("]
        {
            assert!(selection(line).contains("a/b/1KiB"), "{line}");
        }
        assert!(selection("tests::name --exact").contains("a/b/1KiB"));
        assert!(!selection("--bench --list").contains("a/b/1KiB"));
    }
}
