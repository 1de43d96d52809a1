//! The incremental parser of a stream of `Chunk` messages: takes frames as they come, cut
//! anywhere, and yields the payload as slices of them.
//!
//! It knows one shape: a message is empty, or it is the field `bytes data = 1` and nothing else.
//! Protobuf would skip unknown fields; here they mean that somebody speaks another protocol.

use bytes::{Buf, Bytes};
use tonic::Status;

use super::{DATA_KEY, PREFIX_BYTES, over_limit};

/// Bytes of the longest varint of 64 bits.
const VARINT_BYTES_MAX: u8 = 10;

/// What comes next in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Payload, in order. A message has any number of them.
    Piece(Bytes),
    /// The message is complete.
    MessageEnd,
}

/// Why a stream is none of `Chunk` messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a message is flagged {flag}, where 0 is due: nobody asked for compression")]
    Flag { flag: u8 },
    #[error("a message of {length} bytes is over the limit of {limit} bytes")]
    OverLimit { length: u64, limit: usize },
    #[error(
        "a message begins with field {} of wire type {}, where the payload, field 1 of wire type 2, is due",
        key >> 3, key & 7
    )]
    Field { key: u64 },
    #[error("a number in a message has more than {VARINT_BYTES_MAX} bytes or 64 bits")]
    Varint,
    #[error(
        "a payload of {payload} bytes does not fill the {left} bytes that its message has left"
    )]
    Payload { payload: u64, left: u64 },
    #[error("a message ends inside its field header")]
    Header,
    #[error("the stream ends inside a message, {missing} bytes before its end at least")]
    Truncated { missing: u64 },
}

impl From<Malformed> for Status {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::OverLimit { length, limit } => over_limit(length, limit),
            Malformed::Truncated { .. } => Status::data_loss(malformed.to_string()),
            _ => Status::internal(format!("protocol error: {malformed}")),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Prefix { bytes: [u8; PREFIX_BYTES], have: usize },
    Key { varint: Varint, left: u64 },
    Length { varint: Varint, left: u64 },
    Payload { left: u64 },
}

const START: State = State::Prefix { bytes: [0; PREFIX_BYTES], have: 0 };

/// Where in the stream the parser is.
#[derive(Debug)]
pub(super) struct Parser {
    state: State,
    limit: usize,
}

impl Parser {
    /// At the start of a stream whose messages have up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { state: START, limit }
    }

    /// Consumes from `frame` up to the next event; `None` when the frame is used up.
    ///
    /// # Errors
    /// What is wrong with the stream. The parser is then of no more use.
    pub(super) fn next(&mut self, frame: &mut Bytes) -> Result<Option<Event>, Malformed> {
        loop {
            match self.state {
                State::Payload { left: 0 } => {
                    self.state = START;
                    return Ok(Some(Event::MessageEnd));
                }
                _ if frame.is_empty() => return Ok(None),
                State::Payload { left } => return Ok(Some(self.payload(frame, left))),
                _ => self.byte(frame.get_u8())?,
            }
        }
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] inside a message.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        let missing = match self.state {
            State::Prefix { have: 0, .. } => return Ok(()),
            State::Prefix { have, .. } => (PREFIX_BYTES - have) as u64,
            State::Key { left, .. } | State::Length { left, .. } | State::Payload { left } => left,
        };
        Err(Malformed::Truncated { missing })
    }

    fn payload(&mut self, frame: &mut Bytes, left: u64) -> Event {
        let here = frame.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.state = State::Payload { left: left - here as u64 };
        // Taken whole where possible: a handle on the empty rest would keep h2 from using the
        // frame's memory again.
        let whole = here == frame.len();
        Event::Piece(if whole { std::mem::take(frame) } else { frame.split_to(here) })
    }

    /// Takes a byte before the payload.
    fn byte(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match self.state {
            State::Prefix { mut bytes, have } => {
                bytes[have] = byte;
                if have + 1 < PREFIX_BYTES {
                    State::Prefix { bytes, have: have + 1 }
                } else {
                    match self.message_length(bytes)? {
                        // Protobuf leaves out a field with its default value.
                        0 => State::Payload { left: 0 },
                        left => State::Key { varint: Varint::default(), left },
                    }
                }
            }
            State::Key { mut varint, left } => {
                let key = varint.push(byte)?;
                let left = left - 1;
                match key {
                    // What is left is read in the next state, which needs at least a byte.
                    _ if left == 0 => return Err(Malformed::Header),
                    None => State::Key { varint, left },
                    Some(key) if key == u64::from(DATA_KEY) => {
                        State::Length { varint: Varint::default(), left }
                    }
                    Some(key) => return Err(Malformed::Field { key }),
                }
            }
            State::Length { mut varint, left } => {
                let length = varint.push(byte)?;
                let left = left - 1;
                match length {
                    Some(payload) if payload != left => {
                        return Err(Malformed::Payload { payload, left });
                    }
                    Some(_) => State::Payload { left },
                    None if left == 0 => return Err(Malformed::Header),
                    None => State::Length { varint, left },
                }
            }
            State::Payload { .. } => unreachable!("payload is taken in pieces"),
        };
        Ok(())
    }

    fn message_length(&self, [flag, length @ ..]: [u8; PREFIX_BYTES]) -> Result<u64, Malformed> {
        if flag != 0 {
            return Err(Malformed::Flag { flag });
        }
        let length = u32::from_be_bytes(length).into();
        if length > self.limit as u64 {
            return Err(Malformed::OverLimit { length, limit: self.limit });
        }
        Ok(length)
    }
}

/// A base-128 number of which some bytes may be still to come.
#[derive(Clone, Copy, Debug, Default)]
struct Varint {
    value: u64,
    bytes: u8,
}

impl Varint {
    /// Takes the next byte; the number, if it was its last.
    fn push(&mut self, byte: u8) -> Result<Option<u64>, Malformed> {
        let bits = u64::from(byte & 0x7F);
        let shift = 7 * u32::from(self.bytes);
        // The tenth byte has room for one bit.
        if self.bytes == VARINT_BYTES_MAX - 1 && byte > 1 {
            return Err(Malformed::Varint);
        }
        self.value |= bits << shift;
        self.bytes += 1;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
