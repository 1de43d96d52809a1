//! A server in a process of its own, started from an executable that has the [`entry`] in it.
//!
//! The parent writes what to serve into the child's standard input and reads the address from its
//! standard output. The child ends when its standard input closes, and so with its parent, however
//! that ends; a dropped fixture kills it by its process id. Nothing holds a port afterwards.

mod order;

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::error::Error;
use crate::serve::{Server, ServerConfig};
use crate::transport::SocketFacts;
use crate::wire::Target;

/// Says that this process is a server. Nobody sets it by hand.
const ROLE: &str = "WEIGHBRIDGE_GRPC_SERVER";
/// Begins every line that is meant for the parent: a test harness prints lines of its own.
const MARK: &str = "weighbridge-grpc-server ";
/// How long a child may take for an answer: it has to fill its content first.
const ANSWER_BOUND: Duration = Duration::from_secs(20);

const SOCKET: &str = "socket";
const DRAIN: &str = "drain";

/// The program that becomes the server. Its `main` calls [`entry`] before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Launch {
    /// This program, without arguments.
    ///
    /// # Errors
    /// When the machine does not say which it is.
    pub fn itself() -> Result<Self, Error> {
        let program = env::current_exe().map_err(Error::machine("find the executable"))?;
        Ok(Self { program, arguments: Vec::new() })
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Process { program: self.program.clone(), problem: problem.into() }
    }
}

/// Serves and ends the process if it was started as a server; else does nothing. Call it first
/// thing in `main` of a program that starts servers as processes of itself.
pub fn entry() {
    if env::var_os(ROLE).is_some() {
        std::process::exit(match serve() {
            Ok(()) => 0,
            // Nobody is there to read more.
            Err(_) => 1,
        });
    }
}

/// The child's life: an order, an answer, and then a command a line until there are no more.
fn serve() -> io::Result<()> {
    let (input, mut output) = (io::stdin().lock(), io::stdout());
    let mut tell = move |line: &str| {
        // After the text of whoever writes unfinished lines.
        writeln!(output, "\n{MARK}{}", line.replace('\n', " "))?;
        output.flush()
    };
    let mut lines = input.lines();
    let order = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let started = order::read(&order).and_then(|config| Server::start(config).map_err(text));
    let mut server = match started {
        Ok(server) => {
            tell(&format!("ok {}", server.address()))?;
            Some(server)
        }
        Err(problem) => return tell(&format!("error {problem}")),
    };
    for line in lines {
        let line = line?;
        let answer = match (line.split_once(' ').unwrap_or((&line, "")), &mut server) {
            ((SOCKET, _), Some(server)) => order::write_facts(server.socket()),
            ((DRAIN, bound), server) => {
                let bound = bound.parse().map_or(Duration::ZERO, Duration::from_millis);
                let ended = server.take().map_or(Ok(()), |server| server.shutdown(bound));
                ended.map_or_else(|error| format!("error {error}"), |()| "ok".to_owned())
            }
            _ => format!("error '{line}' is no command"),
        };
        tell(&answer)?;
    }
    Ok(())
}

fn text(error: Error) -> String {
    error.to_string()
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    launch: Launch,
    child: Child,
    input: Option<ChildStdin>,
    answers: mpsc::Receiver<String>,
}

impl ServerProcess {
    /// Starts a server and returns with its address.
    pub(crate) fn start(launch: &Launch, config: &ServerConfig) -> Result<(Self, Target), Error> {
        if env::var_os(ROLE).is_some() {
            return Err(launch.error(
                "it was started as a server and starts one: call bench_grpc::process::entry first thing in main",
            ));
        }
        let order = order::write(config).map_err(|problem| launch.error(problem))?;
        let mut child = Command::new(&launch.program)
            .args(&launch.arguments)
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the parent, which then ends its children in its own time.
            .process_group(0)
            .spawn()
            .map_err(|source| launch.error(source.to_string()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (tell, answers) = mpsc::channel();
        let reader = BufReader::new(output.expect("piped"));
        let read = move || {
            let marked = |line: io::Result<String>| Some(line.ok()?.strip_prefix(MARK)?.to_owned());
            for line in reader.lines() {
                if let Some(line) = marked(line)
                    && tell.send(line).is_err()
                {
                    return;
                }
            }
        };
        // It ends with the child, whose output closes.
        let reader = std::thread::Builder::new().name("grpc-server-output".to_owned()).spawn(read);
        let mut process = Self { launch: launch.clone(), child, input, answers };
        reader.map_err(Error::machine("spawn a thread"))?;
        let address = process.ask(&order, ANSWER_BOUND)?;
        let address = address.parse().map_err(|_| process.launch.error("it told no address"))?;
        Ok((process, address))
    }

    /// The process id, under which the machine accounts for it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The options of the first accepted socket.
    pub(crate) fn socket(&mut self) -> Result<Option<SocketFacts>, Error> {
        let answer = self.ask(SOCKET, ANSWER_BOUND)?;
        order::read_facts(&answer).map_err(|problem| self.launch.error(problem))
    }

    /// Lets connections end. Returns whether they did in time.
    pub(crate) fn drain(&mut self, bound: Duration) -> bool {
        let command = format!("{DRAIN} {}", bound.as_millis());
        self.ask(&command, bound + ANSWER_BOUND).is_ok()
    }

    fn ask(&mut self, command: &str, bound: Duration) -> Result<String, Error> {
        let input = self.input.as_mut().expect("open until it is dropped");
        let sent = writeln!(input, "{command}").and_then(|()| input.flush());
        let answer = match self.answers.recv_timeout(bound) {
            Ok(answer) => answer,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(self.launch.error(format!(
                    "it did not answer within {bound:?}; its main has to call bench_grpc::process::entry first"
                )));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let left = sent.map_or_else(|error| format!(" ({error})"), |()| String::new());
                return Err(self.launch.error(format!(
                    "it ended without serving{left}; its main has to call bench_grpc::process::entry first"
                )));
            }
        };
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("ok", answer) => Ok(answer.to_owned()),
            (_, problem) => Err(self.launch.error(problem)),
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        // By its id, and reaped, so that neither the port nor the id is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
