//! The three phases of a fault, again and again: before, under, after. The service is the same and
//! so is its client, but for its connections, which each phase makes anew.
//!
//! A phase under a fault goes on until the fault is shown, within bounds: a busy machine may need
//! longer to come to it. One that is not shown then is an error, and nothing of it is recorded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bench_core::judge::matrix::CELL;
use bench_core::measure::drive::{DriveConfig, Driven, Stop, WarmUp, drive};
use bench_core::measure::schedule::Schedule;
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_network::Error;
use bench_network::echo::service::EchoService;
use bench_network::fault::{
    CpuOverload, DiskPressure, FaultError, FaultSpec, MemoryPressure, Proof, StreamFault,
};
use bench_network::link::LinkProfile;
use bench_network::proxy::DelayProxy;
use bench_storage::scratch::ScratchDirectory;
use tokio::runtime::{Builder, Runtime};

use super::client::Client;

/// How the ids begin.
pub const FAMILY: &str = "faults";
/// The dimension that names the phase, which is also the last part of the id.
pub const PHASE: &str = "phase";

/// What each phase does.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How long each phase of a round is.
    pub time: Duration,
    /// Rounds that count. Where there are more than one, one goes before them that does not.
    pub rounds: u32,
    /// Of a request and of its answer.
    pub size: ByteSize,
    /// Requests at a time.
    pub workers: usize,
    /// Requests of one connection.
    pub requests_each: u32,
    /// How long a request waits for its answer.
    pub patience: Duration,
    /// How much longer a phase may go on for its fault to be shown.
    pub grace: Duration,
    /// Where the file of a disk pressure lies; nothing for a scratch directory.
    pub folder: Option<PathBuf>,
}

impl Plan {
    /// What strikes a connection after a time needs connections that live that long: they are never
    /// given up, where others are after so many requests.
    fn fit_for(&self, spec: FaultSpec) -> Self {
        use StreamFault::{Reset, TimeOut};
        let late = matches!(spec, FaultSpec::Stream(Reset { .. } | TimeOut { .. }));
        let requests_each = if late { u32::MAX } else { self.requests_each };
        Self { requests_each, ..self.clone() }
    }

    /// What the scale has time for.
    pub fn of(scale: Scale) -> Self {
        let ms = Duration::from_millis;
        Self {
            time: scale.pick(ms(120), ms(300), Duration::from_secs(3)),
            rounds: scale.pick(1, 3, 5),
            size: ByteSize::kib(16),
            workers: 4,
            requests_each: 8,
            patience: Duration::from_secs(5),
            grace: Duration::from_secs(30),
            folder: None,
        }
    }
}

/// When a phase is, as ids name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the fault.
    Baseline,
    /// While it is injected.
    Under,
    /// After its guard was dropped.
    After,
}

impl Phase {
    /// In the order of time.
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Under, Self::After];

    /// The last part of the id.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Under => "under",
            Self::After => "after",
        }
    }
}

/// A service, the proxy before it, and its client.
struct Bench {
    runtime: Runtime,
    client: Client,
    proxy: DelayProxy,
    _service: EchoService,
    scratch: Option<ScratchDirectory>,
}

