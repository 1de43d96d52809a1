//! Whether a link takes as long as it was asked to.

use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::ends::{Ends, receive};
use super::spread;
use crate::error::Error;
use crate::link::{Capacity, Direction, LinkProfile};
use crate::socket;

/// How long the echoes of a calibration take, about.
const BUDGET: Duration = Duration::from_secs(1);
const ECHOES_MIN: u32 = 11;
const ECHOES_MAX: u32 = 501;
/// Of every series.
const DISCARDED: u32 = 2;
/// An echo that takes longer than this and its link, at most twice, is lost.
const GIVE_UP: Duration = Duration::from_secs(10);
/// One byte with the headers of IP and TCP.
const PACKET_BYTES: u32 = 53;

/// A round trip as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// What the profile says, with the time to send one small packet each way.
    pub asked: Duration,
    /// The median of the echoes.
    pub round_trip_p50: Duration,
    /// The 99th percentile; the longest where there are fewer than a hundred.
    pub round_trip_p99: Duration,
    /// How many echoes there were.
    pub echoes: u32,
    /// By how much the median may differ.
    pub tolerance: Duration,
}

/// By how much a round trip may differ from what was asked for: 0.5 %, and 0.25 ms where that is
/// more.
pub fn tolerance(round_trip: Duration) -> Duration {
    (round_trip / 200).max(Duration::from_micros(250))
}

impl Calibration {
    /// Whether the median is what was asked for.
    pub fn within(&self) -> bool {
        self.round_trip_p50.abs_diff(self.asked) <= self.tolerance
    }
}

/// Measures the round trip of one byte between two ends of a connection over a link, for about a
/// second.
///
/// # Errors
/// [`Error::OutOfTolerance`] with both numbers; what the system refused.
pub(crate) fn calibrate(
    link: &LinkProfile,
    client: TcpStream,
    server: TcpStream,
) -> Result<Calibration, Error> {
    judge(link, sample(link, client, server, count(link))?)
}

/// How often a round trip that is not the link's is measured: a busy moment of the machine passes.
const ATTEMPTS: usize = 3;

/// What `probe` finds, or what it finds at the third attempt where it refuses the link.
///
/// # Errors
/// The last refusal; at once what else `probe` fails with.
pub(crate) fn at_last(
    mut probe: impl FnMut() -> Result<Calibration, Error>,
) -> Result<Calibration, Error> {
    for _ in 1..ATTEMPTS {
        match probe() {
            Err(Error::OutOfTolerance { .. }) => {}
            found => return found,
        }
    }
    probe()
}

/// So many round trips of one byte, but for the first ones, which find cold caches and sockets. Where
/// the ends are [`Ends::Awake`], neither sleeps when its byte is due: that a processor has to wake first
/// is no part of the link.
pub(crate) fn sample(
    link: &LinkProfile,
    client: TcpStream,
    server: TcpStream,
    count: u32,
) -> Result<Vec<Duration>, Error> {
    for end in [&client, &server] {
        socket::set_nodelay(end)?;
        let limit = Some(GIVE_UP + asked(link));
        end.set_read_timeout(limit).map_err(Error::io("set a time limit"))?;
    }
    let pace = (Ends::of(link) == Ends::Awake).then(|| asked(link));
    let answering = thread::Builder::new().name("echo-server".to_owned());
    let answering = answering.spawn(move || answer(&server, pace));
    let answering = answering.map_err(Error::io("start a thread"))?;
    let samples = echoes(&client, count, pace).map_err(Error::Measured);
    drop(client);
    // It ends with the client, whose end the link hands on, or by its own time limit.
    let _ = answering.join();
    samples
}

/// How many echoes fit the time of a calibration.
pub fn count(link: &LinkProfile) -> u32 {
    let fit = BUDGET.as_nanos() / asked(link).as_nanos().max(1);
    fit.clamp(u128::from(ECHOES_MIN), u128::from(ECHOES_MAX)) as u32
}

/// The round trip of a small packet by the profile alone: with jitter, its median.
pub fn asked(link: &LinkProfile) -> Duration {
    let way = |way: &Direction| {
        let serialisation_s = match &way.capacity {
            Capacity::Fixed(rate) => {
                rate.wire_bytes(PACKET_BYTES) as f64 * 8.0 / rate.bits_per_second as f64
            }
            Capacity::Unlimited | Capacity::Trace(_) => 0.0,
        };
        Duration::from_secs_f64(serialisation_s)
    };
    Duration::from_nanos(spread::median_ns(link) as u64) + way(&link.up) + way(&link.down)
}

/// How far from that a median of so many echoes may be though the link is what it should be.
fn tolerated(link: &LinkProfile, asked: Duration, echoes: usize) -> Duration {
    let wait = |way: &Direction| match &way.capacity {
        Capacity::Trace(trace) => trace.longest_gap(),
        Capacity::Unlimited | Capacity::Fixed(_) => Duration::ZERO,
    };
    let jitter = Duration::from_nanos(spread::tolerated_ns(link, echoes) as u64);
    tolerance(asked) + wait(&link.up) + wait(&link.down) + jitter
}

fn answer(mut server: &TcpStream, pace: Option<Duration>) -> io::Result<()> {
    let mut due = None;
    loop {
        receive(server, due)?;
        server.write_all(&[0x57])?;
        due = pace.map(|pace| Instant::now() + pace);
    }
}

