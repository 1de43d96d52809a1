//! The path through foyer's hybrid cache, as a peer of our tiers.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use bench_core::units::ByteSize;
use bytes::Bytes;
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy, LruConfig, Source,
};
use tokio::runtime::Runtime;

use super::disk::IN_MEMORY;
use super::{OnDisk, ReadPath, Remote, Served, Tier, TieredConfig};
use crate::error::Error;
use crate::file_system::{file_system, lives_in_memory};
use crate::page_cache::PageCacheState;
use crate::source::open_direct;

/// Blocks that foyer's disk engine needs to go round.
const BLOCKS_MIN: u64 = 4;

/// Foyer in front of the store: LRU in one shard, written to the disk on insertion, as our own tiers
/// do. Unlike them foyer writes in the background, on two threads, and drops what it cannot write in
/// time without a word; its blocks are files of at least twice an object, which it reads and writes past
/// the page cache where the file system lets it, and its folder is read anew by the next.
pub struct Foyer {
    cache: HybridCache<u64, Bytes>,
    runtime: Runtime,
    remote: Arc<Remote>,
    served: Served,
    file_system: String,
    page_cache: String,
    found: u64,
}

impl Foyer {
    /// An empty cache, or what foyer finds in the folder.
    ///
    /// # Errors
    /// [`Error::TierTooSmall`]; what foyer or the runtime failed with.
    pub fn new(remote: Arc<Remote>, config: TieredConfig, folder: &Path) -> Result<Self, Error> {
        let size = remote.objects().size;
        if config.memory < size {
            return Err(Error::TierTooSmall {
                tier: "memory",
                capacity: config.memory,
                least: size,
            });
        }
        let block = (size.bytes() * 2).next_power_of_two().max(256 << 10);
        let least = ByteSize::new(block * BLOCKS_MIN);
        if config.disk < least {
            return Err(Error::TierTooSmall { tier: "foyer disk", capacity: config.disk, least });
        }
        let failed = |error: foyer::Error| Error::Io {
            action: "open foyer's cache in",
            path: folder.to_owned(),
            source: std::io::Error::other(error.to_string()),
        };
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Error::io("start a runtime for", folder))?;
        let (file_system, page_cache) = place(folder)?;
        let direct = page_cache == PageCacheState::Direct.to_string();
        let device = FsDeviceBuilder::new(folder).with_direct(direct);
        let device = device.with_capacity(config.disk.len()).build();
        let engine =
            BlockEngineConfig::new(device.map_err(failed)?).with_block_size(block as usize);
        let build = HybridCacheBuilder::new()
            .with_policy(HybridCachePolicy::WriteOnInsertion)
            .memory(config.memory.len())
            .with_shards(1)
            .with_eviction_config(LruConfig::default())
            .with_weighter(|_object, content: &Bytes| content.len())
            .storage()
            .with_engine_config(engine)
            .build();
        let cache: HybridCache<u64, Bytes> = runtime.block_on(build).map_err(failed)?;
        let objects = 0..remote.objects().count;
        let found = objects.filter(|object| cache.storage().may_contains(object)).count() as u64;
        let served = Served::default();
        Ok(Self { cache, runtime, remote, served, file_system, page_cache, found })
    }
}

/// The file system of the folder, which is created when it is not there, and how its files are read.
fn place(folder: &Path) -> Result<(String, String), Error> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let probe = folder.join("probe.part");
    let file = File::create(&probe).map_err(Error::io("create", &probe))?;
    let name = file_system(&file).map_err(Error::io("tell the file system of", folder));
    let direct = open_direct(&probe, File::options().read(true));
    let _gone = fs::remove_file(&probe);
    let name = name?;
    let page_cache = match direct {
        Ok(_) => PageCacheState::Direct.to_string(),
        Err(Error::NoDirect { .. }) if lives_in_memory(&name) => IN_MEMORY.to_owned(),
        Err(Error::NoDirect { .. }) => "kept".to_owned(),
        Err(error) => return Err(error),
    };
    Ok((name, page_cache))
}

