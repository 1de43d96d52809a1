//! Both sides of a cell: the simulation, and a backend that bytes really go over.

use std::time::Duration;

use bench_core::judge::stats::median;
use bench_core::record::{Data, Metric, Row};
use bench_core::scale::Scale;
use bench_core::workload::Failure;
use bench_network::backend::{Backend, Choice, Config, Kind, Started, start_with_config};

use super::cell::{Cell, MESSAGE, TRANSFER, Verdict, Work, verdict};
use crate::attempts::until_sound;
use crate::link_table::measure::refuse;

/// Both ends': the simulation has it as Linux does.
const CONGESTION_CONTROL: &str = "cubic";

/// What is done in every cell.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What carries the real side.
    pub backend: Choice,
    /// Of both sides.
    pub seed: u64,
    /// Repetitions beside the first, which is thrown away: of a request, of a connection, of a
    /// transfer.
    pub repetitions: [usize; 3],
    /// Whether a real side that the emulator spoiled is measured anew, and refused at last.
    pub judged: bool,
}

/// One side of a cell.
#[derive(Clone, Debug)]
pub struct Side {
    /// Of every repetition that counts.
    pub times: Vec<Duration>,
    /// Who made it.
    pub used: Kind,
    /// Why it was that one.
    pub reason: String,
    /// Why it is not valid; `None` where it is.
    pub spoiled: Option<String>,
    /// How often it was measured until it was valid, or given up.
    pub attempts: usize,
    /// What made it.
    pub dimensions: Vec<(&'static str, String)>,
}

/// A cell as it came out.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What was compared.
    pub cell: Cell,
    /// Without bytes.
    pub simulated: Side,
    /// With them.
    pub real: Side,
    /// What the two say.
    pub verdict: Verdict,
    /// Whether a real side that the emulator spoiled is no number.
    pub judged: bool,
}

impl Plan {
    /// What the scale has time for.
    pub fn of(scale: Scale) -> Self {
        let repetitions = scale.pick([3, 2, 1], [20, 5, 3], [200, 40, 10]);
        Self { backend: Choice::Auto, seed: 42, repetitions, judged: scale != Scale::Smoke }
    }
}

/// Measures both sides of a cell.
///
/// # Errors
/// What a backend refused, or failed with.
pub fn compare(cell: &Cell, plan: &Plan) -> Result<Compared, Failure> {
    let simulated = side(cell, plan, Choice::Exact(Kind::Simulation))?;
    let is_spoiled = |side: &Side| side.spoiled.is_some();
    let once = || side(cell, plan, plan.backend);
    let (real, attempts) = until_sound(plan.judged, is_spoiled, once)?;
    let real = Side { attempts, ..real };
    let verdict = match why_not(cell.work, &real) {
        Some(why) => Verdict::NotCompared(why),
        None => verdict(cell.work, simulated.middle(), real.middle()),
    };
    Ok(Compared { cell: cell.clone(), simulated, real, verdict, judged: plan.judged })
}

/// Why the real side is no number of this.
fn why_not(work: Work, real: &Side) -> Option<String> {
    let fidelity = real.used.fidelity();
    let lacks = match work {
        _ if !fidelity.real => Some("times of a clock"),
        Work::Connect if !fidelity.handshake => Some("handshake"),
        Work::Transfer if !fidelity.congestion_control => Some("congestion control"),
        _ => None,
    };
    let lacks = lacks.map(|what| format!("the {} has no {what}", real.used.title()));
    lacks.or_else(|| real.spoiled.clone())
}

fn side(cell: &Cell, plan: &Plan, choice: Choice) -> Result<Side, Failure> {
    let congestion_control = Some(CONGESTION_CONTROL.to_owned());
    let config = Config { seed: plan.seed, congestion_control };
    let mut started = start_with_config(choice, &cell.link, &config)?;
    let repetitions = plan.repetitions[cell.work as usize];
    let times = times(started.backend.as_mut(), cell.work, repetitions)?;
    // A transfer is as long as its rate makes it: the tail of single packets is not in its time.
    let spoiled = match cell.work {
        Work::Transfer => started.backend.lossy()?,
        Work::Unary | Work::Connect => started.backend.spoiled()?,
    };
    let mut dimensions = started.dimensions()?;
    let valid = spoiled.as_ref().map_or("yes".to_owned(), |why| format!("no: {why}"));
    dimensions.push(("link_valid", valid));
    let Started { used, reason, .. } = started;
    Ok(Side { times, used, reason, spoiled, attempts: 1, dimensions })
}

