//! `cargo perf doctor`: one line for each thing that measuring needs, and what follows from it.
//! It reports and judges nothing, so it exits with 0 whatever it finds.

use std::path::Path;

use serde_json::json;

use crate::doctor::{self, Finding, Status};
use crate::exit::Exit;
use crate::render::table::{Table, Tone};
use crate::ui::Ui;
use crate::workspace::Workspace;

pub(crate) fn run(ui: Ui) -> anyhow::Result<Exit> {
    // Outside of a workspace there is still a machine.
    let target = Workspace::find().map(|workspace| workspace.target);
    let findings = doctor::examine(target.as_deref().unwrap_or(Path::new("/")));
    ui.result(&text(&findings, ui.colour()), &json!({"findings": findings}))?;
    Ok(Exit::Fine)
}

fn text(findings: &[Finding], colour: bool) -> String {
    let mut table = Table::new(&["what", "status", "found: what follows"]);
    for finding in findings {
        let (tone, status) = match finding.status {
            Status::Ok => (Tone::Neutral, "ok"),
            Status::Limited => (Tone::Neutral, "limited"),
            Status::Missing => (Tone::Bad, "missing"),
            Status::Unknown => (Tone::Quiet, "unknown"),
        };
        let told = format!("{}: {}", finding.found, finding.consequence);
        table.push(tone, vec![finding.what.to_owned(), status.to_owned(), told]);
    }
    table.text(colour)
}
