//! Which threads and processes the two ends of a loopback run on.

use std::fmt;

use bench_core::fixture::cpus::{Pinned, Placement};

use crate::error::Error;

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Both ends on one current-thread runtime, driven by the caller's thread: nothing runs
    /// between operations and no other thread takes part, so instructions can be counted.
    OneThread,
    /// The server on a thread of its own: closer to two processes, bimodal in time because
    /// wake-ups between cores decide.
    TwoThreads,
    /// Each end on a work-stealing runtime of its own: how servers are deployed. What runs where
    /// changes from call to call, so its numbers scatter the most.
    MultiThread {
        /// Threads of the server's runtime, at least one.
        server: usize,
        /// Threads of the client's runtime beside the caller's, at least one.
        client: usize,
    },
    /// The server in a process of its own, on one thread: no shared memory, no shared allocator,
    /// and the processor time of each end can be told apart.
    Processes,
}

impl Layout {
    /// The name in dimensions, without the number of threads.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneThread => "one thread",
            Self::TwoThreads => "two threads",
            Self::MultiThread { .. } => "multi-thread",
            Self::Processes => "processes",
        }
    }

    /// Whether each end has a thread to run on.
    pub(crate) const fn check(self) -> Result<(), Error> {
        match self {
            Self::MultiThread { server: 0, .. } => Err(Error::NoThreads { end: "server" }),
            Self::MultiThread { client: 0, .. } => Err(Error::NoThreads { end: "client" }),
            _ => Ok(()),
        }
    }

    /// Threads of the server's runtime; none where it runs on the caller's.
    pub(crate) const fn server_workers(self) -> usize {
        match self {
            Self::OneThread => 0,
            Self::TwoThreads | Self::Processes => 1,
            Self::MultiThread { server, .. } => server,
        }
    }

    /// Threads of the client's runtime beside the caller's; none where the caller drives it.
    pub(crate) const fn client_workers(self) -> usize {
        match self {
            Self::OneThread | Self::TwoThreads | Self::Processes => 0,
            Self::MultiThread { client, .. } => client,
        }
    }
}

/// Where the two ends were put. The caller's thread is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Pins {
    /// The CPU of the server's thread.
    pub(crate) server: Option<usize>,
    /// Both, in words.
    pub(crate) described: String,
    _client: Option<Pinned>,
}

impl Pins {
    /// Keeps the caller's thread on a CPU and names one for the server's, if they are to be
    /// pinned and the layout has one thread each.
    pub(crate) fn choose(layout: Layout, pinned: bool) -> Result<Self, Error> {
        let free = |why: &str| Self { server: None, described: why.to_owned(), _client: None };
        if !pinned {
            return Ok(free("not pinned"));
        }
        if let Layout::MultiThread { .. } = layout {
            return Ok(free("not pinned: this layout has several threads"));
        }
        let placement = Placement::choose()?;
        let (server, described) = match layout {
            Layout::OneThread => (None, format!("both {}", placement.client)),
            _ => (Some(placement.server), placement.describe()),
        };
        Ok(Self { server, described, _client: Some(Pinned::to(placement.client)?) })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MultiThread { server, client } => {
                f.pad(&format!("multi-thread, server {server}, client {client}"))
            }
            other => f.pad(other.name()),
        }
    }
}
