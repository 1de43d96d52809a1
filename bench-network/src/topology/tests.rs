//! Matrices, texts, and what a script does to links.

use proptest::prelude::*;

use super::*;
use crate::link::named;

const NAMES: [&str; 3] = ["eu", "us", "asia"];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn matrix(rows: [[u64; 3]; 3]) -> Vec<Vec<Duration>> {
    rows.iter().map(|row| row.iter().map(|&time| ms(time)).collect()).collect()
}

fn regions() -> Topology {
    let round_trips = matrix([[0, 70, 120], [70, 0, 180], [120, 180, 0]]);
    Topology::from_round_trips(&NAMES, &round_trips).expect("sound")
}

fn state(script: &str) -> State {
    let text = format!(
        "region eu\nregion us\nregion asia\nrtt eu us 70ms\nrtt eu asia 120ms\n\
         rtt asia us 180ms # the other way round\n{script}"
    );
    let (topology, script) = file::parse("regions.txt", &text).expect("sound");
    State::new(topology, script).expect("sound")
}

#[test]
fn a_round_trip_is_shared_by_both_ways_and_found_from_either_end() {
    let regions = regions();
    for (a, b, round_trip) in [(0, 1, 70), (0, 2, 120), (1, 2, 180)] {
        let delay = |from, to| regions.way(from, to).delay;
        assert_eq!(delay(a, b) + delay(b, a), ms(round_trip));
    }
    assert_eq!(regions.region("asia"), Ok(2));
    assert_eq!(
        regions.region("mars").expect_err("unknown").to_string(),
        "no region is called 'mars'; there are eu, us, asia"
    );
}

#[test]
fn a_matrix_that_makes_no_sense_is_refused_with_the_reason() {
    let refused = |names: &[&str], matrix: &[Vec<Duration>]| {
        Topology::from_round_trips(names, matrix).expect_err("nonsense").to_string()
    };
    let zero = matrix([[0; 3]; 3]);
    let skew = refused(&NAMES, &matrix([[0, 70, 120], [71, 0, 180], [120, 180, 0]]));
    assert!(skew.contains("'eu' and 'us' is 70ms in one half of the matrix and 71ms"), "{skew}");
    let diagonal = refused(&NAMES, &matrix([[0, 1, 1], [1, 5, 1], [1, 1, 0]]));
    assert!(diagonal.contains("'us' is 5ms from itself"), "{diagonal}");
    assert!(refused(&NAMES, &zero[..2]).contains("there are 2 rows"));
    assert!(refused(&NAMES, &[zero[0].clone(), vec![], vec![]]).contains("row 2 has 0"));
    assert!(refused(&["eu"], &[vec![ms(0)]]).contains("1 regions has no link"));
    assert!(refused(&["eu", "us", "eu"], &zero).contains("'eu' is named twice"));
    assert!(refused(&["eu", "us", "North America"], &zero).contains("'North America' is no name"));
    let far = refused(&NAMES, &matrix([[0, 200_000, 1], [200_000, 0, 1], [1, 1, 0]]));
    assert!(far.contains("the one-way delay of link"), "{far}");
}

#[test]
fn ways_that_differ_are_declared_by_giving_them_one_way() {
    let delays = matrix([[0, 30, 60], [40, 0, 90], [60, 90, 0]]);
    let regions = Topology::from_one_way(&NAMES, &delays).expect("sound");
    assert_eq!([regions.way(0, 1).delay, regions.way(1, 0).delay], [ms(30), ms(40)]);
}

#[test]
fn a_link_of_its_own_is_turned_to_the_end_it_is_seen_from() {
    let mut regions = regions();
    let cable = named::find("cable").expect("known");
    regions.set(2, 0, cable.clone()).expect("sound");
    assert_eq!(regions.way(2, 0), &cable.up);
    assert_eq!(regions.way(0, 2), &cable.down);
    assert!(regions.link(2, 0).1 && !regions.link(0, 2).1);
}

#[test]
fn a_script_cuts_one_way_or_both_and_heals_at_its_times() {
    let mut state = state(
        "at 2s partition eu -> us\nat 1s partition us asia\nat 3s heal us asia\n\
         at 3s set us eu 3g\nat 4s heal eu us\n",
    );
    let passes = |state: &State| {
        [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2)].map(|(from, to)| state.way(from, to).is_some())
    };
    assert_eq!(passes(&state), [true; 5]);
    assert_eq!(state.next(), Some(ms(1000)));
    assert_eq!(state.advance(ms(1000)).expect("sound").len(), 1);
    assert_eq!(passes(&state), [true, true, false, false, true]);
    assert_eq!(state.advance(ms(2500)).expect("sound")[0].at, ms(2000));
    assert_eq!(passes(&state), [false, true, false, false, true]);
    state.advance(ms(3000)).expect("sound");
    assert_eq!(passes(&state), [false, true, true, true, true]);
    let slow = named::find("3g").expect("known");
    assert_eq!(state.way(1, 0), Some(&slow.up), "up is from the region that is named first");
    assert_eq!(state.advance(ms(0)).expect("sound"), [], "time never goes back");
    state.advance(ms(9000)).expect("sound");
    assert_eq!((passes(&state), state.next()), ([true; 5], None));
}

