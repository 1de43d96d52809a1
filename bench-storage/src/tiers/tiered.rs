//! The path through our own tiers, and the one through none.

use std::path::Path;
use std::sync::Arc;

use bench_core::fixture::{BufferPool, PooledBuf, PooledBytes, class_for};
use bench_core::units::ByteSize;
use bytes::Bytes;

use super::disk::DiskTier;
use super::lru::Lru;
use super::{OnDisk, ReadPath, Remote, Served, Tier};
use crate::error::Error;

/// Buffers besides those that L0 keeps: one that is filled, one in the hands of the reader.
const IN_HAND: u64 = 2;

/// How much the tiers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TieredConfig {
    /// Of L0: bytes of buffers, which come in powers of two from 4 KiB on.
    pub memory: ByteSize,
    /// Of L1: bytes of files.
    pub disk: ByteSize,
}

/// Memory before a folder before the store. A read that reaches a tier leaves the object in all those
/// before it, before it returns: a fetch also pays for the file.
#[derive(Debug)]
pub struct Tiered {
    memory: Lru<PooledBytes>,
    disk: DiskTier,
    last: Uncached,
}

impl Tiered {
    /// Empty memory before what is in the folder.
    ///
    /// # Errors
    /// [`Error::TierTooSmall`]; what opening the folder failed with.
    pub fn new(remote: Arc<Remote>, config: TieredConfig, folder: &Path) -> Result<Self, Error> {
        let size = remote.objects().size;
        let (capacity, class) = (config.memory, class_for(size));
        if capacity < class {
            return Err(Error::TierTooSmall { tier: "memory", capacity, least: class });
        }
        let disk = DiskTier::open(folder, config.disk, size)?;
        let memory = Lru::new(capacity.bytes(), class.bytes());
        let held = capacity.bytes() / class.bytes();
        Ok(Self { memory, disk, last: Uncached::with_buffers(remote, held + IN_HAND)? })
    }

    /// L1.
    pub fn disk(&self) -> &DiskTier {
        &self.disk
    }
}

impl ReadPath for Tiered {
    fn read(&mut self, object: u64) -> Result<(Tier, Bytes), Error> {
        let (tier, bytes) = match self.memory.get(object) {
            Some(bytes) => (Tier::Memory, bytes.clone()),
            None => {
                let mut buffer = self.last.buffer()?;
                let tier = if self.disk.read(object, &mut buffer)? {
                    Tier::Disk
                } else {
                    self.last.remote.fetch(object, &mut buffer)?;
                    self.disk.write(object, &buffer);
                    Tier::Remote
                };
                let bytes = buffer.freeze();
                drop(self.memory.put(object, bytes.clone()));
                (tier, bytes)
            }
        };
        self.last.served.count(tier, bytes.len());
        Ok((tier, bytes.into_bytes()))
    }

    fn cool(&mut self) -> Result<(), Error> {
        self.disk.cool()
    }

    fn on_disk(&self) -> Option<OnDisk> {
        Some(self.disk.on_disk())
    }

    fn served(&self) -> Served {
        self.last.served
    }

    fn backend(&self) -> String {
        format!("pool, files, {}", self.last.backend())
    }
}

/// The store alone.
#[derive(Debug)]
pub struct Uncached {
    remote: Arc<Remote>,
    pool: BufferPool,
    served: Served,
}

impl Uncached {
    /// # Errors
    /// When the system has no memory for two objects.
    pub fn new(remote: Arc<Remote>) -> Result<Self, Error> {
        Self::with_buffers(remote, IN_HAND)
    }

    fn with_buffers(remote: Arc<Remote>, buffers: u64) -> Result<Self, Error> {
        let class = class_for(remote.objects().size);
        let limit = ByteSize::new(class.bytes() * buffers);
        let pool = BufferPool::builder(limit).class(class).build().expect("a class that fits");
        Ok(Self { remote, pool, served: Served::default() })
    }

    fn buffer(&self) -> Result<PooledBuf, Error> {
        Ok(self.pool.try_acquire(self.remote.objects().size)?)
    }
}

