//! From flags to reports, a record and fio's JSON.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use bench_core::record::{RunRecord, replace_file};

use super::flags::{Format, Session};
use super::json;
use super::rows::rows;
use super::run::{Report, together};
use super::summary::summary;
use crate::front::text::show;
use crate::front::{
    BROKE, INTERRUPTED, NOT_MEASURED, USAGE, open_record, stop_on_signals, told, worst,
    write_record,
};

/// Runs the jobs, group by group; the exit code says how it went.
pub fn run(session: &Session) -> ExitCode {
    run_quietly(session).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

fn run_quietly(session: &Session) -> Result<(), u8> {
    // Before anything is measured: both files are written, signals are caught.
    let mut record = open_record(session.output.as_deref()).map_err(|why| told(&why, USAGE))?;
    write_json(session, &[], &record).map_err(|why| told(&why, USAGE))?;
    let stop = stop_on_signals().map_err(|error| told(&error.to_string(), 1))?;
    for sentence in &session.ignored {
        let _unread = writeln!(io::stderr(), "{sentence}");
    }
    let mut reports: Vec<Report> = Vec::new();
    for (number, group) in (1..).zip(session.groups()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for report in together(group, number, &stop) {
            if session.format == Format::Normal {
                show(summary(&report));
            }
            record.rows.extend(rows(&report));
            reports.push(report);
        }
        let written = write_record(&record, session.output.as_deref());
        written.map_err(|error| told(&error.to_string(), BROKE))?;
        write_json(session, &reports, &record).map_err(|why| told(&why, 1))?;
    }
    if session.format == Format::Json {
        show(json::print(&reports, &record));
    }
    end(&reports, stop.load(Ordering::Relaxed))
}

fn write_json(session: &Session, reports: &[Report], record: &RunRecord) -> Result<(), String> {
    let Some(path) = &session.output_json else { return Ok(()) };
    write_text(path, &json::print(reports, record)).map_err(|why| format!("--output-json: {why}"))
}

fn write_text(path: &Path, text: &str) -> Result<(), String> {
    let written = replace_file(path, |file| file.write_all(text.as_bytes()));
    written.map_err(|error| error.to_string())
}

/// How it went: the worst code of the jobs that failed, 4 where it was interrupted or a job did nothing.
fn end(reports: &[Report], interrupted: bool) -> Result<(), u8> {
    let failed: Vec<(u8, String)> = reports.iter().filter_map(failure).collect();
    let code = worst(failed.iter().map(|(code, _)| *code));
    let first = failed.iter().find(|(one, _)| Some(*one) == code);
    match (first, interrupted) {
        // Jobs that were not even begun did nothing, which is no news.
        (None | Some((NOT_MEASURED, _)), true) => Err(told(INTERRUPTED, NOT_MEASURED)),
        (None, false) => Ok(()),
        (Some((code, why)), _) if failed.len() == reports.len() => {
            Err(told(&format!("nothing was measured: {why}"), *code))
        }
        (Some((code, why)), _) => {
            Err(told(&format!("{} of {} jobs failed: {why}", failed.len(), reports.len()), *code))
        }
    }
}

fn failure(report: &Report) -> Option<(u8, String)> {
    if let Some(failed) = &report.failure {
        return Some((failed.code, failed.why.clone()));
    }
    let row = rows(report).into_iter().find_map(|row| row.error);
    row.map(|why| (NOT_MEASURED, why))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::flags::Flags;
    use super::super::run::Failed;
    use super::*;

    fn asked(line: &str) -> Session {
        let words = std::iter::once("scenario_files").chain(line.split_whitespace());
        Flags::try_parse_from(words).expect("flags").session().expect("sound")
    }

    #[test]
    fn an_output_that_cannot_be_written_is_found_before_anything_is_measured() {
        let directory = tempfile::tempdir().expect("create");
        let file = directory.path().join("file");
        for flag in ["--output", "--output-json"] {
            let line = format!("{flag}=/nowhere/at/all --filename={}", file.display());
            // A file of 256 MiB is not even begun: it would be there until the end of the run.
            assert_eq!(run_quietly(&asked(&line)), Err(USAGE), "{flag}");
            assert!(!file.exists(), "{flag}");
        }
        let why = write_json(
            &asked("--output-json=/nowhere/x"),
            &[],
            &RunRecord::begin(Default::default()),
        );
        let why = why.expect_err("no such directory");
        assert!(why.starts_with("--output-json: ") && why.contains("/nowhere/x"), "{why}");
    }

    #[test]
    fn the_exit_code_says_what_failed() {
        let jobs = asked("--size=64k --invalidate=0").jobs;
        let stop = std::sync::atomic::AtomicBool::new(false);
        let good = || together(&jobs, 1, &stop).pop().expect("one");
        let bad = |code| {
            let failure = Some(Failed { why: "bad".to_owned(), number: None, code });
            Report { failure, ..good() }
        };
        let nothing = || Report { lanes: Vec::new(), ..good() };
        let code = |reports: Vec<Report>, interrupted| end(&reports, interrupted);
        assert_eq!(code(vec![good()], false), Ok(()));
        assert_eq!(code(vec![good(), bad(1)], false), Err(1));
        assert_eq!(code(vec![bad(1), bad(1)], false), Err(1), "broken is not missing");
        assert_eq!(code(vec![good(), bad(NOT_MEASURED)], false), Err(NOT_MEASURED));
        assert_eq!(code(vec![bad(NOT_MEASURED), bad(USAGE)], false), Err(USAGE));
        assert_eq!(code(vec![nothing()], false), Err(NOT_MEASURED));
        assert_eq!(code(vec![good()], true), Err(NOT_MEASURED));
        assert_eq!(code(vec![good(), nothing()], true), Err(NOT_MEASURED));
        assert_eq!(code(vec![good(), bad(1)], true), Err(1));
    }

    #[test]
    fn reports_are_written_where_they_were_asked_for() {
        let directory = tempfile::tempdir().expect("create");
        let path = directory.path().join("fio.json");
        let session = asked(&format!("--output-json={}", path.display()));
        write_json(&session, &[], &RunRecord::begin(Default::default())).expect("written");
        let text = std::fs::read_to_string(&path).expect("there");
        assert!(text.contains("\"fio version\": \"fio-3.33 (weighbridge"), "{text}");
    }
}
