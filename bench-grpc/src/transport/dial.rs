//! The client's connection: dialled again until the server is there, and only called a connection
//! once a gRPC call was answered on it. What answers otherwise is named.

use std::fmt;
use std::future::ready;
use std::io;
use std::time::{Duration, Instant};

use bench_core::units::ByteSize;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::frames::{EXCERPT_BYTES, Opening};
use super::observe::Observed;
use super::socket::{Socket, SocketFacts};
use crate::effective::Effective;
use crate::error::Error;
use crate::profile::{self, TransportProfile};
use crate::wire::Target;

const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// A server that accepted gets at least so long to say something.
const ANSWER_MIN: Duration = Duration::from_secs(1);

/// A connection on which a call was answered.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    pub(crate) facts: SocketFacts,
    pub(crate) effective: Effective,
}

/// Whom to call and how.
#[derive(Debug)]
pub(crate) struct Dial<'a> {
    pub(crate) target: &'a Target,
    pub(crate) profile: &'a TransportProfile,
    pub(crate) buffer: Option<ByteSize>,
    /// How long to try.
    pub(crate) within: Duration,
}

/// What listens where a gRPC server should, by what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoke {
    /// Its first line.
    Http1(String),
    /// An alert or a handshake record: it wants TLS.
    Tls,
    /// HTTP/2, but a call was not answered; the status that the client made of it.
    Http2(String),
    /// Its first bytes, which are nothing known.
    Unknown(Vec<u8>),
    /// Nothing in this time, although it accepted the connection.
    Nothing(Duration),
}

impl Spoke {
    fn from_excerpt(excerpt: &[u8]) -> Self {
        match excerpt {
            // Content types alert and handshake, major version 3 (RFC 8446, section 5.1).
            [0x15 | 0x16, 3, ..] => Self::Tls,
            // Some answer what they take for HTTP/0.9, with a page and no status line.
            _ if [&b"HTTP/1"[..], b"<!DOCTYPE", b"<html"]
                .iter()
                .any(|it| excerpt.starts_with(it)) =>
            {
                let line = excerpt.split(|byte| b"\r\n".contains(byte)).next().unwrap_or(excerpt);
                Self::Http1(String::from_utf8_lossy(line).into_owned())
            }
            _ => Self::Unknown(excerpt[..excerpt.len().min(16)].to_vec()),
        }
    }
}

impl fmt::Display for Spoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http1(line) => write!(f, "it speaks HTTP/1 ('{line}')"),
            Self::Tls => f.write_str("it speaks TLS, and calls are made in plain text only"),
            Self::Http2(status) => write!(f, "it speaks HTTP/2 but answered no call ({status})"),
            Self::Unknown(bytes) => write!(f, "it began with '{}'", bytes.escape_ascii()),
            Self::Nothing(within) => write!(f, "it accepted and said nothing within {within:?}"),
        }
    }
}

/// Why one attempt did not lead to a connection.
enum Refusal {
    /// Not there, or not yet.
    Absent(io::Error),
    /// There, but it let go without a word.
    Mute,
    /// Something else is there.
    Foreign(Spoke),
    /// It cannot be tried at all.
    Fault(Error),
}

