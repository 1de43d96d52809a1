//! A message sent over loopback and received back: the smallest whole round trip of TCP.
//!
//! The server reads a whole message before it answers, so that neither end can fill the other's
//! buffers and wait for ever. It is no stream: the time of a large message is that of one way
//! after the other. Loopback has no device, no driver and no loss; it measures the kernel's TCP
//! and the scheduler, not a network.

pub mod one_thread;
pub mod pinned;
pub mod service;

use std::io;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use crate::error::Error;
use crate::layout::{Cell, Layout};

const SEED: u64 = 42;

/// One echo of one message; `network/echo/pinned/64B`.
#[derive(Debug)]
pub struct Echo {
    payload: Payload,
    sent: Vec<u8>,
    received: Vec<u8>,
    ends: Ends,
    failure: Option<io::Error>,
    dimensions: Vec<(&'static str, String)>,
}

#[derive(Debug)]
enum Ends {
    Pinned(pinned::Connection),
    OneThread(one_thread::Connection),
}

/// What a server makes of a message.
pub(crate) trait Answer: Send + Sync + 'static {
    /// What it sends back.
    fn answer<'a>(&'a self, message: &'a mut [u8]) -> &'a [u8];
}

/// The message itself, with a change made to it.
impl<F: Fn(&mut [u8]) + Send + Sync + 'static> Answer for F {
    fn answer<'a>(&'a self, message: &'a mut [u8]) -> &'a [u8] {
        self(message);
        message
    }
}

impl Echo {
    /// Sends `sent` and expects `payload` for it, which is what `answer` has to make of it.
    pub(crate) fn exchanging(
        layout: Layout,
        sent: Vec<u8>,
        payload: Payload,
        answer: impl Answer,
    ) -> Result<Self, Failure> {
        let size = ByteSize::new(sent.len() as u64);
        if size.is_empty() || payload.size.is_empty() {
            return Err(Error::Empty.into());
        }
        let ends = match layout {
            Layout::Pinned => Ends::Pinned(pinned::Connection::answering(size, answer)?),
            Layout::OneThread => Ends::OneThread(one_thread::Connection::answering(size, answer)?),
        };
        let mut this = Self::between(ends, sent, payload)?;
        // Once outside the clock: tasks start and memory is touched here and not there.
        this.prepare()?;
        this.run();
        this.check()?;
        Ok(this)
    }

    fn between(ends: Ends, sent: Vec<u8>, payload: Payload) -> Result<Self, Error> {
        let mut dimensions = match &ends {
            Ends::Pinned(connection) => connection.dimensions()?,
            Ends::OneThread(connection) => connection.dimensions()?,
        };
        dimensions.extend(payload.dimensions());
        let received = vec![0; payload.size.len()];
        Ok(Self { payload, received, sent, ends, failure: None, dimensions })
    }
}

impl Workload for Echo {
    const NAME: &'static str = "network/echo";
    type Parameter = Cell;

    fn set_up(cell: &Cell) -> Result<Self, Failure> {
        let payload = Payload::seeded(SEED, cell.size);
        Self::exchanging(cell.layout, payload.to_bytes().to_vec(), payload, |_: &mut [u8]| ())
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(self.payload.size)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        // Without this the answer to an earlier message would do.
        self.received.fill(0);
        match &self.ends {
            Ends::Pinned(connection) => Ok(connection.assert_pinned()?),
            Ends::OneThread(_) => Ok(()),
        }
    }

