//! A record arranged for reading: rooms, in each its ids, under each id what both harnesses say.

use std::collections::BTreeMap;

use bench_core::judge::stats;
use bench_core::record::{Data, Metric, Row, RunRecord};
use bench_core::units::ByteSize;
use hdrhistogram::Histogram;

use super::words;

/// Dimensions that the tables show in another way, or that tell the two harnesses apart.
const SHOWN_ELSEWHERE: [&str; 3] = ["bytes", "size", "target"];
/// How sure the interval of a median is.
const CONFIDENCE: f64 = 0.95;

/// The record and its rooms.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) record: &'a RunRecord,
    pub(crate) rooms: Vec<Room<'a>>,
}

/// The ids that share their first part.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    pub(crate) name: &'a str,
    pub(crate) entries: Vec<Entry<'a>>,
    /// The dimensions that are the same wherever in the room they are known.
    pub(crate) common: BTreeMap<&'a str, &'a str>,
}

/// What is known of one id.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    pub(crate) time: Option<Time>,
    pub(crate) instructions: Option<u64>,
    pub(crate) latency: Option<Latency>,
    /// Payload bytes of one operation.
    pub(crate) bytes: Option<u64>,
    pub(crate) others: Vec<&'a Row>,
    pub(crate) failures: Vec<&'a Row>,
    pub(crate) dimensions: BTreeMap<&'a str, &'a str>,
}

/// Times of one operation, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    pub(crate) median: f64,
    /// Where the median lies; `None` where there are too few samples.
    pub(crate) interval: Option<(f64, f64)>,
    /// One per sample, in the order of measuring.
    pub(crate) samples: Vec<f64>,
}

/// Latencies of many operations, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl<'a> View<'a> {
    /// Arranges the record, but for what was watched beside the scenarios, which
    /// [`watched`](super::words::watched) sums up.
    pub(crate) fn of(record: &'a RunRecord) -> Self {
        let mut rooms: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
        for row in record.rows.iter().filter(|row| !row.is_of_watch()) {
            let entries = rooms.entry(room(&row.id)).or_default();
            let place = entries.iter().position(|entry| entry.id == row.id && entry.takes(row));
            let place = place.unwrap_or_else(|| {
                entries.push(Entry::new(&row.id));
                entries.len() - 1
            });
            entries[place].add(row);
        }
        for entries in rooms.values_mut() {
            entries.sort_by_cached_key(|entry| {
                let (workload, size) = ladder(entry.id);
                (workload.to_owned(), size, entry.id)
            });
        }
        let rooms = rooms.into_iter().map(|(name, entries)| {
            let common = common(&entries);
            Room { name, entries, common }
        });
        Self { record, rooms: rooms.collect() }
    }

    /// Why rows failed: each reason once, with its rows.
    pub(crate) fn failures(&self) -> Vec<(&'a str, Vec<&'a Row>)> {
        let mut by_reason: Vec<(&str, Vec<&Row>)> = Vec::new();
        for row in self.record.rows.iter().filter(|row| !row.ok) {
            let why = words::reason(row);
            match by_reason.iter_mut().find(|(known, _)| *known == why) {
                Some((_, rows)) => rows.push(row),
                None => by_reason.push((why, vec![row])),
            }
        }
        by_reason
    }

    /// Every id with what is known of it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.rooms.iter().flat_map(|room| &room.entries)
    }
}

impl<'a> Entry<'a> {
    fn new(id: &'a str) -> Self {
        Self {
            id,
            time: None,
            instructions: None,
            latency: None,
            bytes: None,
            others: Vec::new(),
            failures: Vec::new(),
            dimensions: BTreeMap::new(),
        }
    }

    /// Two rows of one metric under one id differ in a dimension: they are two entries.
    fn takes(&self, row: &Row) -> bool {
        let free = match row.metric {
            Metric::WallTime => self.time.is_none(),
            Metric::Instructions => self.instructions.is_none(),
            Metric::Latency => self.latency.is_none(),
            _ => self.others.iter().all(|other| other.metric != row.metric),
        };
        let (mine, its) = (self.dimensions.get("backend"), row.dimensions.get("backend"));
        free && (mine.is_none() || its.is_none() || mine.copied() == its.map(String::as_str))
    }

    fn add(&mut self, row: &'a Row) {
        for (name, value) in &row.dimensions {
            self.dimensions.insert(name, value);
        }
        let bytes = row.dimensions.get("bytes").and_then(|bytes| bytes.parse().ok());
        self.bytes = self.bytes.or(bytes);
        if !row.ok {
            self.failures.push(row);
            return;
        }
        match (&row.metric, &row.data) {
            (Metric::WallTime, Some(Data::Samples { .. })) => self.time = Time::of(row),
            (Metric::Instructions, Some(Data::Count { value })) => self.instructions = Some(*value),
            (Metric::Latency, Some(data)) => match Latency::of(data) {
                Some(latency) => self.latency = Some(latency),
                None => self.others.push(row),
            },
            _ => self.others.push(row),
        }
    }

    /// Whether any measurement of the id failed.
    pub(crate) fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Payload bytes per second by the median time.
    pub(crate) fn throughput(&self) -> Option<f64> {
        let time = self.time.as_ref().filter(|time| time.median > 0.0)?;
        Some(self.payload()? / time.median * 1e9)
    }

    /// Nanoseconds per payload byte by the median time.
    pub(crate) fn ns_per_byte(&self) -> Option<f64> {
        Some(self.time.as_ref()?.median / self.payload()?)
    }

