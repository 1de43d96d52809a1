//! Streams over real threads: a cold file, and a source that is far away.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bench_core::fixture::Payload;
use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use super::{FILE_CHUNK, SEED, Streamed, pool_of, verify};
use crate::cache_state::{Cold, Direct, Reached};
use crate::clock::MonotonicClock;
use crate::error::Error;
use crate::file::ScratchFile;
use crate::prefetch::{DEPTH_MOST, Policy, PrefetchConfig, Prefetcher};
use crate::scratch::ScratchDirectory;
use crate::source::{BufferedFile, DelayConfig, Delayed, DirectFile, MemorySource, Source};

/// A policy as it stands in an id: `off`, `fixed2`, `adaptive4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyName(pub Policy);

/// Why a text is no cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not of the form {1}")]
pub struct ParseError(String, &'static str);

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Policy::Off => f.pad("off"),
            Policy::Fixed(depth) => write!(f, "fixed{depth}"),
            Policy::Adaptive { most } => write!(f, "adaptive{most}"),
        }
    }
}

impl FromStr for PolicyName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let depth = |prefix| {
            let depth = text.strip_prefix(prefix)?.parse().ok()?;
            (1..=DEPTH_MOST).contains(&depth).then_some(depth)
        };
        if text == "off" {
            return Ok(Self(Policy::Off));
        }
        if let Some(depth) = depth("fixed") {
            return Ok(Self(Policy::Fixed(depth)));
        }
        let most = depth("adaptive");
        let form = "off, fixed2 or adaptive4, with 1 to 64 chunks";
        most.map(|most| Self(Policy::Adaptive { most })).ok_or(ParseError(text.to_owned(), form))
    }
}

/// By which way a cold file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColdSource {
    /// Through the page cache, where the kernel reads ahead, too.
    Buffered,
    /// Past it.
    Direct,
}

/// `source/policy/size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColdCell {
    /// By which way.
    pub source: ColdSource,
    /// How far ahead.
    pub policy: PolicyName,
    /// The file.
    pub size: ByteSize,
}

impl fmt::Display for ColdCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            ColdSource::Buffered => "buffered",
            ColdSource::Direct => "direct",
        };
        write!(f, "{source}/{}/{}", self.policy, self.size)
    }
}

impl FromStr for ColdCell {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError(text.to_owned(), "buffered/adaptive4/16MiB");
        let [source, policy, size] = text.split('/').collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        let source = match source {
            "buffered" => ColdSource::Buffered,
            "direct" => ColdSource::Direct,
            _ => return Err(wrong()),
        };
        Ok(Self { source, policy: policy.parse()?, size: size.parse().map_err(|_| wrong())? })
    }
}

/// The proof of the state that the file was in, whichever it was.
#[derive(Debug)]
enum Proof {
    Cold(Reached<Cold>),
    Direct(Reached<Direct>),
}

/// A cold file as a stream of chunks of 1 MiB, dropped as they come:
/// `prefetch/cold/buffered/adaptive4/16MiB`.
#[derive(Debug)]
pub struct ColdStream {
    cell: ColdCell,
    file: ScratchFile,
    prefetcher: Prefetcher,
    proof: Proof,
    answer: Streamed,
    _directory: ScratchDirectory,
}

fn proof(file: &ScratchFile, source: ColdSource) -> Result<Proof, Error> {
    Ok(match source {
        ColdSource::Buffered => Proof::Cold(file.cached().reach()?),
        ColdSource::Direct => Proof::Direct(file.cached().reach()?),
    })
}

impl Workload for ColdStream {
    const NAME: &'static str = "prefetch/cold";
    const ISOLATED: bool = true;
    type Parameter = ColdCell;

