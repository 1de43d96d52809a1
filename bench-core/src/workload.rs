//! One operation on fixtures and the check of its answer, declared once and measured by every
//! harness under the same id.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use crate::units::ByteSize;

/// What a workload's set-up or check may fail with.
pub type Failure = Box<dyn Error + Send + Sync>;

/// One operation on fixtures. A harness calls, in this order: [`set_up`](Self::set_up) once, then
/// for each operation [`prepare`](Self::prepare), [`run`](Self::run), [`check`](Self::check);
/// only `run` is measured.
///
/// The id is `NAME/parameter`, as in `storage/read_cold/1MiB`.
///
/// ```
/// use bench_core::units::ByteSize;
/// use bench_core::workload::{Failure, Workload, id};
///
/// /// Sums a buffer.
/// struct Sum { buffer: Vec<u8>, answer: u64 }
///
/// impl Workload for Sum {
///     const NAME: &'static str = "demo/sum";
///     type Parameter = ByteSize;
///
///     fn set_up(size: &ByteSize) -> Result<Self, Failure> {
///         Ok(Self { buffer: vec![1; size.len()], answer: 0 })
///     }
///     fn bytes(&self) -> Option<ByteSize> {
///         Some(ByteSize::new(self.buffer.len() as u64))
///     }
///     fn run(&mut self) {
///         self.answer = self.buffer.iter().map(|&byte| u64::from(byte)).sum();
///     }
///     fn check(&mut self) -> Result<(), Failure> {
///         if self.answer == self.buffer.len() as u64 { Ok(()) } else { Err("wrong sum".into()) }
///     }
/// }
///
/// assert_eq!(id::<Sum>(&ByteSize::kib(4)), "demo/sum/4KiB");
/// ```
pub trait Workload: Sized {
    /// `room/workload`, unique in the workspace.
    const NAME: &'static str;

    /// Whether every operation needs `prepare` and `check` around it (a cold read, whose page
    /// cache must be emptied). Otherwise a harness may run many operations between two checks,
    /// which a clock needs for operations of a few nanoseconds.
    const ISOLATED: bool = false;

    /// The last part of the id: a size, or `profile/size`. It parses what it prints.
    type Parameter: Display + FromStr<Err: Display>;

    /// Builds the fixtures. Never measured.
    ///
    /// # Errors
    /// What the machine refused.
    fn set_up(parameter: &Self::Parameter) -> Result<Self, Failure>;

    /// Payload bytes of one operation, where throughput has a meaning.
    fn bytes(&self) -> Option<ByteSize> {
        None
    }

    /// Brings the fixtures into the state the operation is to meet, and forgets the last answer,
    /// so that a check without a run fails ([`conforms`]). Never measured.
    ///
    /// # Errors
    /// When the state could not be reached; the operation is then not measured.
    fn prepare(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// The operation. Keeps its answer, failure included, for [`check`](Self::check).
    fn run(&mut self);

    /// Whether the last operation did what it had to. Never measured.
    ///
    /// # Errors
    /// What was wrong with the answer.
    fn check(&mut self) -> Result<(), Failure>;

    /// Whether a preparation or a check failed by what the machine did and not by the operation, as when
    /// the kernel took pages of a file that had to stay in memory. Under criterion the operations are
    /// then done anew, but not a set-up. An answer that is wrong has to fail a check before such a state does.
    fn is_disturbed(_failure: &Failure) -> bool {
        false
    }

    /// What made the number: backend, page-cache state, transport settings as they took effect.
    fn dimensions(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The id of workload `W` with this parameter.
pub fn id<W: Workload>(parameter: &W::Parameter) -> String {
    format!("{}/{parameter}", W::NAME)
}

/// Sets the workload up, runs it once and checks it: what a smoke test of any workload does.
///
/// # Errors
/// What set-up, preparation or check failed with.
pub fn run_once<W: Workload>(parameter: &W::Parameter) -> Result<W, Failure> {
    let mut workload = W::set_up(parameter)?;
    workload.prepare()?;
    workload.run();
    workload.check()?;
    Ok(workload)
}

/// Whether the workload's check can fail: what a test of any workload calls, at one parameter
/// that has content (not `0B`).
///
/// Sets the workload up, runs and checks it twice, then prepares it again and checks it without a
/// run. That last check must fail: one that passes looks at the answer of an earlier operation, or
/// at none, and would let a harness measure an operation that did nothing.
///
/// # Errors
/// What set-up, preparation or one of the two checks failed with; or that the check passed
/// although nothing ran, which [`Workload::prepare`] mends by forgetting the last answer.
pub fn conforms<W: Workload>(parameter: &W::Parameter) -> Result<(), Failure> {
    let mut workload = W::set_up(parameter)?;
    for _ in 0..2 {
        workload.prepare()?;
        workload.run();
        workload.check()?;
    }
    workload.prepare()?;
    match workload.check() {
        Err(_) => Ok(()),
        Ok(()) => Err(format!(
            "the check of {} cannot fail: it passed after prepare, though nothing had run; \
             forget the last answer in prepare",
            id::<W>(parameter)
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds one; forgets its answer in `prepare` only when told so.
    struct Step<const FORGETS: bool>(u64);

    impl<const FORGETS: bool> Workload for Step<FORGETS> {
        const NAME: &'static str = "demo/step";
        type Parameter = ByteSize;

        fn set_up(_: &ByteSize) -> Result<Self, Failure> {
            Ok(Self(0))
        }
        fn bytes(&self) -> Option<ByteSize> {
            None
        }
        fn prepare(&mut self) -> Result<(), Failure> {
            if FORGETS {
                self.0 = 0;
            }
            Ok(())
        }
        fn run(&mut self) {
            self.0 += 1;
        }
        fn check(&mut self) -> Result<(), Failure> {
            if self.0 > 0 { Ok(()) } else { Err("no step".into()) }
        }
    }

    #[test]
    fn a_check_that_looks_at_an_old_answer_does_not_conform() {
        let size = ByteSize::kib(1);
        conforms::<Step<true>>(&size).expect("forgets its answer");
        let error = conforms::<Step<false>>(&size).expect_err("keeps it").to_string();
        assert!(error.contains("demo/step/1KiB cannot fail"), "{error}");
    }
}
