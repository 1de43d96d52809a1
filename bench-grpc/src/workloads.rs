//! Write, Read and Stream over loopback as workloads, both ends on one thread so that the same id
//! has an instruction count and a time.
//!
//! The count repeats to within a few instructions, idle or loaded, where one operation fits into
//! the socket buffers that the kernel grants. What is left comes from outside: `tokio::select!` in tonic's connection task
//! begins at a random branch, and tokio's timer wheel advances with the clock.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use bench_core::fixture::Payload;
use bench_core::units::{ByteSize, ParseSizeError};
use bench_core::workload::{Failure, Workload};

use crate::error::Error;
use crate::layout::Layout;
use crate::loopback::{Loopback, LoopbackConfig};
use crate::operation::{Delivery, Operation};
use crate::path::{DataPath, UnknownPath};
use crate::profile::{ProfileError, TransportProfile};
use crate::wire::Wire;

const SEED: u64 = 42;
const CHUNK_MAX: ByteSize = ByteSize::mib(1);
/// An operation of up to 1 MiB then fits into the sockets, so that both ends take turns in the
/// same way each time and its instructions repeat. That is where the kernel grants it: with the
/// stock `net.core.wmem_max` and `rmem_max` of 212,992 it grants 416 KiB (twice the limit, its
/// bookkeeping included), 1 MiB then takes several turns, and how many instructions these are
/// depends on the limit. The granted sizes are therefore among the dimensions, and counts taken
/// under different ones are not compared.
const SOCKET_BUFFER: ByteSize = ByteSize::mib(1);
/// Header tables, buffers and the allocator reach their steady state in the first calls.
const WARM_UP_CALLS: usize = 3;

/// `profile/size`, as in `default/16MiB`, on prost's `Bytes`; `profile/path/size` on another data
/// path, as in `default/segments/16MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// One of [`TransportProfile::ALL`].
    pub profile: TransportProfile,
    /// How bytes go between the application and HTTP/2, at both ends.
    pub path: DataPath,
    /// Bytes that one operation moves.
    pub size: ByteSize,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, path, size } = self;
        match path {
            DataPath::ProstBytes => f.pad(&format!("{profile}/{size}")),
            path => f.pad(&format!("{profile}/{path}/{size}")),
        }
    }
}

/// Why a text is not a cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCellError {
    /// It is not two or three parts in their one spelling.
    #[error(
        "'{0}' is not a profile, a data path and a size; write them as in default/16MiB or default/segments/16MiB"
    )]
    Spelling(String),
    /// The first part.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The part between, which is left out for prost's `Bytes`.
    #[error(transparent)]
    Path(#[from] UnknownPath),
    /// The last part.
    #[error(transparent)]
    Size(#[from] ParseSizeError),
}

impl FromStr for Cell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let spelling = || ParseCellError::Spelling(text.to_owned());
        let (profile, rest) = text.split_once('/').ok_or_else(spelling)?;
        let (path, size) = match rest.split_once('/') {
            Some((path, size)) => (path.parse()?, size),
            None => (DataPath::ProstBytes, rest),
        };
        let cell = Self { profile: profile.parse()?, path, size: size.parse()? };
        // Ids are compared as text, so a second spelling would be a second id.
        if cell.to_string() == text { Ok(cell) } else { Err(spelling()) }
    }
}

/// An operation as a type, so that each has an id of its own.
pub trait Kind {
    /// The id's beginning.
    const NAME: &'static str;
    /// What is called.
    const OPERATION: Operation;
}

/// [`Operation::Write`].
#[derive(Debug)]
pub enum WriteKind {}

impl Kind for WriteKind {
    const NAME: &'static str = "grpc/write";
    const OPERATION: Operation = Operation::Write;
}

/// [`Operation::Read`].
#[derive(Debug)]
pub enum ReadKind {}

impl Kind for ReadKind {
    const NAME: &'static str = "grpc/read";
    const OPERATION: Operation = Operation::Read;
}

/// [`Operation::Stream`].
#[derive(Debug)]
pub enum StreamKind {}

impl Kind for StreamKind {
    const NAME: &'static str = "grpc/stream";
    const OPERATION: Operation = Operation::Stream;
}

