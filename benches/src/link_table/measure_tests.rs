//! What the rows of a link say, of one that is right and of those that are not.

use std::collections::BTreeSet;

use bench_core::fixture::cpus;
use bench_core::units::ByteSize;
use bench_network::Error;
use bench_network::backend::{Backend, Kind};
use bench_network::calibrate::{Arrivals, Goodput, Train};

use super::super::table::table;
use super::*;

fn plan(name: &str, kind: Kind) -> Plan {
    let link = named::find(name).expect("known");
    Plan { backend: Choice::Exact(kind), ..Plan::of(Scale::Quick, link) }
}

#[test]
fn a_simulated_link_is_what_it_was_asked_to_be() {
    let rows = measure(&plan("lossy_mobile", Kind::Simulation)).expect("rows");
    let mut ids = BTreeSet::new();
    for row in &rows {
        row.check().expect("a record takes it");
        assert!(row.ok, "{row:?}");
        assert!(ids.insert((&row.id, &row.metric)), "a report could not tell {row:?}");
        assert_eq!(row.dimensions["link_backend"], "simulation");
        assert_eq!(row.dimensions["link_valid"], "yes");
        assert!(!row.dimensions.contains_key("ends"), "nobody waits: {row:?}");
    }
    // Connect and echoes; of each way rate, goodput, and three counts of the loss.
    assert_eq!(rows.len(), 2 + 2 * 5);
    let text = table(&rows);
    for part in ["round trip p50", "loss down", "mean burst up", "lossy_mobile"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn what_is_out_of_tolerance_is_a_failed_row_with_both_numbers() {
    let plan = plan("lte", Kind::Simulation);
    let found = RateFound { asked_bits: 11.776e6, measured_bits: 5e6, tolerance_bits: 59_000.0 };
    let row = rate_row(&plan, Way::Up, found);
    row.check().expect("a record takes it");
    let error = row.error.as_deref().expect("refused");
    assert!(error.contains("5.000 Mbit/s where 11.776 Mbit/s was asked for"), "{error}");
    let told = Plan { judged: false, ..plan };
    assert!(rate_row(&told, Way::Up, found).ok, "at smoke scale it is told and not judged");
}

#[test]
fn the_proxy_says_what_it_does_not_model() {
    let mut plan = plan("rtt_2ms", Kind::Proxy);
    (plan.judged, plan.bulk) = (false, Plan::of(Scale::Smoke, plan.link.clone()).bulk);
    let rows = measure(&plan).expect("rows");
    assert!(rows.iter().all(|row| !row.id.contains("/loss/")), "it has no datagrams");
    assert_eq!(rows[0].dimensions["link_not_modelled"], "handshake, loss, congestion control");
    assert_eq!(rows[0].dimensions[USED], "0", "connecting takes no round trip");
}

#[test]
fn a_round_trip_says_whether_its_ends_slept() {
    let awake = if cpus::available().expect("some").len() > 1 { "awake" } else { "asleep" };
    for (link, ends) in [("rtt_7ms", "asleep"), ("rtt_8ms", awake)] {
        let plan = Plan { judged: false, echoes: Some(2), ..plan(link, Kind::Proxy) };
        let mut started =
            start_with_config(plan.backend, &plan.link, &plan.config).expect("started");
        let row = echoes(&plan, &mut started).expect("echoes");
        assert_eq!(row.dimensions["ends"], ends, "{link}");
    }
}

#[test]
fn a_link_that_this_machine_cannot_carry_is_refused() {
    let mut plan = plan("rtt_2ms", Kind::Proxy);
    plan.link.up.capacity = Capacity::kbit(900_000_000);
    let error = measure(&plan).expect_err("nothing here carries it").to_string();
    assert!(error.contains("asks for 868800.000 Mbit/s"), "{error}");
    let failure: Failure = bench_network::Error::AboveCeiling {
        link: String::new(),
        asked: String::new(),
        ceiling: String::new(),
    }
    .into();
    assert_eq!(crate::front::code_of(&failure), crate::front::NOT_MEASURED);
}

/// A backend that says of itself that it was too slow, from the first or from the first goodput on.
struct Late {
    backend: Box<dyn Backend>,
    late: bool,
}

impl Backend for Late {
    fn connect(&mut self) -> Result<Duration, Error> {
        self.backend.connect()
    }

    fn round_trip(&mut self, size: ByteSize) -> Result<Duration, Error> {
        self.backend.round_trip(size)
    }

    fn transfer(&mut self, size: ByteSize) -> Result<Duration, Error> {
        self.backend.transfer(size)
    }

    fn echoes(&mut self, count: u32) -> Result<Vec<Duration>, Error> {
        self.backend.echoes(count)
    }

    fn goodput(&mut self, way: Way, plan: Bulk) -> Result<Goodput, Error> {
        self.late = true;
        self.backend.goodput(way, plan)
    }

    fn train(&mut self, way: Way, train: Train) -> Result<Arrivals, Error> {
        self.backend.train(way, train)
    }

    fn spoiled(&self) -> Result<Option<String>, Error> {
        Ok(self.late.then(|| "the emulator was 9ms late up".to_owned()))
    }

    fn lossy(&self) -> Result<Option<String>, Error> {
        Ok(None)
    }

    fn dimensions(&self) -> Result<Vec<(&'static str, String)>, Error> {
        self.backend.dimensions()
    }
}

fn late(plan: &Plan, late: bool) -> Started {
    let started = start_with_config(plan.backend, &plan.link, &plan.config).expect("started");
    Started { backend: Box::new(Late { backend: started.backend, late }), ..started }
}

#[test]
fn filling_a_link_without_a_rate_takes_nothing_from_what_was_timed_before() {
    let mut plan = plan("rtt_2ms", Kind::Simulation);
    plan.bulk = Plan::of(Scale::Smoke, plan.link.clone()).bulk;
    let rows = probe(&plan, late(&plan, false), None).expect("rows");
    assert!(rows.iter().any(|row| row.id.contains("/goodput/")), "{rows:?}");
    for row in rows {
        assert!(row.ok && row.dimensions["link_valid"] == "yes", "{row:?}");
    }
}

#[test]
fn a_run_that_its_backend_spoiled_has_no_number_in_any_row() {
    let plan = plan("lte", Kind::Simulation);
    let rows = probe(&plan, late(&plan, true), None).expect("rows");
    for row in &rows {
        row.check().expect("a record takes it");
        assert!(!row.ok && row.data.is_none(), "{row:?}");
        assert!(row.error.as_deref().is_some_and(|error| error.contains("9ms late up")));
        assert!(row.dimensions["link_valid"].starts_with("no: "), "{row:?}");
    }
    assert!(table(&rows).contains("refused: what was measured is not valid"), "{}", table(&rows));
    let filled = probe(&plan, late(&plan, false), None).expect("rows");
    assert_eq!(filled.iter().filter(|row| !row.ok).count(), 2, "a rate holds, or it does not");
    let told = Plan { judged: false, ..plan.clone() };
    assert!(probe(&told, late(&told, true), None).expect("rows").iter().all(|row| row.ok));
}
