//! wrk and iperf3, as they are installed: each on the CPU where our own arm works, and against a server
//! on the CPU where ours is.
//!
//! wrk is given our server. iperf3 has a protocol of its own, and so its own server. Both say how much
//! they did and in which time, and that is what is compared; of wrk it is checked against what our
//! server counted.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use bench_core::fixture::cpus::{Pinned, Placement};
use bench_core::workload::Failure;
use bench_network::tcp::bulk::BulkConfig;
use serde_json::Value;

use crate::arms::Pass;

/// How often, and with which pause, iperf3 is asked again whose server is not done with the turn before.
const BUSY_TRIES: u32 = 100;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// Why a peer said nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It is not on this machine.
    #[error("{0} is not installed; on Debian: apt-get install {0}")]
    Missing(&'static str),
    /// It failed, or what it printed is not understood.
    #[error("{program} did not do what it was asked for: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it printed, or what is missing there.
        said: String,
    },
}

/// Whether a program can be started here.
///
/// # Errors
/// [`PeerError::Missing`].
pub fn installed(program: &'static str) -> Result<(), PeerError> {
    let asked =
        Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    // wrk prints its usage and fails.
    asked.map(drop).map_err(|_| PeerError::Missing(program))
}

/// One turn of wrk with one thread, on the calling thread's CPU: a connection for each request.
///
/// # Errors
/// [`PeerError`]; also when a request of it failed.
pub fn wrk(address: SocketAddr, under_way: usize, time: Duration) -> Result<Pass, PeerError> {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", &under_way.to_string()]);
    // It counts in whole seconds.
    command.args(["-d", &format!("{}s", time.as_secs().max(1))]);
    command.args(["-H", "Connection: close", &format!("http://{address}/")]);
    of_wrk(&printed("wrk", command)?)
}

/// What iperf3 sends, to a server of its own that ends with this.
#[derive(Debug)]
#[must_use = "the server ends as soon as this is dropped"]
pub struct Iperf3 {
    server: Child,
    port: u16,
    /// Kept open: a server that cannot print ends.
    _says: BufReader<ChildStdout>,
}

impl Iperf3 {
    /// Starts the server on its CPU and waits until it listens.
    ///
    /// # Errors
    /// [`PeerError`]; what the system refused.
    pub fn start(placement: Placement) -> Result<Self, Failure> {
        // Free a moment ago; where somebody took it since, the server says so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let spawn = || -> Result<Child, Failure> {
            let _there = Pinned::to(placement.server)?;
            let mut command = Command::new("iperf3");
            command.args(["-s", "-B", "127.0.0.1", "-p", &port.to_string(), "--forceflush"]);
            let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            Ok(command.spawn().map_err(|_| PeerError::Missing("iperf3"))?)
        };
        // A thread of its own, because children run where the thread that starts them may.
        let spawned = std::thread::scope(|scope| scope.spawn(spawn).join());
        let mut server = spawned.map_err(|_| "starting iperf3 panicked")??;
        let mut says = BufReader::new(server.stdout.take().ok_or("iperf3 has no output")?);
        let mut line = String::new();
        while !line.contains("Server listening") {
            line.clear();
            if says.read_line(&mut line)? == 0 {
                let said = format!("its server ended: {}", server.wait()?);
                return Err(PeerError::Failed { program: "iperf3", said }.into());
            }
        }
        Ok(Self { server, port, _says: says })
    }

    /// One turn, from the calling thread's CPU. An operation is one block. Its buffers grow: what sets them
    /// for iperf3 sets both at both ends, and ours is the receiver's alone.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn send(&self, config: &BulkConfig, bytes: u64) -> Result<Pass, PeerError> {
        let mut last = String::new();
        for _ in 0..BUSY_TRIES {
            match self.send_once(config, bytes) {
                // It still closes what the turn before left.
                Err(PeerError::Failed { said, .. }) if said.contains("busy running a test") => {
                    last = said;
                    std::thread::sleep(BUSY_PAUSE);
                }
                done => return done,
            }
        }
        Err(PeerError::Failed { program: "iperf3", said: last })
    }

    fn send_once(&self, config: &BulkConfig, bytes: u64) -> Result<Pass, PeerError> {
        let mut command = Command::new("iperf3");
        command.args(["-c", "127.0.0.1", "-p", &self.port.to_string(), "-J"]);
        let block = config.cell.block.bytes();
        command.args(["-C", &config.cell.control, "-l", &block.to_string()]);
        command.args(["-n", &bytes.to_string()]);
        of_iperf3(&printed("iperf3", command)?, block)
    }
}

