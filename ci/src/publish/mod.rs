//! One comment on a pull request, or one open issue, that is updated and not repeated.
//!
//! Which one is ours says a [marker](body::marker) in its first line, and its author: a text of
//! somebody else is never touched, whatever it begins with. [`place`] reads from the forge's own
//! variables where we are; [`github`] and [`gitlab`] ask the two forges.

pub(crate) mod body;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod place;

use serde::Serialize;
use serde_json::Value;

use crate::exit::{Exit, failure};

/// What one call lists; both forges allow no more.
const PAGE: usize = 100;
/// Where a list has more pages than this nobody finds a marker in useful time.
const PAGES_MAX: usize = 100;

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A comment on the pull or merge request of this number.
    Comment(u64),
    /// An issue with this title.
    Issue(String),
}

/// A comment or an open issue as a forge lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// By what it is updated: an id, or the number of an issue.
    pub(crate) id: u64,
    pub(crate) author: String,
    pub(crate) body: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Published {
    /// `created` or `updated`.
    pub(crate) done: &'static str,
    /// Where to look at it, if the forge says.
    pub(crate) url: Option<String>,
}

/// A place that keeps comments and issues.
pub(crate) trait Forge {
    /// How many characters a text may have.
    fn characters_max(&self) -> usize;
    /// Who we are there.
    fn login(&self) -> anyhow::Result<String>;
    /// One page of the comments, or of the open issues; the first is 1.
    fn list(&self, kind: &Kind, page: usize) -> anyhow::Result<Vec<Option<Entry>>>;
    /// Writes a new one, or over the one of this id; answers with what the forge says of it.
    fn write(&self, kind: &Kind, over: Option<u64>, text: &str) -> anyhow::Result<Value>;
    /// Under which name the forge's answer has the address for people.
    fn url_name(&self) -> &'static str;
}

/// Writes the text under this name, over what we wrote under it before.
///
/// # Errors
/// What the forge's tool says when it fails; [`Exit::Broke`] where the list has no end.
pub(crate) fn publish(
    forge: &dyn Forge,
    kind: &Kind,
    name: &str,
    text: &str,
) -> anyhow::Result<Published> {
    let marker = body::marker(name);
    let text = body::fit(&marker, text, forge.characters_max());
    let over = ours(forge, kind, &marker)?;
    let answer = forge.write(kind, over, &text)?;
    let clean = |url: &str| url.chars().filter(|c| !c.is_control()).collect();
    Ok(Published {
        done: if over.is_some() { "updated" } else { "created" },
        url: answer[forge.url_name()].as_str().map(clean),
    })
}

/// The oldest of our own that begins with the marker.
fn ours(forge: &dyn Forge, kind: &Kind, marker: &str) -> anyhow::Result<Option<u64>> {
    let login = forge.login()?;
    for page in 1..=PAGES_MAX {
        let entries = forge.list(kind, page)?;
        let is_ours = |entry: &&Entry| {
            entry.author == login && entry.body.lines().next().map(str::trim) == Some(marker)
        };
        if let Some(entry) = entries.iter().flatten().find(is_ours) {
            return Ok(Some(entry.id));
        }
        if entries.len() < PAGE {
            return Ok(None);
        }
    }
    let why = format!("there are more than {} texts to look through", PAGE * PAGES_MAX);
    Err(failure(Exit::Broke, why))
}

/// The entries of a page, in order; `None` is what `read` does not take for one of its kind.
///
/// # Errors
/// [`Exit::Broke`] where the answer is no list.
fn entries(
    answer: &Value,
    read: impl Fn(&Value) -> Option<Entry>,
) -> anyhow::Result<Vec<Option<Entry>>> {
    let why = || failure(Exit::Broke, "the forge's answer is not a list");
    Ok(answer.as_array().ok_or_else(why)?.iter().map(read).collect())
}