/// The rows of a fault: of each phase latency, operations, errors and the rest that a driven run has.
///
/// # Errors
/// [`FaultError`] where the fault makes no sense, cannot be had here, or was not shown; what the
/// system refused.
pub fn measure(spec: FaultSpec, plan: &Plan) -> Result<Vec<Row>, Failure> {
    let plan = &plan.fit_for(spec);
    let mut bench = Bench::start(spec, plan)?;
    let mut phases: [Option<Driven>; 3] = Default::default();
    let mut proofs = Vec::new();
    let warm_up = u32::from(plan.rounds > 1);
    for round in 0..plan.rounds + warm_up {
        for (phase, total) in Phase::ALL.into_iter().zip(&mut phases) {
            bench.client.forget();
            let driven = match phase {
                Phase::Under => {
                    let (driven, proof) = bench.under(spec, plan)?;
                    proofs.push(proof);
                    driven
                }
                Phase::Baseline | Phase::After => bench.drive(plan),
            };
            if round >= warm_up {
                match total {
                    None => *total = Some(driven),
                    Some(total) => total.absorb(driven),
                }
            }
        }
    }
    let cell = format!("{FAMILY}/{}", spec.name());
    let mut rows = Vec::new();
    for (phase, driven) in Phase::ALL.into_iter().zip(phases) {
        let driven = driven.ok_or("no round was asked for")?;
        let mut dimensions = bench.dimensions(plan, &cell, phase);
        if phase == Phase::Under {
            let proof = proofs.last().ok_or("no round was asked for")?;
            let told = proof.dimensions().into_iter();
            dimensions.extend(told.map(|(name, value)| (name.to_owned(), value)));
        }
        let of_phase = driven.into_rows(&format!("{cell}/{}", phase.name()), &dimensions);
        // Under a fault that lets nothing through there is no time to tell, and that is no failure
        // of the measurement: the errors are the answer.
        rows.extend(of_phase.into_iter().filter(|row| row.ok || phase != Phase::Under));
    }
    Ok(rows)
}

