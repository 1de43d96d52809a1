//! Whether two environments allow a comparison, and why not.

use std::fmt;

use crate::record::{Environment, Metric};

/// Whether two numbers say anything about each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparability {
    /// They do.
    Yes,
    /// An effect can be shown, but whatever else changed between the two runs is in it.
    Unpaired(String),
    /// They do not, and why.
    No(String),
}

/// A field of the environment as text; `None` where it is not known.
type Field = (&'static str, fn(&Environment) -> Option<String>);

/// What moves a count though the measured code is the same. The lock file and the commit are not
/// here: they are what a comparison is about.
const BEHIND_COUNTS: [Field; 7] = [
    ("rustc", |e| e.rustc.clone()),
    ("target", |e| e.target.clone()),
    ("rustflags", |e| e.rustflags.clone()),
    ("profile", |e| e.profile.clone()),
    ("glibc", |e| e.glibc.clone()),
    ("CPU features", |e| (!e.cpu_features.is_empty()).then(|| e.cpu_features.join(" "))),
    ("GLIBC_TUNABLES", |e| e.glibc_tunables.clone()),
];

/// The counter itself; other counts are taken without it.
const BEHIND_INSTRUCTIONS: [Field; 1] = [("valgrind", |e| e.valgrind.clone())];

/// What moves everything that a clock or the machine's load has a part in.
const BEHIND_TIMES: [Field; 1] = [("host", |e| e.host_id.clone())];

/// Whether `metric` taken in environment `a` may be compared with the same taken in `b`.
///
/// Counts need the same toolchain, C library, CPU features and tunables. All else, metrics that
/// this version does not know included, needs the same host and even then is `Unpaired`: two
/// records are two different times. A field that is needed and not known does not compare.
pub fn comparable(a: &Environment, b: &Environment, metric: &Metric) -> Comparability {
    let fields = fields(metric);
    let reasons: Vec<String> =
        fields.into_iter().filter_map(|field| difference(a, b, field)).collect();
    if !reasons.is_empty() {
        return Comparability::No(reasons.join("; "));
    }
    if metric.may_gate() {
        Comparability::Yes
    } else {
        Comparability::Unpaired("taken at two different times, not interleaved".to_owned())
    }
}

/// What [`comparable`] looks at in an environment for this metric, by name, in a fixed order;
/// `None` where it is not known.
pub fn behind(environment: &Environment, metric: &Metric) -> Vec<(&'static str, Option<String>)> {
    fields(metric).into_iter().map(|(name, get)| (name, get(environment))).collect()
}

fn fields(metric: &Metric) -> Vec<Field> {
    let mut fields = if metric.may_gate() { BEHIND_COUNTS.to_vec() } else { BEHIND_TIMES.to_vec() };
    if *metric == Metric::Instructions {
        fields.extend(BEHIND_INSTRUCTIONS);
    }
    fields
}

impl Environment {
    /// [`comparable`] as a method.
    pub fn comparable(&self, other: &Self, metric: &Metric) -> Comparability {
        comparable(self, other, metric)
    }
}

impl fmt::Display for Comparability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.pad("comparable"),
            Self::Unpaired(reason) | Self::No(reason) => f.pad(reason),
        }
    }
}

