//! The parser against streams cut anywhere, against prost's encoder, and against garbage.

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::blob::Chunk;

const LIMIT: usize = 1 << 20;

/// Frames in, payloads of whole messages out.
fn parse(frames: impl IntoIterator<Item = Bytes>) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut parser = Parser::new(LIMIT);
    let (mut messages, mut message) = (Vec::new(), Vec::new());
    for mut frame in frames {
        while let Some(event) = parser.next(&mut frame)? {
            match event {
                Event::Piece(piece) => {
                    assert!(!piece.is_empty(), "a piece has at least a byte");
                    message.extend_from_slice(&piece);
                }
                Event::MessageEnd => messages.push(std::mem::take(&mut message)),
            }
        }
        assert!(frame.is_empty(), "the frame is used up");
    }
    parser.finish()?;
    Ok(messages)
}

/// These payloads as prost encodes them.
fn encoded(payloads: &[Vec<u8>]) -> Bytes {
    let mut stream = BytesMut::new();
    for payload in payloads {
        let message = Chunk { data: payload.clone().into() };
        stream.put_u8(0);
        stream.put_u32(message.encoded_len() as u32);
        message.encode(&mut stream).expect("room");
    }
    stream.freeze()
}

/// The stream cut into frames of these lengths, the rest in a last one.
fn cut(mut stream: Bytes, lengths: &[usize]) -> Vec<Bytes> {
    let mut frames: Vec<Bytes> =
        lengths.iter().map(|&length| stream.split_to(length.min(stream.len()))).collect();
    frames.push(stream);
    frames
}

/// One message with this content.
fn message(content: &[u8]) -> Bytes {
    let mut stream = BytesMut::new();
    stream.put_u8(0);
    stream.put_u32(content.len() as u32);
    stream.put_slice(content);
    stream.freeze()
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    // 127 and 16,383 are the longest payloads with lengths of one and of two bytes.
    let length = prop_oneof![0_usize..4, 120..135_usize, 16_380..16_390_usize];
    prop::collection::vec(length.prop_map(|length| (0..length).map(|i| i as u8).collect()), 0..6)
}

proptest! {
    #[test]
    fn payloads_come_out_however_the_stream_is_cut(
        payloads in payloads(),
        lengths in prop::collection::vec(prop_oneof![0_usize..9, 1000..20_000_usize], 0..40),
    ) {
        prop_assert_eq!(parse(cut(encoded(&payloads), &lengths)), Ok(payloads));
    }

    #[test]
    fn garbage_is_an_error_or_messages_and_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        lengths in prop::collection::vec(0_usize..20, 0..20),
    ) {
        let whole = parse([bytes.clone().into()]);
        prop_assert_eq!(parse(cut(bytes.into(), &lengths)), whole);
    }

    #[test]
    fn nearly_right_garbage_too(
        payloads in payloads(), at: prop::sample::Index, byte: u8,
        lengths in prop::collection::vec(0_usize..300, 0..20),
    ) {
        let mut stream = encoded(&payloads).to_vec();
        if !stream.is_empty() {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let whole = parse([stream.clone().into()]);
        prop_assert_eq!(parse(cut(stream.into(), &lengths)), whole);
    }

    #[test]
    fn a_stream_cut_short_is_not_taken_for_a_whole_one(
        payloads in payloads(), at: prop::sample::Index,
    ) {
        let stream = encoded(&payloads);
        let end = at.index(stream.len() + 1);
        match parse([stream.slice(..end)]) {
            Ok(parsed) => prop_assert_eq!(parsed.as_slice(), &payloads[..parsed.len()]),
            Err(error) => {
                let truncated = matches!(error, Malformed::Truncated { .. });
                prop_assert!(truncated, "{}", error);
            }
        }
    }
}

#[test]
fn every_single_byte_may_be_a_frame() {
    let payloads = [vec![7; 300], vec![], vec![8; 1]];
    let stream = encoded(&payloads);
    let bytes = (0..stream.len()).map(|at| stream.slice(at..at + 1));
    assert_eq!(parse(bytes), Ok(payloads.to_vec()));
}

#[test]
fn a_whole_piece_leaves_no_handle_on_the_frame() {
    let mut parser = Parser::new(LIMIT);
    let stream = encoded(&[vec![1; 500]]);
    let mut head = stream.slice(..8);
    assert_eq!(parser.next(&mut head), Ok(None));
    let mut frame = Bytes::from(stream.slice(8..).to_vec());
    let Ok(Some(Event::Piece(piece))) = parser.next(&mut frame) else { panic!("a piece") };
    assert!(piece.is_unique(), "the frame would keep its memory from being used again");
}

#[test]
fn what_is_no_chunk_is_a_clear_error() {
    let fails = |stream: Bytes| parse([stream]).expect_err("malformed").to_string();
    let flagged = Bytes::from_static(&[1, 0, 0, 0, 0]);
    assert_eq!(
        fails(flagged),
        "a message is flagged 1, where 0 is due: nobody asked for compression"
    );
    let long = Bytes::from_static(&[0, 0, 16, 0, 1]);
    assert_eq!(fails(long), "a message of 1048577 bytes is over the limit of 1048576 bytes");
    assert_eq!(
        fails(message(&[0x12, 1, 0])),
        "a message begins with field 2 of wire type 2, where the payload, field 1 of wire type 2, is due"
    );
    assert!(fails(message(&[0x08, 1])).contains("field 1 of wire type 0, where"));
    assert_eq!(
        fails(message(&[0x0A, 2, 0])),
        "a payload of 2 bytes does not fill the 1 bytes that its message has left"
    );
    assert!(fails(message(&[0x0A, 1, 0, 0x0A, 0])).starts_with("a payload of 1 bytes does not"));
    assert_eq!(fails(message(&[0x0A])), "a message ends inside its field header");
    assert_eq!(fails(message(&[0x0A, 0x80])), "a message ends inside its field header");
    assert!(fails(message(&[0xFF; 20])).starts_with("a number in a message has more than 10"));
    assert_eq!(
        fails(encoded(&[vec![0; 100]]).slice(..50)),
        "the stream ends inside a message, 57 bytes before its end at least"
    );
}

#[test]
fn numbers_with_more_bytes_than_they_need_are_numbers() {
    assert_eq!(parse([message(&[0x8A, 0x00, 0x81, 0x00, 9])]), Ok(vec![vec![9]]));
    assert_eq!(parse([message(&[0x0A, 0x00])]), Ok(vec![vec![]]));
}

#[test]
fn statuses_are_those_of_tonics_codecs() {
    use tonic::Code;
    let code = |malformed: Malformed| Status::from(malformed).code();
    assert_eq!(code(Malformed::OverLimit { length: 2, limit: 1 }), Code::OutOfRange);
    assert_eq!(code(Malformed::Flag { flag: 1 }), Code::Internal);
    assert_eq!(code(Malformed::Truncated { missing: 1 }), Code::DataLoss);
}
