//! Workloads that misbehave on purpose, so that the front door can be seen to notice. Only with
//! the feature `faults`.

use std::time::Duration;

use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

/// Panics in the operation.
pub struct Panic;

/// Never ends.
pub struct Hang;

/// Gives a wrong answer.
pub struct Wrong;

impl Workload for Panic {
    const NAME: &'static str = "fault/panic";
    type Parameter = ByteSize;

    fn set_up(_size: &ByteSize) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn bytes(&self) -> Option<ByteSize> {
        None
    }

    fn run(&mut self) {
        panic!("this bench panics on purpose");
    }

    fn check(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Workload for Hang {
    const NAME: &'static str = "fault/hang";
    type Parameter = ByteSize;

    fn set_up(_size: &ByteSize) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn bytes(&self) -> Option<ByteSize> {
        None
    }

    fn run(&mut self) {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Workload for Wrong {
    const NAME: &'static str = "fault/wrong";
    type Parameter = ByteSize;

    fn set_up(_size: &ByteSize) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn bytes(&self) -> Option<ByteSize> {
        None
    }

    fn run(&mut self) {}

    fn check(&mut self) -> Result<(), Failure> {
        Err("this answer is wrong on purpose".into())
    }
}
