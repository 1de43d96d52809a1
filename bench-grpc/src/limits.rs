//! How large content and messages may be.

use bench_core::units::ByteSize;
use bytes::Bytes;

use crate::client::Plan;
use crate::error::Error;

/// What the protobuf field header and gRPC's bookkeeping may add to a payload. A limit of exactly
/// the payload refuses it: a 4 MiB chunk is 4,194,309 bytes, tonic's default limit 4,194,304.
const MESSAGE_OVERHEAD_BYTES: usize = 64;
/// gRPC has 32 bits for the length of a message.
const PAYLOAD_MAX: ByteSize = ByteSize::new(u32::MAX as u64 - MESSAGE_OVERHEAD_BYTES as u64);

/// The largest message, either way, where this much content is moved.
pub(crate) fn message_limit(payload: ByteSize) -> usize {
    payload.len() + MESSAGE_OVERHEAD_BYTES
}

/// Whether gRPC can carry it.
pub(crate) fn check(what: &'static str, size: ByteSize) -> Result<(), Error> {
    if size.is_empty() || size > PAYLOAD_MAX {
        return Err(Error::Size { what, size, max: PAYLOAD_MAX });
    }
    Ok(())
}

/// How a client is to move this content. A chunk larger than the content is the content.
pub(crate) fn plan(content: Bytes, chunk: ByteSize) -> Result<Plan, Error> {
    let size = ByteSize::new(content.len() as u64);
    check("a payload", size)?;
    check("a chunk", chunk)?;
    Ok(Plan { content, chunk: chunk.min(size).len(), limit: message_limit(size) })
}
