//! A connection to SQLite or to PostgreSQL. The statements are the same for both, with `$1`…
//! for values; this file holds all that differs.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use sqlx::database::Database;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Encode, FromRow, SqlSafeStr, Type, query};

use super::place::Place;
use crate::exit::{Exit, failure};

/// The schema, one migration a version; a version that was released is never changed.
const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "history", include_str!("../../migrations/0001_history.sql"))];
const MIGRATIONS_TABLE: &str = "history_migrations";

/// SQLite: another connection holds a lock (with its extended codes), the file is no database.
const SQLITE_BUSY: [&str; 4] = ["5", "6", "261", "517"];
const SQLITE_NOT_A_DATABASE: &str = "26";
/// PostgreSQL: a lock was not had within `lock_timeout`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// One value of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Cow<'static, str>),
    MaybeText(Option<String>),
    Whole(i64),
    MaybeWhole(Option<i64>),
    MaybeReal(Option<f64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Cow::Owned(text.to_owned()))
    }
}

/// An open connection.
pub(crate) enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A row that both databases can hand over as `Self`.
pub(crate) trait Shape:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Shape for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl Link {
    /// Connects, waits at most `patience` for a server and for each lock, and brings the schema up to
    /// date.
    pub(crate) async fn open(place: &Place, patience: Duration) -> Result<Self, sqlx::Error> {
        let mut link = match place {
            Place::File(path) => {
                let options = file(path, patience)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal);
                Self::Sqlite(options.connect().await?)
            }
            Place::Server(options) => Self::Postgres(server(options, patience).await?),
        };
        link.migrate().await?;
        Ok(link)
    }

    /// As [`open`](Self::open), and nothing is written where no history is: `None`.
    pub(crate) async fn existing(
        place: &Place,
        patience: Duration,
    ) -> Result<Option<Self>, sqlx::Error> {
        let mut link = match place {
            Place::File(path) => Self::Sqlite(file(path, patience).connect().await?),
            Place::Server(options) => Self::Postgres(server(options, patience).await?),
        };
        if link.version().await?.is_none() {
            link.close().await;
            return Ok(None);
        }
        link.migrate().await?;
        Ok(Some(link))
    }

    pub(crate) async fn close(self) {
        // What was committed is safe either way.
        let _closed = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        };
    }

    /// Applies what is missing of the schema. Looks before it locks, so that who only reads never
    /// waits for who writes.
    async fn migrate(&mut self) -> Result<(), sqlx::Error> {
        let newest = MIGRATIONS[MIGRATIONS.len() - 1].0;
        match self.version().await? {
            Some(version) if version == newest => return Ok(()),
            Some(version) if version > newest => {
                return Err(MigrateError::VersionTooNew(version, newest).into());
            }
            _ => {}
        }
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            let kind = MigrationType::Simple;
            Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
        });
        let mut migrator = Migrator::with_migrations(migrations.to_vec());
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        let migrated = match self {
            // Two that make the same file at once: the second waits and finds it made.
            Self::Sqlite(connection) => {
                let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
                migrator.run(&mut *transaction).await?;
                transaction.commit().await.map_err(MigrateError::from)
            }
            Self::Postgres(connection) => migrator.run(connection).await,
        };
        Ok(migrated?)
    }

    /// The newest migration that was applied; `None` in an empty database.
    async fn version(&mut self) -> Result<Option<i64>, sqlx::Error> {
        let there = match self {
            Self::Sqlite(_) => {
                "SELECT COUNT(*) FROM sqlite_master WHERE name = 'history_migrations'"
            }
            Self::Postgres(_) => "SELECT COUNT(to_regclass('history_migrations'))",
        };
        if self.fetch::<(i64,)>(there, Vec::new()).await? == [(0,)] {
            return Ok(None);
        }
        let newest = "SELECT MAX(version) FROM history_migrations";
        let versions: Vec<(Option<i64>,)> = self.fetch(newest, Vec::new()).await?;
        Ok(versions.into_iter().find_map(|(version,)| version))
    }

    /// Starts to write, alone: whoever else writes is waited for.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => self.execute("BEGIN IMMEDIATE", Vec::new()).await,
            Self::Postgres(_) => {
                self.execute("BEGIN", Vec::new()).await?;
                self.execute("LOCK TABLE history_runs IN EXCLUSIVE MODE", Vec::new()).await
            }
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT", Vec::new()).await
    }

    /// Forgets what was written since [`begin`](Self::begin). That this fails is no news: the
    /// database does the same when the connection ends.
    pub(crate) async fn roll_back(&mut self) {
        let _ended = self.execute("ROLLBACK", Vec::new()).await;
    }

    /// Executes a statement that hands over no rows.
    pub(crate) async fn execute(
        &mut self,
        statement: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> Result<(), sqlx::Error> {
        // Of our own making: no statement holds a word of the user's.
        let statement = AssertSqlSafe(statement.into());
        match self {
            Self::Sqlite(connection) => {
                bind(query(statement), values).execute(connection).await.map(drop)
            }
            Self::Postgres(connection) => {
                bind(query(statement), values).execute(connection).await.map(drop)
            }
        }
    }

    /// All rows of a statement.
    pub(crate) async fn fetch<T: Shape>(
        &mut self,
        statement: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<T>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let rows = bind(query(statement), values).fetch_all(connection).await?;
                rows.iter().map(T::from_row).collect()
            }
            Self::Postgres(connection) => {
                let rows = bind(query(statement), values).fetch_all(connection).await?;
                rows.iter().map(T::from_row).collect()
            }
        }
    }
}

