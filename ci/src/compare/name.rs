//! What the user named: something to build or run now, or something that was measured before.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;

use super::program;
use crate::exit::{Exit, failure};
use crate::gate::git::Git;

/// The name of the working tree, uncommitted changes included.
pub(crate) const WORKING_TREE: &str = ".";

/// What a name may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// A git ref, or `.`, the working tree: built and measured now
    Ref,
    /// A bench executable, or a folder of wall_* executables: measured now
    Executable,
    /// A record or a critcmp export: measured before
    File,
    /// A saved criterion baseline: measured before
    Baseline,
}

/// A name with all that it may stand for.
#[derive(Clone, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) name: &'a str,
    pub(crate) kinds: Vec<Kind>,
}

/// What both names are taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) base: Kind,
    pub(crate) head: Kind,
    /// What the user has to know where a name could have been something else.
    pub(crate) remark: Option<String>,
}

impl Kind {
    /// Whether it is measured now.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Ref | Self::Executable)
    }

    const fn flag(self) -> &'static str {
        match self {
            Self::Ref => "ref",
            Self::Executable => "executable",
            Self::File => "file",
            Self::Baseline => "baseline",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ref => "git ref",
            Self::Executable => "bench executable",
            Self::File => "file of a measurement",
            Self::Baseline => "saved criterion baseline",
        })
    }
}

/// Looks at what there is by that name: files and folders, refs of `git`, saved `baselines`. A
/// folder without bench executables is nothing.
pub(crate) fn look<'a>(name: &'a str, git: Option<&Git>, baselines: &[String]) -> Name<'a> {
    let path = Path::new(name);
    if name == WORKING_TREE {
        return Name { name, kinds: vec![Kind::Ref] };
    }
    let program = if path.is_dir() {
        program::in_folder(path).is_ok_and(|found| !found.is_empty())
    } else {
        program::is_program(path)
    };
    let found = [
        (Kind::Ref, git.is_some_and(|git| git.resolve(name).is_ok())),
        (Kind::Executable, program),
        (Kind::File, path.is_file() && !program),
        (Kind::Baseline, baselines.iter().any(|baseline| baseline == name)),
    ];
    let kinds = found.into_iter().filter(|(_, found)| *found).map(|(kind, _)| kind).collect();
    Name { name, kinds }
}

/// What both are taken for: both measured now or both before, and as `asked` where a name may be
/// more than one thing. A name that is nothing is taken for what goes with the other one, so that
/// whoever looks for it says what there is instead.
///
/// # Errors
/// [`Exit::Usage`] when the two don't go together, or more than one reading is left.
pub(crate) fn choose(
    base: Name<'_>,
    head: Name<'_>,
    asked: Option<Kind>,
) -> anyhow::Result<Chosen> {
    let of_base = readings(&base, &head, asked)?;
    let of_head = readings(&head, &base, asked)?;
    let both = of_base.iter().flat_map(|&base| of_head.iter().map(move |&head| (base, head)));
    let together: Vec<(Kind, Kind)> =
        both.filter(|(base, head)| base.is_live() == head.is_live()).collect();
    match together.as_slice() {
        &[(one, other)] => {
            let names = [(&base, one, &head), (&head, other, &base)];
            let remark =
                names.into_iter().find_map(|(name, kind, by)| remark(name, kind, by, asked));
            Ok(Chosen { base: one, head: other, remark })
        }
        [] => Err(failure(Exit::Usage, apart((&base, &of_base), (&head, &of_head)))),
        _ => {
            let many = if of_base.len() > 1 { (&base, &of_base) } else { (&head, &of_head) };
            let (name, kinds) = (many.0.name, many.1);
            let flags: Vec<String> =
                kinds.iter().map(|kind| format!("--as {}", kind.flag())).collect();
            let (told, flags) = (list(kinds, " and a "), flags.join(" or "));
            let sentence = format!("'{name}' is a {told}; say which is meant with {flags}");
            Err(failure(Exit::Usage, sentence))
        }
    }
}

