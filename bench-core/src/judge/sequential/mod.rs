//! Pairs of times, judged round by round.