    fn run(&mut self) {
        if self.failure.is_some() {
            return; // The ends no longer agree where a message begins.
        }
        let exchanged = match &mut self.ends {
            Ends::Pinned(connection) => connection.exchange(&self.sent, &mut self.received),
            Ends::OneThread(connection) => connection.exchange(&self.sent, &mut self.received),
        };
        self.failure = exchanged.err();
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Some(error) = &self.failure {
            return Err(Error::measured(error).into());
        }
        Ok(self.payload.verify_all(&self.received)?)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        self.dimensions.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use bench_core::workload::{conforms, id, run_once};

    use super::*;

    const SIZES: [ByteSize; 4] =
        [ByteSize::new(1), ByteSize::new(64), ByteSize::new(1025), ByteSize::mib(4)];

    fn cells() -> impl Iterator<Item = Cell> {
        Layout::ALL.into_iter().flat_map(|layout| SIZES.map(|size| Cell { layout, size }))
    }

    /// An echo whose server answers `answer(message)`.
    fn echo(layout: Layout, answer: fn(&mut [u8])) -> Echo {
        let size = ByteSize::kib(4);
        let ends = match layout {
            Layout::Pinned => pinned::Connection::answering(size, answer).map(Ends::Pinned),
            Layout::OneThread => {
                one_thread::Connection::answering(size, answer).map(Ends::OneThread)
            }
        };
        let payload = Payload::seeded(SEED, size);
        let sent = payload.to_bytes().to_vec();
        Echo::between(ends.expect("connect"), sent, payload).expect("dimensions")
    }

    #[test]
    fn every_cell_gets_its_message_back() {
        for cell in cells() {
            let mut echo =
                run_once::<Echo>(&cell).unwrap_or_else(|error| panic!("{cell}: {error}"));
            for _ in 0..20 {
                echo.run();
            }
            echo.check().expect("still in step");
            assert_eq!(echo.bytes(), Some(cell.size));
        }
    }

    #[test]
    fn an_echo_that_did_not_run_does_not_pass() {
        for cell in cells() {
            conforms::<Echo>(&cell).unwrap_or_else(|error| panic!("{cell}: {error}"));
        }
    }

    #[test]
    fn a_wrong_answer_is_caught() {
        for layout in Layout::ALL {
            let mut echo = echo(layout, |message| message[4000] ^= 1);
            echo.prepare().expect("prepare");
            echo.run();
            let error = echo.check().expect_err("wrong byte").to_string();
            assert!(error.contains("offset 4000 "), "{layout}: {error}");
        }
    }

    #[test]
    fn a_server_that_dies_is_an_error_and_no_hang() {
        for layout in Layout::ALL {
            let mut echo = echo(layout, |_| panic!("the server dies, as this test wants"));
            for _ in 0..3 {
                echo.run();
            }
            let error = echo.check().expect_err("no answer").to_string();
            assert!(error.starts_with("the connection failed while it was measured: "), "{error}");
            assert!(echo.check().is_err(), "a failure is not forgotten");
        }
    }

    #[test]
    fn a_panic_of_the_bench_closes_everything_and_does_not_hang() {
        for cell in cells() {
            let unwound = panic::catch_unwind(|| {
                let mut echo = Echo::set_up(&cell).expect("set up");
                echo.run();
                panic!("the bench dies, as this test wants");
            });
            assert!(unwound.is_err());
        }
    }

    #[test]
    fn results_name_what_made_them() {
        for layout in Layout::ALL {
            let echo = run_once::<Echo>(&Cell { layout, size: ByteSize::new(64) }).expect("echo");
            let value = |key| {
                let found = echo.dimensions().into_iter().find(|(name, _)| *name == key);
                found.unwrap_or_else(|| panic!("no {key}")).1
            };
            assert_eq!(value("backend"), "kernel loopback");
            assert_eq!(value("nodelay"), "on");
            assert_eq!((value("seed"), value("size")), ("42".to_owned(), "64B".to_owned()));
            assert_eq!(value("payload"), "incompressible");
            assert!(!value("congestion_control").is_empty());
            assert_eq!(value("cpus") == "one thread", layout == Layout::OneThread);
        }
        let cell = Cell { layout: Layout::Pinned, size: ByteSize::new(64) };
        assert_eq!(id::<Echo>(&cell), "network/echo/pinned/64B");
    }

    #[test]
    fn an_empty_message_is_refused() {
        let cell = Cell { layout: Layout::Pinned, size: ByteSize::new(0) };
        assert!(Echo::set_up(&cell).expect_err("empty").to_string().contains("0 bytes"));
    }
}
