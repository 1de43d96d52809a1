//! What was counted, held against the budgets of `benches/expected.toml`: bounds that need no
//! base.

use std::collections::{BTreeMap, BTreeSet};

use bench_core::judge::budget::{Budget, SIZES_MIN, growth, size_of, workload_of};
use bench_core::record::{Metric, Row, RunRecord};

use super::outcome::count;
use crate::bench::ids::Only;
use crate::render::number;

/// How the budgets were kept, a sentence for each that was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Beyond a bound.
    pub(crate) over: Vec<String>,
    /// A budget for which there was nothing to look at, and why.
    pub(crate) unmet: Vec<String>,
    /// Not looked at, because the user asked for too few ids.
    pub(crate) left_out: Vec<String>,
    /// Bounds that were held.
    pub(crate) kept: usize,
}

/// What budgets are held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts<'a> {
    /// What was counted.
    pub(crate) record: &'a RunRecord,
    /// Every id that there is to be counted.
    pub(crate) ids: &'a BTreeSet<String>,
    /// Which of them the user asked for.
    pub(crate) only: &'a Only,
}

/// One budget and the rows that it is for.
struct Look<'a> {
    budget: &'a Budget,
    counts: Counts<'a>,
    spent: &'a mut Spent,
}

/// Holds every budget against the counts. A bench that failed is no business of a budget: it has an
/// error of its own.
pub(crate) fn spend(budgets: &[Budget], counts: Counts<'_>) -> Spent {
    let mut spent = Spent::default();
    for budget in budgets {
        if !counts.ids.iter().any(|id| budget.id.matches(id)) {
            spent.unmet.push(format!("budget {} matches no id that there is", budget.id));
            continue;
        }
        let mut look = Look { budget, counts, spent: &mut spent };
        look.per_byte();
        look.calls(&Metric::Allocations, budget.allocations, "allocation calls");
        look.calls(&Metric::Syscalls, budget.syscalls, "system calls");
        look.exponent();
    }
    spent
}

/// Whether a budget can only be held when this metric of this id is counted.
pub(crate) fn asks(budgets: &[Budget], metric: &Metric, id: &str) -> bool {
    budgets.iter().filter(|budget| budget.id.matches(id)).any(|budget| match metric {
        Metric::Allocations => budget.allocations.is_some(),
        Metric::Syscalls => budget.syscalls.is_some(),
        _ => false,
    })
}

impl<'a> Look<'a> {
    /// The ids that the budget is for and the user asked for.
    fn ids(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let Counts { ids, only, .. } = self.counts;
        let budget = self.budget;
        ids.iter().map(String::as_str).filter(|id| budget.id.matches(id) && only.wants(id))
    }

