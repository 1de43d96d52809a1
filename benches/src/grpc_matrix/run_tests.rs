//! Whole runs, small: what is found before anything is measured, and what goes wrong in between.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bench_core::record::Data;
use bench_core::scale::Scale;
use bench_core::units::ByteSize;
use bench_grpc::{Bind, DataPath, Error, Operation, Server, ServerConfig, Target};
use clap::Parser;
use signal_hook::consts::SIGINT;

use super::*;
use crate::grpc_matrix::flags::Flags;
use crate::grpc_matrix::watch::Unwatched;

fn matrix(line: &str) -> Matrix {
    let words = std::iter::once("scenario_grpc").chain(line.split_whitespace());
    Flags::try_parse_from(words).expect("flags").matrix(Scale::Smoke).expect("a matrix")
}

fn serve() -> (Server, SocketAddr) {
    serve_at((Ipv4Addr::LOCALHOST, 0).into(), ByteSize::mib(1)).expect("serves")
}

fn serve_at(address: SocketAddr, size: ByteSize) -> Result<(Server, SocketAddr), Error> {
    let config = ServerConfig {
        profile: TransportProfile::DEFAULT,
        address: Bind::Tcp(address),
        path: DataPath::Segments,
        payload: Payload::seeded(SEED, size),
        workers: 1,
        cpu: None,
        socket_buffer: None,
    };
    let server = Server::start(config)?;
    let Target::Tcp(address) = *server.address() else { panic!("not TCP") };
    Ok((server, address))
}

/// Ends the server while the first turn behind the warm-up is under way, which takes some seconds.
struct Killing<'a> {
    session: &'a mut dyn Watch,
    server: Option<Server>,
    killer: Option<JoinHandle<()>>,
}

impl Watch for Killing<'_> {
    fn turned(&mut self, arm: &str) {
        self.session.turned(arm);
        let Some(server) = self.server.take() else { return };
        self.killer = Some(std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(server);
        }));
    }
    fn stopped(&self) -> bool {
        self.session.stopped()
    }
}

/// A signal is for every session there is: those that must not have one wait.
static SIGNALS: Mutex<()> = Mutex::new(());

#[test]
fn every_operation_of_every_layout_has_rows_with_a_ceiling() {
    for layout in ["one-thread", "two-threads", "multi-thread"] {
        let matrix = matrix(&format!("--size 64KiB --layout {layout}"));
        for cell in &matrix.cells {
            let profiles = &matrix.profiles;
            let rows = cell_rows(cell, &matrix.setup, profiles, matrix.effort, &mut Unwatched);
            let failed = rows.iter().find(|row| !row.ok);
            assert!(failed.is_none(), "{failed:?}");
            for metric in ["wall_time", "latency", "ceiling_time", "cpu_time", "page_faults"] {
                let found = rows.iter().filter(|row| row.metric.name() == metric).count();
                assert_eq!(found, matrix.profiles.len(), "{metric} of {layout}");
            }
            rows.iter().for_each(|row| row.check().expect("sound"));
        }
    }
}

