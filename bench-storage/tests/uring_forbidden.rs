//! Where a sandbox forbids io_uring, that is what the error says. A filter is set on one thread, as
//! a container's seccomp profile is on all of them.

#![expect(unsafe_code, reason = "no safe crate in the tree installs a seccomp filter")]

use std::thread;

use bench_storage::Error;
use bench_storage::source::{Ring, UringFile};

/// Makes `io_uring_setup` fail with `EPERM` on this thread, for good. `false` where the kernel
/// knows no filters.
fn forbid_io_uring() -> bool {
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).expect("a code"),
        jt,
        jf,
        k,
    };
    let call = u32::try_from(libc::SYS_io_uring_setup).expect("a number");
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
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

#[test]
fn a_sandbox_that_forbids_io_uring_is_named() {
    let outcome = thread::spawn(|| {
        if !forbid_io_uring() {
            return;
        }
        let Err(error @ Error::NoUring(_)) = Ring::new(4) else {
            panic!("a ring in spite of the filter");
        };
        let text = error.to_string();
        assert!(text.starts_with("cannot use io_uring: Operation not permitted"), "{text}");
        assert!(text.contains("seccomp") && text.ends_with("allow it, or use pread"), "{text}");
        let file = tempfile::NamedTempFile::new().expect("create");
        UringFile::open(file.path()).expect_err("no ring, no source");
    });
    outcome.join().expect("no panic");
}
