//! A server that runs until it is told to end: what a command makes of [`Server`].

use std::io;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::error::Error;
use crate::serve::{Server, ServerConfig};
use crate::wire::Target;

/// What ends the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// SIGINT, as from Ctrl-C, or SIGTERM. For a server that a person or a supervisor starts.
    Interrupted,
    /// The end of standard input, which comes with the end of whoever holds the other side of it.
    /// For a server that a program starts. Signals end it too.
    InputCloses,
}

/// Serves until then, and for up to `drain` until its clients have gone. Prints nothing: `announce`
/// is given the address once it serves.
///
/// # Errors
/// Those of [`Server::start`], and [`Error::Shutdown`] when it had to cut clients off.
pub fn serve(
    config: ServerConfig,
    until: Until,
    drain: Duration,
    announce: impl FnOnce(&Target),
) -> Result<(), Error> {
    // Before it serves, so that whoever knows its address can end it.
    let mut end = Ending::prepare().map_err(Error::machine("listen to signals"))?;
    let server = Server::start(config)?;
    announce(server.address());
    end.wait(until).map_err(Error::machine("wait for the end"))?;
    server.shutdown(drain)
}

/// A socket that something is written into when it is time to end.
struct Ending {
    told: UnixStream,
    tell: UnixStream,
}

impl Ending {
    fn prepare() -> io::Result<Self> {
        let (told, tell) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            pipe::register(signal, tell.try_clone()?)?;
        }
        Ok(Self { told, tell })
    }

    fn wait(&mut self, until: Until) -> io::Result<()> {
        if until == Until::InputCloses {
            let tell = self.tell.try_clone()?;
            let watch = move || {
                // What is written there is of no interest, and an error is an end as well.
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                let _ = io::Write::write_all(&mut &tell, b"X");
            };
            std::thread::Builder::new().name("grpc-input".to_owned()).spawn(watch)?;
        }
        self.told.read_exact(&mut [0])
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::process::{Child, Command, Stdio};

    use bench_core::fixture::Payload;
    use bench_core::units::ByteSize;
    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::{Bind, DataPath, TransportProfile};

    const ROLE: &str = "WEIGHBRIDGE_TEST_STANDALONE";
    const MARK: &str = "serving at ";

    /// The child's end of the tests below. In the harness itself it does nothing.
    #[test]
    fn child() {
        let until = match env::var(ROLE).as_deref() {
            Ok("signal") => Until::Interrupted,
            Ok("input") => Until::InputCloses,
            _ => return,
        };
        let config = ServerConfig {
            profile: TransportProfile::DEFAULT,
            address: Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            path: DataPath::ProstBytes,
            payload: Payload::seeded(1, ByteSize::kib(1)),
            workers: 1,
            cpu: None,
            socket_buffer: None,
        };
        let announce = |address: &Target| {
            writeln!(io::stdout(), "\n{MARK}{address}").expect("standard output");
        };
        let ended = serve(config, until, Duration::from_millis(100), announce);
        std::process::exit(i32::from(ended.is_err()));
    }

    fn started(role: &str) -> (Child, SocketAddr) {
        let mut child = Command::new(env::current_exe().expect("executable"))
            .args(["--exact", "standalone::tests::child", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("spawn");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let address = output.lines().find_map(|line| {
            line.expect("text").strip_prefix(MARK).map(|address| address.parse().expect("address"))
        });
        (child, address.expect("announced"))
    }

    #[test]
    fn a_signal_ends_it() {
        for signal in [Signal::INT, Signal::TERM] {
            let (mut child, address) = started("signal");
            TcpStream::connect(address).expect("it serves");
            kill_process(Pid::from_child(&child), signal).expect("signal");
            assert_eq!(child.wait().expect("ended").code(), Some(0));
            assert!(TcpStream::connect(address).is_err());
        }
    }

    #[test]
    fn the_end_of_its_input_ends_it_even_with_a_client_left() {
        let (mut child, address) = started("input");
        TcpStream::connect(address).expect("it serves");
        drop(child.stdin.take());
        assert_eq!(child.wait().expect("ended").code(), Some(0));
        assert!(TcpStream::connect(address).is_err());

        let (mut child, address) = started("input");
        let mut left = TcpStream::connect(address).expect("it serves");
        // HTTP/2's preface and settings without any; with its own the server says that it has
        // accepted. Nobody answers its goodbye.
        left.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("sent");
        left.read_exact(&mut [0; 9]).expect("the head of its settings");
        drop(child.stdin.take());
        // It gives the client a tenth of a second and then says that it cut it off.
        assert_eq!(child.wait().expect("ended").code(), Some(1));
        assert!(TcpStream::connect(address).is_err());
    }
}