impl Bench {
    fn start(spec: FaultSpec, plan: &Plan) -> Result<Self, Failure> {
        let service = EchoService::start()?;
        let link = LinkProfile::round_trip(Duration::ZERO);
        let proxy = DelayProxy::start(service.address(), &link)?;
        let client = Client::new(proxy.address(), plan.size, plan.requests_each, plan.patience);
        let scratch = match (spec, &plan.folder) {
            (FaultSpec::DiskPressure(_), None) => Some(ScratchDirectory::create()?),
            _ => None,
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client, proxy, _service: service, scratch })
    }

    /// A phase without a fault of ours.
    fn drive(&self, plan: &Plan) -> Driven {
        let (schedule, workers) = (Schedule::Closed, plan.workers);
        let (stop, warm_up) = (Stop::After(plan.time), WarmUp::Operations(0));
        let config = DriveConfig { schedule, workers, stop, warm_up };
        self.runtime.block_on(drive(config, |_| self.client.request()))
    }

    /// A phase under the fault, and its proof.
    fn under(&mut self, spec: FaultSpec, plan: &Plan) -> Result<(Driven, Proof), Error> {
        match spec {
            FaultSpec::Stream(fault) => {
                let guard = self.proxy.inject(fault)?;
                self.until_shown(plan, || guard.proof())
            }
            FaultSpec::CpuOverload { threads, percent } => {
                let guard = CpuOverload::start(threads, percent)?;
                self.until_shown(plan, || guard.proof())
            }
            FaultSpec::MemoryPressure(size) => {
                let guard = MemoryPressure::start(size)?;
                self.until_shown(plan, || guard.proof())
            }
            FaultSpec::DiskPressure(size) => {
                let scratch = self.scratch.as_ref().map(ScratchDirectory::path);
                let folder = plan.folder.as_deref().or(scratch);
                let guard = DiskPressure::start(folder.unwrap_or(".".as_ref()), size)?;
                self.until_shown(plan, || guard.proof())
            }
        }
    }

    fn until_shown(
        &self,
        plan: &Plan,
        proof: impl Fn() -> Result<Proof, Error>,
    ) -> Result<(Driven, Proof), Error> {
        let begin = Instant::now();
        let mut total = self.drive(plan);
        loop {
            match proof() {
                Ok(proof) => return Ok((total, proof)),
                Err(Error::Fault(FaultError::NotShown { .. })) if begin.elapsed() < plan.grace => {
                    total.absorb(self.drive(plan));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn dimensions(&self, plan: &Plan, cell: &str, phase: Phase) -> BTreeMap<String, String> {
        let requests = match plan.requests_each {
            u32::MAX => "unlimited".to_owned(),
            some => some.to_string(),
        };
        let told = [
            (CELL, cell.to_owned()),
            (PHASE, phase.name().to_owned()),
            ("backend", bench_network::socket::BACKEND.to_owned()),
            ("size", plan.size.to_string()),
            ("requests_per_connection", requests),
            ("patience", format!("{:?}", plan.patience)),
            ("rounds", plan.rounds.to_string()),
        ];
        let all = told.into_iter().chain(self.proxy.dimensions());
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Metric};
    use bench_network::fault::Ways;

    use super::*;
    use crate::front::{NOT_MEASURED, USAGE, code_of};

    fn count(rows: &[Row], phase: Phase, metric: Metric) -> u64 {
        let id = |row: &&Row| row.id.ends_with(&format!("/{}", phase.name()));
        let row = rows.iter().filter(id).find(|row| row.metric == metric).expect("the row");
        let Some(Data::Count { value }) = row.data else { panic!("{row:?}") };
        value
    }

    fn least_ns(rows: &[Row], phase: Phase) -> u64 {
        let id = |row: &&Row| row.id.ends_with(&format!("/{}", phase.name()));
        let row = rows.iter().filter(id).find(|row| row.metric == Metric::Latency);
        let data = row.and_then(|row| row.data.as_ref()).expect("a latency");
        data.histogram().expect("a histogram").min()
    }

    #[test]
    fn a_latency_is_there_under_the_fault_and_gone_after_it() {
        let spec: FaultSpec = "latency:20ms".parse().expect("a fault");
        let rows = measure(spec, &Plan::of(Scale::Smoke)).expect("shown");
        for row in &rows {
            row.check().expect("a record takes it");
            assert_eq!(row.dimensions[CELL], "faults/latency");
            assert_eq!(row.dimensions.contains_key("fault"), row.id.ends_with("/under"));
        }
        // Both ways; the histogram keeps three digits.
        assert!(least_ns(&rows, Phase::Under) >= 39_900_000);
        assert!(count(&rows, Phase::Baseline, Metric::Operations) > 0);
        assert_eq!(count(&rows, Phase::After, Metric::Errors), 0);
    }

    #[test]
    fn resets_are_errors_of_their_phase_alone() {
        let spec: FaultSpec = "reset:5ms".parse().expect("a fault");
        let rows = measure(spec, &Plan::of(Scale::Smoke)).expect("shown");
        let errors = |phase| count(&rows, phase, Metric::Errors);
        assert!(errors(Phase::Under) > 0, "{rows:?}");
        assert_eq!((errors(Phase::Baseline), errors(Phase::After)), (0, 0));
    }

    #[test]
    fn connections_live_until_a_late_fault_strikes_them() {
        let plan = Plan::of(Scale::Smoke);
        let requests = |text: &str| plan.fit_for(text.parse().expect("a fault")).requests_each;
        assert_eq!((requests("reset:30ms"), requests("time_out:30ms")), (u32::MAX, u32::MAX));
        assert_eq!(requests("slow_close:20ms"), plan.requests_each, "there is something to close");
    }

    #[test]
    fn a_fault_that_cannot_be_shown_is_not_measured() {
        // No request is so large.
        let (ways, bytes) = (Ways::Both, 1 << 30);
        let slicer = StreamFault::Slicer { ways, bytes, pause: Duration::ZERO };
        let plan = Plan { grace: Duration::ZERO, ..Plan::of(Scale::Smoke) };
        let failure = measure(slicer.into(), &plan).expect_err("nothing was cut");
        assert!(failure.to_string().contains("was not shown to happen"), "{failure}");
        assert_eq!(code_of(&failure), NOT_MEASURED);
        let petabyte = FaultSpec::MemoryPressure(ByteSize::mib(1 << 30));
        assert_eq!(code_of(&measure(petabyte, &plan).expect_err("too much")), NOT_MEASURED);
        let none = FaultSpec::CpuOverload { threads: 0, percent: 100 };
        assert_eq!(code_of(&measure(none, &plan).expect_err("no thread")), USAGE);
    }
}
