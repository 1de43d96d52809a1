//! One cell: every arm takes a turn in each round, in an order that rotates, so that whoever comes
//! first after a pause is somebody else each time.

use std::time::Duration;

use bench_core::measure::drive::Stop;

use super::arm::{Arm, Started, Turn};
use super::link::NOT_THE_LINKS;
use super::plan::Effort;
use super::tally::Tally;
use super::watch::Watch;

/// Measures the arms in turns: each is verified, warmed up by one turn that is thrown away, has its
/// rounds, and is verified again. One that fails is out, and the others go on. Arms that could not
/// be started come as the reason why.
///
/// Where the user stops, the round that is under way is finished by nobody: an arm keeps the turns
/// it had, marked as interrupted, since its content was not looked at again; one without any has no
/// row.
pub fn measure(
    arms: &mut [(String, Started)],
    effort: Effort,
    watch: &mut dyn Watch,
) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = arms.iter().map(|(name, _)| Tally::new(name)).collect();
    let mut warm_ups = vec![Duration::ZERO; arms.len()];
    for (index, (name, arm)) in arms.iter_mut().enumerate() {
        if watch.stopped() {
            break;
        }
        match arm {
            Ok(arm) => match begin(arm.as_mut(), effort.warm_up(), watch) {
                Ok(took) => warm_ups[index] = took,
                Err(_) if watch.stopped() => break,
                Err(why) => tallies[index].fail(why),
            },
            Err(why) => tallies[index].fail(why.clone()),
        }
        watch.turned(name);
    }
    for round in 0..effort.rounds {
        for step in 0..arms.len() {
            let index = (step + round as usize) % arms.len();
            if watch.stopped() {
                break;
            }
            if let (name, Ok(arm)) = &mut arms[index] {
                let stop = effort.stop(round, warm_ups[index]);
                take_turn(arm.as_mut(), stop, &mut tallies[index], watch);
                watch.turned(name);
            }
        }
    }
    let mut interrupted = false;
    for ((_, arm), tally) in arms.iter_mut().zip(&mut tallies) {
        let Ok(arm) = arm else { continue };
        interrupted |= watch.stopped();
        if tally.is_running()
            && !interrupted
            && let Err(error) = arm.verify(watch)
        {
            interrupted = watch.stopped();
            if !interrupted {
                tally.fail(error.to_string());
            }
        }
        match arm.spoiled() {
            Ok(None) => (),
            Ok(Some(why)) => tally.fail(format!("{NOT_THE_LINKS}: {why}")),
            Err(error) => tally.fail(error.to_string()),
        }
        tally.describe(arm.dimensions());
    }
    if interrupted {
        // All of them, since arms that did not do the same cannot be ranked.
        tallies.iter_mut().for_each(|tally| tally.interrupt(effort.rounds));
    }
    tallies
}

/// Verifies and warms up, twice with so many operations; how long they take once it is warm.
fn begin(arm: &mut dyn Arm, operations: u64, watch: &dyn Watch) -> Result<Duration, String> {
    arm.verify(watch).map_err(|error| error.to_string())?;
    let mut least = Duration::MAX;
    for _ in 0..2 {
        let turn = arm.turn(Stop::Operations(operations), watch)?;
        failed(&turn)?;
        least = least.min(turn.elapsed);
    }
    Ok(least)
}

fn take_turn(arm: &mut dyn Arm, stop: Stop, tally: &mut Tally, watch: &dyn Watch) {
    if !tally.is_running() {
        return;
    }
    match arm.turn(stop, watch) {
        Ok(turn) => {
            let failed = failed(&turn);
            tally.push(turn);
            failed.unwrap_or_else(|why| tally.fail(why));
        }
        // A part of a turn is none.
        Err(_) if watch.stopped() => (),
        Err(why) => tally.fail(why),
    }
}

/// Why the turn is worth nothing: no operation of it succeeded.
fn failed(turn: &Turn) -> Result<(), String> {
    match turn.errors.first() {
        Some((kind, _)) if turn.latency.is_empty() => {
            Err(format!("no operation of a turn succeeded: {kind}"))
        }
        _ if turn.operations == 0 => Err("the turn was empty".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
