//! `cargo perf publish`: puts a report where people read it, in a job of GitHub Actions or GitLab
//! CI. Reads the file and the forge's variables; writes nothing on disk.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::exit::{self, Exit, failure};
use crate::publish::place::{self, variable};
use crate::publish::{self, Kind, body};
use crate::ui::Ui;

/// The tokens that are asked for.
const HELP: &str = "\
On GitHub the token is GH_TOKEN, with permission to write pull requests or issues; `gh` must be
installed. On GitLab it is WEIGHBRIDGE_GITLAB_TOKEN, a project access token with the scope api: a
job's own token may not write notes; `curl` must be installed.";

/// What `publish` takes.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct PublishArgs {
    #[command(subcommand)]
    command: PublishCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum PublishCommand {
    /// Write the file as a comment on the pull request, over the one written before
    Comment {
        #[command(flatten)]
        what: What,
        /// What to write where there is no such file; the exit code is 4 all the same
        ///
        /// Otherwise the comment of an older commit stays, as if it were about this one.
        #[arg(long, value_name = "TEXT", value_parser = line)]
        otherwise: Option<String>,
    },
    /// Write the file as an issue, over the open one written before
    Issue {
        #[command(flatten)]
        what: What,
        /// The title of the issue
        #[arg(long, value_name = "TEXT", value_parser = line)]
        title: String,
        /// End well where there is no such file: there is nothing to say
        #[arg(long)]
        if_exists: bool,
    },
}

/// What is published, and what it is found by.
#[derive(Args, Clone, Debug)]
struct What {
    /// The text, in Markdown
    file: PathBuf,
    /// By what it is found again; one of each name is kept
    #[arg(long, value_name = "NAME", default_value = "report", value_parser = body::name)]
    name: String,
}

/// # Errors
/// [`Exit::NotMeasured`] where the file is missing or empty, [`Exit::Usage`] where this job is for
/// no pull request or has no token, [`Exit::Broke`] when the forge refuses.
pub(crate) fn run(args: &PublishArgs, ui: Ui) -> anyhow::Result<Exit> {
    let (what, title, otherwise) = match &args.command {
        PublishCommand::Comment { what, otherwise } => (what, None, otherwise.as_ref()),
        PublishCommand::Issue { what, if_exists: true, .. } if !what.file.exists() => {
            let told = format!("there is no {}: nothing to publish", what.file.display());
            ui.result(&told, &json!({"done": "nothing", "url": null}))?;
            return Ok(Exit::Fine);
        }
        PublishCommand::Issue { what, title, .. } => (what, Some(title.clone()), None),
    };
    let (text, exit) = match (read(&what.file), otherwise) {
        (Err(missing), Some(text)) if exit::of(&missing) == Exit::NotMeasured => {
            ui.say(&format!("{missing}; saying so"));
            (text.clone(), Exit::NotMeasured)
        }
        (text, _) => (text?, Exit::Fine),
    };
    let forge = place::forge(&variable)?;
    let kind = match title {
        Some(title) => Kind::Issue(title),
        None => Kind::Comment(place::request(&variable)?),
    };
    let published = publish::publish(forge.as_ref(), &kind, &what.name, &text)?;
    let noun = if matches!(kind, Kind::Issue(_)) { "issue" } else { "comment" };
    let at = published.url.as_ref().map(|url| format!(": {url}")).unwrap_or_default();
    ui.result(&format!("{} the {noun} '{}'{at}", published.done, what.name), &published)?;
    Ok(exit)
}

/// The text of the file.
fn read(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            failure(Exit::NotMeasured, format!("there is no file {name} to publish"))
        }
        _ => failure(Exit::Usage, format!("{name} can't be published: {error}")),
    })?;
    if text.trim().is_empty() {
        return Err(failure(Exit::NotMeasured, format!("{name} is empty: nothing to publish")));
    }
    Ok(text)
}

/// One line that both forges take.
fn line(text: &str) -> Result<String, String> {
    let wrong = text.trim().is_empty() || text.chars().count() > 200;
    if wrong || text.chars().any(char::is_control) {
        return Err("write one line of at most 200 characters".to_owned());
    }
    Ok(text.to_owned())
}
