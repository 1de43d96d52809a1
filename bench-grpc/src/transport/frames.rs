//! Reads what one end of an HTTP/2 connection announces about itself, from the bytes that it
//! sends: a pure parser, fed as they come (RFC 9113, sections 3.4, 4.1, 6.5 and 6.9).
//!
//! Only the opening is read, which ends with the first frame of a call: later WINDOW_UPDATE frames
//! give back what was received and say nothing about the window's size.

use crate::effective::EndSettings;

/// What a client sends first.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An opening is a handful of frames. Whoever sends more has another idea of one.
const OPENING_FRAMES_MAX: usize = 64;
/// HTTP/2 allows no longer SETTINGS to an end that has not announced a larger frame.
const SETTINGS_BYTES_MAX: usize = 16 << 10;
/// So much of what is not HTTP/2 is kept to say what it was.
pub(crate) const EXCERPT_BYTES: usize = 48;

/// The call that ends an opening is one empty message. Some servers give these bytes back before
/// they answer, and nobody grows a window by so little.
const FIRST_CALL_BYTES: u32 = 5;

const HEADER_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;

/// What one end has said so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Not a whole SETTINGS frame yet.
    Silent,
    /// These settings. Window updates may still follow.
    Announced(EndSettings),
    /// These settings, and the first frame of a call after them.
    Complete(EndSettings),
    /// Not HTTP/2, or none that could be followed.
    Foreign,
}

/// Follows one direction of a connection.
#[derive(Debug)]
pub(crate) struct Parser {
    /// The client's preface is still to come.
    preface: bool,
    settings: Option<EndSettings>,
    frames: usize,
    /// Bytes of the unit that is being read: the preface, or header and payload of a frame.
    unit: Vec<u8>,
    /// Bytes of a frame that is of no interest, still to come.
    skip: usize,
    excerpt: Vec<u8>,
    opening: Opening,
}

impl Parser {
    /// Of what the client sends.
    pub(crate) fn client() -> Self {
        Self { preface: true, ..Self::server() }
    }

    /// Of what the server sends.
    pub(crate) fn server() -> Self {
        Self {
            preface: false,
            settings: None,
            frames: 0,
            unit: Vec::new(),
            skip: 0,
            excerpt: Vec::new(),
            opening: Opening::Silent,
        }
    }

    /// What has been said.
    pub(crate) fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The first bytes.
    pub(crate) fn excerpt(&self) -> &[u8] {
        &self.excerpt
    }

    /// Whether nothing more is to be learned.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.opening, Opening::Complete(_) | Opening::Foreign)
    }

    /// Reads on. How the bytes are cut makes no difference.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        let excerpt = bytes.len().min(EXCERPT_BYTES - self.excerpt.len());
        self.excerpt.extend_from_slice(&bytes[..excerpt]);
        while !self.is_done() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let wanted = self.unit_bytes() - self.unit.len();
            let taken = wanted.min(bytes.len());
            self.unit.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.skip > 0 || taken < wanted {
                return;
            }
            self.unit_read();
        }
    }

    /// How long the current unit is, as far as is known.
    fn unit_bytes(&self) -> usize {
        match self.unit.first_chunk::<HEADER_BYTES>() {
            _ if self.preface => PREFACE.len(),
            None => HEADER_BYTES,
            Some(header) => HEADER_BYTES + payload_bytes(header),
        }
    }

    fn unit_read(&mut self) {
        if self.preface {
            self.preface = false;
            if self.unit != PREFACE {
                self.opening = Opening::Foreign;
            }
            self.unit.clear();
            return;
        }
        let Some((header, payload)) = self.unit.split_first_chunk::<HEADER_BYTES>() else { return };
        if payload.len() < payload_bytes(header) {
            return self.header_read(*header);
        }
        let (header, unit) = (*header, std::mem::take(&mut self.unit));
        self.frame_read(header, &unit[HEADER_BYTES..]);
    }

    /// Decides by its header whether a frame with a payload is read, skipped or the end.
    fn header_read(&mut self, header: [u8; HEADER_BYTES]) {
        let (kind, length) = (header[3], payload_bytes(&header));
        let bound = match kind {
            SETTINGS => SETTINGS_BYTES_MAX,
            WINDOW_UPDATE => 4,
            _ => 0,
        };
        if self.settings.is_none() && (kind != SETTINGS || length > bound) {
            self.opening = Opening::Foreign;
        } else if kind == DATA || kind == HEADERS {
            self.complete();
        } else if length > bound {
            self.unit.clear();
            self.skip = length;
            self.count();
        }
    }

    fn frame_read(&mut self, header: [u8; HEADER_BYTES], payload: &[u8]) {
        let [_, _, _, kind, flags, stream @ ..] = header;
        match (kind, &mut self.settings) {
            (SETTINGS, settings) if flags & ACK == 0 && payload.len().is_multiple_of(6) => {
                apply(settings.get_or_insert(EndSettings::UNANNOUNCED), payload);
            }
            (_, None) => {
                self.opening = Opening::Foreign;
                return;
            }
            (DATA | HEADERS, Some(_)) => return self.complete(),
            (WINDOW_UPDATE, Some(settings)) if stream == [0; 4] => {
                if let Ok(grown) = payload.try_into().map(u32::from_be_bytes)
                    && grown > FIRST_CALL_BYTES
                {
                    let window = &mut settings.connection_window;
                    *window = window.saturating_add(grown);
                }
            }
            _ => {}
        }
        self.count();
        if let (Opening::Silent | Opening::Announced(_), Some(settings)) =
            (&self.opening, self.settings)
        {
            self.opening = Opening::Announced(settings);
        }
    }

    fn count(&mut self) {
        self.frames += 1;
        if self.frames > OPENING_FRAMES_MAX {
            self.complete();
        }
    }

    fn complete(&mut self) {
        self.opening = self.settings.map_or(Opening::Foreign, Opening::Complete);
    }
}

