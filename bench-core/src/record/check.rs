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
        if let Err(error) = self.run_id.parse::<uuid::Uuid>() {
            return Err(unsound(format!("run_id '{}' is no UUID: {error}", self.run_id)));
        }
        if let Err(error) = self.started_at.parse::<jiff::Timestamp>() {
            return Err(unsound(format!("started_at is no RFC 3339 time: {error}")));
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