fn times(
    backend: &mut dyn Backend,
    work: Work,
    repetitions: usize,
) -> Result<Vec<Duration>, Failure> {
    if work == Work::Unary {
        backend.connect()?;
    }
    let mut times = Vec::with_capacity(repetitions);
    for repetition in 0..=repetitions {
        let time = match work {
            Work::Unary => backend.round_trip(MESSAGE)?,
            Work::Connect => backend.connect()?,
            Work::Transfer => {
                backend.connect()?;
                backend.transfer(TRANSFER)?
            }
        };
        if repetition > 0 {
            times.push(time);
        }
    }
    Ok(times)
}

impl Side {
    /// The median.
    pub fn middle(&self) -> Duration {
        let times: Vec<f64> = self.times.iter().map(|time| time.as_nanos() as f64).collect();
        Duration::from_nanos(median(&times) as u64)
    }
}

impl Compared {
    /// A row for each side; a failed one where the emulator spoiled it until the last attempt.
    pub fn rows(&self) -> [Row; 2] {
        let tolerance = self.cell.work.tolerance(self.simulated.middle());
        [("simulated", &self.simulated), ("real", &self.real)].map(|(name, side)| {
            let values = side.times.iter().map(|time| time.as_nanos() as f64).collect();
            let iterations = vec![1; side.times.len()];
            let data = Data::Samples { values, iterations };
            let mut row = Row::measured(&self.cell.id(name), Metric::WallTime, "ns", data);
            let common = [
                ("backend", side.used.title().to_owned()),
                ("tolerance", format!("{tolerance:?}")),
                ("agreement", self.verdict.to_string()),
                ("attempts", side.attempts.to_string()),
            ];
            let all = side.dimensions.iter().cloned().chain(common);
            row.dimensions = all.map(|(name, value)| (name.to_owned(), value)).collect();
            if let Some(why) = side.spoiled.as_ref().filter(|_| self.judged) {
                let attempts = side.attempts;
                refuse(
                    &mut row,
                    &format!("times are not those of the link: {why}; tried {attempts} times"),
                );
            }
            row
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kind: Kind) -> Plan {
        Plan { backend: Choice::Exact(kind), ..Plan::of(Scale::Smoke) }
    }

    #[test]
    fn simulated_times_are_those_of_the_link_in_every_run() {
        for cell in Cell::all() {
            let side = || side(&cell, &plan(Kind::Simulation), Choice::Exact(Kind::Simulation));
            let (one, other) = (side().expect("simulated"), side().expect("simulated"));
            assert_eq!(one.times, other.times);
            let round_trip = cell.link.base_round_trip();
            match cell.work {
                Work::Unary | Work::Connect => assert!(one.times.iter().all(|t| *t == round_trip)),
                // 11,586 segments of 1500 bytes at 50 Mbit/s, and half a round trip.
                Work::Transfer => assert!(one.middle() > Duration::from_millis(2_780)),
            }
        }
    }

    #[test]
    fn what_a_backend_lacks_is_not_compared() {
        let all = Cell::all();
        let cell = |work| all.iter().find(|cell| cell.work == work).expect("there is one");
        let proxied = compare(cell(Work::Unary), &plan(Kind::Proxy)).expect("compared");
        assert!(proxied.real.times.iter().all(|time| *time >= Duration::from_millis(50)));
        for row in proxied.rows() {
            row.check().expect("a record takes it");
        }
        let connected = compare(cell(Work::Connect), &plan(Kind::Proxy)).expect("compared");
        let text = connected.verdict.to_string();
        assert_eq!(text, "not compared: the in-process proxy has no handshake");
        let twice = compare(cell(Work::Connect), &plan(Kind::Simulation)).expect("compared");
        assert!(twice.verdict.to_string().contains("has no times of a clock"));
        let mut spoiled = proxied;
        (spoiled.real.spoiled, spoiled.real.attempts) = (Some("late".to_owned()), 3);
        assert_eq!(why_not(Work::Unary, &spoiled.real), Some("late".to_owned()));
        assert!(spoiled.rows().iter().all(|row| row.ok), "at smoke scale it is only told");
        let [simulated, real] = Compared { judged: true, ..spoiled }.rows();
        assert!(simulated.ok && !real.ok && real.data.is_none());
        let why = "times are not those of the link: late; tried 3 times";
        assert_eq!(real.error.as_deref(), Some(why));
        real.check().expect("a record takes it");
        assert!(Plan::of(Scale::Quick).judged && Plan::of(Scale::Full).judged);
    }
}
