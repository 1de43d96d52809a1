//! The far end: an object store in memory, later.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bytes::BufMut;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;

use crate::clock::Clock;
use crate::error::Error;
use crate::source::{Delay, DelayConfig};

/// Objects of one size, whose content tells their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objects {
    /// How many.
    pub count: u64,
    /// Bytes of each.
    pub size: ByteSize,
    /// What all their content is drawn by.
    pub seed: u64,
}

impl Objects {
    /// The content of an object: another for every number.
    pub fn payload(&self, object: u64) -> Payload {
        Payload::seeded(self.seed.wrapping_add(object), self.size)
    }

    fn path(object: u64) -> Path {
        Path::from(format!("object-{object:016x}"))
    }
}

/// An object store behind a wait, and how much it handed out.
///
/// The store is [`InMemory`], reached through the trait that the stores of clouds have; the wait is
/// that of [`Delayed`](crate::source::Delayed), drawn by the number of the object. Unlike a cloud it
/// never fails, throttles or lists, and a request has no headers to sign.
pub struct Remote {
    objects: Objects,
    store: Arc<dyn ObjectStore>,
    delay: Delay,
    runtime: Runtime,
    fetched: AtomicU64,
}

impl Remote {
    /// A store with all these objects, which are in memory as long as it is.
    ///
    /// # Errors
    /// [`Error::NoObjects`]; what the runtime or the store failed with.
    pub fn filled(
        objects: Objects,
        config: DelayConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        if objects.count == 0 || objects.size.is_empty() {
            return Err(Error::NoObjects);
        }
        let remote = Self::over(Arc::new(InMemory::new()), objects, config, clock)?;
        for object in 0..objects.count {
            let content = objects.payload(object).to_bytes();
            let path = Objects::path(object);
            let put = remote.store.put(&path, content.into());
            remote.runtime.block_on(put).map_err(|error| failed("put", object, &error))?;
        }
        Ok(remote)
    }

    /// The same objects for another reader, with counts and a wait of its own.
    ///
    /// # Errors
    /// What the runtime failed with.
    pub fn another(&self, config: DelayConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::over(Arc::clone(&self.store), self.objects, config, clock)
    }

    fn over(
        store: Arc<dyn ObjectStore>,
        objects: Objects,
        config: DelayConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(Error::io("start a runtime for", ".".as_ref()))?;
        let delay = Delay::new(config, clock);
        Ok(Self { objects, store, delay, runtime, fetched: AtomicU64::new(0) })
    }

    /// What it holds.
    pub fn objects(&self) -> Objects {
        self.objects
    }

    /// How many objects it handed out.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Appends the object to `into`. Blocks; not to be called on a thread of an async runtime.
    ///
    /// # Errors
    /// [`Error::Object`] when there is no such object.
    ///
    /// # Panics
    /// When `into` has no room for it.
    pub fn fetch(&self, object: u64, into: &mut impl BufMut) -> Result<(), Error> {
        let first_byte = self.delay.first_byte(object);
        let path = Objects::path(object);
        let get = async { self.store.get(&path).await?.bytes().await };
        let content = self.runtime.block_on(get).map_err(|error| failed("get", object, &error))?;
        into.put_slice(&content);
        self.delay.last_byte(first_byte, content.len());
        self.fetched.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Puts the content of other objects in place of all: from then on it tells whether a read came
    /// from here.
    #[cfg(test)]
    pub(super) fn replace(&self, others: Objects) {
        for object in 0..others.count {
            let path = Objects::path(object);
            let put = self.store.put(&path, others.payload(object).to_bytes().into());
            self.runtime.block_on(put).expect("a store in memory takes it");
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("objects", &self.objects).finish_non_exhaustive()
    }
}

fn failed(action: &'static str, object: u64, error: &object_store::Error) -> Error {
    Error::Object { action, object, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::VirtualClock;

    #[test]
    fn a_fetch_takes_its_latency_and_its_time_in_the_pipe() {
        let objects = Objects { count: 2, size: ByteSize::new(1_000_000), seed: 1 };
        let clock = Arc::new(VirtualClock::default());
        let latency = DelayConfig::latency(Duration::from_millis(5));
        let config = DelayConfig { bytes_per_second: Some(100_000_000), ..latency };
        let remote = Remote::filled(objects, config, clock.clone()).expect("a store");
        for object in 0..2 {
            let mut content = Vec::new();
            remote.fetch(object, &mut content).expect("it is there");
            objects.payload(object).verify_all(&content).expect("its content");
        }
        // 5 ms, and 1 MB at 100 MB/s, twice.
        assert_eq!((clock.now(), remote.fetched()), (Duration::from_millis(30), 2));
        let error = remote.fetch(2, &mut Vec::new()).expect_err("there is none").to_string();
        assert!(error.starts_with("failed to get object 2: Object at location"), "{error}");
    }

    #[test]
    fn no_objects_are_refused() {
        for (count, size) in [(0, 1), (1, 0)] {
            let objects = Objects { count, size: ByteSize::new(size), seed: 0 };
            let clock = Arc::new(VirtualClock::default());
            let error = Remote::filled(objects, DelayConfig::latency(Duration::ZERO), clock);
            let text = error.expect_err("nothing to read").to_string();
            assert_eq!(text, "no objects to read: ask for at least one, of at least one byte");
        }
    }
}
