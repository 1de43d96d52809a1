//! `cargo perf history export`: reads the store, writes files that other tools read.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::bench::ids::Only;
use crate::exit::{Exit, failure};
use crate::history::Store;
use crate::history::changes::measured;
use crate::history::otava::{CONFIG, GROUP, config, tests};
use crate::history::place::Place;
use crate::render::disk;
use crate::ui::Ui;

/// Who is to read the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Apache Otava: CSV files, and an otava.yaml that names them
    Otava,
}

/// What `history export` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExportArgs {
    /// Who is to read the files
    #[arg(long, value_enum)]
    format: Format,
    /// The folder that the files go into; made when missing
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Only ids that match this glob, as in 'grpc/*'; may be repeated
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
}

pub(super) fn run(args: &ExportArgs, place: &Place, ui: Ui) -> anyhow::Result<Exit> {
    let Format::Otava = args.format;
    let only = Only::parse(&args.only)?;
    let mut store = Store::existing(place)?;
    let mut all = Vec::new();
    for series in super::wanted(&mut store, &only, place)? {
        let points = store.series(&series.id, &series.metric, &series.environment)?;
        all.push((series, measured(points).0));
    }
    let tests = tests(&all);
    // As far back as Otava must look: left alone it takes one year.
    let oldest = all.iter().filter_map(|(_, points)| points.first()).map(|one| &one.started_at);
    let Some(oldest) = oldest.min() else {
        let why = format!("the history {place} has no value of a clean tree in what was asked for");
        return Err(failure(Exit::NotMeasured, why));
    };
    let folder = &args.output;
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    for test in &tests {
        disk::write(&folder.join(test.file()), test.csv.as_bytes())?;
    }
    disk::write(&folder.join(CONFIG), config(&tests).as_bytes())?;
    let command = format!("otava analyze --config-file {CONFIG} --since {oldest} {GROUP}");
    let text = format!(
        "wrote {} and {CONFIG} into {}; run there: {command}",
        tests.iter().map(|test| test.file()).collect::<Vec<_>>().join(", "),
        folder.display()
    );
    let json = json!({
        "folder": folder,
        "config": CONFIG,
        "files": tests.iter().map(|test| test.file()).collect::<Vec<_>>(),
        "command": command,
    });
    ui.result(&text, &json)?;
    Ok(Exit::Fine)
}