impl ReadPath for Uncached {
    fn read(&mut self, object: u64) -> Result<(Tier, Bytes), Error> {
        let mut buffer = self.buffer()?;
        self.remote.fetch(object, &mut buffer)?;
        self.served.count(Tier::Remote, buffer.len());
        Ok((Tier::Remote, buffer.into_bytes()))
    }

    fn served(&self) -> Served {
        self.served
    }

    fn backend(&self) -> String {
        "object_store in memory".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Objects, conformance};
    use super::*;
    use crate::clock::{Clock, VirtualClock};
    use crate::source::DelayConfig;

    const OBJECTS: Objects = Objects { count: 8, size: ByteSize::kib(4), seed: 1 };
    const OTHERS: Objects = Objects { seed: 1000, ..OBJECTS };
    const DELAY: DelayConfig = DelayConfig::latency(Duration::from_millis(5));
    const CONFIG: TieredConfig = TieredConfig { memory: ByteSize::kib(8), disk: ByteSize::kib(16) };

    fn remote() -> (Arc<Remote>, Arc<VirtualClock>) {
        let clock = Arc::new(VirtualClock::default());
        (Arc::new(Remote::filled(OBJECTS, DELAY, clock.clone()).expect("a store")), clock)
    }

    #[test]
    fn both_paths_pass_the_suite() {
        let folder = tempfile::tempdir().expect("a folder");
        let (remote, _) = remote();
        let mut tiered = Tiered::new(Arc::clone(&remote), CONFIG, folder.path()).expect("tiers");
        conformance::check(&mut tiered, &remote);
        conformance::check(&mut Uncached::new(Arc::clone(&remote)).expect("a path"), &remote);
    }

    #[test]
    fn the_content_tells_that_each_tier_served_what_it_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let (remote, clock) = remote();
        let mut path = Tiered::new(Arc::clone(&remote), CONFIG, folder.path()).expect("tiers");
        // Room for two in memory and four on the disk.
        for object in 0..6 {
            assert_eq!(path.read(object).expect("read").0, Tier::Remote);
        }
        assert_eq!(clock.now(), Duration::from_millis(30));
        remote.replace(OTHERS);
        let expected = [
            // Gone from the disk too, so it really comes from the store, which has others now.
            (0, Tier::Remote, OTHERS),
            (5, Tier::Memory, OBJECTS),
            (4, Tier::Disk, OBJECTS),
            (4, Tier::Memory, OBJECTS),
            (1, Tier::Remote, OTHERS),
        ];
        for (object, tier, content) in expected {
            let (from, bytes) = path.read(object).expect("read");
            assert_eq!(from, tier, "{object}");
            content.payload(object).verify_all(&bytes).expect("the content of that tier");
        }
        assert_eq!((path.served().reads, remote.fetched()), ([2, 1, 8], 8));
        // Only the store takes time on this clock.
        assert_eq!(clock.now(), Duration::from_millis(40));
        assert!(path.disk().bytes() <= CONFIG.disk.bytes());
    }

    #[test]
    fn the_files_outlive_the_path_and_the_memory_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (remote, _) = remote();
        let open = || Tiered::new(Arc::clone(&remote), CONFIG, folder.path()).expect("tiers");
        open().read(3).expect("read");
        remote.replace(OTHERS);
        let mut path = open();
        let (tier, bytes) = path.read(3).expect("read");
        assert_eq!(tier, Tier::Disk);
        OBJECTS.payload(3).verify_all(&bytes).expect("as it was");
    }

    #[test]
    fn memory_that_cannot_hold_an_object_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = TieredConfig { memory: ByteSize::new(4095), ..CONFIG };
        let error = Tiered::new(remote().0, config, folder.path()).expect_err("too small");
        let text = error.to_string();
        assert!(text.starts_with("the memory tier of 4095B cannot hold one object"), "{text}");
    }

    #[test]
    fn an_object_that_is_not_there_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut path = Tiered::new(remote().0, CONFIG, folder.path()).expect("tiers");
        for _ in 0..3 {
            path.read(99).expect_err("there is none");
        }
        assert_eq!((path.served(), path.disk().bytes()), (Served::default(), 0));
    }
}
