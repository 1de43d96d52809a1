//! The service as generated from `proto/blob.proto`, payloads as `bytes::Bytes`.

#![expect(missing_docs, reason = "generated; the proto file documents it")]
#![expect(clippy::allow_attributes_without_reason, reason = "generated")]

tonic::include_proto!("weighbridge.blob.v1");

/// The same messages with payloads as `Vec<u8>`: what tonic generates when nobody asks for more.
pub mod vec {
    include!(concat!(env!("OUT_DIR"), "/vec/weighbridge.blob.v1.rs"));
}
