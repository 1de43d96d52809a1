//! The pattern by which policies and filters name ids: `*` stands for any text, `/` included, and
//! `?` for any one character; everything else stands for itself.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A pattern over ids.
///
/// ```
/// use bench_core::judge::Glob;
/// let glob: Glob = "grpc/*/1MiB".parse()?;
/// assert!(glob.matches("grpc/stream/default/1MiB"));
/// assert!(!glob.matches("grpc/stream/default/16MiB"));
/// # Ok::<(), bench_core::judge::GlobError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Glob(String);

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Nothing, or nothing but spaces.
    #[error("the pattern is empty; write * for every id")]
    Empty,
    /// A character that means something in other globs and nothing here.
    #[error(
        "'{pattern}' is not a pattern: '{character}' occurs in no id; \
         write * for any text and ? for any one character"
    )]
    Unsupported {
        /// The whole pattern.
        pattern: String,
        /// The first character that cannot be.
        character: char,
    },
}

impl Glob {
    /// The pattern that every id matches.
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Whether the whole of `id` matches. Takes time in proportion to pattern times id at worst.
    pub fn matches(&self, id: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = id.chars().collect();
        let (mut p, mut t) = (0, 0);
        // Where to go on when the text after the last star turns out not to match.
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some('*') => {
                    retry = Some((p, t));
                    p += 1;
                }
                Some(&c) if c == '?' || c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => match retry {
                    Some((star, from)) => {
                        retry = Some((star, from + 1));
                        p = star + 1;
                        t = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&c| c == '*')
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if text.trim().is_empty() {
            return Err(GlobError::Empty);
        }
        let foreign = |c: &char| "[]{}!\\".contains(*c) || c.is_whitespace() || c.is_control();
        match text.chars().find(foreign) {
            Some(character) => Err(GlobError::Unsupported { pattern: text.to_owned(), character }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(text: String) -> Result<Self, GlobError> {
        text.parse()
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word; exponential, so for short texts only.
    fn reference(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|n| reference(rest, &text[n..])),
            (['?', p @ ..], [_, t @ ..]) => reference(p, t),
            ([c, p @ ..], [d, t @ ..]) if c == d => reference(p, t),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab/*?]{1,7}", text in "[ab/]{0,8}") {
            let p: Vec<char> = pattern.chars().collect();
            let t: Vec<char> = text.chars().collect();
            let glob: Glob = pattern.parse().expect("valid");
            prop_assert_eq!(glob.matches(&text), reference(&p, &t));
        }

        #[test]
        fn any_text_parses_or_is_refused_and_prints_as_written(text in ".*") {
            if let Ok(glob) = text.parse::<Glob>() {
                prop_assert_eq!(glob.to_string(), text);
            }
        }

        #[test]
        fn an_id_matches_itself_and_the_star(id in "[a-zA-Z0-9_/.-]{1,30}") {
            prop_assert!(id.parse::<Glob>().expect("valid").matches(&id));
            prop_assert!(Glob::any().matches(&id));
        }
    }

    #[test]
    fn empty_and_foreign_patterns_are_errors() {
        for empty in ["", " ", "\t"] {
            assert_eq!(empty.parse::<Glob>(), Err(GlobError::Empty));
        }
        for bad in ["a[b]", "{a,b}", "!a", "a\\b", "a b", "a\n"] {
            let error = bad.parse::<Glob>().expect_err(bad).to_string();
            assert!(error.contains(bad), "{error}");
        }
    }

    #[test]
    fn many_stars_do_not_blow_up() {
        let glob: Glob = "*a".repeat(50).parse().expect("valid");
        assert!(!glob.matches(&"a".repeat(49)));
        assert!(!glob.matches(&format!("{}b", "a".repeat(2000))));
    }
}
