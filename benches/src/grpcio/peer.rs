//! A program of another make that is spoken with by lines: every wait for it has a bound, and what
//! it complained of is in the error.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use bench_core::workload::Failure;
use tempfile::NamedTempFile;

/// How long a program may take to end when its input has.
const ENDING: Duration = Duration::from_secs(5);
/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// A running program. It learns of its end by the end of its input, and is killed if that does
/// not help. An interrupt of the terminal is for us alone: what it has under way is ended by us.
#[must_use = "dropping it ends the program"]
#[derive(Debug)]
pub struct Peer {
    child: Child,
    // `None` when it was told to end.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    // A file, because a pipe that nobody reads would stop whoever complains a lot.
    complaints: NamedTempFile,
}

impl Peer {
    /// Starts it.
    ///
    /// # Errors
    /// That it is not there, or what else the machine refused.
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        let complaints = NamedTempFile::new()?;
        let (input, output) = (Stdio::piped(), Stdio::piped());
        let command = command.stdin(input).stdout(output).stderr(complaints.reopen()?);
        let program = command.get_program().to_string_lossy().into_owned();
        let started = command.process_group(0).spawn();
        let mut child = started.map_err(|error| format!("{program} does not start: {error}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("its output is a pipe")?);
        let (tell, lines) = channel();
        // Ends with the output, or with the first line that nobody waits for any more.
        let told =
            move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line));
        let this = Self { child, input, lines, complaints };
        thread::Builder::new().name("peer-output".to_owned()).spawn(told)?;
        Ok(this)
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// That it ended instead, and why; that it said nothing for so long. It is killed then.
    pub fn line(&mut self, limit: Duration) -> Result<String, Failure> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(line.trim().to_owned()),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended("ended")),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(self.ended(&format!("said nothing for {limit:?} and was killed")))
            }
        }
    }

    /// Tells it a line.
    ///
    /// # Errors
    /// That it ended, and why.
    pub fn say(&mut self, line: &str) -> Result<(), Failure> {
        let told = self.input.as_mut().map(|input| writeln!(input, "{line}"));
        match told {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(self.ended("ended")),
        }
    }

    /// Lets it end, which it must with success, and returns what it printed until then.
    ///
    /// # Errors
    /// That it had not ended after so long, or how it ended and why.
    pub fn finish(mut self, limit: Duration) -> Result<String, Failure> {
        let until = Instant::now() + limit;
        drop(self.input.take());
        let mut printed = String::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => printed.extend([&line, "\n"]),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    return Err(self.ended(&format!("had not ended after {limit:?}")));
                }
            }
        }
        match self.wait(until) {
            Some(status) if status.success() => Ok(printed),
            Some(status) => Err(self.ended(&format!("ended with {status}"))),
            None => {
                self.kill();
                Err(self.ended(&format!("had not ended after {limit:?}")))
            }
        }
    }

    /// How it ended, or nothing if it has not until then.
    fn wait(&mut self, until: Instant) -> Option<ExitStatus> {
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            thread::sleep(LOOK);
        }
    }

    fn kill(&mut self) {
        // It may have ended meanwhile.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }

    /// What happened, and the last thing that it complained of.
    fn ended(&self, how: &str) -> Failure {
        let said = fs::read_to_string(self.complaints.path()).unwrap_or_default();
        match said.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(last) => format!("it {how}: {}", last.trim()).into(),
            None => format!("it {how} and did not say why").into(),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.input.take());
        if self.wait(Instant::now() + ENDING).is_none() {
            self.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing that should end takes so long.
    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Peer {
        Peer::start(Command::new("sh").args(["-c", script])).expect("a shell")
    }

    #[test]
    fn it_is_spoken_with_by_lines_and_ends_with_its_input() {
        let mut peer = shell("echo ready; while read -r line; do echo \"<$line>\"; done; echo bye");
        assert_eq!(peer.line(LONG).expect("ready"), "ready");
        peer.say("read 3").expect("it listens");
        assert_eq!(peer.line(LONG).expect("an answer"), "<read 3>");
        assert_eq!(peer.finish(LONG).expect("success"), "bye\n");
    }

    #[test]
    fn an_interrupt_of_our_group_is_not_for_it() {
        let mut peer = shell("read -r stat < /proc/$$/stat; echo \"$stat\"");
        let stat = peer.line(LONG).expect("proc(5)");
        let (id, group) = (stat.split(' ').next(), stat.split(' ').nth(4));
        assert!(id.is_some() && id == group, "{stat}");
    }

    #[test]
    fn why_it_ended_is_told() {
        let script = "echo one; echo 'a trace' >&2; echo 'ValueError: other content' >&2; exit 3";
        let mut peer = shell(script);
        assert_eq!(peer.line(LONG).expect("one"), "one");
        let error = peer.line(LONG).expect_err("ended").to_string();
        assert_eq!(error, "it ended: ValueError: other content");
        let error = shell(script).finish(LONG).expect_err("3").to_string();
        assert_eq!(error, "it ended with exit status: 3: ValueError: other content");
        let error = shell("exit 3").line(LONG).expect_err("ended").to_string();
        assert_eq!(error, "it ended and did not say why");
    }

    #[test]
    fn one_that_says_nothing_is_given_up() {
        let limit = Duration::from_millis(50);
        let mut peer = shell("echo waiting >&2; exec sleep 600");
        // It complains before it hangs, but maybe not within the limit.
        let error = peer.line(limit).expect_err("silence").to_string();
        assert!(error.starts_with("it said nothing for 50ms and was killed"), "{error}");
        assert!(peer.line(LONG).is_err(), "it is gone");
        let error = shell("exec sleep 600").finish(limit).expect_err("it sleeps").to_string();
        assert_eq!(error, "it had not ended after 50ms and did not say why");
        let error = shell("exec >&-; exec sleep 600").finish(limit).expect_err("it sleeps");
        assert_eq!(error.to_string(), "it had not ended after 50ms and did not say why");
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let error = Peer::start(&mut Command::new("/no/such/python")).expect_err("none");
        let expected = "/no/such/python does not start: No such file or directory";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
