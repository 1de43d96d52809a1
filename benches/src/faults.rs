//! Workloads that misbehave on purpose, so that the front door can be seen to notice. Only with
//! the feature `faults`, or `canary-benches` where a self-test wants no more than those that fail.

use std::time::Duration;

use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

macro_rules! fault {
    ($(#[$doc:meta])* $fault:ident, $name:literal, $run:expr, $check:expr) => {
        $(#[$doc])*
        pub struct $fault;

        impl Workload for $fault {
            const NAME: &'static str = $name;
            type Parameter = ByteSize;

            fn set_up(_size: &ByteSize) -> Result<Self, Failure> {
                Ok(Self)
            }

            fn run(&mut self) {
                $run
            }

            fn check(&mut self) -> Result<(), Failure> {
                $check
            }
        }
    };
}

fault!(
    /// Panics in the operation.
    Panic,
    "fault/panic",
    panic!("this bench panics on purpose"),
    Ok(())
);

fault!(
    /// Never ends.
    Hang,
    "fault/hang",
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    },
    Ok(())
);

fault!(
    /// Gives a wrong answer.
    Wrong,
    "fault/wrong",
    (),
    Err("this answer is wrong on purpose".into())
);

// Below the macro, which it uses.
#[cfg(feature = "faults")]
mod varying;

#[cfg(feature = "faults")]
pub use varying::{Address, Clock, Environment, OwnPath, RandomHasher, Threads};
