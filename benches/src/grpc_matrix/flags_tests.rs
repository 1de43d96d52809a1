//! What the command line takes and what it refuses.

use bench_core::measure::drive::Stop;

use super::*;

fn parse(line: &str) -> Result<Matrix, String> {
    let words = std::iter::once("scenario_grpc").chain(line.split_whitespace());
    let flags = Flags::try_parse_from(words).map_err(|error| error.to_string())?;
    flags.matrix(Scale::Quick)
}

#[test]
fn without_flags_there_are_36_cells() {
    let matrix = parse("").expect("fine");
    assert_eq!(matrix.cells.len() * matrix.profiles.len(), 36);
    assert_eq!(matrix.profiles[0].name, "default");
    assert_eq!(matrix.setup.chunk, CHUNK);
    assert_eq!(matrix.effort, Effort::of(Scale::Quick));
}

#[test]
fn flags_choose_cells_profiles_and_effort() {
    let line = "--only read --only stream --size 64KiB --size 1MiB --size 64KiB --profile tonic \
                --iterations 100 --chunk-size 16KiB --concurrency 4 --connections 2 --path vec \
                --wire unix --layout one-thread";
    let matrix = parse(line).expect("fine");
    assert_eq!(matrix.cells.len(), 4);
    assert_eq!(matrix.cells[1].scenario(), "grpc/matrix/read/1MiB");
    assert_eq!(matrix.profiles.iter().map(|p| p.name).collect::<Vec<_>>(), ["tonic"]);
    assert_eq!(matrix.effort.operations, Some(100));
    assert_eq!((matrix.effort.concurrency, matrix.effort.connections), (4, 2));
    assert_eq!((matrix.setup.concurrency, matrix.setup.connections), (4, 2));
    let long = parse("--duration 5").expect("fine").effort;
    assert_eq!(long.stop(0, Duration::from_micros(1)), Stop::After(Duration::from_millis(500)));
    let part =
        parse("--range 4KiB+60KiB --size 64KiB --size 1MiB").expect("it ends with the content");
    let ids: Vec<String> = part.cells.iter().map(Cell::scenario).collect();
    assert_eq!((ids.len(), &*ids[0]), (4, "grpc/range/read/at_4KiB_of_64KiB/60KiB"));
    let server = parse("--server cache-3:50051 --rtt 20").expect("fine").setup;
    assert!(matches!(server.place, Place::Elsewhere(_)));
    let link = server.link.expect("a link");
    assert_eq!(link.profile.name, "rtt_20ms");
    assert_eq!(link.backend.to_string(), "exact:proxy", "wherever the server is");
    let lossy = parse("--link wifi --backend exact:tun").expect("fine").setup.link.expect("a link");
    assert_eq!((&*lossy.profile.name, lossy.backend.to_string()), ("wifi", "exact:tun".to_owned()));
    let auto = parse("--link lte").expect("fine").setup.link.expect("a link");
    assert_eq!(auto.backend.to_string(), "auto");
}

#[test]
fn what_makes_no_sense_is_one_sentence() {
    for (line, complaint) in [
        ("--size 0", "--size 0B: an operation of no bytes"),
        ("--size 1MB", "'1MB' is not a size"),
        ("--size 1MiB --chunk-size 2MiB", "--chunk-size 2MiB: write 1B to 1MiB"),
        ("--chunk-size 0", "--chunk-size 0B: write 1B to 1MiB"),
        ("--only delete", "write one of write, read, stream"),
        ("--range 1KiB", "write OFFSET+LENGTH"),
        ("--range 0+1KiB --only write", "leave out --only write"),
        ("--range 1MiB+1B", "--range 1MiB+1B: it must end within 1MiB"),
        ("--profile fast", "'fast' is not a transport profile"),
        ("--path zero", "'zero' is not a data path"),
        ("--layout three", "write one of one-thread, two-threads"),
        ("--wire udp", "write one of tcp, unix"),
        ("--rtt=-1", "up to an hour"),
        ("--rtt x", "write a number"),
        ("--iterations 0", "0 is not in 1.."),
        ("--iterations 5 --duration 1", "cannot be used with"),
        ("--iterations 9", "10 rounds with 1 calls at a time take at least 10"),
        ("--iterations 79 --concurrency 8", "10 rounds with 8 calls at a time take at least 80"),
        ("--duration 0", "more than 0"),
        ("--concurrency 0", "write 1 to 10000"),
        ("--connections many", "write a whole number"),
        ("--server nowhere", "write host:port"),
        ("--server a:1 --wire unix", "leave them out"),
        ("--proto-compat blobcache", "--server"),
        ("--server a:1 --proto-compat redis", "write one of blobcache"),
        ("--server a:1 --proto-compat blobcache --path vec", "cannot be used with"),
        ("--rtt 20 --layout one-thread", "--rtt and --link put a link"),
        ("--rtt 20 --layout processes", "--rtt and --link put a link"),
        ("--link lte --layout multi-thread", "--rtt and --link put a link"),
        ("--link lte --wire unix", "leave out --wire"),
        ("--link lt", "did you mean lte?"),
        ("--link lte --rtt 20", "cannot be used with"),
        ("--backend exact:tun", "--link"),
        ("--link lte --backend dummynet", "is no backend"),
        ("--fast", "unexpected argument"),
        ("read", "unexpected argument"),
    ] {
        let error = parse(line).expect_err(line);
        assert!(error.contains(complaint), "{line}: {error}");
    }
}

#[cfg(feature = "peers")]
#[test]
fn peers_refuse_what_only_some_of_them_would_do() {
    for (line, complaint) in [
        ("--rtt 20", "leave out --rtt"),
        ("--range 0+1KiB", "leave out --range"),
        ("--path vec", "leave out --path"),
        ("--profile default --profile tonic", "write --profile once"),
        ("--connections 2", "leave out --connections"),
    ] {
        let error = parse(&format!("--peers {line}")).expect_err(line);
        assert!(error.starts_with("--peers ") && error.contains(complaint), "{line}: {error}");
        assert_eq!(error.lines().count(), 1);
        parse(line).expect("fine without peers");
    }
    let line = "--peers --profile local --profile local --layout processes --iterations 10";
    assert!(parse(line).expect("fine").peers);
    let many =
        parse("--peers --concurrency 64").expect("as many calls of each, without raw sockets");
    assert!(many.setup.ceiling().is_err());
}
