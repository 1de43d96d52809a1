//! From evidence to the likely reason. The evidence is of two kinds: under which conditions a count
//! moved, which is a controlled experiment, as each condition changes one thing; and which
//! functions the two profiles that differ most disagree in, or merely hold.
//!
//! The conditions decide which reasons are possible at all; the functions choose among these.

use std::collections::BTreeSet;

use serde::Serialize;

use super::condition::Condition;

/// Why a count does not repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// Threads that share the work as they come to run.
    Threads,
    /// A hasher with a random seed.
    RandomHasher,
    /// Some other random number.
    RandomNumber,
    /// The time of day, or time that passed.
    Clock,
    /// What lies in the environment is looked at.
    EnvironmentLength,
    /// The executable's path or arguments are looked at.
    PathLength,
    /// Which blocks the allocator finds.
    Allocator,
    /// How an address is aligned.
    Alignment,
    /// Where something lies, as when an address is hashed.
    Address,
    /// Nothing known fits.
    Unknown,
}

/// A reason and what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cause {
    pub(crate) reason: Reason,
    /// What was seen, in a few words; for the user.
    pub(crate) evidence: String,
}

/// Names of functions and files, of the two profiles that differ most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Where their costs differ.
    pub(crate) parted: BTreeSet<String>,
    /// All.
    pub(crate) present: BTreeSet<String>,
}

/// Parts of the names that betray a reason, the most telling first.
const SIGNS: [(Reason, &[&str]); 8] = [
    (
        Reason::Threads,
        &[
            // What its workers do; its handle is in every runtime.
            "multi_thread::worker",
            "multi_thread/worker",
            "rayon_core",
            "crossbeam_deque",
            "pthread_create",
            "std::thread::spawn",
            "std::thread::builder::Builder::spawn",
            "sync::condvar",
            "futex::futex_wait",
        ],
    ),
    (
        Reason::RandomHasher,
        &[
            "hash::random",
            "hash/random.rs",
            "hash::sip",
            "hash/sip.rs",
            "RandomState",
            "ahash",
            // The hasher itself may be inlined beyond recognition; its map is not.
            "hashbrown",
        ],
    ),
    (
        Reason::RandomNumber,
        &[
            "util::rand",
            "util/rand",
            "FastRand",
            "thread_rng",
            "fastrand",
            "rand::rngs",
            "getrandom",
        ],
    ),
    (
        Reason::Clock,
        &[
            "clock_gettime",
            "gettimeofday",
            "time::Instant",
            "time::SystemTime",
            "std/src/time.rs",
            "unix/time.rs",
            "runtime::time::wheel",
            "runtime/time/wheel",
        ],
    ),
    (Reason::EnvironmentLength, &["getenv", "env::vars", "env::Vars", "EnvStrDebug", "sys/env"]),
    (Reason::PathLength, &["env::args", "env::Args", "current_exe", "sys/args", "sys::args"]),
    (
        Reason::Allocator,
        &["_int_malloc", "_int_free", "_int_realloc", "malloc_consolidate", "unlink_chunk"],
    ),
    (Reason::Alignment, &["memcpy", "memmove", "memset", "memcmp", "multiarch"]),
];

impl Reason {
    /// As in "likely cause: …".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Threads => "a multi-thread runtime",
            Self::RandomHasher => "a random hasher",
            Self::RandomNumber => "a random number",
            Self::Clock => "the clock",
            Self::EnvironmentLength => "the length of the environment",
            Self::PathLength => "the length of the path",
            Self::Allocator => "the allocator's addresses",
            Self::Alignment => "the alignment of an address",
            Self::Address => "an address, as when one is hashed",
            Self::Unknown => "not known",
        }
    }

    fn signs(self) -> &'static [&'static str] {
        SIGNS.iter().find(|(reason, _)| *reason == self).map_or(&[], |(_, signs)| signs)
    }
}

/// The likely reasons, the likeliest first; [`Reason::Unknown`] alone where none fits. `moved` as
/// [`Series::moved`](super::series::Series::moved) has it; empty means that there is nothing to
/// explain.
pub(crate) fn causes(moved: &[Condition], names: &Names) -> Vec<Cause> {
    if moved.is_empty() {
        return Vec::new();
    }
    let (likely, otherwise) = possible(moved);
    let mut found: Vec<Cause> = Vec::new();
    // A name in which the costs differ tells more than one that is merely there.
    for (names, how) in [(&names.parted, "the counts part in"), (&names.present, "it runs")] {
        for reason in likely {
            let sign = sign(*reason, names);
            if let Some(name) = sign.filter(|_| found.iter().all(|one| one.reason != *reason)) {
                found.push(Cause { reason: *reason, evidence: format!("{how} {name}") });
            }
        }
    }
    found.sort_by_key(|cause| !leads(cause.reason));
    if found.is_empty() || otherwise == Reason::Address {
        let words: Vec<&str> = moved.iter().map(|condition| condition.words()).collect();
        let evidence = format!("it varies {} and not otherwise", words.join(" and "));
        let cause = Cause { reason: otherwise, evidence };
        found.push(cause);
    }
    found
}