#[test]
fn several_calls_at_a_time_over_several_connections_have_no_ceiling() {
    let matrix = matrix("--size 64KiB --only read --connections 2 --concurrency 4");
    let (cell, profiles) = (&matrix.cells[0], &matrix.profiles);
    let rows = cell_rows(cell, &matrix.setup, profiles, matrix.effort, &mut Unwatched);
    assert!(!rows.is_empty() && rows.iter().all(|row| row.ok), "{rows:?}");
    for row in &rows {
        assert_ne!(row.metric.name(), "ceiling_time");
        for name in ["layout", "wire", "path", "chunk", "rtt_added", "server_address", "usage_of"] {
            assert!(row.dimensions.contains_key(name), "{name} of {}", row.id);
        }
        assert_eq!(row.dimensions["connections"], "2");
        assert_eq!(row.dimensions["concurrency"], "4");
    }
    let count = rows.iter().find(|row| row.metric == Metric::Operations).expect("counted");
    let Some(Data::Count { value }) = count.data else { panic!("{count:?}") };
    assert!(value >= 4, "a turn has all that are under way at a time: {value}");
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_anything_is_measured() {
    let matrix = matrix("--size 64KiB --output /nonexistent/record.json");
    let code = run_quietly(&matrix).expect_err("nowhere to write");
    assert_eq!(code, USAGE);
}

#[test]
fn a_server_that_is_not_there_is_one_sentence_with_its_address() {
    // The port of `discard`, which the system gives to nobody that asks for any.
    let address = "127.0.0.1:9";
    let matrix = matrix(&format!("--size 64KiB --server {address}"));
    assert_eq!(run_quietly(&matrix).expect_err("nobody is there"), NOT_MEASURED);
    let error = reach(&matrix, &Unwatched).expect_err("nobody is there").to_string();
    assert!(error.contains(address) && error.lines().count() == 1, "{error}");
}

#[test]
fn a_server_that_dies_in_a_call_fails_its_cell_and_the_next_one_finds_its_successor() {
    let _alone = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
    let size = ByteSize::mib(16);
    let (server, address) = serve_at((Ipv4Addr::LOCALHOST, 0).into(), size).expect("serves");
    let line = "--size 16MiB --only read --only stream --profile default --iterations 2000";
    let matrix = matrix(&format!("{line} --server {address}"));
    let [first, second] = matrix.cells[..] else { panic!("two cells") };
    let mut session = Session::open(&matrix, 1).expect("opens");
    let rows = |cell: &Cell, effort: Effort, watch: &mut dyn Watch| {
        cell_rows(cell, &matrix.setup, &matrix.profiles, effort, watch)
    };
    let killed = |watch: &mut dyn Watch| {
        let mut watch = Killing { session: watch, server: Some(server), killer: None };
        let rows = rows(&first, matrix.effort, &mut watch);
        watch.killer.expect("there was a turn").join().expect("it is dropped");
        rows
    };
    session.cell(&first, killed).expect("the matrix goes on");
    // The port is free once the last of the old server's sockets is.
    let until = Instant::now() + Duration::from_secs(30);
    let _heir = loop {
        match serve_at(address, size) {
            Ok((server, _)) => break server,
            Err(error) if Instant::now() > until => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let few = Effort { operations: Some(2), ..matrix.effort };
    session.cell(&second, |watch| rows(&second, few, watch)).expect("measured");
    let failed: Vec<&Row> = session.rows().iter().filter(|row| !row.ok).collect();
    let [failed] = failed[..] else { panic!("{failed:?}") };
    assert_eq!(failed.id, "grpc/matrix/read/default/16MiB");
    let counted = |id: &str| session.rows().iter().any(|row| row.id == id && row.ok);
    assert!(counted("grpc/matrix/stream/default/16MiB"));
    assert!(failed.errors.contains_key("Unavailable"), "{failed:?}");
    assert_eq!(session.end(), Err(BROKE));
}

#[test]
fn a_server_of_ours_elsewhere_and_one_behind_a_link_are_measured() {
    let (_server, address) = serve();
    let theirs = format!("--server {address}");
    for flags in [&theirs[..], "--rtt 2", "--link rtt_2ms", "--link rtt_2ms --backend exact:proxy"]
    {
        let line = format!("--size 64KiB --profile default --iterations 2 {flags}");
        let matrix = matrix(&line);
        let cell = &matrix.cells[0];
        let rows = cell_rows(cell, &matrix.setup, &matrix.profiles, matrix.effort, &mut Unwatched);
        assert!(!rows.is_empty() && rows.iter().all(|row| row.ok), "{rows:?}");
        let ceiling = rows.iter().any(|row| row.metric.name() == "ceiling_time");
        assert_eq!(ceiling, matrix.setup.proxied(), "a raw socket passes a proxy of ours only");
        if !flags.starts_with("--server") {
            for name in [
                "link_lateness_p99",
                "link_overflows",
                "link_cpu",
                "server_congestion_control",
                "server_send_buffer",
                "stream_window",
                "adaptive_window",
                "nodelay_server",
                "seed",
            ] {
                let told = rows.iter().all(|row| row.dimensions.contains_key(name));
                assert!(told, "{name} of {flags}: {rows:?}");
            }
            let time = rows.iter().find(|row| row.metric.name() == "wall_time").expect("measured");
            // A call cannot end before a round trip has.
            assert!(time.per_operation().iter().all(|ns| *ns >= 2e6), "{time:?}");
            assert!(time.dimensions["link"].contains("round trip of 2 ms"));
        }
    }
}

#[test]
fn a_cache_is_spoken_to_in_its_own_calls() {
    let config = ServerConfig {
        profile: TransportProfile::DEFAULT,
        address: Bind::Tcp((Ipv4Addr::LOCALHOST, 0).into()),
        path: DataPath::ProstBytes,
        payload: Payload::seeded(SEED, ByteSize::mib(1)),
        workers: 1,
        cpu: None,
        socket_buffer: None,
    };
    let cache = bench_grpc::compat::start(&config).expect("serves");
    let Target::Tcp(address) = *cache.address() else { panic!("not TCP") };
    let matrix = matrix(&format!(
        "--size 64KiB --profile default --server {address} --proto-compat blobcache"
    ));
    for cell in &matrix.cells {
        let rows = cell_rows(cell, &matrix.setup, &matrix.profiles, matrix.effort, &mut Unwatched);
        assert!(!rows.is_empty() && rows.iter().all(|row| row.ok), "{rows:?}");
        let chunk = match cell.operation {
            Operation::Write | Operation::Read => "64KiB",
            Operation::Stream => "the server's choice",
        };
        for row in &rows {
            assert!(row.dimensions["backend"].starts_with("blob cache at "));
            assert_eq!((&*row.dimensions["path"], &*row.dimensions["chunk"]), ("bytes", chunk));
        }
    }
}

#[test]
fn a_part_of_the_content_is_all_that_is_moved() {
    // Of what is asked for, the server has no more than the half.
    let (_server, address) =
        serve_at((Ipv4Addr::LOCALHOST, 0).into(), ByteSize::kib(64)).expect("serves");
    let rows = |part: &str| -> Vec<Row> {
        let line = "--size 128KiB --chunk-size 16KiB --only read --only stream --profile default";
        let matrix = matrix(&format!("{line} {part}"));
        let rows = |cell: &Cell| {
            cell_rows(cell, &matrix.setup, &matrix.profiles, matrix.effort, &mut Unwatched)
        };
        matrix.cells.iter().flat_map(rows).collect()
    };
    let there = rows(&format!("--server {address} --range 20KiB+40KiB"));
    assert!(!there.is_empty() && there.iter().all(|row| row.ok), "{there:?}");
    assert_eq!(there[0].id, "grpc/range/read/default/at_20KiB_of_128KiB/40KiB");
    assert_eq!(there[0].dimensions["range"], "20KiB+40KiB of 128KiB");
    assert_eq!((&*there[0].dimensions["bytes"], &*there[0].dimensions["size"]), ("40960", "40KiB"));
    assert!(
        rows(&format!("--server {address}")).iter().any(|row| !row.ok),
        "the whole is not there"
    );
    let here = rows("--range 20KiB+40KiB");
    assert!(here.iter().all(|row| row.ok), "{here:?}");
    let ceiling = here.iter().filter(|row| row.metric.name() == "ceiling_time").count();
    assert_eq!(ceiling, 2, "a raw socket moves as much beside it");
}

#[test]
fn an_interrupt_keeps_what_was_measured_and_is_exit_code_4() {
    let _alone = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
    let matrix = matrix("--size 64KiB --only read --profile default");
    let mut session = Session::open(&matrix, 2).expect("opens");
    let measure = |watch: &mut dyn Watch| {
        cell_rows(&matrix.cells[0], &matrix.setup, &matrix.profiles, matrix.effort, watch)
    };
    session.cell(&matrix.cells[0], measure).expect("measured");
    let kept = session.rows().len();
    signal_hook::low_level::raise(SIGINT).expect("raised");
    session
        .cell(&matrix.cells[0], |_| panic!("nothing is begun after an interrupt"))
        .expect("kept");
    assert_eq!(session.rows().len(), kept);
    assert!(kept > 0);
    assert_eq!(code_of(session.rows(), session.progress.stopped()), Err(NOT_MEASURED));
}

#[test]
fn how_it_went_is_the_exit_code() {
    let good = Row::measured("a", Metric::WallTime, "ns", Data::Count { value: 1 });
    let count = Row::measured("b", Metric::Operations, "1", Data::Count { value: 1 });
    let bad = Row::failed("b", Metric::WallTime, "ns", "why");
    assert_eq!(code_of(std::slice::from_ref(&good), false), Ok(()));
    assert_eq!(code_of(&[good.clone(), bad.clone()], false), Err(1));
    assert_eq!(
        code_of(&[bad.clone(), count], false),
        Err(NOT_MEASURED),
        "a count is no measurement"
    );
    let late = Row::failed("b", Metric::WallTime, "ns", &format!("{NOT_THE_LINKS}: 9 ms late"));
    assert_eq!(code_of(&[good.clone(), late.clone()], false), Err(NOT_MEASURED));
    assert_eq!(code_of(&[good.clone(), late, bad.clone()], false), Err(1), "another broke");
    let mut partly = good.clone();
    partly.errors.insert("Unavailable".to_owned(), 1);
    assert_eq!(code_of(&[good.clone(), partly], false), Err(1), "any error is one");
    assert_eq!(code_of(&[], false), Err(NOT_MEASURED));
    assert_eq!(code_of(&[good], true), Err(NOT_MEASURED));
}
