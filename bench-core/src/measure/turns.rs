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

use rustix::time::{ClockId, clock_gettime};

use crate::fixture::cpus::{Pinned, available};
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
    /// Threads that work at the same time, each on a CPU of its own; at least one.
    pub threads: usize,
    /// Called on each thread, with its number, at the start of each round: gives the batch.
    pub worker: Box<dyn Fn(usize) -> Batch<'a> + Sync + 'a>,
}

/// Some operations in a row. Returns how many it did, which may be none, and never blocks.
pub type Batch<'a> = Box<dyn FnMut() -> u64 + 'a>;

/// How turns are taken.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Rounds that count.
    pub rounds: usize,
    /// How long an arm works in a round.
    pub slice: Duration,
}

impl Turns {
    /// As many rounds as a scale has time for, of 50 ms for each arm (1 ms for smoke).
    pub fn of(scale: Scale) -> Self {
        let (rounds, slice_ms) = scale.pick((1, 1), (9, 50), (25, 50));
        Self { rounds, slice: Duration::from_millis(slice_ms) }
    }
}

/// Two rows for each arm, `id/NAME`, by the clock and by the CPU time of the threads: sample `k` is
/// what all threads together did in round `k`, as time per operation; with two threads half of what
/// one of them took. Where others use the machine too, CPU time is the fairer of the two.
///
/// # Errors
/// When there are fewer CPUs than threads, or a thread cannot be pinned, or an arm did nothing.
pub fn take_turns(id: &str, arms: &[Arm<'_>], turns: Turns) -> Result<Vec<Row>, Failure> {
    let cpus = cpus(arms.iter().map(|arm| arm.threads).max().unwrap_or(0))?;
    let mut samples = vec![Samples::default(); arms.len()];
    for round in 0..=turns.rounds {
        for step in 0..arms.len() {
            // Nobody always comes after the same neighbour.
            let index = (round + step) % arms.len();
            let turn = work_until_done(&arms[index], turns.slice, cpus)?.ok_or_else(|| {
                let name = &arms[index].name;
                format!("{id}/{name}: nothing was done in {ATTEMPTS} times {:?}", turns.slice)
            })?;
            if round > 0 {
                samples[index].push(turn);
            }
        }
    }
    let rows = |(arm, samples): (&Arm<'_>, Samples)| {
        let list: Vec<String> = cpus[..arm.threads].iter().map(usize::to_string).collect();
        let dimensions = BTreeMap::from([
            ("threads".to_owned(), arm.threads.to_string()),
            ("cpus".to_owned(), list.join(",")),
        ]);
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
fn work_until_done(
    arm: &Arm<'_>,
    slice: Duration,
    cpus: &[usize],
) -> Result<Option<Turn>, Failure> {
    for _ in 0..ATTEMPTS {
        let turn = work(arm, slice, cpus)?;
        if turn.operations > 0 {
            return Ok(Some(turn));
        }
    }
    Ok(None)
}

fn work(arm: &Arm<'_>, slice: Duration, cpus: &[usize]) -> Result<Turn, Failure> {
    let together = Barrier::new(arm.threads);
    let thread = |number: usize| -> Result<(Duration, Duration, u64), Failure> {
        let pinned = Pinned::to(cpus[number]);
        let mut batch = (arm.worker)(number);
        (0..WARM_UP).for_each(|_| _ = batch());
        // Before the error is returned, or the others would wait for ever.
        together.wait();
        let _here = pinned?;
        let (started, busy_before, mut operations) = (Instant::now(), busy(), 0);
        loop {
            operations += (0..BATCHES_PER_LOOK).map(|_| batch()).sum::<u64>();
            let elapsed = started.elapsed();
            if elapsed >= slice {
                // What the batch holds is dropped here, outside the time.
                return Ok((elapsed, busy().saturating_sub(busy_before), operations));
            }
        }
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let spawn = |number| scope.spawn(move || thread(number));
        let threads: Vec<_> = (0..arm.threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("a worker panicked")).collect()
    });
    let mut total = Turn::default();
    for outcome in outcomes {
        let (elapsed, busy, operations) = outcome?;
        total.wall_ns += elapsed.as_nanos() as f64 / arm.threads as f64;
        total.cpu_ns += busy.as_nanos() as f64 / arm.threads as f64;
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
pub fn cpus(threads: usize) -> Result<&'static [usize], Failure> {
    let all = available()?;
    all.get(..threads).ok_or_else(|| {
        let few = all.len();
        format!("{threads} threads need as many CPUs, and this process may use {few}").into()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;
    use crate::fixture::cpus::allowed;

    const SMOKE: Turns = Turns { rounds: 2, slice: Duration::from_micros(100) };

    fn arm<'a>(name: &str, worker: impl Fn(usize) -> Batch<'a> + Sync + 'a) -> Arm<'a> {
        Arm { name: name.to_owned(), threads: 1, worker: Box::new(worker) }
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
    fn arms_of_one_run_may_differ_in_their_threads() {
        if cpus(2).is_err() {
            return;
        }
        let seen = Mutex::new(BTreeSet::new());
        let note = |threads: usize| {
            let seen = &seen;
            let worker = move |number: usize| -> Batch<'_> {
                let cpu = allowed().expect("CPUs");
                seen.lock().expect("no panic").insert((threads, number, cpu));
                Box::new(|| 1)
            };
            Arm { threads, ..arm(&threads.to_string(), worker) }
        };
        let rows = take_turns("a/b", &[note(1), note(2)], SMOKE).expect("two CPUs");
        let all = available().expect("CPUs");
        let list = format!("{},{}", all[0], all[1]);
        for (row, threads, cpus) in [(&rows[0], "1", all[0].to_string()), (&rows[2], "2", list)] {
            assert_eq!(row.id, format!("a/b/{threads}"));
            assert_eq!(row.dimensions["threads"], threads);
            assert_eq!(row.dimensions["cpus"], cpus);
        }
        let seen = seen.into_inner().expect("no panic");
        let each = [(1, 0, vec![all[0]]), (2, 0, vec![all[0]]), (2, 1, vec![all[1]])];
        assert_eq!(seen, BTreeSet::from(each));
    }

    #[test]
    fn an_arm_that_does_nothing_is_an_error() {
        let error = take_turns("a/b", &[arm("idle", |_| Box::new(|| 0))], SMOKE)
            .expect_err("nothing was done");
        assert!(error.to_string().starts_with("a/b/idle: nothing was done"), "{error}");
    }

    #[test]
    fn more_threads_than_cpus_are_an_error() {
        let many = Arm { threads: 100_000, ..arm("x", |_| Box::new(|| 1)) };
        let error = take_turns("a/b", &[many], SMOKE).expect_err("few");
        assert!(error.to_string().starts_with("100000 threads need as many CPUs"), "{error}");
    }
}
