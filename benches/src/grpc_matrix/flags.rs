//! The command line of the matrix, and what of it makes no sense.

use std::path::PathBuf;
use std::time::Duration;

use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_grpc::{DataPath, Layout, Operation, Target, TransportProfile, Wire};
use clap::Parser;

use bench_network::backend::Choice;
use bench_network::link::{LinkProfile, named as links};

use super::caller::Protocol;
use super::link::Between;
use super::part::Part;
use super::plan::{CHUNK, Cell, Effort, PROFILES, SIZES};
use super::setup::{Place, Setup};
use crate::front::values::{milliseconds, named, or, seconds};

/// Measures throughput over gRPC: profiles × operations × sizes, each cell by all profiles in turns.
///
/// Exit codes: 0 fine, 1 a cell failed, 2 usage, 4 nothing measured, interrupted, or a link that was
/// not what was asked for.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_grpc", help_expected = true)]
pub struct Flags {
    /// A server that somebody else runs, as in cache-3:50051, in place of one of our own
    ///
    /// It must serve our content: `cargo perf grpc-server` does. The settings of its end are its
    /// own; what it announced is recorded.
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<Target>,
    /// What the server speaks, where it is not our service: blobcache
    ///
    /// The cache's StoreContent, GetContent and GetContentStream; the content is stored first. The
    /// time of a Write contains the cache's hashing, messages of a Stream are cut as the cache
    /// likes, and our end goes by --path bytes.
    #[arg(long, value_name = "PROTOCOL", requires = "server", value_parser = compat)]
    proto_compat: Option<Protocol>,
    /// Operations of each profile in each cell, in place of a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    iterations: Option<u64>,
    /// How long each profile takes in each cell, in seconds; a call that is under way then is awaited
    #[arg(long, value_name = "SECONDS", conflicts_with = "iterations", value_parser = seconds)]
    duration: Option<Duration>,
    /// The largest message of Write and Stream [default: 4MiB, or the size where it is smaller]
    #[arg(long, value_name = "SIZE")]
    chunk_size: Option<ByteSize>,
    /// Calls at a time
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    concurrency: usize,
    /// Connections that the calls are spread over
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    connections: usize,
    /// Only this operation: write, read or stream; may be repeated
    #[arg(long, value_name = "OPERATION", value_parser = operation)]
    only: Vec<Operation>,
    /// A size; may be repeated [default: 1MiB, 16MiB, 64MiB, 256MiB]
    #[arg(long, value_name = "SIZE")]
    size: Vec<ByteSize>,
    /// Only this part of the content, by Read and Stream: 1MiB+64KiB are 64 KiB from 1 MiB on
    ///
    /// The server has a content of the size. Ids are of `grpc/range` and end with the length; they
    /// are not ranked.
    #[arg(long, value_name = "OFFSET+LENGTH")]
    range: Option<Part>,
    /// A transport profile; may be repeated [default: default, conservative, aggressive]
    ///
    /// The first is what the others are measured by.
    #[arg(long, value_name = "PROFILE")]
    profile: Vec<TransportProfile>,
    /// How bytes go between the application and HTTP/2: vec, bytes or segments [default: segments]
    #[arg(long, value_name = "PATH", conflicts_with = "proto_compat")]
    path: Option<DataPath>,
    /// Who runs where: one-thread, two-threads, multi-thread or processes
    #[arg(long, value_name = "LAYOUT", default_value = "two-threads", value_parser = layout)]
    layout: Layout,
    /// What connects the two ends: tcp or unix
    #[arg(long, value_name = "WIRE", default_value = "tcp", value_parser = wire)]
    wire: Wire,
    /// The round trip of a link that is put between the two ends, in milliseconds; by the in-process
    /// proxy, wherever the server is
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    rtt: Option<Duration>,
    /// The link that is put between the two ends, by its name: lte, 3g_fast, wifi, rtt_20ms...
    ///
    /// With both ends here an emulator carries its packets between networks of their own, with the
    /// kernel's TCP at both ends, where this machine lets it.
    #[arg(long, value_name = "NAME", conflicts_with = "rtt", value_parser = link)]
    link: Option<LinkProfile>,
    /// What carries the link: auto, exact:tun, exact:packet or exact:proxy [default: auto]
    #[arg(long, value_name = "BACKEND", requires = "link")]
    backend: Option<Choice>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Measure the data path against plain tonic and raw sockets in place of profiles
    ///
    /// With --layout processes also against grpcio. Where calls are more than one at a time raw sockets
    /// are left out, and grpcio's server is called by our client, too; the ratio is to the faster.
    #[cfg(feature = "peers")]
    #[arg(long)]
    peers: bool,
}

/// What the flags ask for.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// In the order of measuring.
    pub cells: Vec<Cell>,
    /// The first is the baseline.
    pub profiles: Vec<TransportProfile>,
    /// What all arms have in common.
    pub setup: Setup,
    /// How much each does.
    pub effort: Effort,
    /// Peers in place of profiles.
    #[cfg(feature = "peers")]
    pub peers: bool,
    /// Where the record goes.
    pub output: Option<PathBuf>,
}

