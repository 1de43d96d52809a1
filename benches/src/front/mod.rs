//! What scenarios with a command line of their own have in common: which words are theirs, how they
//! end, the record they write, progress, and interrupts.
//!
//! - [`values`]: what stands behind their flags.
//! - [`text`]: what people read.

pub(crate) mod text;
pub(crate) mod values;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bench_core::measure::recorder::ROWS_VARIABLE;
use bench_core::measure::selection::is_of_harnesses;
use bench_core::measure::watch::Watch;
use bench_core::record::{Environment, RecordError, RunRecord, watched};
use bench_core::scale::{SCALE_VARIABLE, Scale};
use bench_core::workload::Failure;
use bench_storage::Error;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Exit code: it broke.
pub(crate) const BROKE: u8 = 1;
/// Exit code: the command line makes no sense.
pub(crate) const USAGE: u8 = 2;
/// Exit code: nothing was measured, or not to its end.
pub(crate) const NOT_MEASURED: u8 = 4;

/// How a run ends that somebody stopped.
pub(crate) const INTERRUPTED: &str = "interrupted: what was measured by then is kept";

/// What a scenario that the user runs is called.
static NAME: OnceLock<String> = OnceLock::new();
/// What watches it, once there is a record to be written.
static WATCH: OnceLock<Option<Watch>> = OnceLock::new();

/// Whether the user runs the scenario itself: with a flag of its own, or by `cargo bench` without a
/// filter. `also` are flags of its own that others have, too.
fn is_own(arguments: &[String], recorded: bool, also: &[&str]) -> bool {
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filtered = arguments.iter().any(|argument| !argument.starts_with('-'));
    arguments.iter().any(|argument| is_ours(argument, also))
        || (asked("--bench") && !recorded && !filtered && !asked("--list"))
}

/// The flags and the scale where a user runs this target; `None` where a harness runs its
/// scenarios. `also` as in [`is_own`].
pub(crate) fn of_user<F: Parser>(name: &str, also: &[&str]) -> Option<(F, Scale)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !is_own(&arguments, std::env::var_os(ROWS_VARIABLE).is_some(), also) {
        return None;
    }
    let flags = F::parse_from(of_ours(name, &arguments, also));
    let _second = NAME.set(name.to_owned());
    let asked = std::env::var_os(SCALE_VARIABLE).is_some();
    Some((flags, if asked { Scale::from_env() } else { Scale::Quick }))
}

/// The command line of the scenario: what was written, unless no flag of it is ours.
fn of_ours(name: &str, arguments: &[String], also: &[&str]) -> Vec<String> {
    let ours = arguments.iter().any(|argument| is_ours(argument, also));
    let own = arguments.iter().filter(|argument| ours && *argument != "--bench").cloned();
    std::iter::once(name.to_owned()).chain(own).collect()
}

fn is_ours(argument: &str, also: &[&str]) -> bool {
    let name = argument.split('=').next().unwrap_or(argument);
    (name.starts_with("--") || name == "-h") && (also.contains(&name) || !is_of_harnesses(name))
}

/// Tells a sentence, and gives the code back.
pub(crate) fn told(sentence: &str, code: u8) -> u8 {
    let _unread = writeln!(io::stderr(), "error: {sentence}");
    code
}

/// Tells a failure, and gives back what it ends with.
pub(crate) fn failed(failure: &Failure) -> u8 {
    told(&failure.to_string(), code_of(failure))
}

/// What a failure ends with: [`NOT_MEASURED`] where this machine cannot have what was asked for,
/// [`USAGE`] where nothing could, [`BROKE`] otherwise.
pub(crate) fn code_of(failure: &Failure) -> u8 {
    let network = causes(failure).find_map(|cause| cause.downcast_ref::<bench_network::Error>());
    if let Some(bench_network::Error::Fault(fault)) = network {
        return if fault.is_of_usage() { USAGE } else { NOT_MEASURED };
    }
    match causes(failure).find_map(|cause| cause.downcast_ref::<Error>()) {
        Some(
            Error::NoUring(_)
            | Error::NoDirect { .. }
            | Error::StayedResident { .. }
            | Error::NoFuse { .. },
        ) => NOT_MEASURED,
        Some(
            Error::InvalidJob(_)
            | Error::NeverDirect { .. }
            | Error::NeverWrites
            | Error::InvalidFuse(_)
            | Error::InvalidPrefetch(_)
            | Error::TierTooSmall { .. }
            | Error::NoObjects
            | Error::Empty,
        ) => USAGE,
        _ => causes(failure).find_map(|cause| cause.downcast_ref()).map_or(BROKE, of_network),
    }
}

fn of_network(error: &bench_network::Error) -> u8 {
    use bench_network::Error;
    // What is not here broke: also a peer that never answers or is lost, and a pool that is used up, since
    // both ends are ours.
    match error {
        Error::Unavailable { .. }
        | Error::NoBackend(_)
        | Error::OutOfTolerance { .. }
        | Error::AboveCeiling { .. }
        | Error::Spoiled { .. }
        // The machine's, and others may have taken them.
        | Error::PortsExhausted { .. } => NOT_MEASURED,
        Error::Link(_)
        | Error::Trace { .. }
        | Error::CongestionControl(_)
        | Error::Topology(_)
        | Error::NotModelled { .. }
        | Error::ScriptTooLong { .. }
        | Error::CongestionControlRefused { .. }
        | Error::Block { .. }
        | Error::Empty
        | Error::PortRange { .. }
        | Error::UnknownBackend(_) => USAGE,
        _ => BROKE,
    }
}

