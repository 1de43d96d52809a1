//! Room: grpc.

pub mod blob;
pub mod profile;
