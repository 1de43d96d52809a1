//! The service as generated from `proto/blob.proto`, payloads as `bytes::Bytes`.

#![expect(missing_docs, reason = "generated; the proto file documents it")]
#![allow(clippy::all, unreachable_pub, reason = "generated")]

tonic::include_proto!("weighbridge.blob.v1");
