//! Annotations for GitHub's log: workflow commands, one a line. The step summary is the Markdown.

use super::super::verdicts::{Judged, Word};
use super::super::{Report, words};
use super::{failed, lines, sentence};

/// A step shows this many annotations of each kind and drops the rest without a word.
const SHOWN: usize = 10;

/// One command per id that needs a reader, the gravest first, and one for what is left out.
pub(crate) fn annotations(report: &Report<'_>) -> String {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in lines(report) {
        let Some(kind) = kind(line.word, line.judged) else { continue };
        let said = line.judged.map_or_else(|| line.note.clone(), words::change);
        let title = format!("{} {}: {}", line.id, line.metric.replace('_', " "), line.word);
        let place = line.judged.and_then(place);
        commands.push((kind, command(kind, place, &title, &said)));
    }
    if let Some(why) = failed(report).filter(|_| commands.iter().all(|(of, _)| *of != "error")) {
        commands.push(("error", command("error", None, "cargo perf", &why)));
    }
    let mut out = String::new();
    for kind in ["error", "warning", "notice"] {
        let of_kind: Vec<&String> =
            commands.iter().filter(|(of, _)| *of == kind).map(|(_, command)| command).collect();
        let shown = if of_kind.len() > SHOWN { SHOWN - 1 } else { of_kind.len() };
        of_kind[..shown].iter().for_each(|command| out.extend([command.as_str(), "\n"]));
        if shown < of_kind.len() {
            let more = format!("{} more of this kind", of_kind.len() - shown);
            out += &(command(kind, None, &more, &sentence(report)) + "\n");
        }
    }
    out
}

fn kind(word: &str, judged: Option<&Judged>) -> Option<&'static str> {
    match (judged.map(|one| one.word), word) {
        (Some(word), _) if super::is_bad(word) => Some("error"),
        (None, "failed") => Some("error"),
        (Some(Word::Undecided), _) => Some("warning"),
        (Some(Word::Improved), _) => Some("notice"),
        _ => None,
    }
}

/// The place of the function that changed most, where it is a file of the workspace.
fn place(one: &Judged) -> Option<(&str, &str)> {
    let place = one.functions.first()?.place.as_deref()?;
    let (file, line) = place.rsplit_once(':').unwrap_or((place, "1"));
    let inside = !file.starts_with('/') && !file.split('/').any(|part| part == "..");
    (inside && line.bytes().all(|b| b.is_ascii_digit())).then_some((file, line))
}

/// As GitHub's own toolkit escapes it: data, and in properties also what separates them.
fn command(kind: &str, place: Option<(&str, &str)>, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let place = place.map(|(file, line)| format!("file={},line={line},", property(file)));
    let place = place.unwrap_or_default();
    clean(&format!("::{kind} {place}title={}::{}", property(title), data(message)))
}

/// Without control characters: a name must not drive the terminal.
fn clean(command: &str) -> String {
    let drives = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    command.chars().map(|c| if drives(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::golden::{self, EVIL, Small};
    use super::*;

    #[test]
    fn the_commands_are_as_they_were_agreed() {
        golden::agrees("report.github.txt", &annotations(&Small::new().report()));
    }

    #[test]
    fn no_text_is_a_command_of_its_own() {
        let told = annotations(&Small::spoilt(EVIL).report());
        assert!(told.lines().count() > 3);
        for line in told.lines() {
            assert!(line.starts_with("::error ") || line.starts_with("::warning "), "{line}");
            assert_eq!(line.matches("\u{1b}").count(), 0);
            let (properties, _) = line[2..].split_once("::").expect("a message");
            assert!(!properties.contains('\n') && properties.matches(',').count() <= 2, "{line}");
        }
    }

    #[test]
    fn escapes_are_those_of_the_toolkit() {
        let told = command("error", Some(("a,b:c.rs", "7")), "t:1,2", "100%\r\nnext: a, b");
        assert_eq!(
            told,
            "::error file=a%2Cb%3Ac.rs,line=7,title=t%3A1%2C2::100%25%0D%0Anext: a, b"
        );
    }

    #[test]
    fn what_a_step_would_drop_is_counted() {
        let mut small = Small::new();
        small.repeat(30);
        let told = annotations(&small.report());
        let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("::error")).collect();
        assert_eq!(errors.len(), SHOWN);
        assert!(errors[SHOWN - 1].contains("more of this kind"), "{told}");
    }

    #[test]
    fn a_gate_that_fails_without_an_id_is_an_error_too() {
        let told = annotations(&Small::failed_by_a_budget().report());
        assert!(told.contains("::error title=cargo perf::gate did not pass"), "{told}");
        assert!(told.contains("over its budget"), "{told}");
    }

    #[test]
    fn only_a_file_of_the_workspace_is_a_place() {
        let mut small = Small::spoilt("/rustc/x.rs:7");
        assert!(!annotations(&small.report()).contains("file="));
        small = Small::spoilt("../up.rs:7");
        assert!(!annotations(&small.report()).contains("file="));
        small = Small::spoilt("ci/src/x.rs:7");
        assert!(annotations(&small.report()).contains("::error file=ci/src/x.rs,line=7,title="));
    }
}
