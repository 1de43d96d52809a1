//! What is compared: the ids that both sides list, each with its rule; and those on one side only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bench_core::judge::TimeRule;
use rustix::thread::{CpuSet, sched_getaffinity};

use super::side::Side;
use crate::bench::code_hash::code_hash;
use crate::bench::ids::Only;
use crate::bench::timed::{self, Bench, Conditions};
use crate::exit::{Exit, failure};
use crate::pairs::slice::Settings;
use crate::policy::Pace;

/// One id that both sides have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    pub(crate) id: String,
    /// The name under which both arms have its executable.
    pub(crate) key: String,
    /// Whether both sides run the same instructions on the same constants, so that a difference
    /// can't come from the code.
    pub(crate) same_code: bool,
    /// How much change passes.
    pub(crate) rule: TimeRule,
    /// After how many seconds it is left undecided.
    pub(crate) seconds: u64,
    /// How each of its slices is measured.
    pub(crate) settings: Settings,
}

/// All that the two sides list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subjects {
    /// In the order of their ids.
    pub(crate) both: Vec<Subject>,
    /// Expected and not in the head; or in the base only, where nobody wrote down what is expected.
    pub(crate) missing: Vec<String>,
    /// In the base only, and no longer expected.
    pub(crate) removed: Vec<String>,
    /// In the head only.
    pub(crate) new: Vec<String>,
    /// The executables of base and head by key.
    pub(crate) executables: [BTreeMap<String, PathBuf>; 2],
}

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) only: &'a Only,
    pub(crate) paces: &'a [Pace],
    /// In place of what the paces say.
    pub(crate) seconds: Option<u64>,
    /// The fraction of the base that passes, in place of what the paces say.
    pub(crate) margin: Option<f64>,
}

/// Asks the executables of both sides for their ids, and pairs them.
///
/// # Errors
/// An executable that does not list its ids; a filter that matches nothing, or no id that both
/// have ([`Exit::NotMeasured`]).
pub(crate) fn subjects(
    base: &Side,
    head: &Side,
    wanted: Wanted<'_>,
    conditions: Conditions<'_>,
) -> anyhow::Result<Subjects> {
    let mut lists = [base, head].map(|side| timed::benches(&side.executables, conditions));
    for (list, side) in lists.iter_mut().zip([base, head]) {
        let told = |error: anyhow::Error| error.context(format!("failed to list '{}'", side.name));
        *list = std::mem::replace(list, Ok(Vec::new())).map_err(told);
    }
    let [of_base, of_head] = lists;
    let lists = [of_base?, of_head?];
    wanted.only.check(lists.iter().flatten().map(|bench| bench.id.as_str()))?;
    let [of_base, of_head] = lists.map(|mut list| {
        list.retain(|bench| wanted.only.wants(&bench.id));
        list.into_iter().map(|bench| (bench.id.clone(), bench)).collect::<BTreeMap<_, _>>()
    });
    let subjects = pair(&of_base, &of_head, head, wanted, conditions);
    if subjects.both.is_empty() {
        let why = if of_base.is_empty() && of_head.is_empty() {
            format!("neither '{}' nor '{}' has a wall bench", base.name, head.name)
        } else {
            format!("'{}' and '{}' have no id in common", base.name, head.name)
        };
        return Err(failure(Exit::NotMeasured, format!("{why}, so nothing was compared")));
    }
    Ok(subjects)
}

fn pair(
    of_base: &BTreeMap<String, Bench>,
    of_head: &BTreeMap<String, Bench>,
    head: &Side,
    wanted: Wanted<'_>,
    conditions: Conditions<'_>,
) -> Subjects {
    let mut subjects = Subjects::default();
    let mut same = BTreeMap::new();
    let expected = |id: &str| head.expected.as_ref().and_then(|list| list.expects_time(id));
    for (id, one) in of_base {
        let Some(other) = of_head.get(id) else {
            let gone = expected(id) == Some(false);
            let list = if gone { &mut subjects.removed } else { &mut subjects.missing };
            list.push(id.clone());
            continue;
        };
        let [in_base, in_head] = &mut subjects.executables;
        // Where the targets have two names, neither name may be the longer.
        let key = match one.target == other.target {
            true => one.target.clone(),
            false => format!("{}+{}", one.target, other.target),
        };
        in_base.insert(key.clone(), one.executable.clone());
        in_head.insert(key.clone(), other.executable.clone());
        let same_code = *same
            .entry(key.clone())
            .or_insert_with(|| same_code(&one.executable, &other.executable));
        let Pace { mut rule, seconds, cpus: number } = Pace::of(wanted.paces, id);
        rule.margin = wanted.margin.unwrap_or(rule.margin);
        let seconds = wanted.seconds.unwrap_or(seconds);
        let settings = Settings {
            cpus: cpus(number),
            scale: conditions.scale.name().to_owned(),
            deadline_s: conditions.deadline.as_secs(),
            ..Settings::default()
        };
        let id = id.clone();
        subjects.both.push(Subject { id, key, same_code, rule, seconds, settings });
    }
    let listed = head.expected.iter().flat_map(|list| list.timed(conditions.scale));
    let nowhere = |id: &&String| !of_base.contains_key(*id) && !of_head.contains_key(*id);
    let nowhere = listed.filter(nowhere).filter(|id| wanted.only.wants(id));
    subjects.missing.extend(nowhere.cloned());
    let known: BTreeSet<&String> = of_base.keys().collect();
    subjects.new = of_head.keys().filter(|id| !known.contains(id)).cloned().collect();
    subjects
}

