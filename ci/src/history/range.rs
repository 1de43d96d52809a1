//! What lies between the commits of two runs, as far as the repository at hand knows them.

use std::path::Path;
use std::time::Duration;

use crate::gate::git::plain;
use crate::process;

/// Of more commits than this only the number is told.
pub(crate) const NAMED_MAX: usize = 10;
/// Git answers at once.
const DEADLINE: Duration = Duration::from_secs(60);

/// The commits after an earlier one up to a later one, that one among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// How many there are; 1 where the earlier commit is the parent of the later one.
    pub(crate) commits: usize,
    /// The newest first; empty where there are more than [`NAMED_MAX`].
    pub(crate) named: Vec<Commit>,
}

/// A commit as its author named it: text of strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Short.
    pub(crate) hash: String,
    pub(crate) subject: String,
}

/// What lies between, in the repository that `folder` lies in. `None` where there is none, where it
/// does not know both commits, or where the later one does not come from the earlier.
pub(crate) fn between(folder: &Path, earlier: &str, later: &str) -> Option<Range> {
    // A record may say anything, so that git could take it for an option or a branch.
    if ![earlier, later].into_iter().all(is_hash) {
        return None;
    }
    ask(folder, &["merge-base", "--is-ancestor", earlier, later])?;
    let range = format!("{earlier}..{later}");
    let commits = ask(folder, &["rev-list", "--count", &range, "--"])?.trim().parse().ok()?;
    let named = if commits > NAMED_MAX { String::new() } else { log(folder, &range)? };
    let commit = |line: &str| {
        let (hash, subject) = line.split_once(' ')?;
        Some(Commit { hash: hash.to_owned(), subject: subject.to_owned() })
    };
    Some(Range { commits, named: named.lines().filter_map(commit).collect() })
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn log(folder: &Path, range: &str) -> Option<String> {
    // Settings of the user's may add colours and signatures.
    ask(folder, &["log", "--no-color", "--no-show-signature", "--format=%h %s", range, "--"])
}

/// What git prints; `None` for anything but success: attribution is an extra.
fn ask(folder: &Path, args: &[&str]) -> Option<String> {
    let outcome = process::run(plain(folder).args(args), DEADLINE).ok()?;
    outcome.success().then_some(outcome.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::git::tests::{git, repository};

    fn commit(folder: &Path, subject: &str) -> String {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let message = format!("--message={subject}");
        git(folder, &[&who[..], &["commit", "--quiet", "--allow-empty", &message]].concat());
        git(folder, &["rev-parse", "HEAD"])
    }

    #[test]
    fn commits_are_counted_and_named_up_to_ten() {
        let folder = repository();
        let path = folder.path();
        let first = commit(path, "first");
        let second = commit(path, "<b>|second|</b>");
        let one = between(path, &first, &second).expect("both are known");
        assert_eq!(one.commits, 1);
        assert_eq!(one.named[0].subject, "<b>|second|</b>");
        assert!(second.starts_with(&one.named[0].hash));
        let later: Vec<String> = (0..9).map(|n| commit(path, &n.to_string())).collect();
        let ten = between(path, &first, &later[8]).expect("both are known");
        assert_eq!((ten.commits, ten.named.len()), (10, 10));
        assert_eq!(ten.named[0].subject, "8", "the newest first");
        let eleven = between(path, &first, &commit(path, "last")).expect("both are known");
        assert_eq!((eleven.commits, eleven.named.len()), (11, 0));
    }

    #[test]
    fn unknown_foreign_and_hostile_commits_have_no_range() {
        let folder = repository();
        let path = folder.path();
        let (first, second) = (commit(path, "first"), commit(path, "second"));
        let unknown = "ab".repeat(20);
        let cases = [
            (second.as_str(), first.as_str()),
            (&first, &unknown),
            (&unknown, &second),
            ("--output=x", &second),
            ("HEAD~1", "HEAD"),
        ];
        for (earlier, later) in cases {
            assert_eq!(between(path, earlier, later), None, "{earlier} {later}");
        }
        let elsewhere = tempfile::tempdir().expect("folder");
        assert_eq!(between(elsewhere.path(), &first, &second), None);
    }
}