impl ReadPath for Foyer {
    fn read(&mut self, object: u64) -> Result<(Tier, Bytes), Error> {
        let found = self.runtime.block_on(async { self.cache.get(&object).await });
        let found = found.map_err(|error| Error::Object {
            action: "ask foyer for",
            object,
            reason: error.to_string(),
        })?;
        let (tier, bytes) = match found {
            Some(entry) if entry.source() == Source::Disk => (Tier::Disk, entry.value().clone()),
            Some(entry) => (Tier::Memory, entry.value().clone()),
            None => {
                let mut content = Vec::with_capacity(self.remote.objects().size.len());
                self.remote.fetch(object, &mut content)?;
                let content = Bytes::from(content);
                drop(self.cache.insert(object, content.clone()));
                (Tier::Remote, content)
            }
        };
        self.served.count(tier, bytes.len());
        Ok((tier, bytes))
    }

    fn rest(&mut self) {
        self.runtime.block_on(self.cache.storage().wait());
    }

    fn on_disk(&self) -> Option<OnDisk> {
        Some(OnDisk {
            file_system: self.file_system.clone(),
            page_cache: self.page_cache.clone(),
            found: self.found,
            refused: None,
        })
    }

    fn served(&self) -> Served {
        self.served
    }

    fn backend(&self) -> String {
        "foyer, object_store in memory".to_owned()
    }
}

impl Drop for Foyer {
    fn drop(&mut self) {
        // What it has not written yet, it loses.
        let _closed = self.runtime.block_on(self.cache.close());
    }
}

impl fmt::Debug for Foyer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foyer").field("served", &self.served).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Objects, conformance};
    use super::*;
    use crate::clock::VirtualClock;
    use crate::scratch::ScratchDirectory;
    use crate::source::DelayConfig;

    const OBJECTS: Objects = Objects { count: 64, size: ByteSize::kib(64), seed: 1 };
    const CONFIG: TieredConfig =
        TieredConfig { memory: ByteSize::kib(256), disk: ByteSize::mib(2) };

    fn remote() -> Arc<Remote> {
        let delay = DelayConfig::latency(Duration::from_millis(5));
        let clock = Arc::new(VirtualClock::default());
        Arc::new(Remote::filled(OBJECTS, delay, clock).expect("a store"))
    }

    #[test]
    fn foyer_passes_the_suite_and_tells_its_tiers_apart() {
        let (folder, remote) = (tempfile::tempdir().expect("a folder"), remote());
        let mut path = Foyer::new(Arc::clone(&remote), CONFIG, folder.path()).expect("foyer");
        conformance::check(&mut path, &remote);
        // Read a moment ago and so in memory; then others push it out to the disk.
        path.read(7).expect("read");
        assert_eq!(path.read(7).expect("read").0, Tier::Memory);
        let on_disk = (0..10).any(|_| {
            (8..16).for_each(|object| drop(path.read(object).expect("read")));
            path.rest();
            path.read(7).expect("read").0 == Tier::Disk
        });
        assert!(on_disk, "nothing ever came from the disk");
        // What came from there is in memory now.
        assert_eq!(path.read(7).expect("read").0, Tier::Memory);
    }

    #[test]
    fn after_a_rest_what_was_read_is_on_the_disk_for_the_next() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let open = || Foyer::new(remote(), CONFIG, scratch.path()).expect("foyer");
        let mut path = open();
        let said = path.on_disk().expect("it has a disk");
        assert_eq!((said.found, said.refused), (0, None));
        assert!(["direct", IN_MEMORY, "kept"].contains(&said.page_cache.as_str()), "{said:?}");
        (0..8).for_each(|object| drop(path.read(object).expect("read")));
        path.rest();
        // Without a rest of its own: closing would wait as well.
        let next = open();
        assert_eq!(next.on_disk().expect("it has a disk").found, 8);
    }

    #[test]
    fn a_disk_that_cannot_go_round_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = TieredConfig { disk: ByteSize::kib(512), ..CONFIG };
        let error = Foyer::new(remote(), config, folder.path()).expect_err("two blocks");
        let text = error.to_string();
        assert!(text.starts_with("the foyer disk tier of 512KiB cannot hold"), "{text}");
    }
}
