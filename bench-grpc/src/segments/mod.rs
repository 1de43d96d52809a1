//! Hand-framed gRPC bodies over tonic's stock server and channel: the data path that copies no
//! payload and puts no message together.
//!
//! tonic's codecs copy a payload into a send buffer, and received frames into one buffer per
//! message; that is what makes large messages slow. Below the codecs tonic carries any
//! `http_body::Body`, so here a sender emits the dozen bytes before a payload and then the payload
//! itself ([`outgoing`]), and a receiver takes payloads as the pieces in which the frames bring
//! them ([`incoming`], [`parser`]). What is on the wire is the same, byte for byte of the gRPC
//! stream; only how it is cut into DATA frames may differ, which HTTP/2 leaves to the sender.
//!
//! Not done here: compression, messages with other fields than the payload, and all that tonic's
//! codecs do for messages of other shapes.

pub(crate) mod client;
mod incoming;
mod outgoing;
mod parser;
pub(crate) mod server;
#[cfg(test)]
mod wire_tests;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use tonic::Status;

// The methods of the service.
const WRITE: &str = "/weighbridge.blob.v1.Blob/Write";
const READ: &str = "/weighbridge.blob.v1.Blob/Read";
const STREAM: &str = "/weighbridge.blob.v1.Blob/Stream";

/// Flag and length, before every gRPC message.
const PREFIX_BYTES: usize = 5;
/// Protobuf's key of `bytes data = 1`: field 1, length-delimited.
const DATA_KEY: u8 = 0x0A;
/// A payload's prefix, key and length; the last has at most five bytes.
const HEAD_BYTES_MAX: usize = PREFIX_BYTES + 1 + 5;
/// Payloads up to here are copied behind their heads, so that a small message is not two frames;
/// and messages are put together up to here, so that small ones are not a frame each. tonic's
/// codecs yield a frame when they have as much.
const COALESCE_BYTES: usize = 32 << 10;
/// A request or a reply that is no payload is a few numbers.
const NUMBERS_BYTES_MAX: usize = 1 << 10;

/// The bytes of a message around `payload` bytes of content.
pub(crate) fn message_bytes(payload: usize) -> usize {
    if payload == 0 { 0 } else { 1 + prost::encoding::encoded_len_varint(payload as u64) + payload }
}

/// What goes before a payload.
///
/// # Errors
/// `OutOfRange` with both numbers, when the message is over the limit.
fn put_head(payload: usize, limit: usize, out: &mut BytesMut) -> Result<(), Status> {
    let message = message_bytes(payload);
    let length = u32::try_from(message).ok().filter(|_| message <= limit);
    let length = length.ok_or_else(|| over_limit(message as u64, limit))?;
    out.put_u8(0);
    out.put_u32(length);
    // Protobuf leaves out a field with its default value.
    if payload > 0 {
        out.put_u8(DATA_KEY);
        prost::encoding::encode_varint(payload as u64, out);
    }
    Ok(())
}

/// A message of numbers with its prefix.
fn framed(message: &impl Message) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX_BYTES + message.encoded_len());
    out.put_u8(0);
    out.put_u32(message.encoded_len() as u32);
    message.encode(&mut out).expect("a BytesMut grows");
    out.freeze()
}

pub(crate) fn over_limit(message: u64, limit: usize) -> Status {
    Status::out_of_range(format!("a message of {message} bytes is over the limit of {limit} bytes"))
}