/// `grpc/write`: client stream to the server in chunks of up to 1 MiB.
pub type Write = Call<WriteKind>;
/// `grpc/read`: one message to the client.
pub type Read = Call<ReadKind>;
/// `grpc/stream`: server stream to the client in chunks of up to 1 MiB.
pub type Stream = Call<StreamKind>;

/// One call at a time over one connection.
#[derive(Debug)]
pub struct Call<K> {
    loopback: Loopback,
    /// What the last call delivered.
    delivery: Option<Delivery>,
    /// The first call that failed since the last check. A later one may well succeed, and a
    /// failed call is a fast one.
    failure: Option<Error>,
    kind: PhantomData<K>,
}

impl<K> Call<K> {
    fn over(loopback: Loopback) -> Self {
        Self { loopback, delivery: None, failure: None, kind: PhantomData }
    }
}

impl<K: Kind> Workload for Call<K> {
    const NAME: &'static str = K::NAME;
    type Parameter = Cell;

    fn set_up(cell: &Cell) -> Result<Self, Failure> {
        let loopback = Loopback::start(LoopbackConfig {
            profile: cell.profile,
            layout: Layout::OneThread,
            pinned: false,
            wire: Wire::Tcp,
            path: cell.path,
            payload: Payload::seeded(SEED, cell.size),
            chunk: CHUNK_MAX.min(cell.size),
            socket_buffer: Some(SOCKET_BUFFER),
        })?;
        let mut call = Self::over(loopback);
        for _ in 0..WARM_UP_CALLS {
            call.run();
            call.check()?;
        }
        Ok(call)
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(self.loopback.config().payload.size)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        // Without this the answer of an earlier call would do.
        self.delivery = None;
        Ok(())
    }

