//! Requests to the kernel's routing netlink (rtnetlink(7)): interfaces and queueing disciplines, in
//! the calling thread's namespace. Numbers are the kernel's `uapi`, in the byte order of the machine.

use std::io;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

pub(crate) const NEW_LINK: u16 = 16;
pub(crate) const NEW_QDISC: u16 = 36;

const HEADER_BYTES: usize = 16;
/// REQUEST, ACK, EXCL, CREATE: make it, unless it is there, and say whether that went well.
const MAKE: u16 = 0x1 | 0x4 | 0x200 | 0x400;
const ERROR: u16 = 2;

/// A request under construction.
#[derive(Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A request to make what the fixed part names: `struct ifinfomsg` or `struct tcmsg`.
    pub(crate) fn make(kind: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(MAKE.to_ne_bytes());
        // Sequence and sender: there is one request a socket.
        bytes.extend([0; 8]);
        bytes.extend(fixed);
        Self { bytes }
    }

    /// Adds an attribute.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        attribute(&mut self.bytes, kind, value);
        self
    }

    /// The bytes as the kernel reads them.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }

    /// Asks the kernel.
    ///
    /// # Errors
    /// What it answers.
    pub(crate) fn ask(self) -> io::Result<()> {
        // No protocol is that of routes.
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        rustix::io::write(&socket, &self.into_bytes())?;
        let mut answer = [0; 4096];
        let bytes = rustix::io::read(&socket, &mut answer)?;
        answered(&answer[..bytes])
    }
}

/// Appends an attribute: length, kind, value, and what is missing to a multiple of four.
pub(crate) fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Attributes as the value of the one that they are in.
pub(crate) fn nested(attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut value = Vec::new();
    for (kind, inner) in attributes {
        attribute(&mut value, *kind, inner);
    }
    value
}

/// A text as the kernel keeps it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// What an answer says: a negative error number, or 0.
fn answered(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    let code = answer.get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|code| code.try_into().ok());
    match (kind, code.map(i32::from_ne_bytes)) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(code)) => Err(io::Error::from_raw_os_error(-code)),
        _ => Err(io::Error::other("netlink did not say whether it was done")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_laid_out_as_the_kernel_reads_it() {
        let bytes = Request::make(NEW_LINK, &[9; 16]).with(3, &text("ab")).into_bytes();
        let mut expected = 40_u32.to_ne_bytes().to_vec();
        expected.extend(16_u16.to_ne_bytes());
        expected.extend(0x605_u16.to_ne_bytes());
        expected.extend([0; 8]);
        expected.extend([9; 16]);
        expected.extend(7_u16.to_ne_bytes());
        expected.extend(3_u16.to_ne_bytes());
        expected.extend(*b"ab\0\0");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn attributes_nest_and_are_padded() {
        let numbers = |n: &[u16]| n.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<_>>();
        let expected = [numbers(&[5, 1]), vec![1, 0, 0, 0], numbers(&[8, 2]), vec![2; 4]].concat();
        assert_eq!(nested(&[(1, vec![1]), (2, vec![2; 4])]), expected);
    }

    #[test]
    fn a_refusal_and_an_answer_that_is_none_are_errors() {
        let answer = |kind: u16, code: i32| {
            let mut answer = vec![0; 20];
            answer[4..6].copy_from_slice(&kind.to_ne_bytes());
            answer[16..].copy_from_slice(&code.to_ne_bytes());
            answer
        };
        answered(&answer(ERROR, 0)).expect("done");
        let refused = answered(&answer(ERROR, -2)).expect_err("refused");
        assert_eq!(refused.raw_os_error(), Some(2));
        for odd in [answer(3, 0), Vec::new(), vec![0; 18]] {
            answered(&odd).expect_err("no answer");
        }
    }
}