    fn set_up(cell: &ColdCell) -> Result<Self, Failure> {
        let directory = ScratchDirectory::create()?;
        let file = ScratchFile::create(&directory, "file", Payload::seeded(SEED, cell.size))?;
        let path = file.cached().path();
        let source: Arc<dyn Source> = match cell.source {
            ColdSource::Buffered => Arc::new(BufferedFile::open(path)?),
            ColdSource::Direct => Arc::new(DirectFile::open(path)?),
        };
        let policy = cell.policy.0;
        let pool = pool_of(FILE_CHUNK, u64::from(policy.most()) + 2)?;
        let config = PrefetchConfig { chunk: FILE_CHUNK, policy };
        let prefetcher = Prefetcher::new(source, pool, config)?;
        verify(&prefetcher, file.payload())?;
        let proof = proof(&file, cell.source)?;
        let answer = Streamed::default();
        Ok(Self { cell: *cell, file, prefetcher, proof, answer, _directory: directory })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(self.cell.size)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.answer = Streamed::default();
        self.proof = proof(&self.file, self.cell.source)?;
        Ok(())
    }

    fn run(&mut self) {
        self.answer = Streamed::of(&self.prefetcher);
    }

    fn check(&mut self) -> Result<(), Failure> {
        if let Proof::Direct(proof) = &self.proof {
            proof.held(self.file.cached())?;
        }
        self.answer.check(self.file.payload())
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let mut dimensions = vec![
            ("backend", self.prefetcher.source().backend()),
            ("policy", self.cell.policy.to_string()),
            ("chunk", FILE_CHUNK.to_string()),
        ];
        dimensions.extend(match &self.proof {
            Proof::Cold(proof) => proof.dimensions(),
            Proof::Direct(proof) => proof.dimensions(),
        });
        dimensions.extend(self.file.payload().dimensions());
        dimensions
    }
}

/// `policy/latency in ms/chunks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayedCell {
    /// How far ahead.
    pub policy: PolicyName,
    /// How long every read waits, at most a minute.
    pub latency_ms: u16,
    /// How many chunks of 1 MiB there are.
    pub chunks: u16,
}

impl fmt::Display for DelayedCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}ms/{}", self.policy, self.latency_ms, self.chunks)
    }
}

impl FromStr for DelayedCell {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError(text.to_owned(), "adaptive4/5ms/48");
        let [policy, latency, chunks] = text.split('/').collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        let latency_ms = latency.strip_suffix("ms").and_then(|ms| ms.parse().ok());
        let chunks = chunks.parse().ok().filter(|&chunks| chunks > 0);
        match (latency_ms, chunks) {
            (Some(latency_ms), Some(chunks)) => {
                Ok(Self { policy: policy.parse()?, latency_ms, chunks })
            }
            _ => Err(wrong()),
        }
    }
}

/// A source that answers after a latency, as a stream of chunks of 1 MiB, dropped as they come:
/// `prefetch/delayed/adaptive4/5ms/48`.
#[derive(Debug)]
pub struct DelayedStream {
    cell: DelayedCell,
    payload: Payload,
    prefetcher: Prefetcher,
    answer: Streamed,
}

impl Workload for DelayedStream {
    const NAME: &'static str = "prefetch/delayed";
    const ISOLATED: bool = true;
    type Parameter = DelayedCell;

    fn set_up(cell: &DelayedCell) -> Result<Self, Failure> {
        let size = ByteSize::new(u64::from(cell.chunks) * FILE_CHUNK.bytes());
        let payload = Payload::seeded(SEED, size);
        let delay = DelayConfig::latency(Duration::from_millis(cell.latency_ms.into()));
        let clock = Arc::new(MonotonicClock::start());
        let source = Arc::new(Delayed::new(MemorySource::new(&payload), delay, clock));
        let policy = cell.policy.0;
        let pool = pool_of(FILE_CHUNK, u64::from(policy.most()) + 2)?;
        let config = PrefetchConfig { chunk: FILE_CHUNK, policy };
        let prefetcher = Prefetcher::new(source, pool, config)?;
        verify(&prefetcher, &payload)?;
        Ok(Self { cell: *cell, payload, prefetcher, answer: Streamed::default() })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(self.payload.size)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.answer = Streamed::default();
        Ok(())
    }

    fn run(&mut self) {
        self.answer = Streamed::of(&self.prefetcher);
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.answer.check(&self.payload)
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        vec![
            ("backend", self.prefetcher.source().backend()),
            ("policy", self.cell.policy.to_string()),
            ("latency", format!("{}ms", self.cell.latency_ms)),
            ("chunk", FILE_CHUNK.to_string()),
        ]
    }
}