fn readings(name: &Name<'_>, other: &Name<'_>, asked: Option<Kind>) -> anyhow::Result<Vec<Kind>> {
    if let Some(asked) = asked.filter(|asked| name.kinds.contains(asked)) {
        return Ok(vec![asked]);
    }
    if !name.kinds.is_empty() {
        return Ok(name.kinds.clone());
    }
    let (name, before) = (name.name, other.kinds.iter().any(|kind| !kind.is_live()));
    if name.ends_with(".json") {
        return Ok(vec![Kind::File]);
    }
    match (before, other.kinds.is_empty()) {
        (true, _) => Ok(vec![Kind::Baseline]),
        (false, false) if !Path::new(name).exists() => Ok(vec![Kind::Ref]),
        _ => {
            let sentence = format!(
                "'{name}' is no git ref, bench executable, folder of wall_* executables, record, \
                 critcmp export or saved criterion baseline"
            );
            Err(failure(Exit::Usage, sentence))
        }
    }
}

fn remark(name: &Name<'_>, kind: Kind, by: &Name<'_>, asked: Option<Kind>) -> Option<String> {
    let others: Vec<Kind> = name.kinds.iter().copied().filter(|other| *other != kind).collect();
    if others.is_empty() || asked == Some(kind) {
        return None;
    }
    let (name, by, others) = (name.name, by.name, list(&others, " and a "));
    Some(format!("'{name}' is a {others} too; taken as the {kind}, to go with '{by}'"))
}

fn apart(base: (&Name<'_>, &[Kind]), head: (&Name<'_>, &[Kind])) -> String {
    let told = |(name, kinds): (&Name<'_>, &[Kind])| {
        let when = if kinds.iter().any(|kind| kind.is_live()) { "now" } else { "before" };
        format!("'{}' ({}) is measured {when}", name.name, list(kinds, " or "))
    };
    format!(
        "{} and {}: times are compared in turns, so name two that are measured now, or two that \
         were measured before",
        told(base),
        told(head)
    )
}

fn list(kinds: &[Kind], between: &str) -> String {
    kinds.iter().map(Kind::to_string).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(base: &[Kind], head: &[Kind], asked: Option<Kind>) -> anyhow::Result<Chosen> {
        let name = |name, kinds: &[Kind]| Name { name, kinds: kinds.to_vec() };
        choose(name("one", base), name("two", head), asked)
    }

    use Kind::{Baseline, Executable, File, Ref};

    #[test]
    fn what_goes_together_is_taken_and_the_user_is_told_where_there_was_a_choice() {
        let chosen = choice(&[Ref], &[Executable], None).expect("both live");
        assert_eq!(chosen, Chosen { base: Ref, head: Executable, remark: None });
        let chosen = choice(&[Ref, Baseline], &[Baseline], None).expect("both before");
        assert_eq!((chosen.base, chosen.head), (Baseline, Baseline));
        let said =
            "'one' is a git ref too; taken as the saved criterion baseline, to go with 'two'";
        assert_eq!(chosen.remark.as_deref(), Some(said));
        let chosen = choice(&[Ref, Baseline], &[Ref, Baseline], Some(Ref)).expect("as asked");
        assert_eq!(chosen, Chosen { base: Ref, head: Ref, remark: None });
    }

    #[test]
    fn what_does_not_go_together_or_is_not_clear_is_refused() {
        for (base, head, part) in [
            (&[File][..], &[Ref][..], "'one' (file of a measurement) is measured before"),
            (&[Ref, Baseline], &[Ref, Baseline], "--as ref or --as baseline"),
            (&[Ref], &[Ref, Executable], "'two' is a git ref and a bench executable"),
            (&[], &[], "'one' is no git ref"),
        ] {
            let error = choice(base, head, None).expect_err(part);
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_name_that_is_nothing_is_looked_for_among_what_goes_with_the_other() {
        assert_eq!(choice(&[], &[File], None).expect("before").base, Baseline);
        assert_eq!(choice(&[Ref], &[], None).expect("live").head, Ref);
    }

    #[test]
    fn names_are_told_by_what_there_is() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("written");
        write("wall_a", "\x7fELF...");
        write("script", "#!/bin/sh\n");
        write("run.json", "{}");
        std::fs::create_dir(path("empty")).expect("folder");
        let kinds = |name: &str| look(name, None, &["main".to_owned()]).kinds;
        assert_eq!(kinds("."), [Ref]);
        assert_eq!(kinds(&path("wall_a")), [Executable]);
        assert_eq!(kinds(&path("script")), [Executable]);
        assert_eq!(kinds(&path("run.json")), [File]);
        assert_eq!(kinds(folder.path().to_str().expect("UTF-8")), [Executable]);
        assert_eq!(kinds(&path("empty")), []);
        assert_eq!(kinds("main"), [Baseline]);
        assert_eq!(kinds(&path("void")), []);
    }
}
