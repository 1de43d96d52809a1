//! The program: a link of rattan's, made by its command line between two networks that hold nothing but
//! a process which waits.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bench_core::workload::Failure;
use bench_network::foreign::{End, ForeignLink};
use bench_network::link::{Capacity, Direction, LinkProfile, Loss, Queue};
use bench_storage::scratch::ScratchDirectory;

/// What it is called, and what records call it.
pub(super) const RATTAN: &str = "rattan";
/// The addresses that it gives the first interface of each side.
const LEFT: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);
const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 2, 1, 1);
/// What waits at either side, and by which the two are told apart.
const SECONDS: [&str; 2] = ["86401", "86402"];
const START_LIMIT: Duration = Duration::from_secs(20);

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RattanError {
    /// It cannot be run.
    #[error("rattan is not installed; run: cargo install rattan")]
    Absent,
    /// It ended, or made nothing.
    #[error("rattan made no link{0}; it needs root, and the interfaces and names that it takes")]
    NoLink(String),
}

/// A link, and the program that makes it.
#[derive(Debug)]
pub(super) struct Rattan {
    /// For probes.
    pub(super) link: ForeignLink,
    _program: Program,
}

/// Dropping it ends the program and both that wait.
#[derive(Debug)]
struct Program {
    child: Child,
    waiting: Vec<u32>,
    _config: ScratchDirectory,
}

/// What it says of itself, as in `rattan 0.1.1`.
///
/// # Errors
/// [`RattanError::Absent`].
pub(super) fn version() -> Result<String, RattanError> {
    let output = Command::new(RATTAN).arg("--version").output().map_err(|_| RattanError::Absent)?;
    // A version that does not know the flag is there all the same.
    let said = String::from_utf8_lossy(&output.stdout);
    let first = said.lines().next().filter(|_| output.status.success());
    Ok(first.unwrap_or(RATTAN).to_owned())
}

impl Rattan {
    /// Makes it, and waits until both sides are there.
    ///
    /// # Errors
    /// [`RattanError`]; what the system refused.
    pub(super) fn start(profile: &LinkProfile) -> Result<Self, Failure> {
        let folder = ScratchDirectory::create()?;
        let config = folder.path().join("rattan.toml");
        fs::write(&config, config_of(profile))?;
        let mut command = Command::new(RATTAN);
        command.arg("run").arg("--config").arg(&config);
        command.args(["--left", "sleep", SECONDS[0], "--right", "sleep", SECONDS[1]]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|_| RattanError::Absent)?;
        let mut program = Program { child, waiting: Vec::new(), _config: folder };
        let [left, right] = program.sides()?;
        program.waiting = vec![left, right];
        let end = |process, address| End { process, address };
        let link = ForeignLink::between(end(left, LEFT), end(right, RIGHT), profile)?;
        Ok(Self { link, _program: program })
    }
}

impl Program {
    /// The processes that wait, left and right.
    fn sides(&mut self) -> Result<[u32; 2], RattanError> {
        let begin = Instant::now();
        while begin.elapsed() < START_LIMIT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(RattanError::NoLink(format!(" ({status})")));
            }
            let found = SECONDS.map(|seconds| waiting_below(self.child.id(), seconds));
            if let [Some(left), Some(right)] = found {
                return Ok([left, right]);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(RattanError::NoLink(format!(" within {START_LIMIT:?}")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It ends with what it runs, and takes its interfaces along.
        for process in &self.waiting {
            let id = i32::try_from(*process).ok().and_then(rustix::process::Pid::from_raw);
            let _gone =
                id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::TERM));
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The process that waits for so many seconds and was started by that one.
fn waiting_below(parent: u32, seconds: &str) -> Option<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).ok()?;
    let children =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    let children: Vec<String> = children.collect();
    let ids = children.iter().flat_map(|line| line.split_whitespace());
    let ids = ids.filter_map(|id| id.parse::<u32>().ok());
    ids.into_iter().find(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line == format!("sleep\0{seconds}\0").into_bytes()
    })
}

/// The profile in rattan's words: for each way what loses, then what has a rate, then what delays.
pub(super) fn config_of(profile: &LinkProfile) -> String {
    let mut text = "[env]\nmode = \"Isolated\"\nleft_veth_count = 1\nright_veth_count = 1\n\
                    client_cores = [0]\nserver_cores = [1]\n[resource]\ncpu = [0]\n[general]\n"
        .to_owned();
    let mut links = String::new();
    for (name, way, from, to) in
        [("up", &profile.up, "left", "right"), ("down", &profile.down, "right", "left")]
    {
        let mut last = from.to_owned();
        for (kind, cell) in cells(way) {
            let own = format!("{name}_{kind}");
            text += &format!("[cells.{own}]\n{cell}");
            links += &format!("{last} = \"{own}\"\n");
            last = own;
        }
        links += &format!("{last} = \"{to}\"\n");
    }
    text + "[links]\n" + &links
}

fn cells(way: &Direction) -> Vec<(&'static str, String)> {
    let mut cells = Vec::new();
    if let Loss::Bernoulli(share) = way.loss {
        cells.push(("loss", format!("type = \"Loss\"\npattern = [{share}]\n")));
    }
    if let Capacity::Fixed(rate) = &way.capacity {
        let limit = match way.queue {
            Queue::Bytes(size) => format!("byte_limit = {}", size.bytes()),
            _ => "packet_limit = 1000".to_owned(),
        };
        let bits = rate.bits_per_second;
        cells.push((
            "rate",
            format!(
                "type = \"Bw\"\nqueue = \"DropTail\"\nbandwidth = \"{bits}bps\"\n\
                 queue_config = {{ {limit} }}\n"
            ),
        ));
    }
    cells.push(("delay", format!("type = \"Delay\"\ndelay = \"{}us\"\n", way.delay.as_micros())));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_written_cell_by_cell() {
        let mut profile = LinkProfile::round_trip(Duration::from_millis(50));
        profile.up.loss = Loss::Bernoulli(0.01);
        let text = config_of(&profile);
        assert!(text.contains("[cells.up_loss]\ntype = \"Loss\"\npattern = [0.01]\n"), "{text}");
        assert!(text.contains("[cells.down_delay]\ntype = \"Delay\"\ndelay = \"25000us\"\n"));
        let links = "[links]\nleft = \"up_loss\"\nup_loss = \"up_delay\"\nup_delay = \"right\"\n\
                     right = \"down_delay\"\ndown_delay = \"left\"\n";
        assert!(text.ends_with(links), "{text}");
    }

    #[test]
    fn a_child_is_found_by_what_it_waits_for() {
        let mut child = Command::new("sleep").arg("86403").spawn().expect("sleep");
        let own = std::process::id();
        let begin = Instant::now();
        // Until it is the program, it is a copy of this process.
        while waiting_below(own, "86403").is_none() && begin.elapsed() < Duration::from_secs(60) {}
        assert_eq!(waiting_below(own, "86403"), Some(child.id()));
        assert_eq!(waiting_below(own, "86404"), None);
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
}
