//! The environment key: two values may stand on one line when what `comparable` looks at is the
//! same for both, and they are numbers of the same thing.

use bench_core::judge::comparable::behind;
use bench_core::judge::compare::IDENTITY;
use bench_core::record::{Environment, Row, RunRecord};
use sha2::{Digest, Sha256};

use crate::bench::code_hash::hex;
use crate::import::SOURCE;

/// The dimensions, beside [`IDENTITY`], that make a row a number of another thing. Every other one
/// says how or how long it was measured (`seed`, `rounds`), and two rows that differ
/// in nothing else are two values of one line.
const APART: [&str; 26] = [
    // Where it comes from: an estimate of one tool and the samples of another do not mix.
    SOURCE,
    // Which of several that share a name.
    "job",
    "repetition",
    // What was set.
    "profile",
    "layout",
    "size",
    "block_size",
    "page_cache",
    "schedule",
    "workers",
    "path",
    "chunk",
    "wire",
    "connections",
    "concurrency",
    "rtt_added",
    "server",
    "fault",
    "link",
    "topology",
    "every",
    "writes",
    "heartbeat",
    // The same, as fio names it.
    "rw",
    "bs",
    "iodepth",
];
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
/// dimensions that make it another thing. What else the run measured has no say in it.
///
/// What is not known is a value of its own here: rows of an unknown host share a line with each
/// other, and never with those of a known one.
pub(crate) fn key(environment: &Environment, row: &Row) -> Key {
    let mut facts = behind(environment, &row.metric);
    facts.push(("unit", Some(row.unit.clone())));
    for name in IDENTITY.into_iter().chain(APART) {
        let value = row.dimensions.get(name).cloned();
        facts.extend(value.map(|value| (name, Some(value))));
    }
    hashed(&facts)
}

/// The keys of all rows of a record, in their order.
pub(crate) fn keys(record: &RunRecord) -> Vec<Key> {
    record.rows.iter().map(|row| key(&record.environment, row)).collect()
}

fn hashed(facts: &[(&str, Option<String>)]) -> Key {
    let facts = serde_json::to_string(facts).expect("texts have a JSON");
    let mut hash = hex(&Sha256::digest(facts.as_bytes()));
    hash.truncate(HASH_CHARS);
    Key { hash, facts }
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Metric};

    use super::*;

    fn row(dimensions: &[(&str, &str)]) -> Row {
        let data = Data::Count { value: 1 };
        let mut row = Row::measured("a/x", Metric::Instructions, "instructions", data);
        let owned = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        row.dimensions.extend(owned);
        row
    }

    fn together(rows: &[Row]) -> Vec<Key> {
        keys(&RunRecord { rows: rows.to_vec(), ..RunRecord::begin(Environment::default()) })
    }

    #[test]
    fn a_row_has_the_same_key_alone_and_beside_others() {
        let rows = [
            row(&[("seed", "1"), ("rounds", "10"), ("size", "4KiB")]),
            row(&[("seed", "2"), ("rounds", "11"), ("size", "4KiB")]),
            row(&[("size", "64KiB")]),
        ];
        let all = together(&rows);
        for (row, key) in rows.iter().zip(&all) {
            assert_eq!(together(std::slice::from_ref(row))[0], *key);
        }
        assert_eq!(all[0], all[1], "neither seed nor rounds make another thing");
        assert_ne!(all[0], all[2]);
    }

    #[test]
    fn each_dimension_of_the_lists_makes_another_thing() {
        let plain = together(&[row(&[])]);
        for name in IDENTITY.iter().chain(&APART) {
            assert_ne!(together(&[row(&[(*name, "x")])]), plain, "{name}");
            let rules = include_str!("../../METHODOLOGY.md");
            assert!(rules.contains(&format!("`{name}`")), "{name} is not among the rules");
        }
    }
}
