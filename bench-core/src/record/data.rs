//! Raw values as numbers: histograms in and out of their text, samples per operation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

use super::{Data, RecordError, Row};

/// A histogram of these digits over all of `u64` takes a few MiB; text that claims more is broken.
const DIGITS_MAX: u8 = 5;

impl Data {
    /// The histogram as text: V2, deflate, base64, with its range and digits beside it.
    ///
    /// # Panics
    /// When the histogram holds more counts of a value than its format can express (`i64::MAX`).
    pub fn from_histogram(histogram: &Histogram<u64>) -> Self {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(histogram, &mut bytes)
            .expect("a vector takes every histogram");
        Self::Histogram {
            base64: STANDARD.encode(bytes),
            low: histogram.low(),
            high: histogram.high(),
            digits: histogram.sigfig(),
        }
    }

    /// The histogram back from its text.
    ///
    /// # Errors
    /// [`RecordError::Histogram`] when this is no histogram, the text does not decode, or it
    /// decodes to another range or other digits than those beside it.
    pub fn histogram(&self) -> Result<Histogram<u64>, RecordError> {
        let error = |reason: String| RecordError::Histogram { reason };
        let Self::Histogram { base64, low, high, digits } = self else {
            return Err(error("the values are not a histogram".to_owned()));
        };
        if *digits > DIGITS_MAX {
            return Err(error(format!(
                "it claims {digits} digits; there are at most {DIGITS_MAX}"
            )));
        }
        let bytes = STANDARD.decode(base64).map_err(|e| error(format!("its base64: {e}")))?;
        // Cookie and length come first; the decoder does not miss a tail that holds the checksum.
        let length = bytes.get(4..8).and_then(|field| field.try_into().ok());
        if length.map(u32::from_be_bytes).map(|n| n as usize + 8) != Some(bytes.len()) {
            return Err(error("its bytes: cut short".to_owned()));
        }
        let histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|e| error(format!("its bytes: {e}")))?;
        let found = (histogram.low(), histogram.high(), histogram.sigfig());
        if found != (*low, *high, *digits) {
            let said = (low, high, digits);
            return Err(error(format!("it says low, high, digits {said:?} and holds {found:?}")));
        }
        Ok(histogram)
    }
}

impl Row {
    /// The values per operation, in the unit of the row: each total divided by its iterations, or
    /// the one count. Empty for a failed row, and for a histogram, which is not a list of values.
    pub fn per_operation(&self) -> Vec<f64> {
        match &self.data {
            Some(Data::Samples { values, iterations }) => {
                values.iter().zip(iterations).map(|(total, &n)| total / n as f64).collect()
            }
            Some(Data::Count { value }) => vec![*value as f64],
            Some(Data::Histogram { .. }) | None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Metric;

    fn histogram() -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("bounds");
        for value in (1..1_000_000).step_by(997) {
            histogram.record(value).expect("in range");
        }
        histogram
    }

    #[test]
    fn a_histogram_comes_back_from_its_text() {
        let data = Data::from_histogram(&histogram());
        assert_eq!(data.histogram().expect("decodes"), histogram());
        let empty = Histogram::<u64>::new(2).expect("digits");
        assert_eq!(Data::from_histogram(&empty).histogram().expect("decodes"), empty);
    }

    #[test]
    fn a_broken_histogram_is_an_error_and_never_a_panic() {
        let Data::Histogram { base64, low, high, digits } = Data::from_histogram(&histogram())
        else {
            panic!("not a histogram")
        };
        for cut in 0..base64.len() {
            let data = Data::Histogram { base64: base64[..cut].to_owned(), low, high, digits };
            assert!(data.histogram().is_err(), "cut at {cut}");
        }
        let other = Data::Histogram { base64: base64.clone(), low, high: high / 2, digits };
        let error = other.histogram().expect_err("another range").to_string();
        assert!(error.contains("3600000000000"), "{error}");
        let wild = Data::Histogram { base64, low, high, digits: 200 };
        assert!(wild.histogram().is_err());
        assert!(Data::Count { value: 1 }.histogram().is_err());
    }

    #[test]
    fn values_are_per_operation() {
        let samples = Data::Samples { values: vec![100.0, 30.0], iterations: vec![10, 2] };
        let row = Row::measured("a", Metric::WallTime, "ns", samples);
        assert_eq!(row.per_operation(), [10.0, 15.0]);
        let row = Row::measured("a", Metric::Instructions, "1", Data::Count { value: 7 });
        assert_eq!(row.per_operation(), [7.0]);
        assert!(Row::failed("a", Metric::WallTime, "ns", "why").per_operation().is_empty());
    }
}
