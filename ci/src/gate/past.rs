//! How far each count has moved before: the fences of its own history, from the store.

use std::collections::BTreeMap;

use bench_core::judge::fence::fence;
use bench_core::record::{Metric, RunRecord};

use super::outcome::count;
use crate::history::Store;
use crate::history::key::keys;
use crate::history::place::Place;

/// By id and metric, as a fraction.
pub(crate) type Fences = BTreeMap<(String, Metric), f64>;

/// The store that has the history. `named` is that of the command line, otherwise
/// `WEIGHBRIDGE_HISTORY` names it; `None` where neither does and there is none yet.
///
/// # Errors
/// What [`Store::existing`] says of a store that was named and is not there, or can't be read.
pub(crate) fn store(named: Option<&str>) -> anyhow::Result<Option<Store>> {
    let place = match Place::named(named)? {
        Some(place) => place,
        None => match Place::choose(None)? {
            Place::File(path) if !path.exists() => return Ok(None),
            place => place,
        },
    };
    Store::existing(&place).map(Some)
}

/// The fence of every count of this record that has a long enough history in a comparable
/// environment.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn fences(store: &mut Store, record: &RunRecord) -> anyhow::Result<Fences> {
    let mut fences = Fences::new();
    for (row, key) in record.rows.iter().zip(keys(record)) {
        if count(row).is_none() {
            continue;
        }
        if let Some(fence) = fence(&store.past(&row.id, row.metric.name(), &key.hash)?) {
            fences.insert((row.id.clone(), row.metric.clone()), fence);
        }
    }
    Ok(fences)
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::record;
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_last_thirty_records_make_a_fence_and_twenty_nine_do_not() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("history.sqlite");
        let name = path.to_str().expect("text");
        let mut store = Store::open(&Place::parse(name).expect("a path")).expect("made");
        for run in 0..29 {
            store.record(&record(&[("a", Ok(1_000 + 10 * (run % 2)))])).expect("stored");
        }
        let head = record(&[("a", Ok(1_000)), ("b", Ok(5)), ("c", Err("hung"))]);
        assert_eq!(fences(&mut store, &head).expect("read"), Fences::new());
        store.record(&record(&[("a", Ok(1_010))])).expect("stored");
        let found = fences(&mut store, &head).expect("read");
        let fence = found[&("a".to_owned(), Metric::Instructions)];
        assert!(found.len() == 1 && (0.0099..0.011).contains(&fence), "{found:?}");
        let mut elsewhere = head;
        elsewhere.environment.glibc = Some("another".into());
        assert_eq!(fences(&mut store, &elsewhere).expect("read"), Fences::new());
    }

    #[test]
    fn a_store_that_was_named_must_be_there() {
        let error = store(Some("/no/such/history.sqlite")).map(drop).expect_err("not there");
        assert_eq!(crate::exit::of(&error), Exit::NotMeasured);
    }
}
