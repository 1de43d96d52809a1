//! Python's grpcio as an arm: client and server in processes of their own, plain bytes as messages,
//! each end with all its threads on the CPU that ours has.

use std::process::Command;
use std::time::Duration;

use bench_core::fixture::cpus::Placement;
use bench_core::measure::drive::Stop;
use bench_core::measure::recorder::Dimensions;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::{Layout, Operation, Wire};
use tempfile::NamedTempFile;

use crate::grpc_matrix::arm::{Arm, Turn};
use crate::grpc_matrix::setup::rtt_added;
use crate::grpc_matrix::watch::{STOPPED, Watch};
use crate::grpcio::{self, peer::Peer};

/// A call that takes longer hangs. The script gives its calls up a little earlier, with a reason.
const CALL_BOUND: Duration = Duration::from_secs(150);
/// It starts two interpreters and makes three calls.
const START_BOUND: Duration = Duration::from_secs(480);

/// A running pair.
pub(super) struct Grpcio {
    name: String,
    operation: Operation,
    concurrency: usize,
    /// What is peculiar to it.
    asked: Dimensions,
    peer: Peer,
    _content: NamedTempFile,
}

impl Grpcio {
    /// Starts it, for so many calls at a time. It moves and compares its content in all three ways
    /// before it is ready.
    ///
    /// # Errors
    /// That there is no grpcio, and how to get it; what it said when it ended.
    pub(super) fn start(
        name: &str,
        operation: Operation,
        concurrency: usize,
        content: &[u8],
        chunk: ByteSize,
    ) -> Result<Self, Failure> {
        let file = grpcio::content_file(content)?;
        let placement = Placement::choose()?;
        let mut script = Command::new(grpcio::python()?);
        script.arg(grpcio::SCRIPT).arg("bench").arg(file.path());
        script.args([chunk.bytes().to_string(), concurrency.to_string()]);
        script.args([placement.client, placement.server].map(|cpu| cpu.to_string()));
        let mut this = Self::over(name, operation, concurrency, Peer::start(&mut script)?, file)?;
        let asked = [("cpus", placement.describe()), ("chunk", chunk.to_string())];
        this.asked = asked.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(this)
    }

    fn over(
        name: &str,
        operation: Operation,
        concurrency: usize,
        peer: Peer,
        content: NamedTempFile,
    ) -> Result<Self, Failure> {
        let (name, asked) = (name.to_owned(), Dimensions::new());
        let mut this = Self { name, operation, concurrency, asked, peer, _content: content };
        match this.line(START_BOUND)?.as_str() {
            "ready" => Ok(this),
            other => Err(format!("grpcio was not ready: '{other}'").into()),
        }
    }

    fn line(&mut self, limit: Duration) -> Result<String, Failure> {
        self.peer.line(limit).map_err(|why| format!("grpcio: {why}").into())
    }

    /// Nanoseconds of all together, and of each.
    fn ask(&mut self, operations: u64) -> Result<(u64, Vec<u64>), Failure> {
        self.peer.say(&format!("{} {operations}", self.operation))?;
        let calls = u32::try_from(operations).unwrap_or(u32::MAX).max(1);
        let times = self.line(CALL_BOUND.saturating_mul(calls))?;
        let mut times = times.split_whitespace().map(str::parse);
        let elapsed = times.next().ok_or("grpcio timed nothing")??;
        let times: Vec<u64> = times.collect::<Result<_, _>>()?;
        let timed = times.len() as u64;
        if timed != operations {
            return Err(format!("grpcio timed {timed} of {operations} operations").into());
        }
        Ok((elapsed, times))
    }
}

impl Grpcio {
    /// How many more fit by how long those before took: at most as many as there were, since a first
    /// one says little, and never fewer than are under way at a time.
    fn rest(&self, turn: &Turn, time: Duration) -> u64 {
        let left = time.saturating_sub(turn.elapsed);
        if left.is_zero() {
            return 0;
        }
        let fit = left.as_nanos() * u128::from(turn.operations) / turn.elapsed.as_nanos().max(1);
        let fit = u64::try_from(fit).unwrap_or(u64::MAX).min(turn.operations);
        fit.max(self.concurrency as u64)
    }
}