    /// The row of this metric of this id.
    fn row(&self, id: &str, metric: &Metric) -> Option<&'a Row> {
        self.counts.record.rows.iter().find(|row| row.id == id && row.metric == *metric)
    }

    fn per_byte(&mut self) {
        let Some(bound) = self.budget.instructions_per_byte else { return };
        if !self.counts.ids.iter().any(|id| self.budget.id.matches(id) && size_of(id).is_some()) {
            let name = &self.budget.id;
            let why =
                format!("budget {name} is per byte, and no id that it matches ends with a size");
            self.spent.unmet.push(why);
        }
        for id in self.ids() {
            let Some(size) = size_of(id) else { continue };
            let row = self.row(id, &Metric::Instructions);
            let Some(instructions) = row.and_then(count) else { continue };
            let each = instructions as f64 / size.bytes() as f64;
            self.held(each <= bound, || {
                let each = number::short(each);
                format!("{id} takes {each} instructions per byte, and budget {{}} allows {bound}")
            });
        }
    }

    fn calls(&mut self, metric: &Metric, bound: Option<u64>, what: &str) {
        let Some(bound) = bound else { return };
        for id in self.ids() {
            let Some(row) = self.row(id, metric) else {
                let why = format!(
                    "budget {} bounds {what} of {id}, which were not counted",
                    self.budget.id
                );
                self.spent.unmet.push(why);
                continue;
            };
            let Some(calls) = count(row) else { continue };
            self.held(calls <= bound, || {
                let calls = number::count(calls);
                format!("{id} makes {calls} {what}, and budget {{}} allows {bound}")
            });
        }
    }

    fn exponent(&mut self) {
        let Some(bound) = self.budget.exponent else { return };
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for id in self.counts.ids.iter().filter(|id| self.budget.id.matches(id)) {
            *all.entry(workload_of(id).unwrap_or(id)).or_default() += 1;
        }
        for (workload, sizes) in all {
            let ids = self.ids().filter(|id| workload_of(id).unwrap_or(id) == workload);
            let ids: Vec<&str> = ids.collect();
            let points: Vec<(f64, f64)> = ids.iter().filter_map(|id| self.point(id)).collect();
            let Some(growth) = growth(&points) else {
                self.without_growth(workload, sizes, ids.len(), points.len());
                continue;
            };
            self.held(!growth.exceeds(bound), || {
                let exponent = growth.exponent;
                format!(
                    "{workload} grows by size^{exponent:.2}, and budget {{}} allows size^{bound}"
                )
            });
        }
    }

    /// A size and the instructions it takes.
    fn point(&self, id: &str) -> Option<(f64, f64)> {
        let instructions = self.row(id, &Metric::Instructions).and_then(count)?;
        Some((size_of(id)?.bytes() as f64, instructions as f64))
    }

    /// Says why a workload of `sizes` ids, `asked` of them asked for and `counted` counted, has no
    /// exponent.
    fn without_growth(&mut self, workload: &str, sizes: usize, asked: usize, counted: usize) {
        let name = &self.budget.id;
        if asked == 0 || (asked == sizes && counted < asked && sizes >= SIZES_MIN) {
            // Nobody asked for the workload, or one of its benches failed and is told elsewhere.
        } else if asked < sizes {
            self.spent.left_out.push(format!(
                "budget {name} bounds how {workload} grows, for which --only leaves too few sizes"
            ));
        } else {
            self.spent.unmet.push(format!(
                "budget {name} bounds how {workload} grows, which takes ids of {SIZES_MIN} sizes \
                 and there are {counted}"
            ));
        }
    }

    /// Counts a bound that was held, or says what was beyond it: `{}` stands for the budget.
    fn held(&mut self, held: bool, said: impl FnOnce() -> String) {
        if held {
            self.spent.kept += 1;
        } else {
            self.spent.over.push(said().replacen("{}", &self.budget.id.to_string(), 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use bench_core::record::Data;

    use super::super::outcome::tests::record;
    use super::*;

    const SIZES: [(&str, u64); 4] =
        [("1KiB", 1024), ("4KiB", 4096), ("16KiB", 16384), ("64KiB", 65536)];

    /// `a/b` at four sizes with these counts.
    fn ladder(counts: impl Fn(u64) -> u64) -> RunRecord {
        let ids = SIZES.map(|(size, bytes)| (format!("a/b/{size}"), counts(bytes)));
        let rows: Vec<_> = ids.iter().map(|(id, value)| (id.as_str(), Ok(*value))).collect();
        record(&rows)
    }

    fn held(toml: &str, record: &RunRecord, only: &[&str]) -> Spent {
        #[derive(serde::Deserialize)]
        struct File {
            budget: Vec<Budget>,
        }
        let only: Vec<String> = only.iter().map(|glob| (*glob).to_owned()).collect();
        let only = Only::parse(&only).expect("globs");
        let ids = record.rows.iter().map(|row| row.id.clone()).collect();
        let file: File = toml::from_str(&format!("[[budget]]\n{toml}")).expect("sound");
        let mut record = record.clone();
        record.rows.retain(|row| only.wants(&row.id));
        spend(&file.budget, Counts { record: &record, ids: &ids, only: &only })
    }

    #[test]
    fn a_quadratic_slip_fails_without_any_base_and_a_set_up_cost_does_not() {
        let budget = "id = 'a/*'\nexponent = 1.1";
        let slip = held(budget, &ladder(|n| 50_000 + n * n / 100), &[]);
        assert_eq!(slip.over, ["a/b grows by size^2.00, and budget a/* allows size^1.1"]);
        let linear = held(budget, &ladder(|n| 50_000 + n), &[]);
        assert_eq!(linear, Spent { kept: 1, ..Spent::default() });
    }

    #[test]
    fn instructions_per_byte_are_those_of_each_id() {
        let spent = held("id = 'a/*'\ninstructions_per_byte = 1.5", &ladder(|n| 1_000 + n), &[]);
        let said = "a/b/1KiB takes 1.98 instructions per byte, and budget a/* allows 1.5";
        assert_eq!((spent.over, spent.kept), (vec![said.to_owned()], 3));
        let sizeless = held("id = 'x'\ninstructions_per_byte = 1", &record(&[("x", Ok(1))]), &[]);
        assert!(sizeless.unmet[0].contains("no id that it matches ends with a size"));
    }

    #[test]
    fn calls_are_bounded_where_they_were_counted() {
        let mut counted = record(&[("a/b/1KiB", Ok(9))]);
        let budget = "id = 'a/*'\nallocations = 0";
        let unmet = held(budget, &counted, &[]).unmet;
        assert_eq!(
            unmet,
            ["budget a/* bounds allocation calls of a/b/1KiB, which were not counted"]
        );
        let calls = Row::measured("a/b/1KiB", Metric::Allocations, "1", Data::Count { value: 2 });
        counted.rows.push(calls);
        let over = held(budget, &counted, &[]).over;
        assert_eq!(over, ["a/b/1KiB makes 2 allocation calls, and budget a/* allows 0"]);
        assert_eq!(held("id = 'a/*'\nallocations = 2", &counted, &[]).kept, 1);
    }

    #[test]
    fn a_budget_for_nothing_is_told() {
        let spent = held("id = 'typo/*'\nallocations = 0", &ladder(|n| n), &[]);
        assert_eq!(spent.unmet, ["budget typo/* matches no id that there is"]);
        let few = record(&[("a/b/1KiB", Ok(1)), ("a/b/2KiB", Ok(2))]);
        let spent = held("id = 'a/*'\nexponent = 1.1", &few, &[]);
        assert!(spent.unmet[0].ends_with("takes ids of 4 sizes and there are 2"), "{spent:?}");
    }

    #[test]
    fn what_the_user_did_not_ask_for_is_no_fault() {
        let (ladder, budget) = (ladder(|n| n * n), "id = 'a/*'\nexponent = 1.1\nallocations = 9");
        assert_eq!(held(budget, &ladder, &["c/*"]), Spent::default());
        let some = held("id = 'a/*'\nexponent = 1.1", &ladder, &["a/b/1KiB"]);
        assert!(some.unmet.is_empty() && some.left_out.len() == 1, "{some:?}");
        let mut failed = record(&[("a/b/1KiB", Err("hung"))]);
        failed.rows.extend(ladder.rows.into_iter().skip(1));
        assert_eq!(held("id = 'a/*'\nexponent = 1.1", &failed, &[]), Spent::default());
    }

    #[test]
    fn a_budget_on_calls_asks_for_them() {
        let budget: Budget = toml::from_str("id = 'a/*'\nsyscalls = 3").expect("sound");
        let budgets = [budget];
        assert!(asks(&budgets, &Metric::Syscalls, "a/b"));
        assert!(
            !asks(&budgets, &Metric::Syscalls, "c") && !asks(&budgets, &Metric::Allocations, "a/b")
        );
    }
}
