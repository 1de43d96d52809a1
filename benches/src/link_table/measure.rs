//! What is probed of a link, and the rows: each with what was asked for, what of that can arrive, and
//! what may differ, in its dimensions.
//!
//! A row outside its tolerance is a failed row with both numbers, and so is every row that the emulator
//! has spoiled at the last attempt: neither is averaged in. A goodput without a rate is spoiled by losses
//! alone. At smoke scale, where tests share the machine, numbers are told and not judged.

use std::time::Duration;

use bench_core::record::{Data, Metric, Row};
use bench_core::scale::Scale;
use bench_core::workload::Failure;
use bench_network::Error;
use bench_network::backend::{Choice, Config, Kind, Started, ceiling, start_with_config};
use bench_network::calibrate::{Bulk, Ceiling, Ends, RateFound, loss, rate, round_trip};
use bench_network::link::{Capacity, LinkProfile, Way, named};
use hdrhistogram::Histogram;

use crate::attempts::until_sound;

/// The dimension of what the profile says, in the row's unit.
pub const ASKED: &str = "asked";
/// Of what can arrive of it at this probe: less headers, with serialisation, and so on.
pub const USED: &str = "used";
/// Of what may differ.
pub const TOLERATED: &str = "tolerated";

/// Whether the row holds by what the backend says: this, or why not.
const VALID: &str = "link_valid";
const HOLDS: &str = "yes";

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The link.
    pub link: LinkProfile,
    /// Who carries it.
    pub backend: Choice,
    /// Its seed, and the congestion control of its connections.
    pub config: Config,
    /// Connections whose making is timed.
    pub connects: u32,
    /// Round trips; nothing for as many as fit a second.
    pub echoes: Option<u32>,
    /// How long one connection sends each way.
    pub bulk: Bulk,
    /// Whether numbers outside their tolerance are refused.
    pub judged: bool,
}

impl Plan {
    /// What the scale has time for.
    pub fn of(scale: Scale, link: LinkProfile) -> Self {
        let ms = Duration::from_millis;
        let (warm_up, duration) =
            scale.pick((ms(100), ms(200)), (ms(1500), ms(1500)), (ms(2000), ms(5000)));
        Self {
            link,
            backend: Choice::Auto,
            config: Config { seed: 42, congestion_control: None },
            connects: scale.pick(2, 7, 15),
            echoes: scale.pick(Some(5), None, Some(100)),
            bulk: Bulk { warm_up, duration },
            judged: scale != Scale::Smoke,
        }
    }
}

/// The rows of the link that is measured where nobody asks for another.
///
/// # Errors
/// As [`measure`].
pub fn rows(scale: Scale) -> Result<Vec<Row>, Failure> {
    measure(&Plan::of(scale, named::find("lte")?))
}

/// Measures the link. Rows that failed are among the rows.
///
/// # Errors
/// That the backend cannot be had or do this link, that the machine cannot carry it, or what a
/// connection failed with.
pub fn measure(plan: &Plan) -> Result<Vec<Row>, Failure> {
    let started = start_with_config(plan.backend, &plan.link, &plan.config)?;
    let limited = Way::ALL.iter().any(|way| is_limited(&plan.link, *way));
    let carried = if limited { ceiling(started.used, &plan.config)? } else { None };
    if let Some(ceiling) = carried {
        ceiling.allows(&plan.link)?;
    }
    let mut first = Some(started);
    let (mut rows, attempts) = until_sound(
        plan.judged,
        |rows: &Vec<Row>| is_spoiled(rows),
        || {
            let started = match first.take() {
                Some(started) => started,
                None => start_with_config(plan.backend, &plan.link, &plan.config)?,
            };
            probe(plan, started, carried)
        },
    )?;
    for row in &mut rows {
        row.dimensions.insert("attempts".to_owned(), attempts.to_string());
    }
    Ok(rows)
}

/// Whether the backend says of any of them that it does not hold.
fn is_spoiled(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.dimensions.get(VALID).is_some_and(|valid| valid != HOLDS))
}

