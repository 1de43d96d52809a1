//! Pairs of times, judged round by round, with an error that holds whenever one stops to look.
//!
//! A round gives one time of each side; what counts is `x = ln(head / base)`. The order of the sides
//! is drawn anew for every round, so that equal code is as likely to give `x` as `-x`, whatever the
//! machine does meanwhile. Against each shift that is in question somebody bets, round by round,
//! that the rounds lie further up (or down). While the shift is true or beyond, no such gambler can
//! expect to win, and the probability that he *ever* multiplies his stake by `1 / alpha` is at most
//! `alpha` (Ville 1939). Where he does, the shift is refuted, at whatever round that happens.
//!
//! - [`slice`](mod@slice): the raw samples of one slice become one time.
//! - [`scale`]: how far rounds scatter, known before the round that is judged by it.
//! - [`wealth`]: what a gambler has won.
//! - [`estimate`](mod@estimate): the shift, and the interval of all that is not refuted.
//! - [`trial`]: the rounds of one id until there is a verdict.
//! - [`control`](mod@control): whether ids with the same code on both sides kept still.
//! - [`burst`]: rounds in which the machine was busy with something else.

pub mod burst;
pub mod control;
pub mod estimate;
pub mod scale;
pub mod slice;
pub mod trial;
pub mod wealth;

pub use burst::quiet;
pub use control::{Control, Together, Vouch, control, rounds_to_speak};
pub use estimate::{Estimate, estimate};
pub use slice::time_per_operation;
pub use trial::{Judgement, Round, Rule, Trial, judge};

#[cfg(test)]
mod tests;
