//! Where a sandbox forbids io_uring, that is what the error says. A filter is set on one thread, as
//! a container's seccomp profile is on all of them.

#![expect(unsafe_code, reason = "no safe crate in the tree installs a seccomp filter")]

use std::ffi::{c_int, c_long};
use std::thread;

use bench_core::units::ByteSize;
use bench_storage::Error;
use bench_storage::files::cell::{Engine, Pattern};
use bench_storage::files::job::content::Author;
use bench_storage::files::job::{JobCell, Lane};
use bench_storage::source::{Ring, UringFile};

/// Makes a system call fail with this number on this thread, for good. `false` where the kernel knows
/// no filters.
fn forbid(call: c_long, errno: c_int) -> bool {
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).expect("a code"),
        jt,
        jf,
        k,
    };
    let call = u32::try_from(call).expect("a number");
    let refused = libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call, 0, 1),
        statement(libc::BPF_RET | libc::BPF_K, refused, 0, 0),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers only, and binds this thread alone.
    let bound = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the program points to a filter of as many statements as it says; the kernel copies it.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    bound == 0 && set == 0
}

/// The lane of a job by io_uring on a new file.
fn lane() -> Result<Lane, Error> {
    let file = tempfile::NamedTempFile::new().expect("create");
    let cell = JobCell {
        engine: Engine::IoUring,
        direct: false,
        pattern: Pattern::Random,
        read_percent: 100,
        block: ByteSize::kib(4),
        depth: 2,
        size: ByteSize::kib(8),
        passes: Some(1),
        sync_every: 0,
        sync_data: false,
        sync_at_end: false,
    };
    Lane::open(&cell, file.path(), Author { run: 1, lane: 0 }, 1)
}

/// Runs the body on a thread where that call fails.
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn where_refused(call: c_long, errno: c_int, body: fn()) {
    let outcome = thread::spawn(move || match forbid(call, errno) {
        true => body(),
        false => eprintln!("skipped: this kernel takes no filter"),
    });
    outcome.join().expect("no panic");
}

#[test]
fn a_sandbox_that_forbids_io_uring_is_named() {
    where_refused(libc::SYS_io_uring_setup, libc::EPERM, || {
        let Err(error @ Error::NoUring(_)) = Ring::new(4) else {
            panic!("a ring in spite of the filter");
        };
        let text = error.to_string();
        assert!(text.starts_with("cannot use io_uring: Operation not permitted"), "{text}");
        assert!(text.contains("seccomp") && text.ends_with("allow it, or use pread"), "{text}");
        let file = tempfile::NamedTempFile::new().expect("create");
        UringFile::open(file.path()).expect_err("no ring, no source");
        assert!(matches!(lane(), Err(Error::NoUring(_))), "no ring, no lane");
    });
}

#[test]
fn a_machine_short_of_descriptors_or_memory_forbids_nothing() {
    where_refused(libc::SYS_io_uring_setup, libc::EMFILE, || {
        assert!(matches!(Ring::new(4), Err(Error::RingSetup(_))));
        let text = lane().expect_err("no descriptor").to_string();
        assert!(text.starts_with("failed to set up io_uring: Too many open files"), "{text}");
        assert!(text.contains("ulimit -n") && !text.contains("seccomp"), "{text}");
    });
    #[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
    if let Err(error) = Ring::new(4) {
        eprintln!("skipped the registering: {error}");
        return;
    }
    where_refused(libc::SYS_io_uring_register, libc::ENOMEM, || {
        let text = lane().expect_err("no memory").to_string();
        assert!(text.starts_with("failed to set up io_uring: Cannot allocate memory"), "{text}");
    });
}
