//! Tests of what the gate asks git, and repositories for the tests of others.

use std::fs;

use super::*;

/// A repository with one commit of one file, a `target` folder that nobody ignores, and no
/// setting of the user's.
pub(crate) fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::write(folder.path().join("a.txt"), "one\n").expect("write");
    git(folder.path(), &["init", "--quiet", "--initial-branch=main", "."]);
    git(folder.path(), &["add", "--all"]);
    commit(folder.path());
    fs::create_dir(folder.path().join("target")).expect("create");
    folder
}

pub(crate) fn commit(folder: &Path) {
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    git(folder, &[&who[..], &["commit", "--quiet", "--all", "--message=x"]].concat());
}

pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    answer(plain(folder).args(args)).expect("git succeeds")
}

fn found(folder: &Path) -> Git {
    Git::find(folder, &folder.join("target/scratch")).expect("a repository")
}

fn listing(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.clone(), fs::read(path).expect("readable")));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn options_and_unknown_refs_are_usage_errors_that_name_the_ref() {
    let folder = repository();
    let git = found(folder.path());
    for bad in ["-x", "--upload-pack=evil", "", "no-such-branch", "main:a.txt", "a\nb"] {
        let error = git.resolve(bad).expect_err(bad);
        assert_eq!(crate::exit::of(&error), Exit::Usage);
        assert!(error.to_string().contains(&format!("'{bad}'")), "{error}");
    }
    assert_eq!(git.resolve("main").expect("known").commit.len(), 40);
}

#[test]
fn the_base_is_where_the_histories_parted() {
    let folder = repository();
    let root = folder.path();
    let known = found(root);
    let first = known.resolve("main").expect("known");
    super::tests::git(root, &["checkout", "-q", "-b", "mine"]);
    fs::write(root.join("a.txt"), "mine\n").expect("write");
    commit(root);
    assert_eq!(known.fork("HEAD~1").expect("an ancestor"), (first.clone(), None));
    super::tests::git(root, &["checkout", "-q", "main"]);
    fs::write(root.join("a.txt"), "theirs\n").expect("write");
    commit(root);
    super::tests::git(root, &["checkout", "-q", "mine"]);
    let tip = known.resolve("main").expect("known").commit;
    let (base, remark) = known.fork("main").expect("they parted");
    assert_eq!(base, first);
    let remark = remark.expect("main has moved on");
    assert!(remark.contains(&tip) && remark.contains(&first.commit), "{remark}");
}

#[test]
fn a_history_that_shares_nothing_is_a_usage_error() {
    let folder = repository();
    super::tests::git(folder.path(), &["checkout", "-q", "--orphan", "other"]);
    fs::write(folder.path().join("a.txt"), "other\n").expect("write");
    commit(folder.path());
    let error = found(folder.path()).fork("main").expect_err("nothing in common");
    assert_eq!(crate::exit::of(&error), Exit::Usage);
    assert!(error.to_string().contains("'main' and the commit of the"), "{error}");
}

#[test]
fn a_folder_without_repository_is_a_usage_error() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let error = Git::find(folder.path(), folder.path()).expect_err("no repository");
    assert_eq!(crate::exit::of(&error), Exit::Usage);
}

#[test]
fn what_git_can_not_answer_is_no_answer() {
    let folder = repository();
    let git = found(folder.path());
    let error = git.differs("HEAD", "no-such-tree", "a.txt").expect_err("no such tree");
    assert!(error.to_string().contains("no-such-tree"), "{error}");
}

#[test]
fn a_snapshot_sees_every_change_and_writes_nothing_into_the_repository() {
    let folder = repository();
    let git = found(folder.path());
    let target = folder.path().join("target");
    let before = listing(&folder.path().join(".git"));
    let clean = git.snapshot(&target).expect("snapshot");
    assert_eq!(clean, git.resolve("HEAD").expect("known"));
    fs::write(folder.path().join("b.txt"), "new\n").expect("write");
    let with_new = git.snapshot(&target).expect("snapshot");
    fs::write(folder.path().join("a.txt"), "two\n").expect("write");
    let with_both = git.snapshot(&target).expect("snapshot");
    assert!(with_new.dirty && with_both.dirty);
    assert_ne!(with_new.tree, with_both.tree);
    assert!(git.differs(&with_new.tree, &with_both.tree, "a.txt").expect("trees"));
    assert!(!git.differs(&with_new.tree, &with_both.tree, "b.txt").expect("trees"));
    fs::write(target.join("built.txt"), "x").expect("write");
    assert_eq!(git.snapshot(&target).expect("snapshot"), with_both);
    assert_eq!(listing(&folder.path().join(".git")), before);
}

#[test]
fn a_change_in_the_same_instant_and_of_the_same_size_is_seen() {
    let folder = repository();
    // Else the time of the inode, which nobody can set, gives it away.
    super::tests::git(folder.path(), &["config", "core.trustctime", "false"]);
    let root = folder.path();
    let path = root.join("a.txt");
    let then = std::time::SystemTime::now() - Duration::from_secs(3600);
    let set = |path: &Path| {
        let file = fs::File::options().write(true).open(path).expect("open");
        file.set_modified(then).expect("set");
    };
    set(&path);
    super::tests::git(root, &["add", "a.txt"]);
    fs::write(&path, "eno\n").expect("write");
    // As git leaves it when all happens within one tick of its clock.
    set(&path);
    set(&root.join(".git/index"));
    let git = found(folder.path());
    assert!(git.snapshot(&folder.path().join("target")).expect("snapshot").dirty);
}

#[test]
fn a_target_folder_that_git_ignores_does_no_harm() {
    let folder = repository();
    fs::write(folder.path().join(".gitignore"), "/target\n").expect("write");
    fs::write(folder.path().join("target/built.txt"), "x").expect("write");
    let snapshot = found(folder.path()).snapshot(&folder.path().join("target"));
    assert!(snapshot.expect("snapshot").dirty);
}
