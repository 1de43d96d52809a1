//! What a record may not say: checked before it is written and after it is read.

use std::collections::BTreeSet;

use super::{Data, Metric, RecordError, Row, RunRecord, SCHEMA_VERSION};

impl RunRecord {
    /// Whether the record makes sense: its version, its id and time, every row, and no two rows of
    /// the same id, metric and dimensions.
    ///
    /// # Errors
    /// The first thing that is wrong, with the row it is in.
    pub fn check(&self) -> Result<(), RecordError> {
        if self.schema != SCHEMA_VERSION {
            return Err(RecordError::Schema {
                origin: "the record".to_owned(),
                found: self.schema.to_string(),
            });
        }
        let unsound = |reason| RecordError::Unsound { place: "the record".to_owned(), reason };
        if !is_run_id(&self.run_id) {
            let id = &self.run_id;
            return Err(unsound(format!("run_id '{id}' is no UUID of version 7 in lower case")));
        }
        if !is_utc(&self.started_at) {
            let time = &self.started_at;
            return Err(unsound(format!("started_at '{time}' is no RFC 3339 time that ends in Z")));
        }
        let mut seen = BTreeSet::new();
        for row in &self.rows {
            row.check()?;
            if !seen.insert((&row.id, &row.metric, &row.dimensions)) {
                return Err(row.unsound("it is there twice with the same dimensions".to_owned()));
            }
        }
        Ok(())
    }
}

/// As the schema wants it: the one canonical spelling, with hyphens.
fn is_run_id(text: &str) -> bool {
    text.parse().is_ok_and(|id: uuid::Uuid| {
        id.get_version_num() == 7
            && id.get_variant() == uuid::Variant::RFC4122
            && id.to_string() == text
    })
}

/// As the schema wants it: in UTC, said by a `Z`, and as jiff prints it but for zeros that end the
/// fraction.
fn is_utc(text: &str) -> bool {
    let Some(stamp) = text.strip_suffix('Z') else { return false };
    let stamp = match stamp.split_once('.') {
        Some((_, "")) => return false,
        Some(_) => stamp.trim_end_matches('0').trim_end_matches('.'),
        None => stamp,
    };
    text.parse().is_ok_and(|time: jiff::Timestamp| time.to_string() == format!("{stamp}Z"))
}

impl Row {
    /// Whether the row makes sense: an ok row has data and no error, a failed one an error and no
    /// data; values are finite, not negative, and at least one; only counts gate.
    ///
    /// # Errors
    /// [`RecordError::Unsound`] with what is wrong.
    pub fn check(&self) -> Result<(), RecordError> {
        self.fault().map_or(Ok(()), |reason| Err(self.unsound(reason)))
    }

    fn unsound(&self, reason: String) -> RecordError {
        RecordError::Unsound { place: format!("row {} of '{}'", self.metric, self.id), reason }
    }

    fn fault(&self) -> Option<String> {
        let fault = |text: &str| Some(text.to_owned());
        if self.id.is_empty() {
            return fault("its id is empty");
        }
        if self.unit.is_empty() {
            return fault("its unit is empty; write 1 where there is none");
        }
        if self.gates && !self.metric.may_gate() {
            return fault("it gates, and only counts may");
        }
        match (&self.data, self.ok, &self.error) {
            (Some(_), false, _) => fault("it failed and has data"),
            (None, true, _) => fault("it is ok and has no data"),
            (None, false, None) => fault("it failed and does not say why"),
            (Some(_), true, Some(_)) => fault("it is ok and has an error"),
            (None, false, Some(_)) => None,
            (Some(data), true, None) if self.gates && !matches!(data, Data::Count { .. }) => {
                fault("it gates and is not one count")
            }
            (Some(data), true, None) => data.fault(),
        }
    }
}

impl Metric {
    /// Whether a gate may judge it: what counts the work itself and not what time it took, and so
    /// can repeat exactly.
    pub const fn may_gate(&self) -> bool {
        matches!(
            self,
            Self::Instructions
                | Self::Allocations
                | Self::AllocatedBytes
                | Self::Syscalls
                | Self::Requests
        )
    }
}

impl Data {
    fn fault(&self) -> Option<String> {
        match self {
            Self::Count { .. } => None,
            Self::Histogram { .. } => match self.histogram() {
                Ok(histogram) => histogram.is_empty().then(|| "its histogram is empty".to_owned()),
                Err(error) => Some(error.to_string()),
            },
            Self::Samples { values, iterations } => samples_fault(values, iterations),
        }
    }
}

fn samples_fault(values: &[f64], iterations: &[u64]) -> Option<String> {
    if values.is_empty() {
        return Some("it has no samples".to_owned());
    }
    if values.len() != iterations.len() {
        return Some(format!("{} values have {} iterations", values.len(), iterations.len()));
    }
    if let Some(value) = values.iter().find(|x| !x.is_finite() || **x < 0.0) {
        return Some(format!("the value {value} is negative or not finite"));
    }
    iterations.contains(&0).then(|| "a value is of no iterations".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_of_a_version_7_uuid_is_a_run_id() {
        let id = "019a9f3e-7c1d-7a44-8e0a-3f1a6a1f2b10";
        assert!(is_run_id(id));
        let others = [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            id.replace("-7a44-", "-4a44-"),
            id.replace("-8e0a-", "-0e0a-"),
            String::new(),
        ];
        for other in others {
            assert!(!is_run_id(&other), "{other}");
        }
    }

    #[test]
    fn a_time_is_in_utc_and_says_so() {
        for time in ["2026-11-20T09:12:44Z", "2026-11-20T09:12:44.5Z", "2026-11-20T09:12:44.500Z"] {
            assert!(is_utc(time), "{time}");
        }
        let others = [
            "2026-11-20T09:12:44+00:00",
            "2026-11-20T10:12:44+01:00",
            "2026-11-20t09:12:44z",
            "2026-11-20 09:12:44Z",
            "20261120T091244Z",
            "2026-11-20T09:12Z",
            "2026-11-20T09:12:44.Z",
            "2026-11-20T09:12:44,5Z",
            "2026-02-30T09:12:44Z",
            "Z",
            "",
        ];
        for other in others {
            assert!(!is_utc(other), "{other}");
        }
    }
}
