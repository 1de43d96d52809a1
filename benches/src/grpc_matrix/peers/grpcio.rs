//! Python's grpcio as an arm: client and server in processes of their own, plain bytes as messages.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bench_core::measure::recorder::Dimensions;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_grpc::Operation;
use tempfile::NamedTempFile;

use crate::grpc_matrix::arm::{Arm, Turn};
use crate::grpcio;

/// A running pair.
pub(super) struct Grpcio {
    name: String,
    operation: Operation,
    child: Child,
    // `None` only while it ends: its input is how it learns of it.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    _content: NamedTempFile,
}

impl Grpcio {
    /// Starts it. It moves and compares its content in all three ways before it is ready.
    ///
    /// # Errors
    /// That there is no grpcio, and how to get it; what it said when it ended.
    pub(super) fn start(
        name: &str,
        operation: Operation,
        content: &[u8],
        chunk: ByteSize,
    ) -> Result<Self, Failure> {
        let python: PathBuf = grpcio::python()?;
        let file = grpcio::content_file(content)?;
        let mut child = Command::new(python)
            .arg(grpcio::SCRIPT)
            .arg("bench")
            .arg(file.path())
            .arg(chunk.bytes().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("its output is a pipe")?);
        let name = name.to_owned();
        let mut this = Self { name, operation, child, input, output, _content: file };
        match this.line()?.as_str() {
            "ready" => Ok(this),
            other => Err(format!("grpcio was not ready: '{other}'").into()),
        }
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("grpcio ended".into());
        }
        Ok(line.trim().to_owned())
    }

    fn ask(&mut self, operations: u64) -> Result<Vec<u64>, Failure> {
        let input = self.input.as_mut().ok_or("grpcio ended")?;
        writeln!(input, "{} {operations}", self.operation)?;
        input.flush()?;
        let times = self.line()?;
        Ok(times.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl Arm for Grpcio {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self, operations: u64) -> Turn {
        let mut turn = Turn { operations, ..Turn::empty() };
        match self.ask(operations) {
            Ok(times) => {
                times.iter().for_each(|ns| turn.latency.saturating_record((*ns).max(1)));
                turn.elapsed = Duration::from_nanos(times.iter().sum());
            }
            Err(error) => turn.errors.push((error.to_string(), operations)),
        }
        turn
    }

    fn verify(&mut self) -> Result<(), Failure> {
        // It compared its content when it began; each call compares the length.
        self.ask(1).map(drop)
    }

    fn dimensions(&self) -> Dimensions {
        [("backend".to_owned(), "grpcio, plain bytes, separate processes".to_owned())].into()
    }
}

impl Drop for Grpcio {
    fn drop(&mut self) {
        drop(self.input.take());
        for _ in 0..50 {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // Its server ends with the pipe between the two.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