fn payload_bytes(header: &[u8; HEADER_BYTES]) -> usize {
    u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize
}

fn apply(settings: &mut EndSettings, payload: &[u8]) {
    for &[a, b, c, d, e, f] in payload.as_chunks::<6>().0 {
        let value = u32::from_be_bytes([c, d, e, f]);
        match u16::from_be_bytes([a, b]) {
            MAX_CONCURRENT_STREAMS => settings.max_concurrent_streams = Some(value),
            INITIAL_WINDOW_SIZE => settings.stream_window = value,
            MAX_FRAME_SIZE => settings.max_frame_size = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    }

    fn setting(number: u16, value: u32) -> Vec<u8> {
        [&number.to_be_bytes()[..], &value.to_be_bytes()].concat()
    }

    const SETTINGS_OF_THE_OPENING: EndSettings = EndSettings {
        stream_window: 4 << 20,
        connection_window: 65_535 + 1000,
        max_concurrent_streams: Some(100),
        max_frame_size: 1 << 20,
    };

    /// SETTINGS with a setting that nobody knows, an acknowledgement, a PING, a window that grows,
    /// what the first call sent given back, another stream's update, and a call.
    fn opening() -> Vec<u8> {
        let settings =
            [setting(3, 100), setting(4, 4 << 20), setting(5, 1 << 20), setting(99, 7)].concat();
        [
            frame(SETTINGS, 0, 0, &settings),
            frame(SETTINGS, ACK, 0, &[]),
            frame(6, 0, 0, &[0; 8]),
            frame(WINDOW_UPDATE, 0, 0, &1000_u32.to_be_bytes()),
            frame(WINDOW_UPDATE, 0, 0, &FIRST_CALL_BYTES.to_be_bytes()),
            frame(WINDOW_UPDATE, 0, 1, &5000_u32.to_be_bytes()),
            frame(HEADERS, 4, 1, &[0; 40]),
            frame(WINDOW_UPDATE, 0, 0, &9000_u32.to_be_bytes()),
        ]
        .concat()
    }

    #[test]
    fn the_opening_ends_with_the_first_call() {
        let mut server = Parser::server();
        assert_eq!(server.opening(), &Opening::Silent);
        server.feed(&opening());
        assert_eq!(server.opening(), &Opening::Complete(SETTINGS_OF_THE_OPENING));
        let mut client = Parser::client();
        client.feed(PREFACE);
        client.feed(&opening());
        assert_eq!(client.opening(), &Opening::Complete(SETTINGS_OF_THE_OPENING));
    }

    #[test]
    fn what_is_not_announced_is_as_the_standard_has_it() {
        let mut server = Parser::server();
        server.feed(&frame(SETTINGS, 0, 0, &[]));
        assert_eq!(server.opening(), &Opening::Announced(EndSettings::UNANNOUNCED));
    }

    #[test]
    fn what_does_not_open_with_settings_is_foreign_and_its_beginning_is_kept() {
        let answers: [&[u8]; 5] = [
            b"HTTP/1.1 400 Bad Request\r\n",
            &[0x15, 3, 1, 0, 2, 2, 70, 0, 0],
            b"SSH-2.0-OpenSSH_9.2",
            &frame(HEADERS, 4, 1, &[0; 4]),
            &frame(SETTINGS, ACK, 0, &[]),
        ];
        for answer in answers {
            let mut server = Parser::server();
            server.feed(answer);
            assert_eq!(server.opening(), &Opening::Foreign, "{answer:?}");
            assert_eq!(server.excerpt(), answer);
        }
        let mut client = Parser::client();
        client.feed(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.opening(), &Opening::Foreign);
    }

    #[test]
    fn an_opening_without_an_end_is_not_followed_for_ever() {
        let mut server = Parser::server();
        server.feed(&frame(SETTINGS, 0, 0, &[]));
        for _ in 0..=OPENING_FRAMES_MAX {
            server.feed(&frame(6, 0, 0, &[0; 8]));
        }
        assert!(server.is_done());
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(cuts in proptest::collection::vec(1_usize..30, 1..60)) {
            let bytes = opening();
            let mut parser = Parser::server();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                parser.feed(piece);
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(parser.opening(), &Opening::Complete(SETTINGS_OF_THE_OPENING));
        }

        #[test]
        fn no_bytes_make_the_parser_panic_or_keep_much(bytes in proptest::collection::vec(any::<u8>(), 0..400), preface: bool) {
            let mut parser = if preface { Parser::client() } else { Parser::server() };
            if preface {
                parser.feed(PREFACE);
            }
            parser.feed(&frame(SETTINGS, 0, 0, &[]));
            parser.feed(&bytes);
            prop_assert!(parser.unit.capacity() <= 2 * (SETTINGS_BYTES_MAX + HEADER_BYTES));
        }
    }
}
