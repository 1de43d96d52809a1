//! What a pooled buffer gains over a fresh one where it is really read into: 4 MiB from memory and past
//! the page cache, in turns.
//!
//! Fresh memory comes from the kernel and is touched for the first time by the read; a zeroed vector
//! is what most programs write, and what the allocator keeps of it is filled twice. Neither is the
//! pool's own doing, and all three arms read the same bytes of the same file.

use std::time::Duration;

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
use crate::clock::Clock;

/// What is read at once.
const BUFFER: ByteSize = ByteSize::mib(4);
const SEED: u64 = 42;

/// Reads one buffer from this offset, and has it looked at before it goes.
type Read<'a> = Box<dyn FnMut(u64, &mut Clock) -> Result<(), Failure> + 'a>;

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
    let pooled: Read<'_> = Box::new(move |offset, clock| {
        let mut buffer = pool.try_acquire(BUFFER)?;
        whole(buffer.read_full_at(handle, offset, length)?)?;
        clock.look(offset, &buffer)
    });
    let fresh: Read<'_> = Box::new(move |offset, clock| {
        let mut memory = MmapMut::map_anon(length)?;
        fill(handle, &mut memory, offset)?;
        clock.look(offset, &memory)
    });
    let zeroed: Read<'_> = Box::new(move |offset, clock| {
        // Aligned by hand, because direct I/O wants it.
        let mut memory = vec![0; length + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        let memory = &mut memory[start..start + length];
        fill(handle, memory, offset)?;
        clock.look(offset, memory)
    });
    let arms = [("pooled", pooled), ("fresh", fresh), ("zeroed_vec", zeroed)];
    let cpu = available()?[0];
    let mut dimensions = file.cached().reach::<S>()?.dimensions();
    dimensions.extend([
        ("backend", if S::DIRECT { "pread O_DIRECT" } else { "pread" }.to_owned()),
        ("cpus", format!("reader {cpu}")),
        ("block_size", BUFFER.to_string()),
        ("size", size.to_string()),
    ]);
    let arms = arms.into_iter().map(|(name, read)| Arm {
        name: name.to_owned(),
        dimensions: dimensions.clone(),
        once: once::<S>(read, &file, size, cpu),
    });
    interleaved(id, scale.pick(1, 15, 31), arms.collect())
}

/// The whole file, one buffer after the other, from its state and on this CPU.
fn once<'a, S: CacheState>(
    mut read: Read<'a>,
    file: &'a ScratchFile,
    size: ByteSize,
    cpu: usize,
) -> Box<dyn FnMut() -> Result<Duration, Failure> + 'a> {
    Box::new(move || {
        let reached = file.cached().reach::<S>()?;
        let _here = Pinned::to(cpu)?;
        reached.held_before(file.cached())?;
        let mut clock = Clock::start(*file.payload());
        for offset in (0..size.bytes()).step_by(BUFFER.len()) {
            read(offset, &mut clock)?;
        }
        let time = clock.stop();
        reached.held(file.cached())?;
        Ok(time)
    })
}

fn fill(file: &std::fs::File, memory: &mut [u8], offset: u64) -> Result<(), Failure> {
    use std::os::unix::fs::FileExt;
    Ok(file.read_exact_at(memory, offset)?)
}

fn whole(read: usize) -> Result<(), Failure> {
    if read == BUFFER.len() { Ok(()) } else { Err("the file ended early".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_state_was_seen_and_where_it_was_read() {
        let rows = warm("a/b", Scale::Smoke).expect("a file can be in memory");
        assert_eq!(rows.len(), 3);
        let cpu = available().expect("CPUs")[0];
        for row in &rows {
            assert_eq!(row.dimensions["page_cache"], "warm");
            assert_eq!(row.dimensions["resident_pages"], "2048 of 2048");
            assert_eq!(row.dimensions["cpus"], format!("reader {cpu}"));
            for name in ["page_cache_witness", "file_system"] {
                assert!(row.dimensions.contains_key(name), "{name}");
            }
        }
    }
}
