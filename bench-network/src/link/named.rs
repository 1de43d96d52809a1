//! The links that have a name. The numbers of others carry their source; a queue is in no source
//! and always our own choice: 50 packets, the default of dummynet, which WebPageTest shapes with,
//! or one bandwidth-delay product where that is more.

use std::time::Duration;

use bench_core::units::ByteSize;

use super::check::DELAY_MAX;
use super::{Capacity, LinkError, LinkProfile, Loss, MTU, Queue, Source};

const WEBPAGETEST: &str =
    "WebPageTest, connectivity.ini.sample (queue: our own choice, 50 packets or one BDP)";
const COMCAST: &str = "tylertreat/comcast, table of network conditions in its README";
const COMCAST_QUEUED: &str = "tylertreat/comcast, table of network conditions in its README (queue: \
                              our own choice, 50 packets or one BDP)";
const REGIONS: &str = "a round trip between data centres on one continent (70 ms), across the \
                       Atlantic (120 ms) or the Pacific (180 ms), without loss or limit";
const QUEUE_PACKETS: u64 = 50;
/// How a name begins that is a round trip and nothing else.
const ROUND_TRIP: &str = "rtt_";

/// Every link that has a name, the quickest first in each group.
pub fn all() -> Vec<LinkProfile> {
    let wpt = |name, down, up, round_trip| shaped(name, WEBPAGETEST, down, up, round_trip);
    vec![
        delayed("lan", Source::OwnChoice("two hosts of one data centre".into()), 200),
        delayed("regions_70", Source::OwnChoice(REGIONS.into()), 70_000),
        delayed("regions_120", Source::OwnChoice(REGIONS.into()), 120_000),
        delayed("regions_180", Source::OwnChoice(REGIONS.into()), 180_000),
        wpt("fibre", 20_000, 5_000, 4),
        wpt("cable", 5_000, 1_000, 28),
        wpt("dsl", 1_500, 384, 50),
        wpt("lte", 12_000, 12_000, 70),
        wpt("4g", 9_000, 9_000, 170),
        wpt("3g_fast", 1_600, 768, 150),
        wpt("3g", 1_600, 768, 300),
        wpt("3g_slow", 400, 400, 400),
        wpt("edge", 240, 200, 840),
        lossy(shaped("wifi", COMCAST_QUEUED, 30_000, 30_000, 40), &Loss::Bernoulli(0.002)),
        lossy(
            delayed("satellite_leo", Source::Published(COMCAST.into()), 20_000),
            &Loss::Bernoulli(0.025),
        ),
        geostationary(),
        lossy_mobile(),
    ]
}

/// The link of this name. `rtt_` and a time (`rtt_50ms`, `rtt_2.5ms`, `rtt_250us`) is a link that
/// only delays.
///
/// # Errors
/// [`LinkError::Unknown`] with the nearest name; [`LinkError::Delay`] where the time is none.
pub fn find(name: &str) -> Result<LinkProfile, LinkError> {
    if let Some(time) = name.strip_prefix(ROUND_TRIP) {
        return self::time(time, ROUND_TRIP_MAX).map(LinkProfile::round_trip);
    }
    let all = all();
    if let Some(found) = all.iter().find(|link| link.name == name) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = all.iter().map(|link| &*link.name).collect();
    // The first of those that are equally near, so that the answer is always the same.
    let nearest = names.iter().min_by_key(|known| edits(name, known)).expect("there are names");
    Err(LinkError::Unknown {
        name: name.to_owned(),
        nearest: (*nearest).to_owned(),
        all: names.join(", "),
    })
}

fn delayed(name: &'static str, source: Source, round_trip_us: u64) -> LinkProfile {
    let link = LinkProfile::round_trip(Duration::from_micros(round_trip_us));
    LinkProfile { name: name.into(), source, ..link }
}

/// Rates in kbit/s of IP packets, as WebPageTest's are; the round trip in ms.
fn shaped(
    name: &'static str,
    source: &'static str,
    down_kbit: u64,
    up_kbit: u64,
    round_trip_ms: u64,
) -> LinkProfile {
    let mut link = delayed(name, Source::Published(source.into()), round_trip_ms * 1000);
    for (way, kbit) in [(&mut link.up, up_kbit), (&mut link.down, down_kbit)] {
        way.capacity = Capacity::kbit(kbit);
        let product = kbit * round_trip_ms / 8; // kbit/s * ms = bits
        way.queue = Queue::Bytes(ByteSize::new(product.max(QUEUE_PACKETS * u64::from(MTU))));
    }
    link
}

fn lossy(mut link: LinkProfile, loss: &Loss) -> LinkProfile {
    link.up.loss = loss.clone();
    link.down.loss = loss.clone();
    link
}