/// Whether the two run the same code; files that are no executables of the linker are compared
/// byte by byte.
fn same_code(base: &Path, head: &Path) -> bool {
    match (code_hash(base), code_hash(head)) {
        (Ok(base), Ok(head)) => base == head,
        _ => matches!((fs::read(base), fs::read(head)), (Ok(base), Ok(head)) if base == head),
    }
}

/// The last so many of the CPUs that we may use, since the first one serves most interrupts; none,
/// which means all, where nothing is asked for or there are no more.
fn cpus(number: Option<usize>) -> Vec<usize> {
    let (Some(number), Ok(set)) = (number, sched_getaffinity(None)) else { return Vec::new() };
    let ours: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
    if number >= ours.len() { Vec::new() } else { ours[ours.len() - number..].to_vec() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use bench_core::scale::Scale;

    use super::*;
    use crate::expected::Expected;

    /// A side with one executable per target, a script that lists these ids.
    fn side(
        folder: &Path,
        name: &str,
        targets: &[(&str, &[&str])],
        expected: Option<&str>,
    ) -> Side {
        let executable = |&(target, ids): &(&str, &[&str])| {
            let path = folder.join(format!("{name}-{target}"));
            let list: String = ids.iter().map(|id| format!("echo '{id}: benchmark'\n")).collect();
            fs::write(&path, format!("#!/bin/sh\n{list}")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("may run");
            (target.to_owned(), path)
        };
        let list = |text| Expected::parse(Path::new("expected.toml"), text).expect("sound");
        Side {
            name: name.to_owned(),
            git: None,
            lockfile_hash: None,
            expected: expected.map(list),
            executables: targets.iter().map(executable).collect(),
        }
    }

    fn ask(base: &Side, head: &Side, only: &Only, scratch: &Path) -> anyhow::Result<Subjects> {
        let paces: Vec<Pace> =
            serde_json::from_str(r#"[{"margin": 0.01, "floor_ns": 1, "seconds": 9, "cpus": 1}]"#)
                .expect("sound");
        let deadline = Duration::from_secs(60);
        let conditions = Conditions { scale: Scale::Smoke, deadline, folder: scratch, scratch };
        subjects(
            base,
            head,
            Wanted { only, paces: &paces, seconds: None, margin: None },
            conditions,
        )
    }

    #[test]
    fn ids_pair_across_targets_and_what_is_on_one_side_is_told_by_the_heads_list() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let base: &[(&str, &[&str])] =
            &[("wall_a", &["a/x", "a/gone", "a/lost"]), ("wall_b", &["b/x"])];
        let head: &[(&str, &[&str])] = &[("wall_a", &["a/x", "b/x", "a/new"])];
        let base = side(folder.path(), "main", base, None);
        let list = "[timed]\nsmoke = ['a/x', 'b/x', 'a/lost', 'a/never']\nfull = ['a/full']\n\
            [scenario]\nsmoke = ['s/load']\n";
        let head = side(folder.path(), "next", head, Some(list));
        let found = ask(&base, &head, &Only::default(), folder.path()).expect("two in common");
        let both: Vec<_> =
            found.both.iter().map(|one| (&*one.id, &*one.key, one.same_code)).collect();
        assert_eq!(both, [("a/x", "wall_a", false), ("b/x", "wall_b+wall_a", false)]);
        assert_eq!(found.missing, ["a/lost", "a/never"]);
        assert_eq!(found.removed, ["a/gone"]);
        assert_eq!(found.new, ["a/new"]);
        let keys = found.executables.map(|side| side.into_keys().collect::<Vec<_>>());
        assert_eq!(keys[0], keys[1]);
        assert_eq!((found.both[0].seconds, found.both[0].settings.deadline_s), (9, 60));
        let same = ask(&base, &base, &Only::default(), folder.path()).expect("all in common");
        assert!(same.both.iter().all(|one| one.same_code));
    }

    #[test]
    fn nothing_in_common_and_a_list_that_fails_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let one = side(folder.path(), "main", &[("wall_a", &["a/x"])], None);
        let other = side(folder.path(), "next", &[("wall_a", &["b/x"])], None);
        let none = side(folder.path(), "old", &[], None);
        let all = Only::default();
        for (head, why) in [(&other, "no id in common"), (&none, "no id in common")] {
            let error = ask(&one, head, &all, folder.path()).expect_err(why);
            assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
            assert!(error.to_string().contains(why), "{error}");
        }
        let error = ask(&none, &none, &all, folder.path()).expect_err("nothing");
        assert!(error.to_string().contains("has a wall bench"), "{error}");
        let only = Only::parse(&["typo/*".to_owned()]).expect("a glob");
        let error = ask(&one, &one, &only, folder.path()).expect_err("typo");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
        fs::write(&one.executables["wall_a"], "#!/bin/sh\necho broken >&2\nexit 3\n")
            .expect("written");
        let error = ask(&one, &other, &all, folder.path()).expect_err("does not list");
        let said = format!("{error:#}");
        assert!(said.contains("failed to list 'main'") && said.contains("broken"), "{said}");
    }

    #[test]
    fn cpus_are_the_last_of_ours() {
        assert!(cpus(None).is_empty() && cpus(Some(1_000_000)).is_empty());
        assert!(cpus(Some(1)).len() <= 1);
    }
}
