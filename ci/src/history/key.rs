//! The environment key: two values may stand on one line when what `comparable` looks at is the
//! same for both, and they are numbers of the same thing.

use std::collections::HashMap;

use bench_core::judge::comparable::behind;
use bench_core::judge::compare::IDENTITY;
use bench_core::record::{Environment, Row, RunRecord};
use sha2::{Digest, Sha256};

use crate::bench::code_hash::hex;

/// The dimension by which an imported row says where it comes from: an estimate of one tool and
/// the samples of another do not stand on one line.
pub(crate) const SOURCE: &str = "source";
/// How much of the hash is shown and stored: 64 bits are enough for as many as there will be.
const HASH_CHARS: usize = 16;

/// What makes values comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The start of the SHA-256 of `facts`, in hexadecimal.
    pub(crate) hash: String,
    /// A JSON list of pairs: a name, and its value or null where it is not known.
    pub(crate) facts: String,
}

/// The key of a row: what lies behind its metric in the environment, its unit, and those of its
/// dimensions that make it another thing.
///
/// What is not known is a value of its own here: rows of an unknown host share a line with each
/// other, and never with those of a known one.
pub(crate) fn key(environment: &Environment, row: &Row) -> Key {
    hashed(&facts(environment, row))
}

/// The keys of all rows of a record, in their order. Where two rows have id, metric and key in
/// common, what tells them apart is among their other dimensions, and all of those join the key.
pub(crate) fn keys(record: &RunRecord) -> Vec<Key> {
    let environment = &record.environment;
    let mut keys: Vec<Key> = record.rows.iter().map(|row| key(environment, row)).collect();
    let mut sharing: HashMap<(&str, &str, &str), u32> = HashMap::new();
    for (row, key) in record.rows.iter().zip(&keys) {
        *sharing.entry((&row.id, row.metric.name(), &key.hash)).or_default() += 1;
    }
    let shared: Vec<bool> = (record.rows.iter().zip(&keys))
        .map(|(row, key)| sharing[&(row.id.as_str(), row.metric.name(), key.hash.as_str())] > 1)
        .collect();
    for ((row, key), _) in record.rows.iter().zip(&mut keys).zip(shared).filter(|(_, s)| *s) {
        *key = apart(environment, row);
    }
    keys
}

/// The key with every dimension in it.
fn apart(environment: &Environment, row: &Row) -> Key {
    let mut facts = facts(environment, row);
    facts.extend(row.dimensions.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))));
    hashed(&facts)
}

type Fact<'a> = (&'a str, Option<String>);

fn facts<'a>(environment: &Environment, row: &'a Row) -> Vec<Fact<'a>> {
    let mut facts = behind(environment, &row.metric);
    facts.push(("unit", Some(row.unit.clone())));
    for name in IDENTITY.into_iter().chain([SOURCE]) {
        let value = row.dimensions.get(name).cloned();
        facts.extend(value.map(|value| (name, Some(value))));
    }
    facts
}

fn hashed(facts: &[Fact<'_>]) -> Key {
    let facts = serde_json::to_string(facts).expect("texts have a JSON");
    let mut hash = hex(&Sha256::digest(facts.as_bytes()));
    hash.truncate(HASH_CHARS);
    Key { hash, facts }
}
