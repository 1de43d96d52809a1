//! The service as generated from `proto/blob.proto`, payloads as `bytes::Bytes`.

#![expect(missing_docs, reason = "generated; the proto file documents it")]
#![expect(clippy::allow_attributes_without_reason, reason = "generated")]

tonic::include_proto!("weighbridge.blob.v1");
