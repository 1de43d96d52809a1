//! Runtimes, and a server on a thread of its own.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use bench_core::fixture::cpus::Pinned;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::listen::Serve;
use crate::error::Error;
use crate::server::Serving;

/// How long a dropped fixture waits for its server thread before it leaves it behind.
pub(crate) const SHUTDOWN_BOUND: Duration = Duration::from_secs(1);

/// What the threads of each end are called, so that their processor time can be told apart.
pub const SERVER_THREADS: &str = "grpc-server";
pub(crate) const CLIENT_THREADS: &str = "grpc-client";

/// A current-thread runtime, the only kind whose instructions repeat, or one of so many threads.
pub(crate) fn runtime(workers: usize, name: &str) -> Result<Runtime, Error> {
    let mut builder = match workers {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if workers > 0 {
        builder.worker_threads(workers).thread_name(name);
    }
    builder.enable_all().build().map_err(Error::machine("build the runtime"))
}

/// A server on a thread of its own. Dropping it ends the thread, without waiting for calls.
#[derive(Debug)]
pub(crate) struct ServerThread {
    /// Lets connections end, accepts no more.
    drain: Option<oneshot::Sender<()>>,
    /// Ends it.
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    /// Serves on one thread, or where there are more workers on so many beside it, on this CPU if
    /// one is named.
    pub(crate) fn start<S: Serving>(
        serve: Serve<S>,
        workers: usize,
        cpu: Option<usize>,
    ) -> Result<Self, Error> {
        let (stop, stopped) = oneshot::channel();
        let (drain, drained) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        let (report, ready) = mpsc::channel();
        let body = move || {
            // Dropped last, so that the fixture knows the runtime to be gone.
            let _end: mpsc::Sender<()> = end;
            let _pinned = match cpu.map(Pinned::to).transpose() {
                Ok(pinned) => pinned,
                Err(error) => return drop(report.send(Err(error.into()))),
            };
            // Threads of its own inherit where this one may run.
            let started = runtime(if workers == 1 { 0 } else { workers }, SERVER_THREADS).and_then(
                |runtime| {
                    let guard = runtime.enter();
                    let server = serve.until(async { drop(drained.await) })?;
                    drop(guard);
                    Ok((runtime, server))
                },
            );
            let (runtime, server) = match started {
                Ok(started) => started,
                Err(error) => return drop(report.send(Err(error))),
            };
            drop(report.send(Ok(())));
            runtime.block_on(async {
                tokio::select! {
                    () = server => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(SHUTDOWN_BOUND);
        };
        let thread = std::thread::Builder::new()
            .name(SERVER_THREADS.to_owned())
            .spawn(body)
            .map_err(Error::machine("spawn the server thread"))?;
        ready.recv().unwrap_or(Err(Error::ServerGone))?;
        Ok(Self { drain: Some(drain), stop: Some(stop), ended, thread: Some(thread) })
    }

    /// Accepts no more connections and waits for those that there are. Returns whether they ended
    /// in time; if not, they are cut off.
    pub(crate) fn drain(&mut self, bound: Duration) -> bool {
        if let Some(drain) = self.drain.take() {
            // Sent, and not dropped: a dropped server is not to wait for anything.
            let _ = drain.send(());
        }
        self.ended.recv_timeout(bound) != Err(mpsc::RecvTimeoutError::Timeout)
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Never waits without a bound: a handler may block its thread.
        if self.ended.recv_timeout(SHUTDOWN_BOUND) != Err(mpsc::RecvTimeoutError::Timeout)
            && let Some(thread) = self.thread.take()
        {
            // A panic of the server has already failed the call that met it.
            drop(thread.join());
        }
    }
}