/// What can move a count under these conditions and not under others, and what it is when no name
/// speaks for one of these.
///
/// What moves from run to run, all else equal, is random or depends on time or threads. What only a
/// busy neighbour moves is no random number. What is still until the environment *or* the path
/// grows, though both move the stack, looks at the one that moved it. What both move depends on
/// where something lies, unless it is seen to look at one of them, of which the other then moves
/// the copies.
fn possible(moved: &[Condition]) -> (&'static [Reason], Reason) {
    use Reason::{
        Alignment, Allocator, Clock, EnvironmentLength, PathLength, RandomHasher, RandomNumber,
        Threads, Unknown,
    };
    let by = |condition| moved.contains(&condition);
    if by(Condition::Idle) {
        return (&[Threads, RandomHasher, RandomNumber, Clock], Unknown);
    }
    match (by(Condition::Busy), by(Condition::Environment), by(Condition::Path)) {
        (true, _, _) => (&[Threads, Clock], Unknown),
        (false, true, false) => (&[EnvironmentLength, Allocator, Alignment], EnvironmentLength),
        (false, false, _) => (&[PathLength, Allocator, Alignment], PathLength),
        (false, true, true) => {
            (&[EnvironmentLength, PathLength, Allocator, Alignment], Reason::Address)
        }
    }
}

/// Whether this reason explains others that are found beside it: threads bring clocks and random
/// numbers with them, and who reads the environment or the path allocates.
fn leads(reason: Reason) -> bool {
    matches!(reason, Reason::Threads | Reason::EnvironmentLength | Reason::PathLength)
}

/// The first name that bears a sign of this reason, the most telling sign first.
fn sign(reason: Reason, names: &BTreeSet<String>) -> Option<&String> {
    reason.signs().iter().find_map(|sign| names.iter().find(|name| name.contains(sign)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parted: &[&str], present: &[&str]) -> Names {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names { parted: set(parted), present: set(present) }
    }

    fn likely(moved: &[Condition], parted: &[&str], present: &[&str]) -> Reason {
        causes(moved, &names(parted, present))[0].reason
    }

    const SIP: &str = "library/core/src/hash/sip.rs";
    const INSERT: &str = "hashbrown::map::HashMap<K,V,S,A>::insert";
    const WORKER: &str = "tokio::runtime::scheduler::multi_thread::worker::Context::run";
    const HANDLE: &str = "tokio/src/runtime/scheduler/multi_thread/handle.rs";

    #[test]
    fn what_varies_by_itself_is_random_or_threads_or_the_clock() {
        let idle = [Condition::Idle];
        assert_eq!(likely(&idle, &["run"], &["run", SIP]), Reason::RandomHasher);
        assert_eq!(likely(&idle, &[INSERT], &[INSERT]), Reason::RandomHasher);
        assert_eq!(likely(&idle, &[WORKER], &[WORKER, SIP]), Reason::Threads);
        assert_eq!(likely(&idle, &["clock_gettime@@GLIBC_2.17"], &[]), Reason::Clock);
        let fast = "tokio::util::rand::FastRand::fastrand_n";
        assert_eq!(likely(&idle, &["poll"], &[fast, "poll"]), Reason::RandomNumber);
        assert_eq!(likely(&idle, &["main"], &["main"]), Reason::Unknown);
        assert_eq!(likely(&idle, &[HANDLE], &[HANDLE]), Reason::Unknown);
    }

    #[test]
    fn threads_explain_the_clock_beside_them_and_what_parts_tells_more_than_what_runs() {
        let idle = [Condition::Idle];
        assert_eq!(likely(&idle, &["std::time::Instant::now"], &[WORKER]), Reason::Threads);
        let all = causes(&idle, &names(&["std::time::Instant::now"], &[SIP]));
        let reasons: Vec<Reason> = all.iter().map(|cause| cause.reason).collect();
        assert_eq!(reasons, [Reason::Clock, Reason::RandomHasher]);
        assert_eq!(all[0].evidence, "the counts part in std::time::Instant::now");
        assert_eq!(all[1].evidence, format!("it runs {SIP}"));
    }

    #[test]
    fn what_only_a_busy_neighbour_moves_is_no_random_number() {
        let busy = [Condition::Busy];
        assert_eq!(likely(&busy, &["clock_gettime"], &[SIP]), Reason::Clock);
        assert_eq!(likely(&busy, &[SIP], &[SIP]), Reason::Unknown);
    }

    #[test]
    fn environment_and_path_are_told_from_the_addresses_that_both_move() {
        let (environment, path) = (Condition::Environment, Condition::Path);
        assert_eq!(likely(&[environment], &["run"], &["run"]), Reason::EnvironmentLength);
        assert_eq!(likely(&[path], &["run"], &["run"]), Reason::PathLength);
        assert_eq!(likely(&[environment, path], &["run"], &["run"]), Reason::Address);
        let (malloc, copy) = ("_int_malloc", "__memcpy_avx_unaligned_erms");
        assert_eq!(likely(&[environment, path], &[malloc], &[]), Reason::Allocator);
        assert_eq!(likely(&[path], &[copy], &[copy]), Reason::Alignment);
        // Who reads the environment allocates as well.
        let reads = "std::env::vars_os";
        assert_eq!(likely(&[environment], &[malloc], &[malloc, reads]), Reason::EnvironmentLength);
        let both = [environment, path];
        assert_eq!(likely(&both, &[malloc], &[malloc, reads]), Reason::EnvironmentLength);
        let reads = "std::env::args_os";
        assert_eq!(likely(&both, &[malloc, copy], &[malloc, copy, reads]), Reason::PathLength);
    }

    #[test]
    fn an_address_is_no_reason_where_a_count_varies_by_itself() {
        assert_eq!(likely(&[Condition::Idle], &["_int_malloc"], &["_int_malloc"]), Reason::Unknown);
        assert!(causes(&[], &names(&[INSERT], &[SIP])).is_empty());
    }
}
