//! `report.csv`: one line per id and metric, numbers as they are, for spreadsheets.

use super::super::Report;
use super::lines;

const TITLES: [&str; 12] = [
    "id",
    "metric",
    "unit",
    "verdict",
    "value",
    "base",
    "head",
    "ratio",
    "ratio_low",
    "ratio_high",
    "environment",
    "note",
];

/// The whole file. A text that a spreadsheet would compute gets an apostrophe in front: a name
/// must not run a formula (OWASP, CSV injection).
pub(crate) fn report(report: &Report<'_>) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let environment = report.record.environment.host_id.as_deref().unwrap_or("");
    let mut write = |cells: Vec<String>| out.write_record(cells).expect("a vector takes all");
    write(TITLES.map(str::to_owned).to_vec());
    for line in lines(report) {
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let judged = |of: fn(&super::Judged) -> Option<f64>| number(line.judged.and_then(of));
        write(vec![
            plain(line.id),
            plain(line.metric),
            plain(line.unit),
            line.word.to_owned(),
            number(line.value),
            judged(|one| one.base),
            judged(|one| one.head),
            judged(|one| one.ratio),
            judged(|one| Some(one.interval?.0)),
            judged(|one| Some(one.interval?.1)),
            plain(environment),
            plain(&line.note),
        ]);
    }
    let bytes = out.into_inner().expect("a vector takes all");
    String::from_utf8(bytes).expect("text was written")
}

/// On one line, and never a formula.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.starts_with(['=', '+', '-', '@', ' ']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::golden::{self, EVIL, Small};
    use super::*;
    use crate::render::view::sample;

    #[test]
    fn the_file_is_as_it_was_agreed() {
        golden::agrees("report.csv", &report(&Small::new().report()));
    }

    #[test]
    fn a_record_alone_has_its_values() {
        let mut record = sample::record();
        record.rows.retain(|row| row.id.starts_with("pool/cycle/4KiB") || !row.ok);
        let told = report(&Report::of(&record));
        assert!(told.contains("pool/cycle/4KiB,instructions,instructions,measured,29,"), "{told}");
        assert!(told.contains(",failed,,"), "{told}");
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let told = report(&Small::spoilt(EVIL).report());
        let mut reader = csv::Reader::from_reader(told.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("CSV");
        assert_eq!(rows.len(), told.lines().count() - 1, "a line each");
        assert!(rows.iter().all(|row| row[0].contains("</script>") && row.len() == TITLES.len()));
        for formula in ["=1+1", "+1", "-1", "@x", "\t=1"] {
            assert!(plain(formula).starts_with('\''), "{formula}");
        }
    }
}
