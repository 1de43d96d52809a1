//! Hands on the compiler flags that Cargo has resolved, from variables and configuration files
//! alike, to `measure::environment`: only build scripts are told.

#![expect(clippy::print_stdout, reason = "it is how a build script speaks to Cargo")]

fn main() {
    // Separated by the unit separator, since a flag may hold spaces.
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=WEIGHBRIDGE_RUSTFLAGS={}", flags.replace('\u{1f}', " "));
}
