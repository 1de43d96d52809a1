//! The cache's calls as generated from `proto/blobcache.proto`, content as `bytes::Bytes`.

#![expect(missing_docs, reason = "generated; the proto file documents it")]
#![expect(clippy::allow_attributes_without_reason, reason = "generated")]

tonic::include_proto!("blobcache");