#[test]
fn a_link_that_flaps_is_cut_half_of_the_time_and_whole_at_the_end() {
    let mut state = state("at 1s flap eu us every 200ms until 1.3s");
    let seen = [900, 1000, 1050, 1100, 1199, 1200, 1299, 1300, 5000].map(|at| {
        state.advance(ms(at)).expect("sound");
        state.way(0, 1).is_some() && state.way(1, 0).is_some()
    });
    assert_eq!(seen, [true, false, false, true, true, false, false, true, true]);
}

#[test]
fn every_bad_line_is_named_with_its_number_and_what_to_write() {
    let begin = "region eu\nregion us\nrtt eu us 70ms\n";
    for (line, reason) in [
        ("rtt eu", "'rtt' begins no statement"),
        ("region asia", "regions are named before"),
        (
            "rtt eu us 70ms",
            "described above; say it once, and where there and back differ write `delay A B",
        ),
        (
            "delay eu us 70ms",
            "described above; say it once, and where there and back differ write `delay A B",
        ),
        ("rtt eu mars 7ms", "no region is called 'mars'; above this line there are: eu, us"),
        ("rtt eu eu 7ms", "a link is between two regions"),
        ("link eu us fiber", "did you mean fibre?"),
        ("at soon heal eu us", "'soon' is no time"),
        ("at 3601s heal eu us", "it is too long; write it as in 50ms, at most 3600s"),
        ("at 1s flap eu us every 1s until 2h", "the unit is not ns, us, ms or s"),
        ("at 1s reboot eu", "after the time comes `partition A B`"),
        ("at 1s flap eu us every 1ns until 2s", "every 2 ns or slower"),
        ("at 2s flap eu us every 1s until 2s", "which is not after 2s"),
        ("at 1s flap eu us every 2ns until 2s", "more than 100000 changes"),
        ("at 1s set eu us rtt_-5ms", "it is negative"),
    ] {
        let error = file::parse("regions.txt", &format!("{begin}{line}\n")).expect_err(line);
        let error = error.to_string();
        assert!(error.starts_with("line 4 of regions.txt: "), "{line}: {error}");
        assert!(error.contains(reason), "{line}: {error}");
    }
    let of = |text: &str| file::parse("f", text).expect_err(text).to_string();
    assert!(of("region eu\nregion us\n").contains("write `rtt eu us 50ms`"));
    assert!(of("region eu\nregion us\ndelay us eu 5ms\n").contains("from 'us' to 'eu' is given"));
    assert!(of("").contains("a topology of 0 regions"));
    let twice = "region eu\n# no other\nregion eu\nregion us\nrtt eu us 5ms\n";
    assert!(of(twice).starts_with("line 3 of f: the region 'eu' is named twice"), "{}", of(twice));
    let loud = of("region eu\nregion US\nrtt eu US 5ms\n");
    assert!(loud.starts_with("line 2 of f: 'US' is no name of a region"), "{loud}");
}

#[test]
fn an_event_may_be_later_than_a_link_may_be_long() {
    let text = "region eu\nregion us\nrtt eu us 70ms\nat 300s partition eu us\n\
                at 5s flap eu us every 200s until 3600s\n";
    let (_, script) = file::parse("t", text).expect("sound");
    assert_eq!(script.end(), Duration::from_secs(3600));
    assert!(script.events().iter().any(|event| event.at == Duration::from_secs(300)));
    let long = "region eu\nregion us\nrtt eu us 121s\n";
    let error = file::parse("t", long).expect_err("no link is as long").to_string();
    assert!(error.contains("at most 120s"), "{error}");
}

#[test]
fn an_event_is_printed_as_a_script_says_it() {
    let lines = [
        "at 2s partition eu us",
        "at 2.5s partition us -> eu",
        "at 3s set us eu lte",
        "at 3.000002s set eu us rtt_70ms",
        "at 4s heal us eu",
    ];
    let text = format!("region eu\nregion us\nrtt eu us 70ms\n{}\n", lines.join("\n"));
    let (topology, script) = file::parse("t", &text).expect("sound");
    let printed = script.events().iter().map(|event| event.statement(topology.names()));
    assert!(printed.eq(lines.iter().map(|line| (*line).to_owned())));
}

#[test]
fn an_event_about_no_two_regions_is_refused() {
    let mut script = Script::default();
    script.add(Event { at: ms(1), a: 0, b: 3, change: Change::Heal });
    let error = State::new(regions(), script).expect_err("there is no region 3").to_string();
    assert!(error.contains("'0 or 3'; there are 0 to 2"), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(
        lines in prop::collection::vec("(region|rtt|delay|link|at) ?[a-z0-9 .>-]{0,30}", 0..8)
    ) {
        let _ = file::parse("f", &lines.join("\n"));
    }

    #[test]
    fn events_happen_once_each_in_the_order_of_their_times(times in prop::collection::vec(0..50_u64, 0..20)) {
        let mut script = Script::default();
        for &at in &times {
            script.add(Event { at: ms(at), a: 0, b: 1, change: Change::Heal });
        }
        prop_assert!(script.events().is_sorted_by_key(|event| event.at));
        let mut state = State::new(regions(), script).expect("sound");
        let happened: usize = (0..=50).map(|at| state.advance(ms(at)).expect("sound").len()).sum();
        prop_assert_eq!(happened, times.len());
    }
}
