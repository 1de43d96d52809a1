//! Records over time: the store, what is imported into it, change points and export.
//!
//! - [`place`]: which store a URL names.
//! - [`key`]: the environment key, which keeps values apart that do not compare.
//! - [`link`]: a connection to SQLite or PostgreSQL, and the schema.
//! - [`import`]: files of other tools as records.
//! - [`write`](mod@write): records into the store, whole or not at all.
//! - [`read`]: series, ids, environments, and records as they came.
//! - [`changes`]: where the level of a series changed; [`range`]: the commits of such a step.
//! - [`otava`]: series as Apache Otava reads them.

pub(crate) mod changes;
pub(crate) mod import;
pub(crate) mod key;
mod link;
pub(crate) mod otava;
pub(crate) mod place;
pub(crate) mod range;
pub(crate) mod read;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::exit::{Exit, failure};
use link::Link;
use place::Place;

/// How long to wait for a server to answer, and for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open store. One thread of ours; the database sees to it that writers come one by one.
pub(crate) struct Store {
    runtime: Runtime,
    /// Gone only while dropping.
    link: Option<Link>,
    place: Place,
}

impl Store {
    /// Opens the store and brings its schema up to date; an SQLite file is made when missing.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a file that is no database and for a schema newer than this program;
    /// [`Exit::Broke`] where it cannot be reached, written or waited for.
    pub(crate) fn open(place: &Place) -> anyhow::Result<Self> {
        Self::open_with(place, PATIENCE)
    }

    /// As [`open`](Self::open), for reading: nothing is made where there is nothing.
    ///
    /// # Errors
    /// [`Exit::NotMeasured`] where there is no such file, or no history in file or database; and
    /// those of [`open`](Self::open).
    pub(crate) fn existing(place: &Place) -> anyhow::Result<Self> {
        let missing = matches!(place, Place::File(path) if !path.exists());
        let link = if missing {
            None
        } else {
            Some(connected(place, Link::existing(place, PATIENCE))?)
                .and_then(|(runtime, link)| Some((runtime, link?)))
        };
        let Some((runtime, link)) = link else {
            let why = format!(
                "there is no history at {place} yet; `cargo perf history record` stores the \
                 records of `cargo perf run` in it"
            );
            return Err(failure(Exit::NotMeasured, why));
        };
        Ok(Self { runtime, link: Some(link), place: place.clone() })
    }

    fn open_with(place: &Place, patience: Duration) -> anyhow::Result<Self> {
        let (runtime, link) = connected(place, Link::open(place, patience))?;
        Ok(Self { runtime, link: Some(link), place: place.clone() })
    }

    /// Runs `work` on the connection; `action` says in an error what was tried.
    fn run<T>(
        &mut self,
        action: &'static str,
        work: impl AsyncFnOnce(&mut Link) -> Result<T, sqlx::Error>,
    ) -> anyhow::Result<T> {
        let link = self.link.as_mut().expect("gone only while dropping");
        self.runtime.block_on(work(link)).map_err(|error| link::explain(&self.place, action, error))
    }
}

/// What `link` becomes, and the thread that it lives on.
fn connected<T>(
    place: &Place,
    link: impl Future<Output = Result<T, sqlx::Error>>,
) -> anyhow::Result<(Runtime, T)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(link) {
        Ok(link) => Ok((runtime, link)),
        Err(error) => {
            // Dropped, it would wait for the look-up of a host's name that nobody waits for.
            runtime.shutdown_background();
            Err(link::explain(place, "open", error))
        }
    }
}

impl Drop for Store {
    /// Closed in order, so that SQLite leaves one file behind and no write-ahead log beside it.
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.runtime.block_on(link.close());
        }
    }
}
