//! The blob service alone, for clients that somebody else runs: `cargo perf grpc-server`.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_grpc::{Bind, DataPath, Error, ServerConfig, TransportProfile, Until, serve};
use clap::Parser;

use crate::grpc_matrix::plan::SEED;

/// How long clients may take to go when the server is told to end.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves the content that the matrix moves, until Ctrl-C.
///
/// Measure it from another machine with `scenario_grpc --server HOST:PORT`. There is neither TLS nor
/// any check of who calls: leave it on loopback unless the network is yours. Exit codes: 0 told to
/// end, 1 it could not serve, 2 usage.
#[derive(Clone, Debug, Parser)]
#[command(name = "grpc-server", help_expected = true)]
pub struct Flags {
    /// Where to listen: host:port, port 0 for a free one, or unix:/path
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50051", value_parser = bind)]
    listen: Bind,
    /// The largest size that clients may ask for or write
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    size: ByteSize,
    /// Settings of the server's end: they govern Write
    #[arg(long, value_name = "PROFILE", default_value = "default")]
    profile: TransportProfile,
    /// How bytes go between the application and HTTP/2: vec, bytes or segments
    #[arg(long, value_name = "PATH", default_value = "segments")]
    path: DataPath,
    /// Threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
}

/// Serves as the flags say until it is told to end.
pub fn run(flags: Flags) -> ExitCode {
    let config = ServerConfig {
        profile: flags.profile,
        address: flags.listen,
        path: flags.path,
        payload: Payload::seeded(SEED, flags.size),
        workers: flags.workers.into(),
        cpu: None,
        socket_buffer: None,
    };
    let size = config.payload.size;
    let ended = serve(config, Until::Interrupted, DRAIN, |address| {
        let mut out = io::stdout().lock();
        // Whoever closed the pipe knows the address already.
        let _closed = writeln!(out, "serving up to {size} at {address}; Ctrl-C ends it")
            .and_then(|()| out.flush());
    });
    match ended {
        // Clients that were cut off have had their two seconds.
        Ok(()) | Err(Error::Shutdown { .. }) => ExitCode::SUCCESS,
        Err(error) => {
            let _unread = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bind(text: &str) -> Result<Bind, String> {
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Ok(Bind::Unix(PathBuf::from(path)));
    }
    let address: Option<SocketAddr> = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    address.map(Bind::Tcp).ok_or_else(|| "write host:port, or unix:/path".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags, String> {
        let words = std::iter::once("grpc-server").chain(line.split_whitespace());
        Flags::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_say_where_and_how() {
        let flags = parse("--listen localhost:0 --size 1MiB --workers 2 --path vec").expect("fine");
        assert!(matches!(flags.listen, Bind::Tcp(address) if address.ip().is_loopback()));
        let unix = parse("--listen unix:/run/x.sock").expect("fine");
        assert_eq!(unix.listen, Bind::Unix("/run/x.sock".into()));
        for (line, complaint) in [
            ("--listen nowhere", "write host:port"),
            ("--listen unix:", "write host:port"),
            ("--size 1MB", "'1MB' is not a size"),
            ("--workers 0", "0 is not in 1.."),
            ("--profile fast", "'fast' is not a transport profile"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(complaint), "{line}: {error}");
        }
    }
}
