//! Values of flags that several scenarios have: durations, names out of a list, lists.

use std::time::Duration;

/// What was asked for, each once, or all there is.
pub(crate) fn or<T: Copy + PartialEq>(asked: Vec<T>, all: &[T]) -> Vec<T> {
    let source = if asked.is_empty() { all } else { &asked };
    let mut unique = Vec::new();
    for item in source {
        if !unique.contains(item) {
            unique.push(*item);
        }
    }
    unique
}

/// What the name stands for.
///
/// # Errors
/// The names there are.
pub(crate) fn named<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!("write one of {}", names.join(", "))
    })
}

/// # Errors
/// In one sentence, what is wrong with it.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    time(text, 1.0)
}

/// # Errors
/// As [`seconds`].
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    time(text, 1e-3)
}

/// Up to an hour.
fn time(text: &str, unit: f64) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "write a number, as in 20".to_owned())?;
    let seconds = number * unit;
    let fine = seconds > 0.0 && seconds <= 3600.0;
    if fine {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("write more than 0, up to an hour".to_owned())
    }
}
