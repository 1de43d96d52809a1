//! `cargo perf history import`: reads files of other tools, writes the store.

use std::path::PathBuf;
use std::time::Instant;

use bench_core::record::Environment;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::told;
use crate::exit::Exit;
use crate::history::Store;
use crate::history::import::{Format, Said, records};
use crate::history::place::Place;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// Reasons that are shown one by one; of more, the number says enough.
const REASONS_SHOWN: usize = 5;

/// What `history import` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    /// What wrote the files
    #[arg(value_enum)]
    format: Format,
    /// The files; for criterion its folder
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// When it was measured, as in 2026-11-20T09:12:44Z [default: as the file says, otherwise its
    /// own time]; not for a file of several runs
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// The git commit that was measured [default: as the file says]; not for a file of several runs
    #[arg(long, value_name = "HASH")]
    commit: Option<String>,
    /// A name for the machine; values of different machines are kept apart
    ///
    /// Left out, it is what the file says of the machine, or unknown: all that is imported from an
    /// unknown machine shares one line, whatever the machines were.
    #[arg(long, value_name = "NAME", conflicts_with = "here")]
    host: Option<String>,
    /// It was measured on this machine
    ///
    /// Samples of criterion then join the lines of this machine's own runs, where those note nothing
    /// that makes them another thing, as a backend or size does. The values of every other tool are
    /// its own estimates and keep lines of their own.
    #[arg(long)]
    here: bool,
    /// The one baseline of criterion to import [default: every saved one, otherwise the last run]
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
}

pub(super) fn run(args: &ImportArgs, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let said = Said {
        at: args.at,
        commit: args.commit.clone(),
        machine: machine(args),
        baseline: args.baseline.clone(),
    };
    let mut left_out = Vec::new();
    let started = Instant::now();
    let records = records(args.format, &args.files, &said, &mut left_out)?;
    let stored = Store::open(place)?.record_all(records);
    // Said before an error: that a run has no row may be why.
    for why in left_out.iter().take(REASONS_SHOWN) {
        ui.say(&format!("warning: left out: {why}"));
    }
    if left_out.len() > REASONS_SHOWN {
        ui.say(&format!("warning: left out: {} more", left_out.len() - REASONS_SHOWN));
    }
    let stored = stored?;
    let seconds = started.elapsed().as_secs_f64();
    let json = json!({
        "store": place.to_string(),
        "runs": stored.runs,
        "rows": stored.rows,
        "known": stored.known,
        "left_out": left_out,
        "seconds": seconds,
    });
    ui.result(&format!("{}, in {seconds:.1} s", told(stored, place)), &json)?;
    Ok(Exit::Fine)
}

/// What is said of the machine. Of the tools that built what was measured nothing is said, even
/// where it was measured here: they may have changed since.
fn machine(args: &ImportArgs) -> Option<Environment> {
    if args.here {
        let root = Workspace::find().map(|workspace| workspace.root).unwrap_or_default();
        let here = Environment::gather(&root);
        return Some(Environment {
            host_id: here.host_id,
            cpu_model: here.cpu_model,
            cpu_features: here.cpu_features,
            cores: here.cores,
            memory_bytes: here.memory_bytes,
            ..Environment::default()
        });
    }
    let host_id = args.host.clone()?;
    Some(Environment { host_id: Some(host_id), ..Environment::default() })
}
