//! One direction, as fast as it goes: the client writes blocks, the server reads them into one buffer
//! of the same size, over and over, and says at the end how much it got.
//!
//! Three things decide the number, by a factor of three between them, and all of them are pinned: the
//! block (128 KiB stays in a processor's second cache while both ends copy it, and is what iperf3
//! takes), memory that is touched before the clock runs, and one CPU for each end. The congestion
//! control is a part of the id: where a machine prefers bbr, which sends at a pace, another one would
//! give another number.
//!
//! How much was received is checked after each operation, and the last block of it; of the first
//! operation, which nobody measures, every block. Loopback has no device, no loss and no distance: of
//! a network it says nothing, but that no link can be faster. The server looks at nothing while the
//! clock runs, as iperf3's does.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use bench_core::fixture::cpus::{Pinned, Placement, spawn_pinned};
use bench_core::fixture::{Mismatch, Payload};
use bench_core::units::{ByteSize, ParseSizeError};
use bench_core::workload::{Failure, Workload};
use rustix::net::sockopt;

use super::info::{Limit, TcpInfo};
use crate::error::Error;
use crate::socket::{self, ClosedOnExit};

const SEED: u64 = 42;

/// What one operation of the workload sends, in whole blocks.
pub const OPERATION: ByteSize = ByteSize::mib(32);

/// Congestion control and block, as in `reno/128KiB`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BulkCell {
    /// By the kernel's name.
    pub control: String,
    /// Bytes of one write, and of the buffer that is read into.
    pub block: ByteSize,
}

/// Why a text is no cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseBulkError {
    /// The size does not parse.
    #[error(transparent)]
    Size(#[from] ParseSizeError),
    /// It is not two parts in their one spelling.
    #[error("'{0}' is not a congestion control and a block; write both as in reno/128KiB")]
    Spelling(String),
}

impl fmt::Display for BulkCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.control, self.block))
    }
}

impl FromStr for BulkCell {
    type Err = ParseBulkError;

    fn from_str(text: &str) -> Result<Self, ParseBulkError> {
        let spelling = || ParseBulkError::Spelling(text.to_owned());
        let (control, block) = text.split_once('/').ok_or_else(spelling)?;
        let cell = Self { control: control.to_owned(), block: block.parse()? };
        let named = !control.is_empty() && control.bytes().all(|b| b.is_ascii_graphic());
        // Ids are compared as text, so a second spelling would be a second id.
        if named && cell.to_string() == text { Ok(cell) } else { Err(spelling()) }
    }
}

/// What is sent, and through what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkConfig {
    /// Congestion control and block.
    pub cell: BulkCell,
    /// Of one operation; what is over after the last whole block is left out.
    pub total: ByteSize,
    /// `SO_RCVBUF` of the server, which the kernel doubles; nothing for one that grows by itself.
    pub receive_buffer: Option<ByteSize>,
}

/// A connection and a thread that reads from it; `network/tcp/bulk/reno/128KiB`. Dropping it closes
/// both ends, waits for the thread and frees the calling thread from its CPU.
#[derive(Debug)]
pub struct Bulk {
    config: BulkConfig,
    block: Vec<u8>,
    blocks: u64,
    client: TcpStream,
    /// The server's socket once more, to end the server's wait whatever it waits for.
    server: TcpStream,
    thread: Option<JoinHandle<()>>,
    pinned: Pinned,
    answer: Option<io::Result<u64>>,
    verdicts: Receiver<Result<(), Mismatch>>,
    before: TcpInfo,
    dimensions: Vec<(&'static str, String)>,
}

/// What the server's thread works by.
struct Reading {
    payload: Payload,
    blocks: u64,
    /// Whether every block is looked at and not only the last.
    thorough: Arc<AtomicBool>,
    verdicts: Sender<Result<(), Mismatch>>,
}

impl Bulk {
    /// Connects over loopback, and sends everything once with each block looked at.
    ///
    /// # Errors
    /// A block that is empty or larger than the whole; [`Error::CongestionControlRefused`]; what the
    /// system refused; what came out wrong.
    pub fn start(config: BulkConfig) -> Result<Self, Failure> {
        let BulkCell { control, block } = &config.cell;
        if block.is_empty() || block.bytes() > config.total.bytes() {
            return Err(Error::Block { block: *block, total: config.total }.into());
        }
        let placement = Placement::choose()?;
        let (client, server) = socket::connected_pair(|listener| prepare(listener, &config))?;
        socket::pin_congestion_control(&client, control)?;
        // Before there is a thread: where this fails, nothing is left to be ended.
        let pinned = Pinned::to(placement.client)?;
        let payload = Payload::seeded(SEED, *block);
        let thorough = Arc::new(AtomicBool::new(true));
        let blocks = config.total.bytes() / block.bytes();
        let (tell, verdicts) = channel();
        let reading = Reading { payload, blocks, thorough: Arc::clone(&thorough), verdicts: tell };
        let reader = server.try_clone().map_err(Error::io("share a socket"))?;
        let reader = ClosedOnExit(reader);
        let work = move || {
            // The client meets the same failure at its own end and reports it.
            let _ = receive(&reader.0, &reading);
        };
        let thread = spawn_pinned("bulk-server", placement.server, work)?;
        let mut dimensions = socket::dimensions(&client, placement.describe())?;
        dimensions.extend(payload.dimensions().into_iter().filter(|(name, _)| *name != "size"));
        dimensions.push(("block_size", block.to_string()));
        // What was asked for: what one that grows has come to is another in each run.
        let buffer = config.receive_buffer.map_or_else(|| "grows".to_owned(), |b| b.to_string());
        dimensions.push(("receive_buffer", buffer));
        let mut this = Self {
            block: payload.to_bytes().to_vec(),
            blocks,
            before: TcpInfo::of(&client)?,
            client,
            server,
            thread: Some(thread),
            pinned,
            answer: None,
            verdicts,
            dimensions,
            config,
        };
        this.prepare()?;
        this.run();
        this.check()?;
        thorough.store(false, Ordering::Relaxed);
        this.before = TcpInfo::of(&this.client)?;
        Ok(this)
    }