impl Drop for Iperf3 {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// What a program printed; iperf3 says in it what went wrong, too.
fn printed(program: &'static str, mut command: Command) -> Result<String, PeerError> {
    let output = command.stdin(Stdio::null()).output().map_err(|_| PeerError::Missing(program))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() || text.contains("\"error\"") {
        return Ok(text);
    }
    let said = format!("{} {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    Err(PeerError::Failed { program, said })
}

/// The lines of requests and of their rate. The time is that of the rate, which has more digits.
fn of_wrk(text: &str) -> Result<Pass, PeerError> {
    let failed = |said: &str| PeerError::Failed { program: "wrk", said: said.to_owned() };
    if let Some(line) = text.lines().find(|line| line.contains("Socket errors")) {
        return Err(failed(line.trim()));
    }
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx")) {
        return Err(failed(line.trim()));
    }
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests: Option<u64> = requests.and_then(|(requests, _)| requests.parse().ok());
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    let rate: Option<f64> = rate.and_then(|rate| rate.trim().parse().ok());
    match (requests, rate) {
        (Some(operations), Some(rate)) if operations > 0 && rate > 0.0 => {
            Ok(Pass { time: Duration::from_secs_f64(operations as f64 / rate), operations })
        }
        _ => Err(failed(&format!("no requests and no rate in what it printed: {}", text.trim()))),
    }
}

/// What the server received, and how long it took by its own clock.
fn of_iperf3(text: &str, block: u64) -> Result<Pass, PeerError> {
    let failed = |said: String| PeerError::Failed { program: "iperf3", said };
    let json: Value = serde_json::from_str(text).map_err(|error| failed(error.to_string()))?;
    if let Some(error) = json["error"].as_str() {
        return Err(failed(error.to_owned()));
    }
    let received = &json["end"]["sum_received"];
    match (received["bytes"].as_u64(), received["seconds"].as_f64()) {
        (Some(bytes), Some(seconds)) if bytes >= block && seconds > 0.0 => {
            let operations = bytes / block;
            // The time of whole blocks.
            let time = seconds * (operations * block) as f64 / bytes as f64;
            Ok(Pass { time: Duration::from_secs_f64(time), operations })
        }
        _ => Err(failed("no bytes and no seconds in end.sum_received".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As wrk 4.1.0 prints it.
    const WRK: &str = "Running 1s test @ http://127.0.0.1:8791/\n  1 threads and 4 connections\n  \
                       Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     3.67ms    \
                       3.03ms  20.30ms   85.25%\n    Req/Sec     1.22k   272.15     1.59k    70.00%\n  \
                       1216 requests in 1.00s, 530.96KB read\nRequests/sec:   1214.66\nTransfer/sec:    \
                       530.38KB\n";

    #[test]
    fn what_wrk_prints_is_read_with_all_its_digits() {
        let pass = of_wrk(WRK).expect("a pass");
        assert_eq!(pass.operations, 1216);
        // 1216 / 1214.66 s.
        assert_eq!(pass.time.as_micros(), 1_001_103);
        let errors = WRK.replace(
            "Requests/sec",
            "  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec",
        );
        let said = of_wrk(&errors).expect_err("errors").to_string();
        assert!(said.ends_with("Socket errors: connect 0, read 3, write 0, timeout 0"), "{said}");
        for bad in ["", "0 requests in 1.00s, 0B read\nRequests/sec: 0.00", "1 requests in 1s"] {
            of_wrk(bad).expect_err(bad);
        }
    }

    #[test]
    fn what_iperf3_prints_is_read_and_its_complaint_is_told() {
        let json = r#"{"end": {"sum_received": {"bytes": 262275072, "seconds": 0.092401}}}"#;
        let pass = of_iperf3(json, 131_072).expect("a pass");
        assert_eq!(pass.operations, 2001);
        assert_eq!(pass.time.as_micros(), 92_401);
        let error = r#"{"end": {}, "error": "unable to set TCP_CONGESTION"}"#;
        let said = of_iperf3(error, 1).expect_err("refused").to_string();
        assert_eq!(said, "iperf3 did not do what it was asked for: unable to set TCP_CONGESTION");
        for bad in ["", "{}", r#"{"end": {"sum_received": {"bytes": 0, "seconds": 1.0}}}"#] {
            of_iperf3(bad, 1).expect_err(bad);
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_missing() {
        let error = installed("no-such-load-generator").expect_err("missing").to_string();
        assert!(error.starts_with("no-such-load-generator is not installed; "), "{error}");
    }
}
