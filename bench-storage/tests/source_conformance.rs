//! Every source passes the one suite, and the suite finds what is wrong with sources that lie.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::{Payload, PooledBuf};
use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::clock::VirtualClock;
use bench_storage::file::ScratchFile;
use bench_storage::scratch::ScratchDirectory;
use bench_storage::source::conformance::conforms;
use bench_storage::source::{
    BufferedFile, DelayConfig, Delayed, DirectFile, Fault, Faulty, MappedFile, MemorySource,
    Source, UringFile,
};
use bytes::BufMut;

/// Ends within a page and within a sector.
const PAYLOAD: Payload = Payload::seeded(5, ByteSize::new((1 << 20) + 1234));

struct OnDisk {
    file: ScratchFile,
    _directory: ScratchDirectory,
}

impl OnDisk {
    fn create() -> Self {
        let directory = ScratchDirectory::create().expect("scratch");
        let file = ScratchFile::create(&directory, "file", PAYLOAD).expect("create");
        Self { file, _directory: directory }
    }

    fn path(&self) -> PathBuf {
        self.file.cached().path().to_owned()
    }
}

/// The source where this machine has it; where not, its refusal must be the right one.
fn checked<S: Source>(opened: Result<S, Error>) {
    match opened {
        Ok(source) => conforms(&source, &PAYLOAD)
            .unwrap_or_else(|failure| panic!("{}: {failure}", source.backend())),
        Err(Error::NoDirect { .. } | Error::NoUring(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn files_conform_by_every_way_of_reading_them() {
    let on_disk = OnDisk::create();
    checked(BufferedFile::open(&on_disk.path()));
    checked(MappedFile::open(&on_disk.path()));
    checked(DirectFile::open(&on_disk.path()));
    checked(UringFile::open(&on_disk.path()));
    checked(UringFile::open_direct(&on_disk.path()));
}

#[test]
fn memory_and_wrappers_conform() {
    let memory = || MemorySource::new(&PAYLOAD);
    checked(Ok(memory()));
    let config = DelayConfig {
        latency: Duration::from_millis(5),
        jitter: Duration::from_millis(3),
        bytes_per_second: Some(1 << 20),
        seed: 1,
    };
    checked(Ok(Delayed::new(memory(), config, Arc::new(VirtualClock::default()))));
    checked(Ok(Faulty::new(memory(), &[])));
    checked(Ok(Faulty::new(memory(), &[Fault::Short { most: 999 }])));
    let on_disk = OnDisk::create();
    let short = [Fault::Short { most: 4096 }];
    checked(DirectFile::open(&on_disk.path()).map(|direct| Faulty::new(direct, &short)));
}

/// Memory that tells one lie.
#[derive(Debug)]
struct Lying(MemorySource, Lie);

#[derive(Debug, PartialEq)]
enum Lie {
    Size,
    OffByOne,
    BeyondTheEnd,
    ForgetsWhatWasThere,
    SaysMore,
}

impl Source for Lying {
    fn size(&self) -> ByteSize {
        let extra = u64::from(self.1 == Lie::Size);
        ByteSize::new(self.0.size().bytes() + extra)
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        let shift = u64::from(self.1 == Lie::OffByOne && offset > 5000);
        if self.1 == Lie::BeyondTheEnd && offset >= self.0.size().bytes() && length > 0 {
            into.put_u8(0);
            return Ok(1);
        }
        if self.1 == Lie::ForgetsWhatWasThere {
            into.clear();
        }
        let read = self.0.read_at(offset + shift, length, into)?;
        Ok(read + usize::from(self.1 == Lie::SaysMore && offset == 8192))
    }

    fn backend(&self) -> String {
        "lies".to_owned()
    }
}

#[test]
fn the_suite_finds_every_lie() {
    let lies =
        [Lie::Size, Lie::OffByOne, Lie::BeyondTheEnd, Lie::ForgetsWhatWasThere, Lie::SaysMore];
    for lie in lies {
        let lying = Lying(MemorySource::new(&PAYLOAD), lie);
        conforms(&lying, &PAYLOAD).expect_err(&format!("{:?} was not found", lying.1));
    }
    let truncated = [Fault::Truncated { offset: 1000 }];
    conforms(&Faulty::new(MemorySource::new(&PAYLOAD), &truncated), &PAYLOAD)
        .expect_err("a source that ends early");
}
