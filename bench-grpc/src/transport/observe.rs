//! A client's stream that reads along until both ends have announced their settings, and then
//! steps aside: what is left of it is one branch for each call of the operating system.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Opening, Parser};
use crate::effective::Effective;

/// What was learned about a connection; shared with the stream that learns it.
#[derive(Clone, Debug)]
pub(crate) struct Observed(Arc<Mutex<Ends>>);

#[derive(Debug)]
struct Ends {
    client: Parser,
    server: Parser,
}

impl Observed {
    /// The stream to connect with, and what it learns.
    pub(crate) fn stream<S>(stream: S) -> (Observer<S>, Self) {
        let ends = Ends { client: Parser::client(), server: Parser::server() };
        let observed = Self(Arc::new(Mutex::new(ends)));
        let (sent, received) = (Some(observed.clone()), Some(observed.clone()));
        (Observer { stream, sent, received }, observed)
    }

    /// What both ends announced; `None` until a call was answered.
    pub(crate) fn effective(&self) -> Option<Effective> {
        let ends = self.ends();
        match (ends.client.opening(), ends.server.opening()) {
            (&Opening::Complete(client), &Opening::Complete(server)) => {
                Some(Effective { client, server })
            }
            _ => None,
        }
    }

    /// What the server has said, and its first bytes.
    pub(crate) fn server(&self) -> (Opening, Vec<u8>) {
        let ends = self.ends();
        (ends.server.opening().clone(), ends.server.excerpt().to_vec())
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream. Vectored writes stay vectored: without them h2 copies every payload.
#[derive(Debug)]
pub(crate) struct Observer<S> {
    stream: S,
    /// `None` when there is nothing more to learn.
    sent: Option<Observed>,
    received: Option<Observed>,
}

fn feed(slot: &mut Option<Observed>, end: fn(&mut Ends) -> &mut Parser, bytes: &[u8]) {
    let Some(observed) = slot else { return };
    let done = {
        let mut ends = observed.ends();
        let parser = end(&mut ends);
        parser.feed(bytes);
        parser.is_done()
    };
    if done {
        *slot = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if self.received.is_some() {
            feed(&mut self.received, |ends| &mut ends.server, &buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observer<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        if self.sent.is_some() {
            feed(&mut self.sent, |ends| &mut ends.client, &bytes[..written]);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, pieces))?;
        if self.sent.is_some() {
            let mut rest = written;
            for piece in pieces {
                let taken = piece.len().min(rest);
                rest -= taken;
                feed(&mut self.sent, |ends| &mut ends.client, &piece[..taken]);
            }
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::effective::EndSettings;
    use crate::transport::frames::PREFACE;

    const SETTINGS: [u8; 15] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0];
    const HEADERS: [u8; 9] = [0, 0, 0, 1, 4, 0, 0, 0, 1];

    #[tokio::test]
    async fn both_directions_pass_unchanged_and_are_read_until_the_first_call() {
        let (ours, mut theirs) = duplex(1 << 10);
        let (mut observer, observed) = Observed::stream(ours);
        let sent = [&PREFACE[..], &SETTINGS, &HEADERS].concat();
        observer.write_all(&sent[..30]).await.expect("write");
        let pieces = [IoSlice::new(&sent[30..33]), IoSlice::new(&sent[33..])];
        let mut written = 30 + observer.write_vectored(&pieces).await.expect("write");
        assert_eq!(observed.effective(), None);
        while written < sent.len() {
            written += observer.write(&sent[written..]).await.expect("write");
        }
        assert!(observer.sent.is_none(), "stepped aside");

        let mut arrived = vec![0; sent.len()];
        theirs.read_exact(&mut arrived).await.expect("read");
        assert_eq!(arrived, sent);
        theirs.write_all(&SETTINGS).await.expect("write");
        theirs.write_all(&HEADERS).await.expect("write");
        let mut answer = vec![0; SETTINGS.len() + HEADERS.len()];
        observer.read_exact(&mut answer).await.expect("read");
        assert_eq!(answer, [&SETTINGS[..], &HEADERS].concat());
        assert!(observer.received.is_none(), "stepped aside");
        let end = EndSettings { stream_window: 1 << 16, ..EndSettings::UNANNOUNCED };
        assert_eq!(observed.effective(), Some(Effective { client: end, server: end }));
    }

    /// Takes at most one byte at a time, and says whether vectored writes are worth it.
    struct Slow(bool);

    impl AsyncWrite for Slow {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len().min(1)))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn is_write_vectored(&self) -> bool {
            self.0
        }
    }

    #[tokio::test]
    async fn only_what_was_written_is_read_along_and_vectored_stays_vectored() {
        for vectored in [true, false] {
            let (mut observer, observed) = Observed::stream(Slow(vectored));
            assert_eq!(observer.is_write_vectored(), vectored);
            // A writer that took one byte of the preface is offered it again from the second on.
            observer.write_all(PREFACE).await.expect("write");
            observer.write_all(&SETTINGS).await.expect("write");
            observer.write_all(&HEADERS).await.expect("write");
            assert!(matches!(observed.ends().client.opening(), Opening::Complete(_)));
        }
    }
}
