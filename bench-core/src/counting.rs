//! How instructions are counted: what every count bench and everyone who reads counts agree on.

/// Pins the string functions that glibc chooses by CPU: without this, copying 1 MiB counts
/// 1,049,011 instructions on one machine (`rep movsb`, one a byte) and 98,784 on another.
pub const GLIBC_TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM:\
     glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";

/// How many turns of a known cost every counted operation takes besides, where the benches were built
/// with `canary-each`; as many digits in every run, because the length of the environment moves counts.
pub const EXTRA_TURNS_VARIABLE: &str = "WEIGHBRIDGE_EXTRA_TURNS";

/// Instructions of one such turn. A build in which that is not so shows it in the counts.
pub const INSTRUCTIONS_PER_TURN: u64 = 4;
