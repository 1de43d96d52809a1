//! The self-test's result for the terminal and for scripts. Says, does not decide.

use serde_json::{Value, json};

use super::canary::Canary;
use super::judgement::{Answer, Judgement, code};
use crate::exit::Exit;
use crate::render::table::{Table, Tone};

/// One canary, what the gate answered and what that says of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) canary: &'static Canary,
    pub(crate) answer: Answer,
    pub(crate) judgement: Judgement,
}

const TITLES: [&str; 6] = ["canary", "injected", "wanted", "got", "seconds", "the gate"];

/// For the terminal.
pub(crate) fn text(told: &[Told], left: &[&str], exit: Exit, colour: bool) -> String {
    let mut table = Table::new(&TITLES);
    for one in told {
        let tone = if one.judgement == Judgement::Found { Tone::Neutral } else { Tone::Bad };
        table.push(
            tone,
            vec![
                one.canary.name.to_owned(),
                one.canary.what.to_owned(),
                (one.canary.exit as u8).to_string(),
                code(&one.answer),
                format!("{:.1}", one.answer.took.as_secs_f64()),
                word(&one.judgement).to_owned(),
            ],
        );
    }
    let mut text = table.text(colour);
    for one in told {
        if let Some(why) = why(&one.judgement) {
            text += &format!("{}: {}: {why}\n", one.canary.name, word(&one.judgement));
        }
    }
    if !left.is_empty() {
        text += &format!("interrupted before {}\n", left.join(", "));
    }
    let found = told.iter().filter(|one| one.judgement == Judgement::Found).count();
    let all = told.len() + left.len();
    text + &format!("selftest: {found} of {all} as wanted; exit code {}\n", exit as u8)
}

/// For scripts.
pub(crate) fn json(told: &[Told], left: &[&str], exit: Exit) -> Value {
    let one = |one: &Told| {
        json!({
            "canary": one.canary.name,
            "injected": one.canary.what,
            "wanted": one.canary.exit as u8,
            "got": one.answer.code,
            "seconds": one.answer.took.as_secs_f64(),
            "judgement": word(&one.judgement),
            "why": why(&one.judgement),
        })
    };
    json!({
        "command": "selftest",
        "exit": exit as u8,
        "canaries": told.iter().map(one).collect::<Vec<_>>(),
        "interrupted_before": left,
    })
}

fn word(judgement: &Judgement) -> &'static str {
    match judgement {
        Judgement::Found => "as wanted",
        Judgement::Slept(_) => "slept",
        Judgement::NotInjected(_) => "was not tested",
    }
}

fn why(judgement: &Judgement) -> Option<&str> {
    match judgement {
        Judgement::Found => None,
        Judgement::Slept(why) | Judgement::NotInjected(why) => Some(why),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::canary::CANARIES;
    use super::*;

    #[test]
    fn a_canary_on_which_the_gate_slept_is_named_with_what_was_wanted_and_got() {
        let answer = |code| Answer {
            code: Some(code),
            took: Duration::from_millis(1_540),
            ..Answer::default()
        };
        let told = |index: usize, code, judgement| Told {
            canary: &CANARIES[index],
            answer: answer(code),
            judgement,
        };
        let slept = Judgement::Slept("it lets 2 ids pass".into());
        let all = [told(0, 0, Judgement::Found), told(5, 0, slept)];
        let said = text(&all, &["hang"], Exit::Broke, false);
        for part in [
            "instructions      0.5 % more instructions       3    0      1.5  slept",
            "instructions: slept: it lets 2 ids pass",
            "interrupted before hang",
            "selftest: 1 of 3 as wanted; exit code 1",
        ] {
            assert!(said.contains(part), "no '{part}' in:\n{said}");
        }
        let json = json(&all, &[], Exit::Broke);
        assert_eq!(json["canaries"][1]["judgement"], "slept");
        assert_eq!(json["canaries"][1]["wanted"], 3);
    }
}
