//! The audit's result for the terminal, for Markdown and for scripts. Says, does not decide.

use serde_json::{Value, json};

use super::outcome::{Finding, Outcome, Standing};
use crate::exit::Exit;
use crate::render::markdown::cell;
use crate::render::number;
use crate::render::table::{Table, Tone};

const TITLES: [&str; 6] = ["id", "metric", "smallest", "largest", "spread", "verdict"];

/// For the terminal.
pub(crate) fn text(outcome: &Outcome, repeats: usize, exit: Exit, colour: bool) -> String {
    let mut table = Table::new(&TITLES);
    for finding in told(outcome) {
        let tone = match finding.standing {
            Standing::Repeats | Standing::WithinLimit => Tone::Neutral,
            Standing::Listed | Standing::WithPath => Tone::Quiet,
            Standing::Varies | Standing::NeverRan | Standing::Failed => Tone::Bad,
        };
        table.push(tone, cells(finding).into());
    }
    let table = if table.is_empty() { String::new() } else { table.text(colour) };
    let mut lines: Vec<String> = vec![table];
    lines.extend(told(outcome).filter_map(why).map(|(id, why)| format!("{id}: {why}")));
    lines.extend(sentences(outcome, repeats, exit));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// For a summary page.
pub(crate) fn markdown(outcome: &Outcome, repeats: usize, exit: Exit) -> String {
    let mut text = "# Audit\n\n".to_owned();
    let mut findings = told(outcome).peekable();
    if findings.peek().is_some() {
        text += &format!("| {} |\n|---|---|---:|---:|---:|---|\n", TITLES.join(" | "));
        for finding in findings {
            text += &format!("| {} |\n", cells(finding).map(|value| cell(&value)).join(" | "));
        }
        text.push('\n');
    }
    for (id, why) in told(outcome).filter_map(why) {
        text += &format!("- {}: {}\n", cell(&id), cell(&why));
    }
    for sentence in sentences(outcome, repeats, exit) {
        text += &format!("\n{sentence}\n");
    }
    text
}

/// For scripts.
pub(crate) fn json(outcome: &Outcome, repeats: usize, exit: Exit) -> Value {
    json!({
        "exit": exit as u8,
        "repeats": repeats,
        "ids": outcome.findings,
        "unlisted": outcome.unlisted(),
        "steady": outcome.steady,
        "absent": outcome.absent,
        "false": outcome.falses,
        "interrupted": outcome.interrupted,
    })
}

/// What a reader has to know of: all that does not simply repeat.
fn told(outcome: &Outcome) -> impl Iterator<Item = &Finding> {
    outcome.findings.iter().filter(|finding| finding.standing != Standing::Repeats)
}

fn cells(finding: &Finding) -> [String; 6] {
    let count = |pick: fn((u64, u64)) -> u64| {
        finding.range.map_or_else(String::new, |range| number::count(pick(range)))
    };
    let verdict = match finding.standing {
        Standing::Repeats => "repeats",
        Standing::WithinLimit => "varies within its limit",
        Standing::WithPath => "varies with its path, of one length at a gate",
        Standing::Listed => "varies, and is listed as varying",
        Standing::Varies => "varies, and may not gate",
        Standing::NeverRan => "never ran",
        Standing::Failed => "failed",
    };
    [
        finding.id.clone(),
        finding.metric.to_string(),
        count(|(least, _)| least),
        count(|(_, most)| most),
        spread(finding),
        verdict.to_owned(),
    ]
}

/// As `4 (0.02 %)`.
fn spread(finding: &Finding) -> String {
    let Some((least, most)) = finding.range else { return String::new() };
    let share = if least == 0 { 0.0 } else { 100.0 * (most - least) as f64 / least as f64 };
    format!("{} ({share:.2} %)", number::count(most - least))
}

/// The id, and why it varies or what became of it.
fn why(finding: &Finding) -> Option<(String, String)> {
    let mut said: Vec<String> = finding.errors.clone();
    if let Some(cause) = finding.causes.first() {
        let words: Vec<&str> = finding.moved.iter().map(|moved| moved.words()).collect();
        said.push(format!(
            "varies {}; likely cause: {} ({})",
            words.join(" and "),
            cause.reason.words(),
            cause.evidence
        ));
        let others: Vec<&str> =
            finding.causes[1..].iter().map(|cause| cause.reason.words()).collect();
        if !others.is_empty() {
            said.push(format!("it could also be {}", others.join(" or ")));
        }
    }
    if let Some(function) = &finding.parts_in {
        said.push(format!("most of it in {function}"));
    }
    (!said.is_empty()).then(|| (finding.id.clone(), said.join("; ")))
}

/// Sentences after the table, the last the sum of it.
fn sentences(outcome: &Outcome, repeats: usize, exit: Exit) -> Vec<String> {
    let mut said = Vec::new();
    let unlisted = outcome.unlisted();
    if !unlisted.is_empty() {
        let ids: Vec<String> = unlisted.iter().map(|id| format!("\"{id}\"")).collect();
        said.push(format!(
            "mend what varies beyond its limit, or keep it from gating in benches/expected.toml: \
             [count] varies = [{}]",
            ids.join(", ")
        ));
    }
    if !outcome.steady.is_empty() {
        let ids = outcome.steady.join(", ");
        said.push(format!("listed as varying, and repeated this time: {ids}"));
    }
    if !outcome.absent.is_empty() {
        let absent = outcome.absent.join(", ");
        said.push(format!("expected and not there to be counted: {absent}"));
    }
    for one in &outcome.falses {
        let alarms = match one.alarms.is_empty() {
            true => String::new(),
            false => format!(": {}", one.alarms.join(", ")),
        };
        said.push(format!(
            "false {} of {} comparisons, {}{alarms}",
            one.alarms.len(),
            one.of,
            one.condition.state()
        ));
    }
    if let Some((done, all)) = outcome.interrupted {
        said.push(format!("interrupted: {done} of {all} counts taken"));
    }
    let number_of = |standing| outcome.findings.iter().filter(|f| f.standing == standing).count();
    said.push(format!(
        "audit: {} repeat, {} vary within their limit, {} vary with their path, {} vary and are \
         listed, {} vary and gate, {} never ran, {} failed; {repeats} counts of each under each of 4 \
         conditions; exit code {}",
        number_of(Standing::Repeats),
        number_of(Standing::WithinLimit),
        number_of(Standing::WithPath),
        number_of(Standing::Listed),
        number_of(Standing::Varies),
        number_of(Standing::NeverRan),
        number_of(Standing::Failed),
        exit as u8
    ));
    said
}

#[cfg(test)]
mod tests {
    use super::super::cause::{Names, causes};
    use super::super::condition::Condition;
    use super::super::outcome::tests::outcome;
    use super::*;

    fn varying() -> Outcome {
        let mut outcome = outcome(&[([7; 3], false), ([1_000, 3_000, 1_000], false)]);
        outcome.findings[0].id = "a/still".into();
        let names = Names { parted: ["hash/sip.rs".to_owned()].into(), ..Names::default() };
        outcome.findings[1].causes = causes(&outcome.findings[1].moved, &names);
        outcome.findings[1].parts_in = Some("insert".into());
        outcome
    }

    #[test]
    fn what_varies_is_named_with_its_spread_its_cause_and_what_to_do() {
        let said = text(&varying(), 3, Exit::NotComparable, false);
        for part in [
            "a/b  instructions     1,000    3,000  2,000 (200.00 %)  varies, and may not gate",
            "a/b: varies from run to run; likely cause: a random hasher (the counts part in \
             hash/sip.rs); most of it in insert",
            "[count] varies = [\"a/b\"]",
            "audit: 1 repeat, 0 vary within their limit, 0 vary with their path, 0 vary and are listed, 1 \
             vary and gate",
            "exit code 5",
        ] {
            assert!(said.contains(part), "no '{part}' in:\n{said}");
        }
        assert!(!said.contains("a/still"), "{said}");
    }

    #[test]
    fn what_varies_with_its_path_is_told_and_is_no_fault() {
        let mut outcome = varying();
        let finding = &mut outcome.findings[1];
        (finding.standing, finding.moved) = (Standing::WithPath, vec![Condition::Path]);
        finding.causes = causes(&finding.moved, &Names::default());
        let said = text(&outcome, 3, Exit::Fine, false);
        assert!(said.contains("varies with its path, of one length at a gate"), "{said}");
        assert!(said.contains("a/b: varies with the length of the path; likely cause:"), "{said}");
        assert!(said.contains("1 vary with their path") && !said.contains("[count]"), "{said}");
        assert_eq!(json(&outcome, 3, Exit::Fine)["ids"][1]["standing"], "with_path");
    }

    #[test]
    fn markdown_and_json_say_the_same() {
        let mut outcome = varying();
        outcome.findings[1].id = "a|b".into();
        let page = markdown(&outcome, 3, Exit::NotComparable);
        assert!(page.contains("| a\\|b | instructions | 1,000 | 3,000 |"), "{page}");
        assert!(page.contains("likely cause: a random hasher"), "{page}");
        let json = json(&outcome, 3, Exit::NotComparable);
        assert_eq!(json["ids"][1]["causes"][0]["reason"], "random_hasher");
        assert_eq!(json["ids"][1]["standing"], "varies");
        assert_eq!(json["unlisted"], serde_json::json!(["a|b"]));
    }

    #[test]
    fn an_audit_in_which_all_repeats_says_so_in_one_line() {
        let said = text(&outcome(&[([7; 3], false)]), 5, Exit::Fine, false);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("audit: 1 repeat, 0 vary"), "{said}");
    }
}
