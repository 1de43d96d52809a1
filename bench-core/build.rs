//! Hands on the compiler flags that Cargo has resolved, from variables and configuration files
//! alike, to `measure::environment`: only build scripts are told.

fn main() {
    // Separated by the unit separator, since a flag may hold spaces.
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=WEIGHBRIDGE_RUSTFLAGS={}", flags.replace('\u{1f}', " "));
}
