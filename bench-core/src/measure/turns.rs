//! Arms of a comparison in turns, on threads that are pinned: in every round every arm works for the
//! same short time, so that whatever the machine does meanwhile it does to all of them.
//!
//! For operations of a few nanoseconds, which are done in batches; the clock is read between
//! batches. The first round is thrown away: fresh memory costs faults, on a virtual machine of the
//! host too.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::record::{Data, Metric, Row};
use crate::scale::Scale;
use crate::workload::Failure;

/// Batches between two looks at the clock.
const BATCHES_PER_LOOK: usize = 16;
/// Slices without an operation before that is an error.
const ATTEMPTS: usize = 8;
/// Batches before the clock starts: the thread's own caches and magazines fill.
const WARM_UP: usize = 256;

/// One side of a comparison.
pub struct Arm<'a> {
    /// The last part of the id.
    pub name: String,
    /// Called on each thread, with its number, at the start of each round: gives the batch.
    pub worker: Box<dyn Fn(usize) -> Batch<'a> + Sync + 'a>,
}

/// Some operations in a row. Returns how many it did, which may be none, and never blocks.
pub type Batch<'a> = Box<dyn FnMut() -> u64 + 'a>;

/// How turns are taken.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Threads that work at the same time, each on a CPU of its own.
    pub threads: usize,
    /// Rounds that count.
    pub rounds: usize,
    /// How long an arm works in a round.
    pub slice: Duration,
}

impl Turns {
    /// As many rounds as a scale has time for, of 50 ms for each arm (1 ms for smoke).
    pub fn of(scale: Scale, threads: usize) -> Self {
        let (rounds, slice_ms) = scale.pick((1, 1), (9, 50), (25, 50));
        Self { threads, rounds, slice: Duration::from_millis(slice_ms) }
    }
}

/// Two rows for each arm, `id/NAME`, by the clock and by the CPU time of the threads: sample `k` is
/// what all threads together did in round `k`, as time per operation; with two threads half of what
/// one of them took. Where others use the machine too, CPU time is the fairer of the two.
///
/// # Errors
/// When there are fewer CPUs than threads, or a thread cannot be pinned, or an arm did nothing.
pub fn take_turns(id: &str, arms: &[Arm<'_>], turns: Turns) -> Result<Vec<Row>, Failure> {
    let cpus = cpus(turns.threads)?;
    let mut samples = vec![Samples::default(); arms.len()];
    for round in 0..=turns.rounds {
        for step in 0..arms.len() {
            // Nobody always comes after the same neighbour.
            let index = (round + step) % arms.len();
            let turn = work_until_done(&arms[index], turns, &cpus)?.ok_or_else(|| {
                let name = &arms[index].name;
                format!("{id}/{name}: nothing was done in {ATTEMPTS} times {:?}", turns.slice)
            })?;
            if round > 0 {
                samples[index].push(turn);
            }
        }
    }
    let list: Vec<String> = cpus.iter().map(usize::to_string).collect();
    let dimensions = BTreeMap::from([
        ("threads".to_owned(), turns.threads.to_string()),
        ("cpus".to_owned(), list.join(",")),
    ]);
    let rows = |(arm, samples): (&Arm<'_>, Samples)| {
        let id = format!("{id}/{}", arm.name);
        let Samples { wall_ns, cpu_ns, operations } = samples;
        [(Metric::WallTime, wall_ns), (Metric::CpuTime, cpu_ns)].map(|(metric, values)| {
            let data = Data::Samples { values, iterations: operations.clone() };
            Row { dimensions: dimensions.clone(), ..Row::measured(&id, metric, "ns", data) }
        })
    };
    Ok(arms.iter().zip(samples).flat_map(rows).collect())
}

/// What all threads did together in one turn; the times are means over the threads.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    wall_ns: f64,
    cpu_ns: f64,
    operations: u64,
}

/// The turns of one arm.
#[derive(Clone, Debug, Default)]
struct Samples {
    wall_ns: Vec<f64>,
    cpu_ns: Vec<f64>,
    operations: Vec<u64>,
}

impl Samples {
    fn push(&mut self, turn: Turn) {
        self.wall_ns.push(turn.wall_ns);
        self.cpu_ns.push(turn.cpu_ns);
        self.operations.push(turn.operations);
    }
}