/// A file as it is: whether it is made, and how it is written, is said by who writes.
fn file(path: &Path, patience: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(patience).foreign_keys(true)
}

/// A connection to the server. One that takes the call and says nothing would keep it for ever.
async fn server(
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<PgConnection, sqlx::Error> {
    let locks = format!("{}ms", patience.as_millis());
    let options = options.clone().options([("lock_timeout", locks)]);
    tokio::time::timeout(patience, options.connect()).await.unwrap_or_else(|_| {
        let why = format!(
            "the server did not answer within {} s; see that it runs and is reached by that host \
             and port",
            patience.as_secs_f64()
        );
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, why).into())
    })
}

fn bind<'q, DB>(
    mut query: Query<'q, DB, DB::Arguments>,
    values: Vec<Value>,
) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    for<'t> Cow<'static, str>: Encode<'t, DB> + Type<DB>,
    for<'t> Option<String>: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
    for<'t> Option<i64>: Encode<'t, DB> + Type<DB>,
    for<'t> Option<f64>: Encode<'t, DB> + Type<DB>,
{
    for value in values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::MaybeText(text) => query.bind(text),
            Value::Whole(number) => query.bind(number),
            Value::MaybeWhole(number) => query.bind(number),
            Value::MaybeReal(number) => query.bind(number),
        };
    }
    query
}

/// What went wrong, in one sentence with its exit code; `action` says what was tried: `read`.
pub(crate) fn explain(place: &Place, action: &str, error: sqlx::Error) -> anyhow::Error {
    if let sqlx::Error::Migrate(inner) = &error
        && let MigrateError::VersionTooNew(found, known) = **inner
    {
        let why = format!(
            "the history {place} has schema version {found}, and this program knows versions up \
             to {known}; upgrade the program"
        );
        return failure(Exit::Usage, why);
    }
    let code = code(&error).unwrap_or_default();
    if code == LOCK_NOT_AVAILABLE || SQLITE_BUSY.contains(&code.as_str()) {
        let why = format!(
            "failed to {action} the history {place}: it is locked, another process is writing; \
             try again when that has ended"
        );
        return failure(Exit::Broke, why);
    }
    if code == SQLITE_NOT_A_DATABASE {
        return failure(Exit::Usage, format!("{place} is no SQLite database; name another file"));
    }
    failure(Exit::Broke, format!("failed to {action} the history {place}: {}", words(&error)))
}

/// The code that the database gave, wherever in the chain it stands.
fn code(error: &sqlx::Error) -> Option<String> {
    let database = match error {
        sqlx::Error::Migrate(inner) => match &**inner {
            MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) => {
                inner.as_database_error()
            }
            _ => None,
        },
        other => other.as_database_error(),
    };
    database.and_then(|error| error.code()).map(Cow::into_owned)
}

/// On one line, and without the name of the library in front.
fn words(error: &sqlx::Error) -> String {
    let told = match error {
        sqlx::Error::Database(inner) => inner.message().to_owned(),
        sqlx::Error::Io(inner) => inner.to_string(),
        other => other.to_string(),
    };
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}
