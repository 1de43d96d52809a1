//! The kernel's table of TCP sockets, for tests that look at what connections leave behind.

use std::collections::HashSet;
use std::fs;

/// States, from the kernel's `tcp_states.h`.
pub(crate) const TIME_WAIT: u8 = 0x06;
const LISTEN: u8 = 0x0A;

/// The addresses of both ends, as the kernel writes them.
pub(crate) type Ends = (String, String);

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) ends: Ends,
    pub(crate) state: u8,
}

impl Socket {
    pub(crate) fn has_port(&self, port: u16) -> bool {
        let port = format!(":{port:04X}");
        self.ends.0.ends_with(&port) || self.ends.1.ends_with(&port)
    }
}

/// Every end of a connection over IPv4, of whatever program, and without those that listen.
fn sockets() -> Vec<Socket> {
    let table = fs::read_to_string("/proc/net/tcp").expect("read the socket table");
    let sockets = table.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let state = u8::from_str_radix(fields[3], 16).expect("a state");
        Socket { ends: (fields[1].to_owned(), fields[2].to_owned()), state }
    });
    sockets.filter(|socket| socket.state != LISTEN).collect()
}

/// What is there before a test: whoever had its port before may have left sockets, in any state.
pub(crate) fn known() -> HashSet<Ends> {
    sockets().into_iter().map(|socket| socket.ends).collect()
}

/// What was left on this port since.
pub(crate) fn left_by(port: u16, known: &HashSet<Ends>) -> Vec<Socket> {
    let mut left = sockets();
    left.retain(|socket| socket.has_port(port) && !known.contains(&socket.ends));
    left
}