fn geostationary() -> LinkProfile {
    let source = "25 Mbit/s down and 3 up at 600 ms; light alone needs 477 ms for four times \
                  35,786 km";
    let link = shaped("satellite_geo", "", 25_000, 3_000, 600);
    LinkProfile { source: Source::OwnChoice(source.into()), ..link }
}

fn lossy_mobile() -> LinkProfile {
    let source = "the rates and delay of WebPageTest's 3G with 1 % loss in bursts of four packets";
    let link = shaped("lossy_mobile", "", 1_600, 768, 300);
    let link = lossy(link, &Loss::bursts(0.0025, 0.25));
    LinkProfile { source: Source::OwnChoice(source.into()), ..link }
}

/// The longest round trip that a link may have.
pub(crate) const ROUND_TRIP_MAX: Duration = DELAY_MAX.saturating_mul(2);

/// A time as in `50ms`, exact to the nanosecond and at most `max`.
pub(crate) fn time(text: &str, max: Duration) -> Result<Duration, LinkError> {
    let error = |reason| LinkError::Delay { text: text.to_owned(), reason, max };
    if text.starts_with('-') {
        return Err(error("it is negative"));
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let decimals: usize = match unit {
        "s" => 9,
        "ms" => 6,
        "us" => 3,
        "ns" => 0,
        _ => return Err(error("the unit is not ns, us, ms or s")),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') {
        return Err(error("it does not begin with a number"));
    }
    if fraction.len() > decimals {
        return Err(error("it is finer than a nanosecond"));
    }
    // As many digits as the unit has nanoseconds: 2.5 ms is 2500000.
    let ns = format!("{whole}{fraction:0<decimals$}").parse();
    match ns.map(Duration::from_nanos) {
        Ok(time) if time <= max => Ok(time),
        _ => Err(error("it is too long")),
    }
}

/// How many letters have to be added, taken away or changed to make one the other (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.chars().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::link::Direction;

    #[test]
    fn every_name_is_found_is_sound_and_has_a_source() {
        for link in all() {
            link.check().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(find(&link.name), Ok(link.clone()));
            assert!(link.source.to_string().len() > 20, "{}: {}", link.name, link.source);
            let id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(link.name.chars().all(id), "{} cannot be part of an id", link.name);
        }
        let mut names: Vec<_> = all().into_iter().map(|link| link.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all().len(), "a name stands twice");
    }

    #[test]
    fn the_numbers_are_those_of_the_source() {
        let numbers = |name| {
            let link = find(name).expect("known");
            let rate = |way: &Direction| way.capacity.bits_per_second().expect("limited") / 1000;
            (rate(&link.down), rate(&link.up), link.base_round_trip().as_millis())
        };
        assert_eq!(numbers("edge"), (240, 200, 840));
        assert_eq!(numbers("3g"), (1_600, 768, 300));
        assert_eq!(numbers("fibre"), (20_000, 5_000, 4));
        let queue = |name| find(name).expect("known").queue_bytes();
        assert_eq!(queue("fibre"), [Some(75_000); 2]);
        assert_eq!(queue("4g"), [Some(191_250); 2]);
        assert_eq!(queue("regions_70"), [None; 2]);
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        for (wrong, nearest) in [("lt", "lte"), ("3g-slow", "3g_slow"), ("fiber", "fibre")] {
            let error = find(wrong).expect_err(wrong).to_string();
            assert!(error.contains(&format!("'{wrong}'; did you mean {nearest}?")), "{error}");
        }
    }

    #[test]
    fn a_round_trip_that_is_none_is_refused() {
        for (text, reason) in [
            ("rtt_-5ms", "it is negative"),
            ("rtt_5", "the unit is not"),
            ("rtt_5min", "the unit is not"),
            ("rtt_ms", "does not begin with a number"),
            ("rtt_1.2.3ms", "does not begin with a number"),
            ("rtt_1.5ns", "finer than a nanosecond"),
            ("rtt_121s", "it is too long"),
            ("rtt_99999999999999999999s", "it is too long"),
        ] {
            let error = find(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_round_trip_is_found_by_its_name(ns in 0..120_000_000_000_u64) {
            let link = LinkProfile::round_trip(Duration::from_nanos(ns));
            prop_assert_eq!(find(&link.name), Ok(link));
        }

        #[test]
        fn no_text_makes_the_search_panic(name in ".*|rtt_[-0-9.]{0,30}[a-zµ]{0,3}") {
            let _ = find(&name);
        }

        #[test]
        fn edits_are_a_distance(a in "[a-c]{0,6}", b in "[a-c]{0,6}", c in "[a-c]{0,6}") {
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert!(edits(&a, &c) <= edits(&a, &b) + edits(&b, &c));
        }
    }
}
