//! The register's messages as bytes: 41 each, so that a stream is cut without a length.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | kind: 1 query, 2 answer, 3 store, 4 held, 5 write, 6 written, 7 refused, 8 state, 9 hello |
//! | 1–8 | operation, 0 where there is none |
//! | 9–16, 17–24 | version, its first and its second number |
//! | 25–32 | value |
//! | 33–40 | when it was sent, in nanoseconds since the start of the run |
//!
//! All numbers are little-endian; what a kind has no use for is 0. The time is there because both
//! ends have one clock here: it is how a run knows what went over a link while that was cut.

use std::time::Duration;

use super::{Message, Stored, Version};

/// Of every message.
pub const FRAME_BYTES: usize = 41;

/// A message with the time at which it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What is said.
    pub message: Message,
    /// When, since the start of the run.
    pub at: Duration,
}

/// As bytes. A time beyond 584 years is cut.
pub fn encode(sent: Sent) -> [u8; FRAME_BYTES] {
    let none = Stored::default();
    let version = |version| Stored { version, value: 0 };
    let (kind, op, stored) = match sent.message {
        Message::Query { op } => (1, op, none),
        Message::Answer { op, stored } => (2, op, stored),
        Message::Store { op, stored } => (3, op, stored),
        Message::Held { op, version: held } => (4, op, version(held)),
        Message::Write { op, value } => (5, op, Stored { value, ..none }),
        Message::Written { op } => (6, op, none),
        Message::Refused { op } => (7, op, none),
        Message::State { stored } => (8, 0, stored),
        Message::Hello => (9, 0, none),
    };
    let mut frame = [0; FRAME_BYTES];
    frame[0] = kind;
    let Version(first, second) = stored.version;
    let numbers = [op, first, second, stored.value, sent.at.as_nanos() as u64];
    for (field, number) in frame[1..].chunks_exact_mut(8).zip(numbers) {
        field.copy_from_slice(&number.to_le_bytes());
    }
    frame
}

/// The message that these bytes are.
///
/// # Errors
/// The kind, where nobody knows it.
pub fn decode(frame: &[u8; FRAME_BYTES]) -> Result<Sent, u8> {
    let number = |index: usize| {
        let bytes = frame[1 + 8 * index..9 + 8 * index].try_into();
        u64::from_le_bytes(bytes.expect("eight bytes"))
    };
    let (op, value) = (number(0), number(3));
    let version = Version(number(1), number(2));
    let stored = Stored { version, value };
    let message = match frame[0] {
        1 => Message::Query { op },
        2 => Message::Answer { op, stored },
        3 => Message::Store { op, stored },
        4 => Message::Held { op, version },
        5 => Message::Write { op, value },
        6 => Message::Written { op },
        7 => Message::Refused { op },
        8 => Message::State { stored },
        9 => Message::Hello,
        kind => return Err(kind),
    };
    Ok(Sent { message, at: Duration::from_nanos(number(4)) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages(op: u64, stored: Stored) -> [Message; 9] {
        [
            Message::Query { op },
            Message::Answer { op, stored },
            Message::Store { op, stored },
            Message::Held { op, version: stored.version },
            Message::Write { op, value: stored.value },
            Message::Written { op },
            Message::Refused { op },
            Message::State { stored },
            Message::Hello,
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(op: u64, first: u64, second: u64, value: u64, ns: u64) {
            let stored = Stored { version: Version(first, second), value };
            for message in messages(op, stored) {
                let sent = Sent { message, at: Duration::from_nanos(ns) };
                prop_assert_eq!(decode(&encode(sent)), Ok(sent));
            }
        }

        #[test]
        fn bytes_are_a_message_or_of_an_unknown_kind(bytes in proptest::array::uniform32(any::<u8>()), kind: u8) {
            let mut frame = [0; FRAME_BYTES];
            frame[9..].copy_from_slice(&bytes);
            frame[0] = kind;
            prop_assert_eq!(decode(&frame).is_ok(), (1..=9).contains(&kind));
        }
    }
}