/// A failure, and what it came from.
pub(crate) fn causes(
    failure: &Failure,
) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = failure.as_ref();
    std::iter::successors(Some(first), |cause| cause.source())
}

/// What several failures end with: what broke goes before what makes no sense, and that before
/// what could not be measured here.
pub(crate) fn worst(codes: impl IntoIterator<Item = u8>) -> Option<u8> {
    codes.into_iter().min()
}

/// A sentence about the command line, and the exit code of usage.
pub(crate) fn refuse(sentence: &str) -> ExitCode {
    ExitCode::from(told(sentence, USAGE))
}

/// An empty record, on the disk where somebody wants it there: a file that can't be written is
/// found before anything is measured. From then on it is watched what the scenario uses.
pub(crate) fn open_record(output: Option<&Path>) -> Result<RunRecord, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let Some(path) = output else { return Ok(RunRecord::begin(Environment::default())) };
    let record = RunRecord::begin(Environment::gather(root));
    record.write(path).map_err(|error| format!("--output: {error}"))?;
    WATCH.get_or_init(Watch::from_env);
    Ok(record)
}

/// Writes a record where somebody wants it, with what the scenario used so far.
pub(crate) fn write_record(record: &RunRecord, output: Option<&Path>) -> Result<(), RecordError> {
    let Some(path) = output else { return Ok(()) };
    match NAME.get().zip(WATCH.get()) {
        Some((name, Some(watch))) => {
            let mut record = record.clone();
            let beside = watched::beside(watch.rows(name), &record.rows);
            record.rows.extend(beside);
            record.write(path)
        }
        _ => record.write(path),
    }
}

/// Set by the first interrupt; the second ends the process.
pub(crate) fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Whether what was measured came to its end.
///
/// # Errors
/// [`NOT_MEASURED`], once it is told that it was interrupted.
pub(crate) fn uninterrupted(stop: &AtomicBool) -> Result<(), u8> {
    if stop.load(Ordering::Relaxed) { Err(told(INTERRUPTED, NOT_MEASURED)) } else { Ok(()) }
}

/// How many turns of so many have passed.
pub(crate) fn bar(turns: u64) -> ProgressBar {
    let style = "[{bar:30}] {pos}/{len} turns, {elapsed} (left: {eta}) {wide_msg}";
    let bar = ProgressBar::new(turns);
    bar.set_style(ProgressStyle::with_template(style).expect("template is valid"));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(line: &str, recorded: bool) -> bool {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        is_own(&arguments, recorded, &[])
    }

    #[test]
    fn harnesses_get_single_cells_and_users_the_scenario() {
        for line in ["", "--list", "--bench --list", "grpc/matrix", "--nocapture --test-threads=1"]
        {
            assert!(!own(line, false), "{line}");
        }
        assert!(!own("--bench --exact grpc/matrix/read/1MiB", true));
        assert!(!own("--bench", true));
        for line in ["--bench", "--bench --size 1MiB", "--fast", "-h", "--bench --save-baseline=x"]
        {
            assert!(own(line, false), "{line}");
        }
    }

    #[test]
    fn codes_tell_what_broke_from_what_cannot_be_had_or_meant() {
        let code = |error: Error| code_of(&error.into());
        assert_eq!(code(Error::NoUring(io::ErrorKind::PermissionDenied.into())), NOT_MEASURED);
        assert_eq!(code(Error::NoFuse { reason: "no device".to_owned() }), NOT_MEASURED);
        assert_eq!(code(Error::InvalidJob("no job".to_owned())), USAGE);
        assert_eq!(code(Error::RingSetup(io::ErrorKind::OutOfMemory.into())), BROKE);
        assert_eq!(code_of(&"a wrong byte".into()), BROKE);
        let wrapped: Failure = io::Error::other(Error::NeverWrites).into();
        assert_eq!(code_of(&wrapped), BROKE, "an error of the system is none of ours");
        assert_eq!(worst([NOT_MEASURED, BROKE, USAGE]), Some(BROKE));
        assert_eq!((worst([NOT_MEASURED, USAGE]), worst([])), (Some(USAGE), None));
    }

    #[test]
    fn peers_that_are_silent_broke_and_ports_that_are_taken_are_not_measured() {
        use bench_network::Error;
        let code = |error: Error| code_of(&error.into());
        let peer = (std::net::Ipv4Addr::LOCALHOST, 1).into();
        let limit = Duration::from_millis(1);
        assert_eq!(code(Error::PoolWait { connections: 1, limit }), BROKE);
        assert_eq!(code(Error::NoAnswer { peer, what: "answer", limit }), BROKE);
        let source = io::ErrorKind::ConnectionReset.into();
        assert_eq!(code(Error::Lost { peer, source }), BROKE);
        let ports = "2 (1-2)".to_owned();
        assert_eq!(code(Error::PortsExhausted { address: peer, made: 2, ports }), NOT_MEASURED);
        assert_eq!(code(Error::Empty), USAGE);
    }

    #[test]
    fn a_flag_that_others_have_too_is_ours_where_we_say_so() {
        let arguments = ["--output-format=json".to_owned(), "--bench".to_owned()];
        assert!(!is_own(&arguments[..1], false, &[]));
        assert!(is_own(&arguments[..1], false, &["--output-format"]));
        assert_eq!(of_ours("x", &arguments, &["--output-format"]), ["x", "--output-format=json"]);
        assert_eq!(of_ours("x", &arguments, &[]), ["x"]);
    }
}
