//! GitLab, by its API, version 4, and `curl`. The token stands in a file that only this user can
//! read, for as long as a request takes: never in an argument that others could list.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::{Entry, Forge, Kind, PAGE, entries};
use crate::exit::{Exit, failure};
use crate::process;

/// One request; curl is told to give up before.
const DEADLINE: Duration = Duration::from_secs(90);

/// A project on a GitLab server.
pub(crate) struct GitLab {
    /// `https://gitlab.example/api/v4`.
    pub(crate) api: String,
    pub(crate) project: u64,
    pub(crate) token: String,
}

impl GitLab {
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        // Such a folder is its owner's alone.
        let folder = tempfile::tempdir().context("failed to create a temporary folder")?;
        let secret = folder.path().join("curl.conf");
        fs::write(&secret, format!("header = \"PRIVATE-TOKEN: {}\"\n", self.token))
            .context("failed to write the request")?;
        let mut curl = Command::new("curl");
        // No settings of the user's, no redirects: they could take the token elsewhere.
        curl.args(["--disable", "--silent", "--show-error", "--fail-with-body"]);
        curl.args(["--proto", "=https", "--max-time", "60", "--request", method]);
        curl.arg("--config").arg(secret);
        if let Some(body) = body {
            let file = folder.path().join("body.json");
            fs::write(&file, body.to_string()).context("failed to write the request")?;
            curl.args(["--header", "Content-Type: application/json", "--data-binary"]);
            curl.arg(format!("@{}", file.display()));
        }
        curl.arg(format!("{}/{path}", self.api));
        let outcome = process::run(&mut curl, DEADLINE)?;
        let answer = serde_json::from_str::<Value>(&outcome.stdout).ok();
        if !outcome.success() {
            let told = answer.as_ref().and_then(|answer| {
                answer.get("message").or(answer.get("error")).map(Value::to_string)
            });
            let told = told.map(|told| format!(": {told}")).unwrap_or_default();
            let words = format!("{}{told}", outcome.last_words()).replace(&self.token, "***");
            return Err(failure(Exit::Broke, format!("curl could not {method} {path}: {words}")));
        }
        let why = || failure(Exit::Broke, format!("GitLab's answer to {method} {path} is no JSON"));
        answer.ok_or_else(why)
    }

    fn path(&self, kind: &Kind) -> String {
        match kind {
            Kind::Comment(number) => {
                format!("projects/{}/merge_requests/{number}/notes", self.project)
            }
            Kind::Issue(_) => format!("projects/{}/issues", self.project),
        }
    }
}

impl Forge for GitLab {
    fn characters_max(&self) -> usize {
        1_000_000
    }

    fn login(&self) -> anyhow::Result<String> {
        let answer = self.call("GET", "user", None)?;
        let login = answer["username"].as_str();
        login.map(str::to_owned).context("GitLab does not say whose the token is")
    }

    fn list(&self, kind: &Kind, page: usize) -> anyhow::Result<Vec<Option<Entry>>> {
        let (state, id, body) = match kind {
            Kind::Comment(_) => ("sort=asc", "id", "body"),
            Kind::Issue(_) => ("state=opened&sort=asc", "iid", "description"),
        };
        let path = format!("{}?{state}&per_page={PAGE}&page={page}", self.path(kind));
        entries(&self.call("GET", &path, None)?, |one| {
            Some(Entry {
                id: one[id].as_u64()?,
                author: one["author"]["username"].as_str()?.to_owned(),
                body: one[body].as_str()?.to_owned(),
            })
        })
    }

    fn write(&self, kind: &Kind, over: Option<u64>, text: &str) -> anyhow::Result<Value> {
        let body = match kind {
            Kind::Comment(_) => json!({"body": text}),
            Kind::Issue(title) => json!({"title": title, "description": text}),
        };
        match over {
            None => self.call("POST", &self.path(kind), Some(&body)),
            Some(id) => self.call("PUT", &format!("{}/{id}", self.path(kind)), Some(&body)),
        }
    }

    fn url_name(&self) -> &'static str {
        "web_url"
    }
}
