//! What a pooled buffer gains over a fresh one where it is really read into: 4 MiB from memory and past
//! the page cache, in turns.
//!
//! Fresh memory comes from the kernel and is touched for the first time by the read; a zeroed vector
//! is what most programs write, and what the allocator keeps of it is filled twice. Neither is the
//! pool's own doing, and all three arms read the same bytes of the same file.

use std::time::Instant;

use bench_core::fixture::cpus::{Pinned, available};
use bench_core::fixture::{ALIGNMENT, BufferPool, Payload};
use bench_core::record::Row;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::cache_state::{CacheState, Direct, Warm};
use bench_storage::file::ScratchFile;
use bench_storage::scratch::ScratchDirectory;
use bench_storage::source::open_direct;
use memmap2::MmapMut;

use crate::arms::{Arm, interleaved};

/// What is read at once.
const BUFFER: ByteSize = ByteSize::mib(4);
const SEED: u64 = 42;

/// Reads one buffer from this offset, and returns its first byte after the file's are in it.
type Read<'a> = Box<dyn FnMut(u64) -> Result<u8, Failure> + 'a>;

/// Reads of a file that is in memory.
///
/// # Errors
/// Where the file cannot be brought into that state, or an arm reads other bytes.
pub fn warm(id: &str, scale: Scale) -> Result<Vec<Row>, Failure> {
    compare::<Warm>(id, scale)
}

/// Reads past the page cache.
///
/// # Errors
/// As [`warm`]; where the disk has no direct I/O.
pub fn direct(id: &str, scale: Scale) -> Result<Vec<Row>, Failure> {
    compare::<Direct>(id, scale)
}

fn compare<S: CacheState>(id: &str, scale: Scale) -> Result<Vec<Row>, Failure> {
    let size = scale.pick(ByteSize::mib(8), ByteSize::mib(64), ByteSize::mib(256));
    let directory = ScratchDirectory::create()?;
    let file = ScratchFile::create(&directory, "file", Payload::seeded(SEED, size))?;
    let path = file.cached().path();
    let handle = match S::DIRECT {
        true => open_direct(path, std::fs::File::options().read(true))?.0,
        false => std::fs::File::open(path)?,
    };
    let pool = BufferPool::builder(BUFFER).class(BUFFER).build()?;
    let (length, handle) = (BUFFER.len(), &handle);
    let pooled: Read<'_> = Box::new(move |offset| {
        let mut buffer = pool.try_acquire(BUFFER)?;
        whole(buffer.read_full_at(handle, offset, length)?)?;
        Ok(buffer[0])
    });
    let fresh: Read<'_> = Box::new(move |offset| {
        let mut memory = MmapMut::map_anon(length)?;
        fill(handle, &mut memory, offset)?;
        Ok(memory[0])
    });
    let zeroed: Read<'_> = Box::new(move |offset| {
        // Aligned by hand, because direct I/O wants it.
        let mut memory = vec![0; length + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        let memory = &mut memory[start..start + length];
        fill(handle, memory, offset)?;
        Ok(memory[0])
    });
    let arms = [("pooled", pooled), ("fresh", fresh), ("zeroed_vec", zeroed)];
    let arms = arms.into_iter().map(|(name, read)| arm::<S>(name, read, &file, size));
    interleaved(id, scale.pick(1, 15, 31), arms.collect())
}

/// The whole file, one buffer after the other.
fn arm<'a, S: CacheState>(
    name: &str,
    mut read: Read<'a>,
    file: &'a ScratchFile,
    size: ByteSize,
) -> Arm<'a> {
    let once = move || {
        let reached = file.cached().reach::<S>()?;
        let _here = Pinned::to(available()?[0])?;
        let start = Instant::now();
        let mut first = 0_u64;
        for offset in (0..size.bytes()).step_by(BUFFER.len()) {
            first += u64::from(read(offset)?);
        }
        let time = start.elapsed();
        let expected = (0..size.bytes()).step_by(BUFFER.len());
        let expected: u64 = expected.map(|at| u64::from(file.payload().byte_at(at))).sum();
        if first != expected {
            return Err("what was read is not what the file holds".into());
        }
        reached.held(file.cached())?;
        Ok(time)
    };
    let backend = if S::DIRECT { "pread O_DIRECT" } else { "pread" };
    let dimensions = vec![
        ("backend", backend.to_owned()),
        ("page_cache", S::STATE.to_string()),
        ("block_size", BUFFER.to_string()),
        ("size", size.to_string()),
    ];
    Arm { name: name.to_owned(), dimensions, once: Box::new(once) }
}

fn fill(file: &std::fs::File, memory: &mut [u8], offset: u64) -> Result<(), Failure> {
    use std::os::unix::fs::FileExt;
    Ok(file.read_exact_at(memory, offset)?)
}

fn whole(read: usize) -> Result<(), Failure> {
    if read == BUFFER.len() { Ok(()) } else { Err("the file ended early".into()) }
}
