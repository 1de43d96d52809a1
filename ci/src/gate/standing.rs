//! What a pair is to the whole: judged, or only announced; and the one way from verdicts to an exit
//! code, for the gate and for records that are compared.

use bench_core::judge::{Pair, Verdict};
use bench_core::record::Row;

use crate::bench::count::NEVER_RAN;
use crate::exit::Exit;

/// Why an id has nothing to be judged by: `new`, or `mended` where it failed in the base. Such an
/// id is announced and takes no part in the verdict.
pub(crate) fn announced(pair: &Pair) -> Option<&'static str> {
    if pair.is_new() {
        return Some("new");
    }
    (pair.measured_head().is_some() && failed_before(pair).is_some()).then_some("mended")
}

/// Why the base has no number though it has the bench.
pub(crate) fn failed_before(pair: &Pair) -> Option<&str> {
    pair.base.as_ref().and_then(|row| row.error.as_deref())
}

/// Why the head has no number though it has the bench.
pub(crate) fn broke(pair: &Pair) -> Option<&str> {
    pair.head.as_ref().and_then(|row| row.error.as_deref())
}

/// Whether the bench ended well without having run: that is a hole and no breakage.
pub(crate) fn never_ran(row: &Row) -> bool {
    row.errors.contains_key(NEVER_RAN)
}

/// The exit code of benches of which some failed; `None` where none did. One that broke outweighs
/// one that never ran.
pub(crate) fn failed<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Option<Exit> {
    let failed: Vec<&Row> = rows.into_iter().filter(|row| row.error.is_some()).collect();
    let broke = failed.iter().any(|row| !never_ran(row));
    (!failed.is_empty()).then_some(if broke { Exit::Broke } else { Exit::NotMeasured })
}

/// The exit code of what was judged, the gravest reason first: a regression outweighs a hole, a
/// bench that broke outweighs one that was not there. Where nothing was judged, nothing passes.
pub(crate) fn exit(judged: &[(&Pair, &Verdict)], strict: bool) -> Exit {
    let any = |wanted: fn(&Verdict) -> bool| judged.iter().any(|(_, verdict)| wanted(verdict));
    if any(Verdict::is_regression) {
        Exit::Regressed
    } else if failed(judged.iter().filter_map(|(pair, _)| pair.head.as_ref())) == Some(Exit::Broke)
    {
        Exit::Broke
    } else if judged.is_empty() || any(|verdict| *verdict == Verdict::Missing) {
        Exit::NotMeasured
    } else if any(|verdict| matches!(verdict, Verdict::Incomparable(_))) {
        Exit::NotComparable
    } else if strict && any(|verdict| *verdict == Verdict::Undecided) {
        Exit::Undecided
    } else {
        Exit::Fine
    }
}

#[cfg(test)]
mod tests {
    use bench_core::judge::{Policy, compare, judge};

    use super::super::outcome::tests::record;
    use super::*;

    fn pair(base: Option<Result<u64, &str>>, head: Option<Result<u64, &str>>) -> Pair {
        let side = |value: Option<Result<u64, _>>| {
            record(&value.map(|value| ("a", value)).into_iter().collect::<Vec<_>>())
        };
        compare(&side(base), &side(head)).remove(0)
    }

    #[test]
    fn every_verdict_has_its_exit_code() {
        let incomparable = Verdict::Incomparable("glibc differs".to_owned());
        let pair = pair(Some(Ok(1)), Some(Ok(1)));
        let cases = [
            (Verdict::Improved, Exit::Fine),
            (Verdict::Unchanged, Exit::Fine),
            (Verdict::Regressed, Exit::Regressed),
            (Verdict::Mixed, Exit::Regressed),
            (Verdict::Undecided, Exit::Fine),
            (Verdict::Missing, Exit::NotMeasured),
            (incomparable, Exit::NotComparable),
        ];
        for (verdict, code) in cases {
            assert_eq!(exit(&[(&pair, &verdict)], false), code, "{verdict:?}");
        }
        assert_eq!(exit(&[(&pair, &Verdict::Undecided)], true), Exit::Undecided);
        assert_eq!(exit(&[], false), Exit::NotMeasured);
    }

    #[test]
    fn what_has_nothing_to_be_judged_by_is_announced_and_what_failed_is_not() {
        let cases = [
            (None, Some(Ok(1)), Some("new")),
            (Some(Err("hung")), Some(Ok(1)), Some("mended")),
            (Some(Ok(1)), Some(Ok(1)), None),
            (None, Some(Err("hung")), None),
            (Some(Err("hung")), Some(Err("hung")), None),
            (Some(Err("hung")), None, None),
        ];
        for (base, head, said) in cases {
            assert_eq!(announced(&pair(base, head)), said, "{base:?} {head:?}");
        }
        let mut new = pair(None, Some(Err("hung")));
        let code = |new: &Pair| exit(&[(new, &judge(new, &Policy::default()))], false);
        assert_eq!(code(&new), Exit::Broke);
        let row = new.head.as_mut().expect("it is new");
        row.errors.insert(NEVER_RAN.to_owned(), 1);
        assert_eq!(code(&new), Exit::NotMeasured);
        let idle = new.head.expect("it is new");
        assert_eq!(failed([&idle]), Some(Exit::NotMeasured));
        let broken = Row { errors: Default::default(), ..idle.clone() };
        assert_eq!(failed([&idle, &broken]), Some(Exit::Broke));
        assert_eq!(failed(&record(&[("a", Ok(1))]).rows), None);
    }
}
