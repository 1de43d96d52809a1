//! How instructions are counted: what every count bench and everyone who reads counts agree on.

/// Pins the string functions that glibc chooses by CPU: without this, copying 1 MiB counts
/// 1,049,011 instructions on one machine (`rep movsb`, one a byte) and 98,784 on another.
pub const GLIBC_TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM:\
     glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";