fn difference(a: &Environment, b: &Environment, (name, get): Field) -> Option<String> {
    match (get(a), get(b)) {
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) => Some(format!("{name} differs: '{a}' and '{b}'")),
        (Some(a), None) => Some(format!("{name} is not known on one side: '{a}' and unknown")),
        (None, Some(b)) => Some(format!("{name} is not known on one side: unknown and '{b}'")),
        (None, None) => Some(format!("{name} is not known on either side")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Environment {
        let text = |t: &str| Some(t.to_owned());
        Environment {
            host_id: text("h"),
            rustc: text("1.95.0"),
            target: text("x86_64-unknown-linux-gnu"),
            rustflags: text(""),
            profile: text("bench"),
            glibc: text("2.41"),
            valgrind: text("3.24.0"),
            glibc_tunables: text(""),
            cpu_features: vec!["avx2".to_owned(), "erms".to_owned()],
            ..Environment::default()
        }
    }

    type Change = fn(&mut Environment);

    /// What comes out when `change` is made to one side; which side it is must not matter.
    fn after(metric: Metric, change: Change) -> Comparability {
        let (a, mut b) = (known(), known());
        change(&mut b);
        let forth = a.comparable(&b, &metric);
        assert_eq!(
            std::mem::discriminant(&forth),
            std::mem::discriminant(&b.comparable(&a, &metric))
        );
        forth
    }

    #[test]
    fn what_changed_on_purpose_does_not_stand_in_the_way_of_a_count() {
        let change = |e: &mut Environment| {
            e.git_commit = Some("f00".to_owned());
            e.lockfile_hash = Some("ba2".to_owned());
            e.host_id = None;
            e.cpu_model = Some("another of the same features".to_owned());
        };
        assert_eq!(after(Metric::Instructions, change), Comparability::Yes);
        assert_eq!(after(Metric::Allocations, change), Comparability::Yes);
    }

    #[test]
    fn a_count_names_the_field_and_both_values() {
        let changes: [(&str, Change); 8] = [
            ("rustc differs: '1.95.0' and 'new'", |e| e.rustc = Some("new".to_owned())),
            ("target differs", |e| e.target = Some("new".to_owned())),
            ("rustflags differs: '' and 'new'", |e| e.rustflags = Some("new".to_owned())),
            ("profile differs", |e| e.profile = Some("new".to_owned())),
            ("glibc differs: '2.41' and 'new'", |e| e.glibc = Some("new".to_owned())),
            ("CPU features differs: 'avx2 erms' and 'avx2'", |e| e.cpu_features.truncate(1)),
            ("GLIBC_TUNABLES differs", |e| e.glibc_tunables = Some("new".to_owned())),
            ("valgrind differs", |e| e.valgrind = Some("new".to_owned())),
        ];
        for (reason, change) in changes {
            let Comparability::No(said) = after(Metric::Instructions, change) else {
                panic!("{reason}: compared")
            };
            assert!(said.starts_with(reason), "{said}");
        }
    }

    #[test]
    fn what_is_not_known_does_not_compare() {
        let Comparability::No(said) = after(Metric::Instructions, |e| e.glibc = None) else {
            panic!("compared")
        };
        assert_eq!(said, "glibc is not known on one side: '2.41' and unknown");
        let nothing = Environment::default();
        for metric in [Metric::Instructions, Metric::Syscalls, Metric::WallTime] {
            let Comparability::No(said) = comparable(&nothing, &nothing, &metric) else {
                panic!("compared")
            };
            assert!(said.ends_with("not known on either side"), "{said}");
        }
    }

    #[test]
    fn what_lies_behind_a_metric_is_named_whether_known_or_not() {
        let host = |e: &Environment| behind(e, &Metric::WallTime);
        assert_eq!(host(&known()), [("host", Some("h".to_owned()))]);
        assert_eq!(host(&Environment::default()), [("host", None)]);
        let names: Vec<&str> =
            behind(&known(), &Metric::Instructions).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 8);
        assert_eq!((names[0], names[7]), ("rustc", "valgrind"));
    }

    #[test]
    fn allocations_do_not_need_valgrind() {
        assert_eq!(after(Metric::Allocations, |e| e.valgrind = None), Comparability::Yes);
    }

    #[test]
    fn times_need_the_same_host_and_are_never_paired_across_records() {
        for metric in [Metric::WallTime, Metric::Latency, Metric::Other("heat".to_owned())] {
            let same = after(metric.clone(), |e| e.rustc = Some("new".to_owned()));
            assert!(matches!(same, Comparability::Unpaired(_)), "{same:?}");
            let other = after(metric, |e| e.host_id = Some("i".to_owned()));
            assert_eq!(other, Comparability::No("host differs: 'h' and 'i'".to_owned()));
        }
    }
}
