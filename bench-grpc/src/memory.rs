//! Freed memory stays in the process, so that large transfers measure the transfer and not the
//! kernel handing out zeroed pages.
//!
//! glibc gives the top of its heap back once 128 KiB of it are free, and serves larger blocks by
//! `mmap`; both bounds grow by what a program frees. HTTP/2 receives into blocks of a frame each,
//! of which a window may be under way: without this, one 256 MiB Read had up to 16,000 page faults,
//! or none where an earlier operation had happened to free something larger.
//!
//! A service that is up for a while has grown its bounds in this way. Who has set
//! `GLIBC_TUNABLES` keeps what is set there, and other allocators are not touched.

use std::hint::black_box;
use std::sync::Once;

/// The largest block whose release moves the bounds (glibc's `DEFAULT_MMAP_THRESHOLD_MAX`, 32 MiB),
/// with room for its header. Twice as much of the top of the heap is kept from then on.
const LARGEST_BYTES: usize = (32 << 20) - (64 << 10);

/// Grows the bounds to their largest, once in a process. No page of it is touched.
pub(crate) fn keep_freed() {
    static GROWN: Once = Once::new();
    GROWN.call_once(|| drop(black_box(Vec::<u8>::with_capacity(LARGEST_BYTES))));
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use std::fs;

    use super::*;

    /// Of this thread: field 10 of proc(5), counted behind the name in brackets.
    fn page_faults() -> u64 {
        let stat = fs::read_to_string("/proc/thread-self/stat").expect("Linux");
        let fields = stat.rsplit_once(')').expect("a name").1;
        fields.split_whitespace().nth(7).expect("ten fields").parse().expect("a number")
    }

    #[test]
    fn a_window_of_frames_that_was_freed_is_there_again_without_page_faults() {
        if std::env::var_os("GLIBC_TUNABLES").is_some() {
            return;
        }
        keep_freed();
        // 16 MiB in blocks of 64 KiB, which move no bound when they are freed.
        let frames = || black_box((0..256).map(|_| vec![1_u8; 64 << 10]).collect::<Vec<_>>());
        drop(frames());
        let before = page_faults();
        drop(frames());
        let faults = page_faults() - before;
        assert!(faults < 400, "{faults} page faults of 4,096 pages");
    }
}
