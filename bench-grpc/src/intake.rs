//! What the receiving end does with content as it comes: the server's end for Write, the client's
//! for Read and Stream, on every data path.

use bench_core::fixture::Mismatch;
use bytes::Bytes;

/// What the receiving end does with content.
///
/// Content that is kept needs memory of its own, and fresh memory costs page faults: 65,536 for
/// 256 MiB. Where the transport is the question, measure with [`Discard`](Self::Discard), and make
/// a call with [`Verify`](Self::Verify) before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sink {
    /// Keeps every piece, to be verified when the call is over. What servers do that are not told;
    /// they end a Write that is longer than their content.
    Keep,
    /// Counts bytes and messages and drops the pieces as they come.
    Discard,
    /// Compares each piece with the content as it comes, and drops it: needs no memory, takes time.
    Verify,
}

impl Sink {
    /// The request metadata with which a client tells the server's end of a Write what to do.
    /// Servers of other makes ignore it.
    pub(crate) const METADATA: &str = "weighbridge-sink";

    /// What [`METADATA`](Self::METADATA) says; `None` where it need not be sent.
    pub(crate) fn told(self) -> Option<&'static str> {
        match self {
            Self::Keep => None,
            Self::Discard => Some("discard"),
            Self::Verify => Some("verify"),
        }
    }

    /// The sink that a request asks for.
    pub(crate) fn asked(metadata: Option<&[u8]>) -> Self {
        let asked = |sink: &Self| sink.told().map(str::as_bytes) == metadata;
        [Self::Discard, Self::Verify].into_iter().find(asked).unwrap_or(Self::Keep)
    }
}

/// The content of one call so far.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) sink: Sink,
    pub(crate) pieces: Vec<Bytes>,
    /// Bytes, however they were cut.
    pub(crate) length: u64,
    pub(crate) messages: u64,
    /// Where the call's content begins in `content`.
    offset: u64,
    content: Bytes,
}

impl Intake {
    /// For a call whose content should be that of `content` from `offset` on.
    pub(crate) fn new(sink: Sink, content: &Bytes, offset: u64) -> Self {
        let content = content.clone();
        Self { sink, pieces: Vec::new(), length: 0, messages: 0, offset, content }
    }

    /// What a server of ours has kept of a Write: messages, as the prost paths deliver them.
    pub(crate) fn kept(pieces: Vec<Bytes>) -> Self {
        let messages = pieces.len() as u64;
        let mut intake = Self::new(Sink::Keep, &Bytes::new(), 0);
        intake.length = pieces.iter().map(|piece| piece.len() as u64).sum();
        (intake.pieces, intake.messages) = (pieces, messages);
        intake
    }

    /// Bytes of the content that the call's should be.
    pub(crate) fn size(&self) -> u64 {
        self.content.len() as u64
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Sink::Verify`] only: they are not what should come here.
    pub(crate) fn piece(&mut self, piece: Bytes) -> Result<(), Mismatch> {
        let offset = self.offset + self.length;
        self.length += piece.len() as u64;
        match self.sink {
            // Any number of empty ones is no content, and would need memory without end.
            Sink::Keep if piece.is_empty() => {}
            Sink::Keep => self.pieces.push(piece),
            Sink::Discard => {}
            Sink::Verify => compare(&self.content, offset, &piece)?,
        }
        Ok(())
    }

    /// Takes a whole message at once.
    ///
    /// # Errors
    /// Those of [`piece`](Self::piece).
    pub(crate) fn message(&mut self, data: Bytes) -> Result<(), Mismatch> {
        self.messages += 1;
        self.piece(data)
    }
}

/// Whether `piece` is what `content` has from `offset` on.
///
/// # Errors
/// The first byte that is not, or that there are more.
pub(crate) fn compare(content: &[u8], offset: u64, piece: &[u8]) -> Result<(), Mismatch> {
    let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..));
    let rest = rest.unwrap_or_default();
    let Some(expected) = rest.get(..piece.len()) else {
        let (expected, found) = (rest.len() as u64, piece.len() as u64);
        return Err(Mismatch::Length { offset, expected, found });
    };
    if expected == piece {
        return Ok(());
    }
    let differs = expected.iter().zip(piece).position(|(a, b)| a != b).expect("they differ");
    let (expected, found) = (expected[differs], piece[differs]);
    Err(Mismatch::Byte { offset: offset + differs as u64, expected, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: Bytes = Bytes::from_static(b"0123456789");

    #[test]
    fn only_verify_looks_and_only_keep_keeps() {
        for (sink, kept) in [(Sink::Keep, 1), (Sink::Discard, 0), (Sink::Verify, 0)] {
            let mut intake = Intake::new(sink, &CONTENT, 2);
            intake.message(Bytes::from_static(b"234")).expect("right");
            assert_eq!((intake.pieces.len(), intake.length, intake.messages), (kept, 3, 1));
            let wrong = intake.piece(Bytes::from_static(b"56x8"));
            let byte = Mismatch::Byte { offset: 7, expected: b'7', found: b'x' };
            assert_eq!(wrong, if sink == Sink::Verify { Err(byte) } else { Ok(()) });
        }
    }

    #[test]
    fn empty_pieces_are_counted_as_messages_and_not_kept() {
        let mut intake = Intake::new(Sink::Keep, &CONTENT, 0);
        for _ in 0..3 {
            intake.message(Bytes::new()).expect("right");
        }
        assert_eq!((intake.pieces.len(), intake.length, intake.messages), (0, 0, 3));
    }

    #[test]
    fn more_than_the_content_is_an_error_of_verify() {
        let mut intake = Intake::new(Sink::Verify, &CONTENT, 8);
        let error = intake.piece(Bytes::from_static(b"89a")).expect_err("one too many");
        assert_eq!(error, Mismatch::Length { offset: 8, expected: 2, found: 3 });
        let mut beyond = Intake::new(Sink::Verify, &CONTENT, 11);
        assert!(beyond.piece(Bytes::from_static(b"a")).is_err());
    }

    #[test]
    fn a_server_does_what_it_is_told_and_keeps_when_it_is_not() {
        for sink in [Sink::Keep, Sink::Discard, Sink::Verify] {
            assert_eq!(Sink::asked(sink.told().map(str::as_bytes)), sink);
        }
        assert_eq!(Sink::asked(Some(b"burn")), Sink::Keep);
    }
}