impl Arm for Grpcio {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self, stop: Stop, watch: &dyn Watch) -> Result<Turn, String> {
        let mut turn = Turn::empty();
        let mut wanted = match stop {
            Stop::Operations(all) => all,
            Stop::After(_) => self.concurrency as u64,
        };
        while wanted > 0 {
            if watch.stopped() {
                return Err(STOPPED.to_owned());
            }
            turn.operations += wanted;
            match self.ask(wanted) {
                Ok((elapsed, times)) => {
                    times.iter().for_each(|ns| turn.latency.saturating_record((*ns).max(1)));
                    turn.elapsed += Duration::from_nanos(elapsed);
                }
                Err(error) => {
                    turn.errors.push((error.to_string(), wanted));
                    break;
                }
            }
            wanted = match stop {
                Stop::After(time) => self.rest(&turn, time),
                Stop::Operations(_) => 0,
            };
        }
        Ok(turn)
    }

    fn verify(&mut self, _watch: &dyn Watch) -> Result<(), Failure> {
        // Whoever receives compares every byte: its server what is written, else its client.
        self.peer.say(&format!("check {}", self.operation))?;
        match self.line(CALL_BOUND)?.as_str() {
            "checked" => Ok(()),
            other => Err(format!("grpcio answered a check with '{other}'").into()),
        }
    }

    fn dimensions(&self) -> Dimensions {
        let own = [
            ("backend", "grpcio, separate processes".to_owned()),
            ("server", "grpcio's".to_owned()),
            ("server_address", "IP address".to_owned()),
            ("layout", Layout::Processes.to_string()),
            ("wire", Wire::Tcp.to_string()),
            ("path", "plain bytes".to_owned()),
            ("connections", "1".to_owned()),
            ("concurrency", self.concurrency.to_string()),
            // A link would be between ends that are not ours; `--peers` refuses it.
            ("rtt_added", rtt_added(None)),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        self.asked.clone().into_iter().chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc_matrix::watch::Unwatched;

    /// Something that answers as it likes, in place of grpcio.
    fn answering(script: &str) -> Result<Grpcio, Failure> {
        let peer = Peer::start(Command::new("sh").args(["-c", script]))?;
        Grpcio::over("grpcio", Operation::Write, 1, peer, grpcio::content_file(b"x")?)
    }

    #[test]
    fn as_many_times_as_operations_make_a_turn() {
        let mut arm = answering("echo ready; while read -r _; do echo 9 5 7; done").expect("ready");
        let turn = arm.turn(Stop::Operations(2), &Unwatched).expect("it ends");
        assert_eq!((turn.latency.len(), turn.elapsed), (2, Duration::from_nanos(9)));
        let short = arm.turn(Stop::Operations(3), &Unwatched).expect("it ends");
        assert_eq!(short.errors, [("grpcio timed 2 of 3 operations".to_owned(), 3)]);
        assert!(short.latency.is_empty());
        for known in ["server", "path", "rtt_added", "server_address", "wire"] {
            assert!(arm.dimensions().contains_key(known), "it does not tell its {known}");
        }
        // 9 ns each: the fourth begins within the 30 ns, and none after it.
        let script =
            "echo ready; while read -r _ n; do echo $((n * 9)) $(yes 9 | head -n $n); done";
        let mut timed = answering(script).expect("ready");
        let stop = Stop::After(Duration::from_nanos(30));
        let turn = timed.turn(stop, &Unwatched).expect("it ends");
        assert_eq!((turn.operations, turn.latency.len()), (4, 4));
        assert_eq!(turn.elapsed, Duration::from_nanos(36));
        let error = arm.verify(&Unwatched).expect_err("that is no check").to_string();
        assert_eq!(error, "grpcio answered a check with '9 5 7'");
    }

    #[test]
    fn what_it_ended_with_is_the_error() {
        let error = answering("echo 'no module' >&2; exit 1").err().expect("ended").to_string();
        assert_eq!(error, "grpcio: it ended: no module");
        let error = answering("echo steady").err().expect("not ready").to_string();
        assert_eq!(error, "grpcio was not ready: 'steady'");
        let script = "echo ready; read -r _; echo 'DATA_LOSS: other content' >&2; exit 1";
        let mut arm = answering(script).expect("ready");
        let turn = arm.turn(Stop::Operations(4), &Unwatched).expect("it ends");
        assert_eq!(turn.errors, [("grpcio: it ended: DATA_LOSS: other content".to_owned(), 4)]);
        assert!(arm.verify(&Unwatched).is_err());
    }
}
