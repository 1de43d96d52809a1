//! Compiles the proto without protoc: protox parses, tonic-prost-build generates. Twice, because
//! what a payload field is decides how often its bytes are copied.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/blob.proto");
    let descriptors = protox::compile(["blob.proto"], ["proto"])?;
    // `bytes::Bytes` payloads: prost then slices the received buffer instead of copying it.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors.clone())?;
    // `Vec<u8>` payloads, which is prost's default.
    let vec = PathBuf::from(std::env::var("OUT_DIR")?).join("vec");
    std::fs::create_dir_all(&vec)?;
    tonic_prost_build::configure().out_dir(vec).compile_fds(descriptors)?;
    // The calls of a blob cache, to measure one that is deployed.
    println!("cargo::rerun-if-changed=proto/blobcache.proto");
    let descriptors = protox::compile(["blobcache.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
