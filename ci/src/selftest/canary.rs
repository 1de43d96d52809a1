//! Changes of known size, and the verdict and exit code that each must get.

use crate::exit::Exit;

/// The features that make canaries of the benches' code. All are in one build, so that a self-test
/// compiles once; each canary has ids of its own.
pub(crate) const FEATURES: &str = concat!(
    "canary-half-percent,canary-allocation,canary-quadratic,",
    "canary-syscall,canary-per-byte,canary-benches"
);
/// An id that the copy's list expects and no target has.
pub(crate) const VANISHED: &str = "vanished/fresh/1KiB";
/// The workload whose growth the copy bounds.
pub(crate) const QUADRATIC: &str = "payload/verify";
/// The exponent that the bound allows: linear, with some room.
pub(crate) const EXPONENT_MAX: f64 = 1.1;

/// An id that takes half an instruction more for each byte, its bytes, and how many instructions for
/// each the copy allows: it takes a quarter without the canary.
pub(crate) const PER_BYTE: (&str, u64, f64) = ("reference/sum/64KiB", 64 << 10, 0.5);
/// What `canary-half-percent` weighs.
const HALF_PERCENT: Weight = Weight::Relative(0.0045, 0.0055);

/// In which state the copy is when the gate is asked. In this order: none goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As committed.
    Clean,
    /// With a comment more in every source file that a bench is built from.
    Commented,
    /// Without its text baselines.
    NoBaselines,
    /// With a text baseline of the ids that are asked for, from before the features of the canaries.
    Blessed,
    /// With the canaries in it.
    Injected,
}

/// What a canary does to the gate's answer, besides the exit code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Both sides are the same code, and nothing is said to have changed.
    Silence,
    /// Both sides were built, from sources that differ, and nothing is said to have changed.
    SilentRebuild,
    /// These ids, and no others, are worse in this metric, by so much.
    Worse { metric: &'static str, ids: &'static [&'static str], by: Weight },
    /// The growth of [`QUADRATIC`] is over its budget, though there is nothing to compare with.
    OverBudget,
    /// [`PER_BYTE`] is over its budget, though there is nothing to compare with.
    OverPerByte,
    /// This id is said to have no count, for this reason.
    Failed { id: &'static str, why: &'static str },
    /// [`VANISHED`] is missed.
    Absent,
    /// The one sentence of the error says this.
    Error(&'static str),
}

/// How much more a canary takes, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weight {
    /// As a fraction of the base.
    Relative(f64, f64),
    /// In the unit of the count.
    Exactly(u64),
}

/// One change and what the gate must say of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canary {
    /// By which it is asked for.
    pub(crate) name: &'static str,
    /// What is injected.
    pub(crate) what: &'static str,
    pub(crate) state: State,
    /// What the gate is given.
    pub(crate) arguments: &'static [&'static str],
    pub(crate) exit: Exit,
    pub(crate) effect: Effect,
}

