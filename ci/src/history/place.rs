//! Which store a URL names: a file of SQLite, or a database on a PostgreSQL server.

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;

use crate::exit::{Exit, failure};
use crate::workspace::Workspace;

/// The variable that names the store where the command line does not.
const VARIABLE: &str = "WEIGHBRIDGE_HISTORY";
/// The file under `target/perf` where neither does.
const FILE: &str = "history.sqlite";

/// Where a history is kept. Its text never holds a password.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file of SQLite.
    File(PathBuf),
    /// A database on a PostgreSQL server.
    Server(Box<PgConnectOptions>),
}

impl Place {
    /// The store that the user named: on the command line, otherwise by `WEIGHBRIDGE_HISTORY`,
    /// otherwise `target/perf/history.sqlite` of the workspace.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a URL that names no store, or no workspace where one is needed.
    pub(crate) fn choose(named: Option<&str>) -> anyhow::Result<Self> {
        match Self::named(named)? {
            Some(place) => Ok(place),
            None => Ok(Self::File(Workspace::find()?.perf()?.join(FILE))),
        }
    }

    /// The store that the user named, on the command line or by `WEIGHBRIDGE_HISTORY`; only where
    /// this is `None` may there be none.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a URL that names no store.
    pub(crate) fn named(named: Option<&str>) -> anyhow::Result<Option<Self>> {
        let variable = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty());
        named.map(str::to_owned).or(variable).map(|url| Self::parse(&url)).transpose()
    }

    /// `postgres://…`, `postgresql://…`, `sqlite:PATH`, `sqlite://PATH`, or a path.
    ///
    /// # Errors
    /// [`Exit::Usage`] for any other scheme, for a URL that the scheme does not allow, and for
    /// nothing at all.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        if let Some(rest) = url.strip_prefix("sqlite:") {
            return Self::file(rest.strip_prefix("//").unwrap_or(rest));
        }
        match url.split_once("://") {
            None => Self::file(url),
            Some(("postgres" | "postgresql", _)) => {
                let options = url.parse::<PgConnectOptions>().map_err(|error| {
                    failure(
                        Exit::Usage,
                        format!("the URL of the PostgreSQL store is wrong: {error}"),
                    )
                })?;
                Ok(Self::Server(Box::new(options)))
            }
            Some((scheme, _)) => Err(failure(
                Exit::Usage,
                format!(
                    "a store is a path, sqlite:PATH or postgres://USER@HOST/DATABASE; '{scheme}' \
                     is none of these"
                ),
            )),
        }
    }

    fn file(path: &str) -> anyhow::Result<Self> {
        if path.is_empty() {
            return Err(failure(Exit::Usage, "the store has no path; write sqlite:PATH"));
        }
        Ok(Self::File(Path::new(path).to_owned()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(options) => {
                let (host, port) = (options.get_host(), options.get_port());
                let socket = options.get_socket().map(|path| path.display().to_string());
                let database = options.get_database().unwrap_or_else(|| options.get_username());
                write!(f, "postgres://{}:{port}/{database}", socket.as_deref().unwrap_or(host))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn paths_and_urls_of_both_kinds_are_stores() {
        for (url, shown) in [
            ("a/b.sqlite", "a/b.sqlite"),
            ("sqlite:a/b", "a/b"),
            ("sqlite:///a/b", "/a/b"),
            ("/with space/ü?.db", "/with space/ü?.db"),
            ("postgres://me:secret@db.example:5433/perf", "postgres://db.example:5433/perf"),
            ("postgresql://me@localhost/perf", "postgres://localhost:5432/perf"),
        ] {
            assert_eq!(Place::parse(url).expect(url).to_string(), shown);
        }
    }

    #[test]
    fn other_schemes_and_nothing_are_refused() {
        for url in ["mysql://localhost/x", "http://x", "sqlite:", "sqlite://", ""] {
            let error = Place::parse(url).expect_err(url);
            assert_eq!(exit::of(&error), Exit::Usage, "{url}");
        }
        let error = Place::parse("postgres://me:secret@host:port/x").expect_err("no such port");
        assert_eq!(exit::of(&error), Exit::Usage);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
