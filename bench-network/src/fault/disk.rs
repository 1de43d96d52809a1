//! A disk that is busy with somebody else.
//!
//! One thread writes a file from its beginning to its end, again and again, and has every part of it
//! on the disk (`fdatasync`) before it goes on. The file is made in a folder of the user's, has no
//! name there from the start, and is never larger than asked for, so that nothing is left behind
//! however this process ends. What shows it is the kernel's own count of bytes that this thread
//! caused to be written to storage (`/proc/self/task/*/io`): a file system in memory has none.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use bench_core::fixture::Payload;
use bench_core::units::{ByteSize, print_rate};
use rustix::fs::{Mode, OFlags, fstatvfs, open};
use rustix::thread::gettid;

use super::{Demand, FaultError, Proof, absurd, not_shown};
use crate::error::Error;

/// What the thread is called, so that its time can be told from that of the service.
pub const THREAD: &str = "disk-pressure";

/// What is written before it is synced.
const PART: ByteSize = ByteSize::mib(1);
/// What stays free on the disk: a twentieth of all and at least this.
const RESERVE_MIN: u64 = 256 << 20;
const SEED: u64 = 42;

/// A file that is written and synced all the time. Dropping it ends that and removes the file.
#[derive(Debug)]
#[must_use = "the disk is left alone as soon as this guard is dropped"]
pub struct DiskPressure {
    size: ByteSize,
    start: Instant,
    /// The number of the thread and what it had written before it began.
    thread_number: i32,
    before: Option<u64>,
    done: Arc<Done>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Done {
    stop: AtomicBool,
    syncs: AtomicU64,
}

impl DiskPressure {
    /// Writes a file of this size in this folder until the guard is dropped.
    ///
    /// # Errors
    /// Less than 1 MiB; [`FaultError::TooMuch`] where less than a twentieth of the disk, or 256 MiB, would
    /// stay free; a folder in which no file without a name can be made.
    pub fn start(folder: &Path, size: ByteSize) -> Result<Self, Error> {
        if size < PART {
            return Err(absurd("disk_pressure", "size", size, format!("at least {PART}")).into());
        }
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = open(folder, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(file.map_err(Error::io("make a file without a name in the folder"))?);
        let disk = fstatvfs(&file).map_err(Error::io("ask how full the disk is"))?;
        check(size, disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize)?;
        let done = Arc::new(Done::default());
        let (tell, told) = mpsc::channel();
        let (go, begin) = mpsc::channel::<()>();
        let theirs = Arc::clone(&done);
        let body = move || {
            let _ = tell.send(gettid().as_raw_nonzero().get());
            // Its account is read before it begins.
            let _ = begin.recv();
            press(&file, size, &theirs)
        };
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(body);
        let thread = Some(thread.map_err(Error::io("start a thread"))?);
        let thread_number = told.recv().map_err(|_| Error::Gone("disk pressure"))?;
        let before = written(thread_number);
        let start = Instant::now();
        let _ = go.send(());
        Ok(Self { size, start, thread_number, before, done, thread })
    }

    /// That bytes had to be written to the disk since it began.
    ///
    /// # Errors
    /// [`FaultError::NotShown`] with what was written.
    pub fn proof(&self) -> Result<Proof, Error> {
        let seconds = self.start.elapsed().as_secs_f64();
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        let written = written(self.thread_number).zip(self.before);
        let written = written.map(|(now, before)| now.saturating_sub(before));
        let syncs = self.done.syncs.load(Ordering::Relaxed);
        Ok(judge(&self.name(), ended, written, syncs, seconds)?)
    }

    /// Ends it; that it happened.
    ///
    /// # Errors
    /// As [`proof`](Self::proof); it has ended all the same.
    pub fn end(self) -> Result<Proof, Error> {
        self.proof()
    }

    fn name(&self) -> String {
        format!("disk_pressure {}", self.size)
    }
}

impl Drop for DiskPressure {
    fn drop(&mut self) {
        self.done.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // As long as one sync takes. That it failed is what the proof says.
            let _ = thread.join();
        }
    }
}

fn check(size: ByteSize, total: u64, available: u64) -> Result<(), FaultError> {
    let (fault, reserve) = (format!("disk_pressure {size}"), (total / 20).max(RESERVE_MIN));
    Demand { fault, what: "the disk", size, reserve }.check(available)
}

fn judge(
    name: &str,
    ended: bool,
    written: Option<u64>,
    syncs: u64,
    seconds: f64,
) -> Result<Proof, FaultError> {
    let missing = |reason: &str| Err(not_shown(name, reason));
    match written {
        _ if ended => missing("its thread ended early: the disk took no more"),
        None => missing("this kernel does not tell what a thread writes (/proc/self/task/*/io)"),
        _ if syncs == 0 => missing("not one part was synced; let it run for longer"),
        Some(bytes) if bytes < syncs * PART.bytes() / 2 => missing(&format!(
            "{syncs} parts of {PART} were synced and {bytes} bytes went to storage; is the folder in \
             memory?"
        )),
        Some(bytes) => {
            let rate = print_rate(bytes as f64 / seconds.max(1e-9));
            let measured = format!("{rate} went to storage, {:.0} syncs/s", syncs as f64 / seconds);
            Ok(Proof { fault: name.to_owned(), times: syncs, unit: "syncs", measured })
        }
    }
}

/// Bytes that a thread of ours caused to be written to storage since it began.
fn written(thread: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.trim().parse().ok()
}

fn press(file: &File, size: ByteSize, done: &Done) -> std::io::Result<()> {
    let part = Payload::seeded(SEED, PART).to_bytes();
    let parts = size.bytes() / PART.bytes();
    for number in (0..parts).cycle() {
        if done.stop.load(Ordering::Relaxed) {
            break;
        }
        file.write_all_at(&part, number * PART.bytes())?;
        file.sync_data()?;
        done.syncs.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after_some_parts(folder: &Path) -> Result<Proof, Error> {
        let pressure = DiskPressure::start(folder, ByteSize::mib(4))?;
        let ended = || pressure.thread.as_ref().is_none_or(JoinHandle::is_finished);
        while pressure.done.syncs.load(Ordering::Relaxed) < 6 && !ended() {
            thread::sleep(Duration::from_millis(1));
        }
        pressure.end()
    }

    #[test]
    fn a_disk_has_to_write_and_a_folder_in_memory_is_no_disk() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        match after_some_parts(folder) {
            Ok(proof) => {
                assert!(proof.times >= 6 && proof.measured.contains("syncs/s"), "{proof:?}");
            }
            // Where the disk is almost full, or the sources lie in memory or in an overlay that does not
            // tell.
            Err(Error::Fault(FaultError::TooMuch { .. } | FaultError::NotShown { .. })) => {}
            Err(error) => panic!("{error}"),
        }
        let memory = Path::new("/dev/shm");
        if fs::read_to_string("/proc/mounts")
            .is_ok_and(|mounts| mounts.contains(" /dev/shm tmpfs "))
        {
            match after_some_parts(memory).expect_err("no disk") {
                // Some machines give it less than has to stay free.
                Error::Fault(FaultError::TooMuch { .. }) => {}
                error => assert!(error.to_string().contains("is the folder in memory?"), "{error}"),
            }
        }
    }

    #[test]
    fn what_was_not_written_is_not_shown() {
        let judged = |ended, written, syncs| judge("disk_pressure", ended, written, syncs, 2.0);
        let proof = judged(false, Some(20 << 20), 20).expect("shown");
        assert_eq!(proof.measured, "10.00 MiB/s went to storage, 10 syncs/s");
        for (ended, written, syncs, said) in [
            (true, Some(20 << 20), 20, "ended early"),
            (false, None, 20, "does not tell"),
            (false, Some(0), 0, "let it run for longer"),
            (false, Some(0), 20, "in memory?"),
        ] {
            let error = judged(ended, written, syncs).expect_err(said).to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_fills_the_disk_or_is_no_pressure_or_has_no_folder_is_refused() {
        let folder = Path::new("/dev/shm");
        let refused = |folder, size| DiskPressure::start(folder, size).expect_err("no").to_string();
        assert!(refused(folder, ByteSize::kib(4)).contains("at least 1MiB"));
        let text = refused(Path::new("/nowhere"), PART);
        assert!(text.starts_with("failed to make a file without a name in the folder: "), "{text}");
        let error = check(ByteSize::mib(620), 8 << 30, 1 << 30).expect_err("too much").to_string();
        assert!(error.contains("of the disk") && error.contains("at most 614MiB"), "{error}");
        assert_eq!(check(ByteSize::mib(600), 8 << 30, 2 << 30), Ok(()));
    }
}
