//! What one connection gets through, once it is under way.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;

const CHUNK_BYTES: usize = 256 << 10;
/// Nothing comes for so long: an error and no hang.
const GIVE_UP: Duration = Duration::from_secs(30);

/// How long a transfer is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// After the first byte, before what counts: slow start.
    pub warm_up: Duration,
    /// What counts.
    pub duration: Duration,
}

/// What arrived while it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodput {
    /// Payload.
    pub bytes: u64,
    /// From the last arrival before what counts to the last in it.
    pub time: Duration,
}

impl Goodput {
    /// Payload bits a second.
    pub fn bits_per_second(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.time.as_secs_f64()
    }
}

/// Sends without a pause from one end of a connection to the other, and looks at what arrives. The
/// connection is of no use afterwards.
///
/// # Errors
/// What the connection failed with; that nothing came.
pub fn bulk(from: &TcpStream, to: &TcpStream, plan: Bulk) -> Result<Goodput, Error> {
    to.set_read_timeout(Some(GIVE_UP)).map_err(Error::io("set a time limit"))?;
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(from));
        let arrived = receive(to, plan);
        // Ends the sender also where it waits for room.
        let _gone = from.shutdown(Shutdown::Both);
        let sent = sending.join().map_err(|_| Error::Gone("sender"))?;
        let arrived = arrived.map_err(Error::Measured)?;
        sent.map_err(Error::Measured)?;
        Ok(arrived)
    })
}

fn send(mut from: &TcpStream) -> io::Result<()> {
    let chunk = vec![0x57; CHUNK_BYTES];
    loop {
        match from.write(&chunk) {
            Ok(_) => (),
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            // The receiver has seen enough.
            Err(error)
                if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

fn receive(mut to: &TcpStream, plan: Bulk) -> io::Result<Goodput> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut read = || -> io::Result<(u64, Instant)> {
        match to.read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            bytes => Ok((bytes as u64, Instant::now())),
        }
    };
    let (_, start) = read()?;
    let mut begin = start;
    while begin - start < plan.warm_up {
        begin = read()?.1;
    }
    let mut bytes = 0;
    loop {
        let (more, now) = read()?;
        bytes += more;
        if now - begin >= plan.duration {
            return Ok(Goodput { bytes, time: now - begin });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair() -> [TcpStream; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let client = TcpStream::connect(listener.local_addr().expect("port")).expect("connect");
        [client, listener.accept().expect("accept").0]
    }

    #[test]
    fn what_arrives_counts_from_the_end_of_the_warm_up() {
        let [client, server] = pair();
        let ms = Duration::from_millis;
        let plan = Bulk { warm_up: ms(5), duration: ms(20) };
        let found = bulk(&client, &server, plan).expect("loopback");
        assert!(found.bytes > 0 && found.time >= ms(20), "{found:?}");
        let exact = Goodput { bytes: 1_250_000, time: ms(10) };
        assert_eq!(exact.bits_per_second(), 1e9);
    }

    #[test]
    fn a_connection_that_is_closed_is_an_error_and_no_number() {
        let [client, server] = pair();
        client.shutdown(Shutdown::Both).expect("close");
        let plan = Bulk { warm_up: Duration::ZERO, duration: Duration::ZERO };
        let error = bulk(&client, &server, plan).expect_err("closed").to_string();
        assert!(error.starts_with("the connection failed while it was measured"), "{error}");
    }
}