/// One arm in one round. Where others use the machine too, two threads that need each other may not
/// meet in a slice; they get another.
fn work_until_done(arm: &Arm<'_>, turns: Turns, cpus: &[usize]) -> Result<Option<Turn>, Failure> {
    for _ in 0..ATTEMPTS {
        let turn = work(arm, turns, cpus)?;
        if turn.operations > 0 {
            return Ok(Some(turn));
        }
    }
    Ok(None)
}

fn work(arm: &Arm<'_>, turns: Turns, cpus: &[usize]) -> Result<Turn, Failure> {
    let together = Barrier::new(turns.threads);
    let thread = |number: usize| -> Result<(Duration, Duration, u64), Failure> {
        let pinned = pin(cpus[number]);
        let mut batch = (arm.worker)(number);
        (0..WARM_UP).for_each(|_| _ = batch());
        // Before the error is returned, or the others would wait for ever.
        together.wait();
        pinned?;
        let (started, busy_before, mut operations) = (Instant::now(), busy(), 0);
        loop {
            operations += (0..BATCHES_PER_LOOK).map(|_| batch()).sum::<u64>();
            let elapsed = started.elapsed();
            if elapsed >= turns.slice {
                // What the batch holds is dropped here, outside the time.
                return Ok((elapsed, busy().saturating_sub(busy_before), operations));
            }
        }
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let spawn = |number| scope.spawn(move || thread(number));
        let threads: Vec<_> = (0..turns.threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("a worker panicked")).collect()
    });
    let mut total = Turn::default();
    for outcome in outcomes {
        let (elapsed, busy, operations) = outcome?;
        total.wall_ns += elapsed.as_nanos() as f64 / turns.threads as f64;
        total.cpu_ns += busy.as_nanos() as f64 / turns.threads as f64;
        total.operations += operations;
    }
    Ok(total)
}

/// CPU time of this thread so far: what the clock shows less the time that others had the CPU.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The numbers of the first CPUs that this process may use, one for each thread.
///
/// # Errors
/// When there are fewer.
pub fn cpus(threads: usize) -> Result<Vec<usize>, Failure> {
    let allowed = sched_getaffinity(None)?;
    let cpus: Vec<usize> =
        (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).take(threads).collect();
    if cpus.len() < threads {
        return Err(format!(
            "{threads} threads need as many CPUs, and this process may use {}",
            cpus.len()
        )
        .into());
    }
    Ok(cpus)
}

fn pin(cpu: usize) -> Result<(), Failure> {
    let mut one = CpuSet::new();
    one.set(cpu);
    Ok(sched_setaffinity(None, &one)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const SMOKE: Turns = Turns { threads: 1, rounds: 2, slice: Duration::from_micros(100) };

    fn arm<'a>(name: &str, worker: impl Fn(usize) -> Batch<'a> + Sync + 'a) -> Arm<'a> {
        Arm { name: name.to_owned(), worker: Box::new(worker) }
    }

    #[test]
    fn every_arm_has_a_sample_of_every_round_but_the_first() {
        let order = Mutex::new(Vec::new());
        let note = |name: &'static str| {
            let order = &order;
            arm(name, move |_| {
                order.lock().expect("no panic").push(name);
                Box::new(|| 7)
            })
        };
        let rows = take_turns("a/b", &[note("x"), note("y")], SMOKE).expect("one CPU");
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["a/b/x", "a/b/x", "a/b/y", "a/b/y"]);
        for row in &rows {
            let Some(Data::Samples { values, iterations }) = &row.data else { panic!("samples") };
            assert_eq!((values.len(), iterations.len()), (2, 2));
            assert!(iterations.iter().all(|count| count % 7 == 0));
        }
        assert_eq!(order.into_inner().expect("no panic"), ["x", "y", "y", "x", "x", "y"]);
    }

    #[test]
    fn an_arm_that_does_nothing_is_an_error() {
        let error = take_turns("a/b", &[arm("idle", |_| Box::new(|| 0))], SMOKE)
            .expect_err("nothing was done");
        assert!(error.to_string().starts_with("a/b/idle: nothing was done"), "{error}");
    }

    #[test]
    fn more_threads_than_cpus_are_an_error() {
        let turns = Turns { threads: 100_000, ..SMOKE };
        let error = take_turns("a/b", &[arm("x", |_| Box::new(|| 1))], turns).expect_err("few");
        assert!(error.to_string().starts_with("100000 threads need as many CPUs"), "{error}");
    }
}