/// All of them, in the order of their states.
pub(crate) const CANARIES: [Canary; 14] = [
    Canary {
        name: "same-code",
        what: "the same code on both sides",
        state: State::Clean,
        arguments: &["--base=HEAD"],
        exit: Exit::Fine,
        effect: Effect::Silence,
    },
    Canary {
        name: "filter",
        what: "a filter that matches nothing",
        state: State::Clean,
        arguments: &["--base=HEAD", "--only=no/such/*"],
        exit: Exit::NotMeasured,
        effect: Effect::Error("no id matches --only 'no/such/*'"),
    },
    Canary {
        name: "rebuilt",
        what: "a comment in every file",
        state: State::Commented,
        arguments: &["--base=HEAD"],
        exit: Exit::Fine,
        effect: Effect::SilentRebuild,
    },
    Canary {
        name: "baseline",
        what: "a text baseline that is not there",
        state: State::NoBaselines,
        arguments: &[],
        exit: Exit::NotMeasured,
        effect: Effect::Error("there is no baseline"),
    },
    Canary {
        state: State::Blessed,
        ..worse(
            ("text-baseline", "0.5 % more than a text baseline has"),
            &["--only=payload/fill/64KiB", "--only=payload/fill/1MiB", "--only=pool/fresh/4KiB"],
            ("instructions", &["payload/fill/1MiB", "payload/fill/64KiB"], HALF_PERCENT),
        )
    },
    worse(
        ("instructions", "0.5 % more instructions"),
        &[
            "--base=HEAD",
            "--only=payload/fill/64KiB",
            "--only=payload/fill/256KiB",
            "--only=payload/fill/1MiB",
            "--only=pool/fresh/*",
        ],
        (
            "instructions",
            &["payload/fill/1MiB", "payload/fill/256KiB", "payload/fill/64KiB"],
            HALF_PERCENT,
        ),
    ),
    worse(
        ("allocation", "one allocation more"),
        &[
            "--base=HEAD",
            "--metrics=allocations",
            "--only=pool/cycle/4KiB",
            "--only=pool/cycle/1MiB",
            "--only=pool/fresh/4KiB",
        ],
        ("allocations", &["pool/cycle/1MiB", "pool/cycle/4KiB"], Weight::Exactly(1)),
    ),
    worse(
        ("system-call", "one system call more"),
        &[
            "--base=HEAD",
            "--metrics=syscalls",
            "--only=reference/hash/4KiB",
            "--only=reference/hash/1MiB",
            "--only=pool/fresh/4KiB",
        ],
        ("syscalls", &["reference/hash/1MiB", "reference/hash/4KiB"], Weight::Exactly(1)),
    ),
    Canary {
        name: "quadratic",
        what: "a quadratic loop, with nothing to compare with",
        state: State::Injected,
        arguments: &["--base=HEAD~1", "--only=payload/verify/*"],
        exit: Exit::Regressed,
        effect: Effect::OverBudget,
    },
    Canary {
        name: "per-byte",
        what: "work for every byte, with nothing to compare with",
        state: State::Injected,
        arguments: &["--base=HEAD~1", "--only=reference/sum/64KiB"],
        exit: Exit::Regressed,
        effect: Effect::OverPerByte,
    },
    fails(
        ("panic", "a bench that panics"),
        &["--base=HEAD", "--only=fault/panic/*", "--only=pool/fresh/4KiB"],
        (Exit::Broke, "fault/panic/1KiB", "panics on purpose"),
    ),
    fails(
        ("hang", "a bench that never ends"),
        &["--base=HEAD", "--only=fault/hang/*", "--deadline=3"],
        (Exit::Broke, "fault/hang/1KiB", "still ran after 3 s"),
    ),
    fails(
        ("never-runs", "a bench that runs zero times"),
        &["--base=HEAD", "--only=canary/never/*", "--only=pool/fresh/4KiB"],
        (Exit::NotMeasured, "canary/never/1KiB", "as if it had not run"),
    ),
    Canary {
        name: "vanished",
        what: "a bench that is expected and gone",
        state: State::Injected,
        arguments: &["--base=HEAD", "--only=*/fresh/*"],
        exit: Exit::NotMeasured,
        effect: Effect::Absent,
    },
];

/// A regression of known weight in one metric of these ids.
const fn worse(
    (name, what): (&'static str, &'static str),
    arguments: &'static [&'static str],
    (metric, ids, by): (&'static str, &'static [&'static str], Weight),
) -> Canary {
    let effect = Effect::Worse { metric, ids, by };
    Canary { name, what, state: State::Injected, arguments, exit: Exit::Regressed, effect }
}

/// A bench that gives no count, and the reason that must be said.
const fn fails(
    (name, what): (&'static str, &'static str),
    arguments: &'static [&'static str],
    (exit, id, why): (Exit, &'static str, &'static str),
) -> Canary {
    Canary {
        name,
        what,
        state: State::Injected,
        arguments,
        exit,
        effect: Effect::Failed { id, why },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_states_never_go_back() {
        let names: BTreeSet<&str> = CANARIES.iter().map(|canary| canary.name).collect();
        assert_eq!(names.len(), CANARIES.len());
        assert!(CANARIES.is_sorted_by_key(|canary| canary.state));
    }

    #[test]
    fn every_regression_has_ids_beside_it_that_must_stay_as_they_are() {
        for canary in CANARIES {
            if let Effect::Worse { ids, .. } = canary.effect {
                let only = |id: &&str| canary.arguments.contains(&&*format!("--only={id}"));
                assert!(ids.iter().all(only), "{}", canary.name);
                let globs = canary.arguments.iter().filter(|arg| arg.starts_with("--only="));
                assert!(globs.count() > ids.len(), "{} has no control", canary.name);
            }
        }
    }
}
