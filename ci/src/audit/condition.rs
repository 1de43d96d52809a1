//! What is different from one repetition to the next. Each condition changes one thing and keeps
//! all else as when idle, the lengths of paths and variables included.

use serde::Serialize;

/// What a bench is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// As the gate counts: nothing runs beside the counting itself.
    Idle,
    /// A loop that never pauses on every core.
    Busy,
    /// Another length of the environment in each repetition.
    Environment,
    /// Another length of the executable's path in each repetition.
    Path,
}

impl Condition {
    /// In the order of an audit.
    pub(crate) const ALL: [Self; 4] = [Self::Idle, Self::Busy, Self::Environment, Self::Path];

    /// As in a sentence: "varies …".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Idle => "from run to run",
            Self::Busy => "with a busy neighbour",
            Self::Environment => "with the length of the environment",
            Self::Path => "with the length of the path",
        }
    }

    /// What a count is taken under, for the user.
    pub(crate) fn state(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "with every core busy",
            Self::Environment => "each under another length of the environment",
            Self::Path => "each under another length of the path",
        }
    }

    /// Names folders; one letter each, so that they are equally long.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Idle => 'i',
            Self::Busy => 'b',
            Self::Environment => 'e',
            Self::Path => 'p',
        }
    }

    /// Bytes by which the environment is longer in this repetition, counted from 0. No two of a
    /// hundred are equal, and none is a multiple of the 16 bytes to which a stack is aligned.
    pub(crate) fn padding(self, repetition: usize) -> usize {
        if self == Self::Environment { 1_001 + 1_008 * (repetition % 100) } else { 0 }
    }

    /// Bytes by which the path is longer in this repetition: fewer than a file name may have, and
    /// all different in the first thirty.
    pub(crate) fn detour(self, repetition: usize) -> usize {
        if self == Self::Path { 17 + (46 * repetition) % 211 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_condition_changes_one_thing_and_that_in_every_repetition() {
        for condition in Condition::ALL {
            let paddings: BTreeSet<_> = (0..30).map(|n| condition.padding(n)).collect();
            let detours: BTreeSet<_> = (0..30).map(|n| condition.detour(n)).collect();
            let expected = match condition {
                Condition::Environment => (30, 1),
                Condition::Path => (1, 30),
                Condition::Idle | Condition::Busy => (1, 1),
            };
            assert_eq!((paddings.len(), detours.len()), expected, "{condition:?}");
            assert!(detours.iter().all(|&detour| detour < 255), "{condition:?}");
        }
    }

    #[test]
    fn lengths_move_the_stack_and_not_only_what_lies_on_it() {
        let lengths = [0, 1, 2].map(|n| Condition::Environment.padding(n) / 16);
        assert!(lengths[0] != lengths[1] && lengths[1] != lengths[2]);
        let detours = [0, 1, 2].map(|n| Condition::Path.detour(n) / 16);
        assert!(detours[0] != detours[1] && detours[1] != detours[2]);
    }
}