    /// Instructions per payload byte.
    pub(crate) fn instructions_per_byte(&self) -> Option<f64> {
        Some(self.instructions? as f64 / self.payload()?)
    }

    /// What else tells this number from another of its room, as `name=value`.
    pub(crate) fn told_dimensions(&self, room: &Room<'_>) -> Vec<String> {
        let told = self.dimensions.iter().filter(|(name, _)| {
            !room.common.contains_key(*name) && !SHOWN_ELSEWHERE.contains(*name)
        });
        told.map(|(name, value)| format!("{name}={value}")).collect()
    }

    fn payload(&self) -> Option<f64> {
        self.bytes.filter(|bytes| *bytes > 0).map(|bytes| bytes as f64)
    }
}

impl Time {
    fn of(row: &Row) -> Option<Self> {
        let samples = row.per_operation();
        let sound = !samples.is_empty() && samples.iter().all(|sample| sample.is_finite());
        sound.then(|| Self {
            median: stats::median(&samples),
            interval: stats::quantile_interval(&samples, 0.5, CONFIDENCE).map(|i| (i.low, i.high)),
            samples,
        })
    }

    /// Half the width of the interval, as a fraction of the median.
    pub(crate) fn half_width(&self) -> Option<f64> {
        let (low, high) = self.interval.filter(|_| self.median > 0.0)?;
        Some((high - low) / 2.0 / self.median)
    }
}

impl Latency {
    /// What the data hold, where they are a histogram that can be read and is not empty.
    pub(crate) fn of(data: &Data) -> Option<Self> {
        data.histogram().ok().filter(|histogram| !histogram.is_empty()).map(Self)
    }

    /// The latency that this percentage of the operations did not exceed.
    pub(crate) fn at(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.max() as f64
    }

    /// How many operations.
    pub(crate) fn operations(&self) -> u64 {
        self.0.len()
    }
}

fn common<'a>(entries: &[Entry<'a>]) -> BTreeMap<&'a str, &'a str> {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in entries.iter().flat_map(|entry| &entry.dimensions) {
        values.entry(name).or_default().push(value);
    }
    values.retain(|name, all| {
        !SHOWN_ELSEWHERE.contains(name) && all.iter().all(|value| *value == all[0])
    });
    values.into_iter().map(|(name, all)| (name, all[0])).collect()
}

/// The first part of an id.
fn room(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

/// An id without its size, and the size, where the last part is one.
pub(crate) fn ladder(id: &str) -> (&str, Option<ByteSize>) {
    let sized =
        id.rsplit_once('/').and_then(|(workload, size)| Some((workload, size.parse().ok()?)));
    sized.map_or((id, None), |(workload, size)| (workload, Some(size)))
}

/// A record such as a run makes, for the tests of what is rendered from it.
#[cfg(test)]
#[path = "sample.rs"]
pub(crate) mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_harnesses_meet_under_one_id_and_sizes_are_in_order() {
        let record = sample::record();
        let view = View::of(&record);
        let pool = view.rooms.iter().find(|room| room.name == "pool").expect("pool");
        let ids: Vec<&str> = pool.entries.iter().map(|entry| entry.id).collect();
        assert_eq!(ids[..3], ["pool/cycle/1KiB", "pool/cycle/4KiB", "pool/cycle/16KiB"]);
        let entry = &pool.entries[1];
        assert!(entry.time.is_some() && entry.instructions.is_some());
        let expected = entry.instructions.expect("counted") as f64 / 4096.0;
        assert_eq!(entry.instructions_per_byte(), Some(expected));
    }

    #[test]
    fn what_all_of_a_room_share_is_told_once() {
        let mut record = sample::record();
        record.rows.retain(|row| row.id.starts_with("storage/"));
        let view = View::of(&record);
        let room = &view.rooms[0];
        assert_eq!(room.common, BTreeMap::from([("backend", "pread"), ("file_system", "ext4")]));
        assert_eq!(room.entries[0].told_dimensions(room), ["page_cache=cold"]);
    }

    #[test]
    fn what_failed_for_one_reason_stands_together() {
        let mut record = sample::record();
        let failed = |id, why| Row::failed(id, Metric::WallTime, "ns", why);
        record.rows = vec![failed("a/b", "late"), failed("a/c", "lost"), failed("a/d", "late")];
        let view = View::of(&record);
        let ids = |rows: Vec<&Row>| rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
        let told: Vec<_> =
            view.failures().into_iter().map(|(why, rows)| (why, ids(rows).join(" "))).collect();
        assert_eq!(told, [("late", "a/b a/d".to_owned()), ("lost", "a/c".to_owned())]);
    }

    #[test]
    fn two_backends_of_one_id_are_two_entries() {
        let count = |backend: &str| {
            let mut row = Row::measured(
                "a/b",
                Metric::Instructions,
                "instructions",
                Data::Count { value: 1 },
            );
            row.dimensions.insert("backend".to_owned(), backend.to_owned());
            row
        };
        let mut record = sample::record();
        record.rows = vec![count("pread"), count("io_uring")];
        assert_eq!(View::of(&record).entries().count(), 2);
    }

    #[test]
    fn a_last_part_that_is_no_size_belongs_to_the_workload() {
        assert_eq!(ladder("a/b/4KiB"), ("a/b", Some(ByteSize::kib(4))));
        assert_eq!(ladder("a/b/tcp"), ("a/b/tcp", None));
        assert_eq!(ladder("alone"), ("alone", None));
    }
}