    fn run(&mut self) {
        // Freed before the next content arrives, so that only one is in memory.
        self.delivery = None;
        match self.loopback.call(K::OPERATION) {
            Ok(delivery) => self.delivery = Some(delivery),
            Err(error) => drop(self.failure.get_or_insert(error)),
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let delivery = self.delivery.take();
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        let delivery = delivery.ok_or("the call was not made since it was prepared")?;
        Ok(self.loopback.delivered(delivery).verify(&self.loopback.config().payload)?)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        self.loopback.dimensions()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use bench_core::workload::{conforms, id, run_once};
    use proptest::prelude::*;
    use tonic::{Request, Response, Status, Streaming};

    use super::*;
    use crate::blob::blob_server::{Blob, BlobServer};
    use crate::blob::{Chunk, ReadRequest, StreamRequest, WriteReply};
    use crate::server::{BlobService, Stored};

    fn cell(size: ByteSize) -> Cell {
        Cell { profile: TransportProfile::DEFAULT, path: DataPath::ProstBytes, size }
    }

    /// A server that refuses every second call.
    struct Flaky {
        inner: BlobService,
        calls: AtomicU32,
    }

    impl Flaky {
        fn turn(&self) -> Result<(), Status> {
            let odd = self.calls.fetch_add(1, Ordering::Relaxed) % 2 == 1;
            if odd { Err(Status::unavailable("every second call")) } else { Ok(()) }
        }
    }

    #[tonic::async_trait]
    impl Blob for Flaky {
        async fn write(
            &self,
            request: Request<Streaming<Chunk>>,
        ) -> Result<Response<WriteReply>, Status> {
            self.turn()?;
            self.inner.write(request).await
        }

        async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Chunk>, Status> {
            self.turn()?;
            self.inner.read(request).await
        }

        type StreamStream = <BlobService as Blob>::StreamStream;

        async fn stream(
            &self,
            request: Request<StreamRequest>,
        ) -> Result<Response<Self::StreamStream>, Status> {
            self.turn()?;
            self.inner.stream(request).await
        }
    }

    fn with_flaky_server<K: Kind>() -> Call<K> {
        let config = LoopbackConfig {
            profile: TransportProfile::DEFAULT,
            layout: Layout::OneThread,
            pinned: false,
            wire: Wire::Tcp,
            path: DataPath::ProstBytes,
            payload: Payload::seeded(SEED, ByteSize::kib(4)),
            chunk: CHUNK_MAX,
            socket_buffer: None,
        };
        let (content, stored) = (config.payload.to_bytes(), Stored::default());
        let inner = BlobService { content: content.clone(), stored: stored.clone() };
        let flaky = BlobServer::new(Flaky { inner, calls: AtomicU32::new(0) });
        Call::over(Loopback::connect(config, content, flaky, stored).expect("connect"))
    }

    fn a_failed_call_is_not_forgotten<K: Kind>() {
        let mut call = with_flaky_server::<K>();
        call.run();
        call.check().expect("the first call succeeds");
        for _ in 0..4 {
            call.run(); // The first of these fails, the last succeeds.
        }
        let error = call.check().expect_err("two of the calls failed").to_string();
        assert!(error.ends_with("ended with status Unavailable: every second call"), "{error}");
        assert!(call.check().is_err(), "nothing was called since");
    }

    #[test]
    fn a_call_that_fails_in_the_middle_of_a_batch_fails_the_check() {
        a_failed_call_is_not_forgotten::<WriteKind>();
        a_failed_call_is_not_forgotten::<ReadKind>();
        a_failed_call_is_not_forgotten::<StreamKind>();
    }

    proptest! {
        #[test]
        fn a_cell_parses_what_it_prints(index in 0..TransportProfile::ALL.len(), path in 0..DataPath::ALL.len(), bytes: u64) {
            let (profile, path) = (TransportProfile::ALL[index], DataPath::ALL[path]);
            let cell = Cell { profile, path, size: ByteSize::new(bytes) };
            prop_assert_eq!(cell.to_string().parse(), Ok(cell));
        }

        #[test]
        fn no_other_spelling_is_a_cell(text in ".*") {
            if let Ok(cell) = text.parse::<Cell>() {
                prop_assert_eq!(cell.to_string(), text);
            }
        }
    }

    #[test]
    fn other_spellings_are_refused_with_the_right_one() {
        for bad in [
            "",
            "default",
            "default/1mib",
            "default/ 1MiB",
            "default/1024KiB",
            "1MiB/default",
            "fast/1MiB",
            "default/1MiB/2",
            "default/bytes/1MiB",
            "default/zero/1MiB",
        ] {
            let error = bad.parse::<Cell>().expect_err(bad).to_string();
            assert!(error.contains("write"), "{bad}: {error}");
        }
    }

    #[test]
    fn every_workload_runs_with_every_profile() {
        for profile in TransportProfile::ALL {
            let cell = Cell { profile, ..cell(ByteSize::kib(64)) };
            run_once::<Write>(&cell).expect("write");
            run_once::<Read>(&cell).expect("read");
            let stream = run_once::<Stream>(&cell).expect("stream");
            let dimensions = stream.dimensions();
            let value =
                |key| dimensions.iter().find(|(name, _)| *name == key).expect(key).1.as_str();
            assert_eq!((value("backend"), value("nodelay_server")), ("kernel loopback", "true"));
            assert_eq!(
                (value("payload"), value("seed"), value("size")),
                ("incompressible", "42", "64KiB")
            );
            for granted in ["send_buffer", "receive_buffer"] {
                value(granted).parse::<ByteSize>().expect(granted);
            }
            assert_eq!(stream.bytes(), Some(cell.size));
        }
    }

    #[test]
    fn a_call_that_was_not_made_does_not_pass() {
        let cell = cell(ByteSize::kib(64));
        for path in DataPath::ALL {
            let cell = Cell { path, ..cell };
            conforms::<Write>(&cell).expect("write");
            conforms::<Read>(&cell).expect("read");
            conforms::<Stream>(&cell).expect("stream");
        }
    }

    #[test]
    fn ids_carry_operation_profile_and_size() {
        let cell = "default/1MiB".parse().expect("cell");
        let ids = [id::<Write>(&cell), id::<Read>(&cell), id::<Stream>(&cell)];
        let expected =
            ["grpc/write/default/1MiB", "grpc/read/default/1MiB", "grpc/stream/default/1MiB"];
        assert_eq!(ids, expected);
        let cell = Cell { path: DataPath::Segments, ..cell };
        assert_eq!(id::<Read>(&cell), "grpc/read/default/segments/1MiB");
    }

    #[test]
    fn an_empty_cell_is_a_clear_error() {
        let cell = cell(ByteSize::new(0));
        let error = run_once::<Read>(&cell).expect_err("nothing to move").to_string();
        assert_eq!(error, "a payload of 0B cannot go over gRPC; choose from 1B to 4294967231B");
    }
}
