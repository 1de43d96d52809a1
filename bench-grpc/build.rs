//! Compiles the proto without protoc: protox parses, tonic-prost-build generates.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/blob.proto");
    let descriptors = protox::compile(["blob.proto"], ["proto"])?;
    // `bytes::Bytes` payloads: prost then slices the received buffer instead of copying it.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