impl Flags {
    /// What the flags ask for; where they say nothing, what the scale does.
    ///
    /// # Errors
    /// Flags that make no sense together, in one sentence.
    pub fn matrix(self, scale: Scale) -> Result<Matrix, String> {
        #[cfg(feature = "peers")]
        if let Some(sentence) = self.refused_by_peers() {
            return Err(sentence.to_owned());
        }
        let sizes = or(self.size, &SIZES);
        if let Some(size) = sizes.iter().find(|size| size.is_empty()) {
            return Err(format!("--size {size}: an operation of no bytes moves nothing"));
        }
        let smallest = sizes.iter().min().copied().expect("there is a size");
        if let Some(chunk) = self.chunk_size.filter(|chunk| chunk.is_empty() || *chunk > smallest) {
            return Err(format!(
                "--chunk-size {chunk}: write 1B to {smallest}, the smallest size that is measured"
            ));
        }
        if self.server.is_some() && (self.layout != Layout::TwoThreads || self.wire != Wire::Tcp) {
            return Err("--layout and --wire are those of a server of our own; leave them out \
                        beside --server"
                .to_owned());
        }
        let linked = self.rtt.is_some() || self.link.is_some();
        if linked && (self.wire == Wire::Unix || self.layout != Layout::TwoThreads) {
            return Err(
                "--rtt and --link put a link between two TCP ends on a thread each; leave out \
                 --wire and --layout"
                    .to_owned(),
            );
        }
        let operations = match self.range {
            None => or(self.only, &Operation::ALL),
            Some(_) => or(self.only, &[Operation::Read, Operation::Stream]),
        };
        if let Some(part) = self.range {
            if operations.contains(&Operation::Write) {
                return Err("--range is of read and stream; leave out --only write".to_owned());
            }
            if part.range().end > smallest.bytes() {
                return Err(format!(
                    "--range {part}: it must end within {smallest}, the smallest size that is \
                     measured"
                ));
            }
        }
        let cells = operations
            .iter()
            .flat_map(|&operation| sizes.iter().map(move |&size| (operation, size)))
            .map(|(operation, size)| match self.range {
                None => Cell::of_matrix(operation, size),
                Some(part) => Cell::of_part(operation, size, part),
            });
        let mut effort = Effort::of(scale);
        effort.operations = self.iterations;
        effort.concurrency = self.concurrency as u64;
        effort.connections = self.connections as u64;
        if let Some(duration) = self.duration {
            effort.turn = duration / u32::try_from(effort.rounds).unwrap_or(u32::MAX);
            effort.by_clock = true;
        }
        let least = effort.operations_min();
        if let Some(few) = self.iterations.filter(|iterations| *iterations < least) {
            return Err(format!(
                "--iterations {few}: {} rounds with {} calls at a time take at least {least}",
                effort.rounds, effort.concurrency
            ));
        }
        let place = match self.server {
            Some(target) => Place::Elsewhere(target),
            None => Place::Here { layout: self.layout, wire: self.wire },
        };
        let backend = self.backend.unwrap_or(Choice::Auto);
        // At smoke scale, where tests share the machine, links are told of and not judged.
        let judged = scale != Scale::Smoke;
        let asked = self.link.map(|profile| Between { profile, backend, judged });
        let round_trip = |time| Between { judged, ..Between::round_trip(time) };
        let link = asked.or_else(|| self.rtt.map(round_trip));
        let protocol = self.proto_compat.unwrap_or(Protocol::Ours);
        let path = match protocol {
            Protocol::Ours => self.path.unwrap_or(DataPath::Segments),
            Protocol::BlobCache => Protocol::CACHE_PATH,
        };
        let setup = Setup {
            place,
            link,
            path,
            chunk: self.chunk_size.unwrap_or(CHUNK),
            concurrency: self.concurrency,
            connections: self.connections,
            protocol,
        };
        #[cfg(feature = "peers")]
        let profiles = match self.peers {
            // One, and the one for this machine.
            true => or(self.profile, &[TransportProfile::LOCAL]),
            false => or(self.profile, &PROFILES),
        };
        #[cfg(not(feature = "peers"))]
        let profiles = or(self.profile, &PROFILES);
        Ok(Matrix {
            cells: cells.collect(),
            profiles,
            setup,
            effort,
            #[cfg(feature = "peers")]
            peers: self.peers,
            output: self.output,
        })
    }
}

#[cfg(feature = "peers")]
impl Flags {
    /// What peers do in one way only, and so cannot be asked for beside them.
    fn refused_by_peers(&self) -> Option<&'static str> {
        let refused = [
            (
                self.rtt.is_some() || self.link.is_some(),
                "--peers are measured without a link; leave out --rtt and --link",
            ),
            (self.path.is_some(), "--peers have a data path each; leave out --path"),
            (self.range.is_some(), "--peers move the whole content; leave out --range"),
            (
                or(self.profile.clone(), &[]).len() > 1,
                "--peers are measured beside one profile of ours; write --profile once",
            ),
            (self.connections > 1, "--peers have one connection each; leave out --connections"),
        ];
        refused.into_iter().find(|(is, _)| *is && self.peers).map(|(_, sentence)| sentence)
    }
}

fn operation(text: &str) -> Result<Operation, String> {
    named(text, &Operation::ALL.map(|operation| (operation.name(), operation)))
}

fn compat(text: &str) -> Result<Protocol, String> {
    named(text, &[("blobcache", Protocol::BlobCache)])
}

fn wire(text: &str) -> Result<Wire, String> {
    named(text, &Wire::ALL.map(|wire| (wire.name(), wire)))
}

fn layout(text: &str) -> Result<Layout, String> {
    let many = Layout::MultiThread { server: 2, client: 2 };
    let known = [
        ("one-thread", Layout::OneThread),
        ("two-threads", Layout::TwoThreads),
        ("multi-thread", many),
        ("processes", Layout::Processes),
    ];
    named(text, &known)
}

fn link(text: &str) -> Result<LinkProfile, String> {
    links::find(text).map_err(|error| error.to_string())
}

fn count(text: &str) -> Result<usize, String> {
    let count: usize = text.parse().map_err(|_| "write a whole number".to_owned())?;
    if (1..=10_000).contains(&count) { Ok(count) } else { Err("write 1 to 10000".to_owned()) }
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