fn echoes(mut client: &TcpStream, count: u32, pace: Option<Duration>) -> io::Result<Vec<Duration>> {
    let mut samples = Vec::with_capacity(count as usize);
    for number in 0..DISCARDED + count {
        let sent = Instant::now();
        client.write_all(&[0x57])?;
        receive(client, pace.map(|pace| sent + pace))?;
        if number >= DISCARDED {
            samples.push(sent.elapsed());
        }
    }
    Ok(samples)
}

/// What was found, without an opinion.
///
/// # Panics
/// When there are no samples.
pub fn look(link: &LinkProfile, mut samples: Vec<Duration>) -> Calibration {
    samples.sort_unstable();
    let nearest_rank = |percent: usize| samples[(samples.len() * percent).div_ceil(100) - 1];
    let (round_trip_p50, round_trip_p99) = (nearest_rank(50), nearest_rank(99));
    let (asked, echoes) = (asked(link), samples.len() as u32);
    let tolerance = tolerated(link, asked, samples.len());
    Calibration { asked, round_trip_p50, round_trip_p99, echoes, tolerance }
}

/// Whether the median of these is what the profile says.
///
/// # Errors
/// [`Error::OutOfTolerance`] with both numbers.
///
/// # Panics
/// When there are no samples, which [`count`] sees to.
pub fn judge(link: &LinkProfile, samples: Vec<Duration>) -> Result<Calibration, Error> {
    let found = look(link, samples);
    if found.within() {
        return Ok(found);
    }
    Err(Error::OutOfTolerance {
        what: "round trip",
        link: link.name.to_string(),
        asked: format!("{:?}", found.asked),
        measured: format!("{:?}", found.round_trip_p50),
        tolerance: format!("{:?}", found.tolerance),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Jitter, Rate};

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_link_outside_its_tolerance_is_refused_with_both_numbers() {
        let link = LinkProfile::round_trip(100 * MS);
        let judged = |measured: Duration| judge(&link, vec![measured; 11]);
        let found = judged(Duration::from_micros(100_400)).expect("within half a percent");
        assert_eq!((found.asked, found.echoes, found.tolerance), (100 * MS, 11, MS / 2));
        for wrong in [101 * MS, 99 * MS] {
            let error = judged(wrong).expect_err("1 % off").to_string();
            assert!(error.contains(&format!("{wrong:?} where 100ms was asked for")), "{error}");
            assert!(error.contains("500µs is tolerated"), "{error}");
        }
    }

    #[test]
    fn a_link_is_refused_at_the_third_attempt_and_other_errors_at_once() {
        let link = LinkProfile::round_trip(100 * MS);
        let calibrated = |found: &[Duration]| {
            let mut turns = found.iter();
            let probe = || {
                turns.next().map_or(Err(Error::NotConnected), |took| judge(&link, vec![*took; 11]))
            };
            (at_last(probe), turns.count())
        };
        let (found, left) = calibrated(&[101 * MS, 100 * MS, 102 * MS]);
        assert_eq!((found.expect("a busy moment").round_trip_p50, left), (100 * MS, 1));
        let (refused, left) = calibrated(&[101 * MS, 101 * MS, 102 * MS, 100 * MS]);
        assert!(refused.expect_err("not the link").to_string().contains("102ms where"), "the last");
        assert_eq!(left, 1);
        assert!(matches!(calibrated(&[]).0, Err(Error::NotConnected)));
    }

    #[test]
    fn percentiles_are_of_the_sorted_samples() {
        let link = LinkProfile::round_trip(MS);
        let samples = (0..100).rev().map(|extra| MS + Duration::from_micros(extra)).collect();
        let found = judge(&link, samples).expect("close");
        assert_eq!(found.round_trip_p50, Duration::from_micros(1_049));
        assert_eq!(found.round_trip_p99, Duration::from_micros(1_098));
    }

    #[test]
    fn rate_and_jitter_are_part_of_what_was_asked() {
        let mut link = LinkProfile::round_trip(10 * MS);
        // 53 bytes at 424 kbit/s are a millisecond.
        link.up.capacity = Capacity::Fixed(Rate::ip(424_000));
        link.down.jitter = Jitter::Trace([2 * MS, 4 * MS].into());
        assert_eq!(asked(&link), 14 * MS);
        assert_eq!(tolerated(&link, asked(&link), 11), 2 * MS + tolerance(MS));
    }

    #[test]
    fn a_wrong_delay_is_seen_through_jitter() {
        let mut link = LinkProfile::round_trip(50 * MS);
        for way in [&mut link.up, &mut link.down] {
            way.jitter = Jitter::uniform(25 * MS);
        }
        assert_eq!((asked(&link), count(&link)), (50 * MS, 20));
        let judged = |measured: Duration| judge(&link, vec![measured; 100]);
        let found = judged(55 * MS).expect("within three standard errors");
        // 3 * 25 ms * sqrt(2 / 3) * 1.2533 / 10, and 0.25 ms.
        assert!(found.tolerance.abs_diff(Duration::from_micros(7_925)) < MS / 100, "{found:?}");
        for wrong in [Duration::ZERO, 25 * MS, 40 * MS, 60 * MS, 99 * MS] {
            assert!(judged(wrong).is_err(), "{wrong:?} passes");
        }
    }

    #[test]
    fn echoes_fit_their_budget_where_they_can() {
        assert_eq!(
            [0, 10, 1_000, 50_000, 900_000]
                .map(|us| count(&LinkProfile::round_trip(Duration::from_micros(us)))),
            [501, 501, 501, 20, 11]
        );
    }
}