/// Connects, again and again with pauses that double, until a call is answered. A lost connection
/// is an error later, and never replaced in silence.
pub(crate) async fn dial(dial: &Dial<'_>) -> Result<Connection, Error> {
    let begun = Instant::now();
    let mut pause = PAUSE_FIRST;
    for attempts in 1.. {
        let left = dial.within.saturating_sub(begun.elapsed());
        let target = dial.target.clone();
        let source = match attempt(dial, left.max(ANSWER_MIN)).await {
            Ok(connection) => return Ok(connection),
            Err(Refusal::Foreign(spoke)) => return Err(Error::Foreign { target, spoke }),
            Err(Refusal::Fault(error)) => return Err(error),
            Err(Refusal::Absent(source)) => source,
            Err(Refusal::Mute) => match what_else(dial.target).await {
                Some(spoke) => return Err(Error::Foreign { target, spoke }),
                None => io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it accepted the connection and closed it without a word",
                ),
            },
        };
        if begun.elapsed() + pause > dial.within {
            let within = dial.within;
            return Err(Error::Unreachable { target, attempts, within, source });
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
    unreachable!("the loop returns")
}

async fn attempt(dial: &Dial<'_>, bound: Duration) -> Result<Connection, Refusal> {
    let socket = timeout(bound, connect(dial.target, dial.buffer)).await;
    let socket = socket.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let socket = socket.map_err(Refusal::Absent)?;
    let facts = socket.configure(dial.profile.nodelay).map_err(Refusal::Absent)?;
    let (stream, observed) = Observed::stream(socket);
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let lost = || io::Error::other("the connection was lost");
        ready(stream.take().ok_or_else(lost))
    });
    let endpoint = Endpoint::from_shared(format!("http://{}", dial.target.authority()))
        .map_err(|error| Refusal::Fault(error.into()))?;
    let channel = profile::endpoint(dial.profile, endpoint).connect_with_connector(connector).await;
    let outcome = match channel {
        Ok(channel) => timeout(bound, probe(&channel)).await.map(|answer| (channel, answer)),
        Err(error) => return Err(refusal(&observed, &error.to_string())),
    };
    match (outcome, observed.effective()) {
        // Any status will do: it is an answer, and the openings of both ends are complete.
        (Ok((channel, _)), Some(effective)) => Ok(Connection { channel, facts, effective }),
        (Ok((_, answer)), None) => {
            let status = answer.map_or_else(|status| status.to_string(), |()| "OK".to_owned());
            Err(refusal(&observed, &status))
        }
        (Err(_), _) => Err(match refusal(&observed, "no answer in time") {
            Refusal::Mute => Refusal::Foreign(Spoke::Nothing(bound)),
            other => other,
        }),
    }
}

async fn connect(target: &Target, buffer: Option<ByteSize>) -> io::Result<Socket> {
    match target {
        Target::Tcp(address) => Socket::tcp(*address, buffer).await,
        Target::Unix(path) => Socket::unix(path, buffer).await,
        Target::Host(host) => {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in tokio::net::lookup_host(host).await? {
                match Socket::tcp(address, buffer).await {
                    Ok(socket) => return Ok(socket),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

/// The shortest beginning of TLS: a record with a ClientHello of one byte (RFC 8446, section 5.1).
const HELLO: [u8; 10] = [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0];

/// The shortest question in HTTP/1.
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What a server speaks that closed the connection without a word, by asking in what it may speak.
/// Common ones, OpenSSL's among them, send no alert when a connection begins in plain text; others
/// reset it, and their answer is lost.
async fn what_else(target: &Target) -> Option<Spoke> {
    for question in [&HELLO, GET] {
        let mut answer = [0; EXCERPT_BYTES];
        let ask = async {
            let mut socket = connect(target, None).await?;
            socket.write_all(question).await?;
            socket.read(&mut answer).await
        };
        let Ok(Ok(length)) = timeout(ANSWER_MIN, ask).await else { continue };
        let spoke = Spoke::from_excerpt(&answer[..length]);
        if let Spoke::Tls | Spoke::Http1(_) = spoke {
            return Some(spoke);
        }
    }
    None
}

/// What every gRPC server answers: the standard health check, which most say they do not have.
async fn probe(channel: &Channel) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    grpc.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await.map(drop)
}

/// What a connection that came to nothing was about, by what the server said on it.
fn refusal(observed: &Observed, status: &str) -> Refusal {
    match observed.server() {
        (Opening::Announced(_) | Opening::Complete(_), _) => {
            Refusal::Foreign(Spoke::Http2(status.to_owned()))
        }
        (Opening::Silent | Opening::Foreign, excerpt) if excerpt.is_empty() => Refusal::Mute,
        (Opening::Silent | Opening::Foreign, excerpt) => {
            Refusal::Foreign(Spoke::from_excerpt(&excerpt))
        }
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
