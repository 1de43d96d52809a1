//! GitHub, by way of its own program `gh`, which every runner has. The token reaches it by the
//! environment, and the text by a file: neither is an argument that others could list.

use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::{Entry, Forge, Kind, PAGE, entries};
use crate::exit::{Exit, failure};
use crate::process;

/// One request; `gh` waits for none of them as long.
const DEADLINE: Duration = Duration::from_secs(90);

/// A repository on GitHub, or on a server of one's own.
pub(crate) struct GitHub {
    /// `owner/name`.
    pub(crate) repository: String,
    pub(crate) host: String,
    pub(crate) token: String,
}

impl GitHub {
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let folder = tempfile::tempdir().context("failed to create a temporary folder")?;
        let mut gh = Command::new("gh");
        gh.args(["api", "--hostname", &self.host, "--method", method]);
        if let Some(body) = body {
            let file = folder.path().join("body.json");
            std::fs::write(&file, body.to_string()).context("failed to write the request")?;
            gh.arg("--input").arg(file);
        }
        gh.arg(path).env("GH_PROMPT_DISABLED", "1").env("GH_NO_UPDATE_NOTIFIER", "1");
        gh.env("NO_COLOR", "1").env("GH_TOKEN", &self.token);
        // A server of one's own is asked with the other of the two.
        gh.env("GH_ENTERPRISE_TOKEN", &self.token);
        let outcome = process::run(&mut gh, DEADLINE)?;
        if !outcome.success() {
            let words = outcome.last_words().replace(&self.token, "***");
            return Err(failure(Exit::Broke, format!("gh could not {method} {path}: {words}")));
        }
        serde_json::from_str(&outcome.stdout)
            .map_err(|_| failure(Exit::Broke, format!("gh's answer to {method} {path} is no JSON")))
    }

    fn path(&self, kind: &Kind) -> String {
        match kind {
            Kind::Comment(number) => format!("repos/{}/issues/{number}/comments", self.repository),
            Kind::Issue(_) => format!("repos/{}/issues", self.repository),
        }
    }
}

impl Forge for GitHub {
    fn characters_max(&self) -> usize {
        65_536
    }

    /// By GraphQL: the token of a job is of no user, and `GET /user` is denied to it.
    fn login(&self) -> anyhow::Result<String> {
        let query = json!({"query": "query { viewer { login } }"});
        let answer = self.call("POST", "graphql", Some(&query))?;
        let login = answer["data"]["viewer"]["login"].as_str();
        login.map(str::to_owned).context("gh does not say whose the token is")
    }

    fn list(&self, kind: &Kind, page: usize) -> anyhow::Result<Vec<Option<Entry>>> {
        let state = if matches!(kind, Kind::Issue(_)) { "state=open&" } else { "" };
        let path = format!("{}?{state}per_page={PAGE}&page={page}", self.path(kind));
        let id = if matches!(kind, Kind::Issue(_)) { "number" } else { "id" };
        entries(&self.call("GET", &path, None)?, |one| {
            // Pull requests are listed among the issues.
            one.get("pull_request").is_none().then_some(())?;
            Some(Entry {
                id: one[id].as_u64()?,
                author: one["user"]["login"].as_str()?.to_owned(),
                body: one["body"].as_str()?.to_owned(),
            })
        })
    }

    fn write(&self, kind: &Kind, over: Option<u64>, text: &str) -> anyhow::Result<Value> {
        let body = match kind {
            Kind::Comment(_) => json!({"body": text}),
            Kind::Issue(title) => json!({"title": title, "body": text}),
        };
        let repository = &self.repository;
        match (over, kind) {
            (None, _) => self.call("POST", &self.path(kind), Some(&body)),
            (Some(id), Kind::Comment(_)) => {
                self.call("PATCH", &format!("repos/{repository}/issues/comments/{id}"), Some(&body))
            }
            (Some(number), Kind::Issue(_)) => {
                self.call("PATCH", &format!("repos/{repository}/issues/{number}"), Some(&body))
            }
        }
    }

    fn url_name(&self) -> &'static str {
        "html_url"
    }
}
