//! The server's end: the blob service with one content, on threads of its own, at any address.
//!
//! Not modelled: TLS, more than one content, and storage. What was written last is kept in memory.

use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use crate::error::Error;
use crate::limits;
use crate::memory;
use crate::path::DataPath;
use crate::process::{Launch, ServerProcess};
use crate::profile::TransportProfile;
use crate::server::{self, Serving, Stored};
use crate::transport::SocketFacts;
use crate::transport::listen::{Listener, Serve, Unlink};
use crate::transport::socket::SocketReport;
use crate::transport::thread::ServerThread;
use crate::wire::{Bind, Target};

/// What to serve, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Settings of the server's end.
    pub profile: TransportProfile,
    /// Where to listen.
    pub address: Bind,
    /// How bytes go between the application and HTTP/2 at the server's end.
    pub path: DataPath,
    /// What Read and Stream deliver. Messages of up to this size and its header are taken.
    pub payload: Payload,
    /// Threads, at least one: a single one is a current-thread runtime.
    pub workers: usize,
    /// The CPU to keep them on, all of them.
    pub cpu: Option<usize>,
    /// `SO_SNDBUF` and `SO_RCVBUF` of the server's end; `None` lets the kernel resize them.
    pub socket_buffer: Option<ByteSize>,
}

/// A running server. Dropping it ends it without waiting for calls, within a bound.
#[must_use = "dropping it ends the server"]
#[derive(Debug)]
pub struct Server {
    address: Target,
    stored: Stored,
    report: SocketReport,
    running: Running,
    _unlink: Unlink,
}

#[derive(Debug)]
enum Running {
    Thread(ServerThread),
    /// On a runtime of the caller, which ends its connections.
    Task(AbortHandle),
    Process(ServerProcess),
    /// It was stopped.
    Nothing,
}

impl Server {
    /// Serves when it returns.
    ///
    /// # Errors
    /// A profile, size or number of threads that cannot be; [`Error::Listen`] when the address
    /// cannot be had; what else the machine refused.
    pub fn start(config: ServerConfig) -> Result<Self, Error> {
        limits::check("a payload", config.payload.size)?;
        let content = config.payload.to_bytes();
        Self::start_with(config, content)
    }

    /// The same with content that the caller has already, so that it is in memory only once. It
    /// must be the payload's.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_with(config: ServerConfig, content: Bytes) -> Result<Self, Error> {
        limits::check("a payload", config.payload.size)?;
        let stored = Stored::default();
        let limit = limits::message_limit(config.payload.size);
        let service = server::service(config.path, content, stored.clone(), limit);
        Self::with_service(&config, service, stored, None)
    }

    /// Serves in a process of its own, which fills content of its own.
    ///
    /// # Errors
    /// [`Error::Process`] when it cannot be started, or says why it does not serve.
    pub fn start_process(config: &ServerConfig, launch: &Launch) -> Result<Self, Error> {
        limits::check("a payload", config.payload.size)?;
        config.profile.validate()?;
        let (process, address) = ServerProcess::start(launch, config)?;
        Ok(Self {
            // What the child does not get to remove, because it is killed.
            _unlink: Unlink::of(&address),
            address,
            stored: Stored::default(),
            report: SocketReport::default(),
            running: Running::Process(process),
        })
    }

    /// The same for any implementation of the service, on a runtime of the caller's if there is
    /// one; it ends with the runtime then.
    pub(crate) fn with_service(
        config: &ServerConfig,
        service: impl Serving,
        stored: Stored,
        runtime: Option<&Runtime>,
    ) -> Result<Self, Error> {
        config.profile.validate()?;
        memory::keep_freed();
        if config.workers == 0 && runtime.is_none() {
            return Err(Error::NoThreads { end: "server" });
        }
        let listener = Listener::bind(&config.address, config.socket_buffer)?;
        let address = listener.address().clone();
        let unlink = Unlink::of(&address);
        let report = SocketReport::default();
        let (profile, buffer) = (config.profile, config.socket_buffer);
        let serve = Serve { listener, service, profile, buffer, report: report.clone() };
        let running = match runtime {
            None => Running::Thread(ServerThread::start(serve, config.workers, config.cpu)?),
            Some(runtime) => {
                let _guard = runtime.enter();
                let task = runtime.spawn(serve.until(std::future::pending())?);
                Running::Task(task.abort_handle())
            }
        };
        Ok(Self { address, stored, report, running, _unlink: unlink })
    }

    /// What to connect to.
    pub fn address(&self) -> &Target {
        &self.address
    }

    /// The options of the first accepted socket, as the kernel has them; `None` before.
    pub fn socket(&self) -> Option<&SocketFacts> {
        self.report.get()
    }

    /// Accepts no more connections and waits until the clients have closed theirs.
    ///
    /// # Errors
    /// [`Error::Shutdown`] when some were still open after `bound`; they are cut off then.
    pub fn shutdown(mut self, bound: Duration) -> Result<(), Error> {
        self.drain(bound)
    }

    pub(crate) fn drain(&mut self, bound: Duration) -> Result<(), Error> {
        let ended = match &mut self.running {
            Running::Thread(thread) => thread.drain(bound),
            Running::Process(process) => process.drain(bound),
            Running::Task(_) | Running::Nothing => true,
        };
        if ended { Ok(()) } else { Err(Error::Shutdown { bound }) }
    }

    /// Ends it now, whatever is under way. On a thread or in a process of its own, calls then fail
    /// as they do when a server dies; on the runtime of a [`Layout::OneThread`] only new
    /// connections do.
    ///
    /// [`Layout::OneThread`]: crate::Layout::OneThread
    pub fn stop(&mut self) {
        if let Running::Task(task) = &self.running {
            task.abort();
        }
        self.running = Running::Nothing;
    }

    /// The server's process, where it has one of its own.
    pub fn process_id(&self) -> Option<u32> {
        match &self.running {
            Running::Process(process) => Some(process.id()),
            Running::Thread(_) | Running::Task(_) | Running::Nothing => None,
        }
    }

    /// Asks a process for what [`socket`](Self::socket) tells.
    pub(crate) fn learn_socket(&mut self) -> Result<(), Error> {
        if let Running::Process(process) = &mut self.running
            && let Some(facts) = process.socket()?
        {
            self.report.get_or_init(|| facts);
        }
        Ok(())
    }

    pub(crate) fn stored(&self) -> &Stored {
        &self.stored
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
