//! Two records that were measured before: which of their rows pair up, what is thought of each pair,
//! and the exit code. `compare` prints it, `report` shows it as [`Verdicts`].

use bench_core::judge::builds::{self, Step};
use bench_core::judge::{self, Comparability, Pair, Verdict};
use bench_core::record::{Metric, RunRecord};

use crate::bench::ids::Only;
use crate::exit::{Exit, failure};
use crate::gate::standing;
use crate::policy;
use crate::render::verdicts::{self, Side, Verdicts, Word};

/// A pair and what is thought of it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) pair: Pair,
    pub(crate) verdict: Verdict,
    /// How far a cell of the gRPC matrix is from the older build's; tells, and never judges.
    pub(crate) step: Option<Step>,
}

/// What is thought of two records.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    pub(crate) judged: Vec<Judged>,
    pub(crate) exit: Exit,
    /// What is to be known of how they were judged.
    pub(crate) remark: Option<&'static str>,
}

/// Judges what the filter leaves of both sides, by the policy of the workspace; outside of one by
/// that which this program was built with, and says so. `names` are what the user calls them.
///
/// # Errors
/// [`Exit::NotMeasured`] when the filter matches nothing or the sides have no id in common.
pub(crate) fn compare(
    [base, head]: [&RunRecord; 2],
    names: [&str; 2],
    only: &Only,
    strict: bool,
) -> anyhow::Result<Compared> {
    let all = judge::compare(base, head);
    only.check(all.iter().map(|pair| pair.id.as_str()))?;
    let pairs: Vec<Pair> = all.into_iter().filter(|pair| only.wants(&pair.id)).collect();
    let nothing = |what: &str| {
        let [base, head] = names;
        let why = format!("'{base}' and '{head}' {what}, so nothing was compared");
        Err(failure(Exit::NotMeasured, why))
    };
    if pairs.is_empty() {
        return nothing("hold no rows");
    }
    if !pairs.iter().any(|pair| pair.base.is_some() && pair.head.is_some()) {
        return nothing("have no id in common");
    }
    let (policy, remark) = policy::here()?;
    let judge = |pair: Pair| {
        let timed = policy.bands.filter(|_| pair.metric == Metric::WallTime && compares(&pair));
        let step = timed.and_then(|bands| builds::step(&base.rows, &head.rows, &pair.id, bands));
        Judged { verdict: judge::judge(&pair, &policy), pair, step }
    };
    let judged: Vec<Judged> = pairs.into_iter().map(judge).collect();
    let old = judged.iter().filter(|one| standing::announced(&one.pair).is_none());
    let old: Vec<_> = old.map(|one| (&one.pair, &one.verdict)).collect();
    let exit = standing::exit(&old, strict);
    Ok(Compared { judged, exit, remark })
}

impl Compared {
    /// As the document that a report shows.
    pub(crate) fn verdicts(&self, sides: [&RunRecord; 2], names: [&str; 2]) -> Verdicts {
        let side = |side: usize| Side {
            name: names[side].to_owned(),
            commit: sides[side].environment.git_commit.clone(),
            record: None,
        };
        let mut all = Verdicts::new("report", self.exit, String::new(), side(0), side(1));
        all.judged = self.judged.iter().map(one).collect();
        all.remarks.extend(self.remark.map(str::to_owned));
        let counts = all.counts().into_iter();
        let counts = counts.map(|(word, number)| format!("{number} {}", word.name()));
        all.sentence = format!("two records, offline: {}", counts.collect::<Vec<_>>().join(", "));
        all
    }
}

fn compares(pair: &Pair) -> bool {
    !matches!(pair.comparability, Comparability::No(_))
}

fn one(Judged { pair, verdict, step }: &Judged) -> verdicts::Judged {
    let word = match standing::announced(pair) {
        Some("mended") => Word::Mended,
        Some(_) => Word::New,
        None => Word::from(verdict),
    };
    let mut judged = verdicts::Judged::of(pair, word);
    let failed = standing::broke(pair).map(|error| format!("failed: {error}"));
    let before = || standing::failed_before(pair).map(|error| format!("base failed: {error}"));
    let unpaired = || {
        let unpaired = matches!(pair.comparability, Comparability::Unpaired(_));
        unpaired.then(|| "unpaired: measured at two different times".to_owned())
    };
    judged.note = judged.note.or(failed).or_else(before).or_else(unpaired);
    if let Some(step) = step {
        let note = judged.note.take().map(|note| format!("{note}; ")).unwrap_or_default();
        judged.note = Some(format!("{note}{step}"));
    }
    judged
}

#[cfg(test)]
mod tests {
    use bench_core::record::{Data, Environment, Row};

    use super::*;

    fn record(ms: f64) -> RunRecord {
        let host_id = Some("here".to_owned());
        let mut record = RunRecord::begin(Environment { host_id, ..Environment::default() });
        for id in ["grpc/matrix/read/default/1MiB", "grpc/read/default/1MiB"] {
            let values = [ms, ms * 1.01, ms * 0.99].map(|ms| ms * 1e6).to_vec();
            let data = Data::Samples { values, iterations: vec![1; 3] };
            record.rows.push(Row::measured(id, Metric::WallTime, "ns", data));
        }
        record
    }

    #[test]
    fn a_cell_of_the_matrix_has_a_band_that_judges_nothing() {
        let (base, head) = (record(1.0), record(2.0));
        let sides = [&base, &head];
        let only = Only::parse(&[]).expect("all");
        let compared = compare(sides, ["a", "b"], &only, false).expect("compares");
        let bands: Vec<_> =
            compared.judged.iter().map(|one| one.step.map(|step| step.change.name())).collect();
        assert_eq!(bands, [Some("critical"), None]);
        assert!(compared.judged.iter().all(|one| one.verdict == Verdict::Undecided));
        assert_eq!(compared.exit, Exit::Fine);
        let told = compared.verdicts(sides, ["a", "b"]).judged[0].note.clone().expect("a note");
        assert!(told.contains("unpaired") && told.contains("critical: 0.50 ×"), "{told}");
    }
}
