//! What clients asked and were answered, in the order of time, and as text: one JSON object a line,
//! with the keys that Jepsen's histories have, so that Knossos, Porcupine and others need a line of
//! code to read it.
//!
//! ```text
//! {"index":0,"time":12000345,"process":0,"type":"invoke","f":"write","value":7}
//! {"index":1,"time":12040811,"process":1,"type":"invoke","f":"read","value":null}
//! {"index":2,"time":82101007,"process":0,"type":"ok","f":"write","value":7}
//! {"index":3,"time":82300100,"process":1,"type":"info","f":"read","value":null,"error":"no answer"}
//! ```
//!
//! `time` is in nanoseconds since the start. A process does one thing at a time; after an `info`,
//! which says that nobody knows whether it was done, it does nothing more. `fail` was not done. The
//! register holds 0 at the start, and no value is written twice.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An operation began.
    Invoke,
    /// It was done.
    Ok,
    /// It was not done.
    Fail,
    /// It may have been done, or be done later.
    Info,
}

/// What the operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Of the value.
    Read,
    /// Of a value.
    Write,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds since the start.
    pub time_ns: u64,
    /// Who: does one thing at a time.
    pub process: u64,
    /// What happened.
    pub kind: Kind,
    /// To which operation.
    pub function: Function,
    /// What is written or was read; `None` of a read that is not over.
    pub value: Option<u64>,
    /// Why it was not done, or what is not known.
    pub error: Option<String>,
}

impl Kind {
    const ALL: [(Self, &str); 4] =
        [(Self::Invoke, "invoke"), (Self::Ok, "ok"), (Self::Fail, "fail"), (Self::Info, "info")];
}

impl Function {
    const ALL: [(Self, &str); 2] = [(Self::Read, "read"), (Self::Write, "write")];
}

fn name<T: PartialEq>(all: &[(T, &'static str)], of: &T) -> &'static str {
    all.iter().find(|(known, _)| known == of).map_or("", |(_, name)| name)
}

/// The text.
pub fn print(history: &[Entry]) -> String {
    let mut text = String::new();
    for (index, entry) in history.iter().enumerate() {
        // By hand, so that the keys keep their order.
        let value = entry.value.map_or("null".to_owned(), |value| value.to_string());
        let _ = write!(
            text,
            r#"{{"index":{index},"time":{},"process":{},"type":"{}","f":"{}","value":{value}"#,
            entry.time_ns,
            entry.process,
            name(&Kind::ALL, &entry.kind),
            name(&Function::ALL, &entry.function),
        );
        if let Some(error) = &entry.error {
            let _ = write!(text, r#","error":{}"#, json!(error));
        }
        text.push_str("}\n");
    }
    text
}

/// The history that a text is; `file` is what errors call it. Other keys are passed over.
///
/// # Errors
/// The first line that is none of a history, and what is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Vec<Entry>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            entry(line).map_err(|reason| format!("line {} of {file}: {reason}", index + 1))
        })
        .collect()
}

fn entry(line: &str) -> Result<Entry, String> {
    let object: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
    let number =
        |key: &str| object[key].as_u64().ok_or_else(|| format!("'{key}' has to be a whole number"));
    let value = match &object["value"] {
        Value::Null => None,
        value => Some(value.as_u64().ok_or("'value' has to be a whole number or null")?),
    };
    Ok(Entry {
        time_ns: number("time")?,
        process: number("process")?,
        kind: one_of(&object, "type", &Kind::ALL)?,
        function: one_of(&object, "f", &Function::ALL)?,
        value,
        error: object["error"].as_str().map(str::to_owned),
    })
}

fn one_of<T: Copy>(object: &Value, key: &str, all: &[(T, &str)]) -> Result<T, String> {
    let text = object[key].as_str();
    let found = all.iter().find(|(_, name)| Some(*name) == text);
    found.map(|(known, _)| *known).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
        format!("'{key}' has to be one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_says_what_the_documentation_says() {
        let entry = Entry {
            time_ns: 12,
            process: 3,
            kind: Kind::Info,
            function: Function::Read,
            value: None,
            error: Some("no \"answer\"".to_owned()),
        };
        assert_eq!(
            print(&[entry]),
            "{\"index\":0,\"time\":12,\"process\":3,\"type\":\"info\",\"f\":\"read\",\
             \"value\":null,\"error\":\"no \\\"answer\\\"\"}\n"
        );
    }

    #[test]
    fn a_line_that_is_none_is_named_with_what_is_wrong() {
        let good = r#"{"time":1,"process":2,"type":"ok","f":"read","value":3,"node":"eu"}"#;
        assert_eq!(parse("h", &format!("{good}\n\n")).map(|history| history.len()), Ok(1));
        for (from, to, reason) in [
            ("1", "-1", "'time' has to be a whole number"),
            ("\"ok\"", "\"done\"", "'type' has to be one of invoke, ok, fail, info"),
            ("\"read\"", "\"cas\"", "'f' has to be one of read, write"),
            ("3", "\"x\"", "'value' has to be"),
            ("}", "", "no JSON"),
        ] {
            let text = format!("{good}\n{}\n", good.replacen(from, to, 1));
            let error = parse("h.jsonl", &text).expect_err(reason);
            assert!(error.starts_with("line 2 of h.jsonl: "), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_history_is_read_as_it_is_printed(
            entries in prop::collection::vec(
                (any::<u64>(), any::<u64>(), 0..4_usize, 0..2_usize, any::<Option<u64>>()), 0..8)
        ) {
            let entries = entries.into_iter().map(|(time_ns, process, kind, function, value)| Entry {
                time_ns,
                process,
                kind: Kind::ALL[kind].0,
                function: Function::ALL[function].0,
                value,
                error: (kind > 1).then(|| "why".to_owned()),
            });
            let entries: Vec<Entry> = entries.collect();
            prop_assert_eq!(parse("h", &print(&entries)), Ok(entries));
        }
    }
}
