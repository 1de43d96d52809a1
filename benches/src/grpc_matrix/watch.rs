//! Whoever watches a cell, and waiting that ends when they want to stop.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

/// How often a call that is under way looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// Why something has no end of its own where the user wants to stop.
pub const STOPPED: &str = "it was interrupted";

/// Whoever watches: told of every turn, and asked whether to go on.
pub trait Watch {
    /// An arm has had a turn or is out.
    fn turned(&mut self, arm: &str);

    /// Whether the user wants to stop; what was measured is kept.
    fn stopped(&self) -> bool;
}

/// Nobody watches, and nobody stops it but by ending the process.
pub struct Unwatched;

impl Watch for Unwatched {
    fn turned(&mut self, _arm: &str) {}

    fn stopped(&self) -> bool {
        false
    }
}

/// What the future comes to; `None` once the user wants to stop, and then it is dropped. Needs a
/// runtime with a timer.
pub async fn unless_stopped<F: Future>(watch: &dyn Watch, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    loop {
        match timeout(LOOK, future.as_mut()).await {
            Ok(output) => return Some(output),
            Err(_) if watch.stopped() => return None,
            Err(_) => (),
        }
    }
}