    /// What kept it from being faster, since it was started.
    ///
    /// # Errors
    /// As [`TcpInfo::of`].
    pub fn limit(&self) -> Result<Limit, Error> {
        Ok(Limit::between(&self.before, &TcpInfo::of(&self.client)?))
    }

    fn send(&mut self) -> io::Result<u64> {
        for _ in 0..self.blocks {
            self.client.write_all(&self.block)?;
        }
        let mut got = [0; 8];
        self.client.read_exact(&mut got)?;
        Ok(u64::from_be_bytes(got))
    }

    fn after(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let info = TcpInfo::of(&self.client)?;
        let buffer = sockopt::socket_recv_buffer_size(&self.server);
        let buffer = buffer.map_err(Error::io("read SO_RCVBUF"))?;
        let again = info.retransmits - self.before.retransmits;
        Ok(vec![
            ("limited_by", Limit::between(&self.before, &info).to_string()),
            ("receive_buffer_reached", ByteSize::new(buffer as u64).to_string()),
            ("retransmits", again.to_string()),
        ])
    }
}

/// Before the connection is made: the window that a socket offers is scaled by the buffer it has then.
fn prepare(listener: &TcpListener, config: &BulkConfig) -> Result<(), Error> {
    if let Some(size) = config.receive_buffer {
        let set = sockopt::set_socket_recv_buffer_size(listener, size.len());
        set.map_err(Error::io("set SO_RCVBUF"))?;
    }
    socket::pin_congestion_control(listener, &config.cell.control)
}

fn receive(mut stream: &TcpStream, reading: &Reading) -> io::Result<()> {
    let mut block = vec![0; reading.payload.size.len()];
    loop {
        let (mut got, mut verdict) = (0, Ok(()));
        for _ in 0..reading.blocks {
            stream.read_exact(&mut block)?;
            got += block.len() as u64;
            if reading.thorough.load(Ordering::Relaxed) && verdict.is_ok() {
                verdict = reading.payload.verify_all(&block);
                block.fill(0);
            }
        }
        stream.write_all(&got.to_be_bytes())?;
        // The clock has stopped: the client has its answer.
        if !reading.thorough.load(Ordering::Relaxed) {
            verdict = reading.payload.verify_all(&block);
            block.fill(0);
        }
        if reading.verdicts.send(verdict).is_err() {
            return Ok(());
        }
    }
}

impl Workload for Bulk {
    const NAME: &'static str = "network/tcp/bulk";
    // The server looks at the last block after each operation, and at nothing while one is under way.
    const ISOLATED: bool = true;
    type Parameter = BulkCell;

    fn set_up(cell: &BulkCell) -> Result<Self, Failure> {
        let config = BulkConfig { cell: cell.clone(), total: OPERATION, receive_buffer: None };
        Self::start(config)
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(self.blocks * self.config.cell.block.bytes()))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.answer = None;
        Ok(self.pinned.assert().map_err(Error::from)?)
    }

    fn run(&mut self) {
        self.answer = Some(self.send());
    }

    fn check(&mut self) -> Result<(), Failure> {
        let got = match &self.answer {
            None => return Err(Error::NotRun.into()),
            Some(Err(error)) => return Err(Error::measured(error).into()),
            Some(Ok(got)) => *got,
        };
        let sent = self.blocks * self.config.cell.block.bytes();
        if got != sent {
            return Err(Error::Received { sent, got }.into());
        }
        let verdict = self.verdicts.recv().map_err(|_| Error::Gone("bulk transfer"))?;
        Ok(verdict.map_err(Error::from)?)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let after = self.after();
        let after = after.unwrap_or_else(|error| vec![("limited_by", format!("unknown: {error}"))]);
        self.dimensions.iter().cloned().chain(after).collect()
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        // Either fails only where the connection is closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // Bounded: with both ends shut down, no read or write of the thread waits any more.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[path = "bulk_tests.rs"]
mod tests;
