//! Where we are: the forge, the repository and the pull request, from the variables that the forge
//! sets. They end up in addresses, so each is held against its form first.

use std::path::Path;

use serde_json::Value;

use super::Forge;
use super::github::GitHub;
use super::gitlab::GitLab;
use crate::exit::{Exit, failure};

/// A project access token of GitLab with the scope `api`: a job's own token may not write notes.
const GITLAB_TOKEN: &str = "WEIGHBRIDGE_GITLAB_TOKEN";

/// A variable by name; none that is empty.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of this process.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The forge that runs us.
///
/// # Errors
/// [`Exit::Usage`] outside of both, without a token, or where a variable has not its form.
pub(crate) fn forge(of: Variables<'_>) -> anyhow::Result<Box<dyn Forge>> {
    let runs = |name: &str| of(name).as_deref() == Some("true");
    match (runs("GITHUB_ACTIONS"), runs("GITLAB_CI")) {
        (true, _) => Ok(Box::new(github(of)?)),
        (_, true) => Ok(Box::new(gitlab(of)?)),
        _ => {
            Err(wrong("publish works in a job of GitHub Actions or of GitLab CI; this is neither"))
        }
    }
}

/// The number of the pull or merge request that the job is for.
///
/// # Errors
/// [`Exit::Usage`] where it is for none.
pub(crate) fn request(of: Variables<'_>) -> anyhow::Result<u64> {
    let found = match of("GITHUB_ACTIONS").as_deref() {
        Some("true") => of("GITHUB_REF").and_then(|name| pull(&name)).or_else(|| event(of)),
        _ => of("CI_MERGE_REQUEST_IID").and_then(|number| positive(&number)),
    };
    found.ok_or_else(|| {
        wrong("this job is for no pull or merge request: there is nothing to comment on")
    })
}

fn github(of: Variables<'_>) -> anyhow::Result<GitHub> {
    let token = of("GH_TOKEN").or_else(|| of("GITHUB_TOKEN"));
    let why = "GH_TOKEN is not set: give the step `GH_TOKEN: ${{ github.token }}`";
    let token = token.ok_or_else(|| wrong(why))?;
    let repository = of("GITHUB_REPOSITORY").unwrap_or_default();
    let part = |part: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && !part.starts_with(['.', '-']) && part.chars().all(fine)
    };
    if !repository.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name)) {
        return Err(wrong("GITHUB_REPOSITORY is not of the form owner/name"));
    }
    let server = of("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
    let host = server.strip_prefix("https://").filter(|host| part(host));
    let host = host.ok_or_else(|| wrong("GITHUB_SERVER_URL is not of the form https://HOST"))?;
    Ok(GitHub { repository, host: host.to_owned(), token })
}

fn gitlab(of: Variables<'_>) -> anyhow::Result<GitLab> {
    let why = format!(
        "{GITLAB_TOKEN} is not set: a job's own token may not write notes or issues, so make a \
         project access token with the scope api and set it as a masked variable"
    );
    let token = of(GITLAB_TOKEN).ok_or_else(|| wrong(&why))?;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !token.chars().all(fine) {
        return Err(wrong(&format!("{GITLAB_TOKEN} has a character that no token has")));
    }
    let project = of("CI_PROJECT_ID").and_then(|number| positive(&number));
    let project = project.ok_or_else(|| wrong("CI_PROJECT_ID is not a number"))?;
    let api = of("CI_API_V4_URL").unwrap_or_default();
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':');
    // Anything else would send the token in the clear.
    if !(api.starts_with("https://") && api.chars().all(fine)) {
        return Err(wrong("CI_API_V4_URL is not an https address"));
    }
    Ok(GitLab { api, project, token })
}

/// The number in `refs/pull/7/merge`.
fn pull(name: &str) -> Option<u64> {
    let (number, _) = name.strip_prefix("refs/pull/")?.split_once('/')?;
    positive(number)
}

/// The number in the event that started the job.
fn event(of: Variables<'_>) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new(&of("GITHUB_EVENT_PATH")?)).ok()?;
    let event: Value = serde_json::from_str(&text).ok()?;
    event["pull_request"]["number"].as_u64().filter(|number| *number > 0)
}

fn positive(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}

fn wrong(why: &str) -> anyhow::Error {
    failure(Exit::Usage, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of these variables; nothing where they are fine.
    fn said(variables: &[(&str, &str)]) -> String {
        let of = |name: &str| {
            let found = variables.iter().rev().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned()).filter(|value| !value.is_empty())
        };
        match forge(&of).and_then(|_| request(&of)) {
            Ok(_) => String::new(),
            Err(error) => {
                assert_eq!(crate::exit::of(&error), Exit::Usage);
                error.to_string()
            }
        }
    }

    const GITHUB: [(&str, &str); 4] = [
        ("GITHUB_ACTIONS", "true"),
        ("GH_TOKEN", "secret"),
        ("GITHUB_REPOSITORY", "a-b/c.d"),
        ("GITHUB_REF", "refs/pull/7/merge"),
    ];
    const GITLAB: [(&str, &str); 5] = [
        ("GITLAB_CI", "true"),
        (GITLAB_TOKEN, "glpat-x_y"),
        ("CI_PROJECT_ID", "12"),
        ("CI_API_V4_URL", "https://gitlab.example:8443/sub/api/v4"),
        ("CI_MERGE_REQUEST_IID", "3"),
    ];

    #[test]
    fn each_variable_is_held_against_its_form() {
        assert_eq!((said(&GITHUB), said(&GITLAB)), (String::new(), String::new()));
        assert!(said(&[]).contains("this is neither"));
        let github = [
            ("GH_TOKEN", "", "GH_TOKEN is not set"),
            ("GITHUB_REPOSITORY", "a/b/c", "owner/name"),
            ("GITHUB_REPOSITORY", "../b", "owner/name"),
            ("GITHUB_REPOSITORY", "a/b?x=1", "owner/name"),
            ("GITHUB_SERVER_URL", "http://x", "https://HOST"),
            ("GITHUB_SERVER_URL", "https://x/y", "https://HOST"),
            ("GITHUB_REF", "refs/heads/main", "no pull or merge request"),
            ("GITHUB_REF", "refs/pull/0/merge", "no pull or merge request"),
            ("GITHUB_REF", "refs/pull/+7/merge", "no pull or merge request"),
        ];
        for (name, value, part) in github {
            let told = said(&[&GITHUB[..], &[(name, value)]].concat());
            assert!(told.contains(part), "{name}={value}: {told}");
        }
        let gitlab = [
            (GITLAB_TOKEN, "", "project access token"),
            (GITLAB_TOKEN, "a\"b", "no token has"),
            ("CI_PROJECT_ID", "1/../2", "CI_PROJECT_ID"),
            ("CI_API_V4_URL", "http://gitlab.example/api/v4", "https"),
            ("CI_API_V4_URL", "https://x/\n", "https"),
            ("CI_MERGE_REQUEST_IID", "", "no pull or merge request"),
        ];
        for (name, value, part) in gitlab {
            let told = said(&[&GITLAB[..], &[(name, value)]].concat());
            assert!(told.contains(part), "{name}={value}: {told}");
        }
    }
}