/// Everything but who carries it.
fn probe(plan: &Plan, mut started: Started, carried: Option<Ceiling>) -> Result<Vec<Row>, Failure> {
    let mut rows = vec![connects(plan, &mut started)?, echoes(plan, &mut started)?];
    for way in Way::ALL {
        if let Some(found) = rate_of(plan, &mut started, way)? {
            rows.push(rate_row(plan, way, found));
        }
        rows.extend(lost(plan, &mut started, way)?);
    }
    finish(&mut rows, plan, &started, carried, Started::refuse_spoiled)?;
    // Last, because what a connection leaves in the queue would be a loss to whoever comes next, and
    // where there is no rate it takes all that the machine has, from the emulator, too.
    let all_limited = Way::ALL.iter().all(|way| is_limited(&plan.link, *way));
    let hold: fn(&Started) -> Result<(), Error> =
        if all_limited { Started::refuse_spoiled } else { Started::refuse_lossy };
    for way in Way::ALL {
        let mut row = [goodput(plan, &mut started, way)?];
        finish(&mut row, plan, &started, carried, hold)?;
        rows.extend(row);
    }
    Ok(rows)
}

fn is_limited(link: &LinkProfile, way: Way) -> bool {
    link.way(way).capacity != Capacity::Unlimited
}

/// What made the numbers, and whether they hold by what the backend says so far.
fn finish(
    rows: &mut [Row],
    plan: &Plan,
    started: &Started,
    carried: Option<Ceiling>,
    hold: fn(&Started) -> Result<(), Error>,
) -> Result<(), Failure> {
    let mut dimensions = started.dimensions()?;
    dimensions.push(("link_seed", plan.config.seed.to_string()));
    // By this name records of different backends never compare.
    dimensions.push(("backend", started.used.title().to_owned()));
    if let Some(ceiling) = carried {
        dimensions.push(("link_ceiling_mbit", format!("{:.0}", ceiling.bits / 1e6)));
    }
    let spoiled = hold(started).err();
    let valid = spoiled.as_ref().map_or(HOLDS.to_owned(), |why| format!("no: {why}"));
    dimensions.push((VALID, valid));
    let spoiled = spoiled.filter(|_| plan.judged);
    for row in rows {
        let shared = dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        row.dimensions.extend(shared);
        if let Some(spoiled) = &spoiled {
            refuse(row, &spoiled.to_string());
        }
    }
    Ok(())
}

fn id(plan: &Plan, what: &str) -> String {
    format!("link/table/{}/{what}", plan.link.name)
}

/// What the row was held against.
fn held(mut row: Row, asked: f64, used: f64, tolerated: Option<f64>) -> Row {
    let numbers = [(ASKED, Some(asked)), (USED, Some(used)), (TOLERATED, tolerated)];
    for (name, number) in numbers {
        row.dimensions.extend(number.map(|number| (name.to_owned(), number.to_string())));
    }
    row
}

/// Names how the ends of its echoes waited.
pub(crate) fn by_ends(mut row: Row, ends: Ends) -> Row {
    row.dimensions.insert("ends".to_owned(), ends.name().to_owned());
    row
}

/// Makes it a failed row, which keeps nothing of its numbers.
pub(crate) fn refuse(row: &mut Row, why: &str) {
    (row.data, row.ok, row.error) = (None, false, Some(why.to_owned()));
}

fn latencies(id: &str, times: &[Duration]) -> Result<Row, Failure> {
    let mut histogram = Histogram::<u64>::new(3)?;
    for time in times {
        histogram.record(u64::try_from(time.as_nanos())?)?;
    }
    Ok(Row::measured(id, Metric::Latency, "ns", Data::from_histogram(&histogram)))
}

fn connects(plan: &Plan, started: &mut Started) -> Result<Row, Failure> {
    let times: Result<Vec<Duration>, _> =
        (0..plan.connects).map(|_| started.backend.connect()).collect();
    let asked = plan.link.base_round_trip().as_nanos() as f64;
    let modelled = started.used.fidelity().handshake;
    let used = if modelled { round_trip::asked(&plan.link).as_nanos() as f64 } else { 0.0 };
    Ok(held(latencies(&id(plan, "connect"), &times?)?, asked, used, None))
}

