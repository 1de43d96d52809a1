//! Pins a thread to one CPU: an echo between two threads takes about 6 µs on one CPU and 70 µs
//! across two, and unpinned threads make a bench that jumps between both.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Why a thread could not be pinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The system did not say which CPUs there are.
    #[error("failed to read the CPUs this thread may use: {0}")]
    Unreadable(#[source] io::Error),
    /// The system refused.
    #[error("failed to pin this thread to CPU {cpu}: {source}")]
    Refused {
        /// The system's number of the CPU.
        cpu: usize,
        /// What the system said.
        source: io::Error,
    },
}

/// Pins the calling thread, and those it starts from now on, to CPU `index` of those this thread
/// may use, counted from 0 and round again where there are fewer. Returns the system's number of
/// that CPU.
///
/// The choice is among what the thread may use *now*: pin threads from one that is not pinned.
///
/// # Errors
/// When the system refuses, as some sandboxes do.
pub fn pin_to(index: usize) -> Result<usize, PinError> {
    let allowed = sched_getaffinity(None).map_err(|error| PinError::Unreadable(error.into()))?;
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect();
    if cpus.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "there are none");
        return Err(PinError::Unreadable(error));
    }
    let cpu = cpus[index % cpus.len()];
    let mut one = CpuSet::new();
    one.set(cpu);
    sched_setaffinity(None, &one)
        .map_err(|error| PinError::Refused { cpu, source: error.into() })?;
    Ok(cpu)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_pinned_thread_may_use_one_cpu_and_its_parent_all() {
        let before = sched_getaffinity(None).expect("readable");
        for index in 0..=before.count() as usize {
            let (cpu, allowed) = thread::spawn(move || {
                let cpu = pin_to(index).expect("pinned");
                (cpu, sched_getaffinity(None).expect("readable"))
            })
            .join()
            .expect("no panic");
            assert_eq!(allowed.count(), 1);
            assert!(allowed.is_set(cpu) && before.is_set(cpu));
        }
        assert_eq!(sched_getaffinity(None).expect("readable"), before);
    }

    #[test]
    fn an_index_beyond_the_last_cpu_goes_round() {
        let pinned = |index| thread::spawn(move || pin_to(index).expect("pinned")).join();
        let cpus = sched_getaffinity(None).expect("readable").count() as usize;
        assert_eq!(pinned(0).expect("no panic"), pinned(cpus).expect("no panic"));
    }
}