fn echoes(plan: &Plan, started: &mut Started) -> Result<Row, Failure> {
    let count = plan.echoes.unwrap_or_else(|| round_trip::count(&plan.link));
    let times = started.backend.echoes(count)?;
    let row = latencies(&id(plan, "round_trip"), &times)?;
    let found = round_trip::look(&plan.link, times.clone());
    let (asked, used) = (plan.link.base_round_trip(), found.asked);
    let [asked, used, tolerated] = [asked, used, found.tolerance].map(|it| it.as_nanos() as f64);
    let mut row = held(row, asked, used, Some(tolerated));
    if started.used != Kind::Simulation {
        row = by_ends(row, Ends::of(&plan.link));
    }
    if let Err(refusal) = round_trip::judge(&plan.link, times)
        && plan.judged
    {
        refuse(&mut row, &refusal.to_string());
    }
    Ok(row)
}

/// By datagrams, or by a connection where there are none.
fn rate_of(plan: &Plan, started: &mut Started, way: Way) -> Result<Option<RateFound>, Failure> {
    let link = &plan.link;
    if started.used.fidelity().loss {
        let Some(train) = rate::train(link, way) else { return Ok(None) };
        return Ok(Some(rate::look(link, way, &started.backend.train(way, train)?)));
    }
    let Some(bulk) = rate::bulk(link, way) else { return Ok(None) };
    Ok(Some(rate::look_at_bulk(link, way, started.backend.goodput(way, bulk)?)))
}

fn bits(plan: &Plan, what: &str, way: Way, bits: f64) -> Row {
    let data = Data::Samples { values: vec![bits], iterations: vec![1] };
    let metric = Metric::Other(what.to_owned());
    Row::measured(&id(plan, &format!("{what}/{}", way.name())), metric, "bits/s", data)
}

fn rate_row(plan: &Plan, way: Way, found: RateFound) -> Row {
    let asked = plan.link.way(way).capacity.bits_per_second().unwrap_or(0) as f64;
    let row = bits(plan, "rate", way, found.measured_bits);
    let mut row = held(row, asked, found.asked_bits, Some(found.tolerance_bits));
    if let Err(refusal) = rate::judge(&plan.link, way, found)
        && plan.judged
    {
        refuse(&mut row, &refusal.to_string());
    }
    row
}

/// Told and not judged: what one connection gets depends on more than the link.
fn goodput(plan: &Plan, started: &mut Started, way: Way) -> Result<Row, Failure> {
    let found = started.backend.goodput(way, plan.bulk)?;
    let row = bits(plan, "goodput", way, found.bits_per_second());
    Ok(match plan.link.way(way).capacity {
        Capacity::Fixed(rate) => {
            let used = rate::goodput_bits(rate, rate::SEGMENT_BYTES);
            held(row, rate.bits_per_second as f64, used, None)
        }
        _ => row,
    })
}

/// Three counts: packets sent, those that did not arrive, and how many times in a row.
fn lost(plan: &Plan, started: &mut Started, way: Way) -> Result<Vec<Row>, Failure> {
    let link = &plan.link;
    let train = loss::train(link, way).filter(|_| started.used.fidelity().loss);
    let Some(train) = train else { return Ok(Vec::new()) };
    let arrivals = started.backend.train(way, train)?;
    let found = loss::look(&link.way(way).loss, &arrivals);
    let refusal = loss::judge(link, way, &arrivals).err().filter(|_| plan.judged);
    let id = id(plan, &format!("loss/{}", way.name()));
    let count = |what: &str, value| {
        Row::measured(&id, Metric::Other(what.to_owned()), "1", Data::Count { value })
    };
    let mut lost =
        held(count("lost", found.lost), found.expected(), found.expected(), Some(found.tolerance));
    if let Some(refusal) = refusal {
        refuse(&mut lost, &refusal.to_string());
    }
    let mut bursts = count("bursts", found.bursts);
    if let Some(burst) = found.burst_asked {
        bursts.dimensions.insert("burst_asked".to_owned(), burst.to_string());
    }
    Ok(vec![count("sent", found.sent), lost, bursts])
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
