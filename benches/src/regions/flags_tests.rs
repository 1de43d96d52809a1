//! What the flags ask for, what is refused, and how a run ends.

use bench_network::register::effect::Effect;
use bench_network::register::outage::FailOver;
use bench_storage::scratch::ScratchDirectory;
use clap::CommandFactory as _;

use super::*;

fn parse_line(line: &str) -> Result<Flags, String> {
    let words = std::iter::once("scenario_regions").chain(line.split_whitespace());
    Flags::try_parse_from(words).map_err(|error| error.to_string())
}

fn plan(line: &str) -> Result<Plan, String> {
    parse_line(line).expect("flags").plan(Scale::Quick)
}

#[test]
fn flags_go_over_what_the_scale_says() {
    Flags::command().debug_assert();
    let plan = plan("--backend exact:proxy --duration 20 --every 5 --writes 0.1 --seed 7")
        .expect("a plan");
    assert_eq!(plan.backend.to_string(), "exact:proxy");
    assert_eq!((plan.length.as_secs(), plan.every.as_millis(), plan.seed), (20, 5, 7));
    assert_eq!(plan.topology.names(), ["eu", "us", "asia"]);
    assert!(plan.calibrated && plan.judged);
    let [smoke, full] = [Scale::Smoke, Scale::Full].map(|scale| Plan::of(scale).expect("a plan"));
    assert!(!smoke.calibrated && !smoke.judged && full.calibrated && full.judged);
    let timing = plan.config(Mode::Quorum).timing;
    assert_eq!((timing.patience.as_millis(), timing.give_up.as_millis()), (480, 960));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in ["--mode raft", "--writes 2", "--every 0", "--backend dummynet", "--duration x"] {
        let said = parse_line(line).expect_err(line);
        assert!(said.contains("invalid value"), "{said}");
    }
    let folder = ScratchDirectory::create().expect("a folder");
    let file = folder.path().join("regions.txt");
    let said = plan(&format!("--topology {}", file.display())).expect_err("there is none");
    assert!(said.starts_with("failed to read "), "{said}");
    fs::write(&file, "region eu\nregion us\nrtt eu us 70ms\nat 2s cut eu us\n").expect("write");
    let said = plan(&format!("--topology {}", file.display())).expect_err("no statement");
    assert!(said.starts_with("line 4 of ") && said.contains("`partition A B`"), "{said}");
    fs::write(&file, "region eu\nregion us\nrtt eu us 70ms\nat 9s heal eu us\n").expect("write");
    let long = plan(&format!("--topology {}", file.display())).expect("a plan");
    assert_eq!(long.length.as_secs(), 18, "what comes last is seen to have come");
}

#[test]
fn an_effect_that_nothing_shows_and_a_promise_that_is_broken_are_told() {
    let mut plan = Plan::of(Scale::Smoke).expect("a plan");
    plan.backend = "exact:proxy".parse().expect("a choice");
    plan.script = Default::default();
    plan.length = Duration::from_millis(300);
    let mut measured = measure(&plan, Mode::Quorum).expect("measured");
    assert_eq!((measured.shown(), measured.kept()), (Ok(()), Ok(())));
    assert!(table(&measured).contains("history: linearizable ("), "{}", table(&measured));
    for row in measured.rows() {
        row.check().expect("a record takes it");
        assert_eq!(row.dimensions["backend"], "in-process proxy");
    }
    let shown = Err("nothing was sent".to_owned());
    measured.run.effects.push(Effect { what: "eu -> us cut once".to_owned(), shown });
    let hidden = measured.shown().expect_err("nothing shows it");
    assert!(hidden.contains("eu -> us cut once (nothing was sent)"), "{hidden}");
    assert!(table(&measured).contains("NOT SHOWN: nothing was sent"));
    // One read of nothing, after everything.
    let stale = measured.run.history.iter().rev().find(|entry| entry.value.is_some()).cloned();
    let mut stale = stale.expect("something was read");
    (stale.value, stale.time_ns, stale.process) = (None, u64::MAX - 2, 1_000_000);
    stale.function = bench_network::register::history::Function::Read;
    stale.kind = bench_network::register::history::Kind::Invoke;
    measured.run.history.push(stale.clone());
    (stale.value, stale.time_ns) = (Some(0), u64::MAX - 1);
    stale.kind = bench_network::register::history::Kind::Ok;
    measured.run.history.push(stale);
    measured.checked = linearizable(&measured.run.history);
    let broken = measured.kept().expect_err("0 is long gone");
    assert!(
        broken.starts_with("the quorum's register is not linearizable: the read at"),
        "{broken}"
    );
    measured.mode = Mode::Primary;
    assert_eq!(measured.kept(), Ok(()), "it promises less");
}

#[test]
fn times_that_the_emulator_spoiled_are_no_numbers_and_answers_stay() {
    let mut plan = Plan::of(Scale::Full).expect("a plan");
    plan.backend = "exact:simulation".parse().expect("a choice");
    let mut measured = measure(&plan, Mode::Quorum).expect("simulated");
    assert_eq!(measured.timed(), Ok(()));
    let sound = measured.rows();
    assert!(sound.iter().all(|row| row.ok), "{sound:?}");
    // The first region was cut off, which is an answer and no failure; the others were not touched.
    let unserved = |region: &str| {
        let id = format!("regions/quorum/{region}");
        let of = |row: &&Row| row.id == id && row.metric.name() == "unserved_until_whole";
        sound.iter().find(of).map(Row::per_operation)
    };
    assert_eq!(["eu", "us"].map(unserved), [Some(vec![1.0]), Some(vec![0.0])]);
    measured.spoiled = Some("9 ms late".to_owned());
    let why = measured.timed().expect_err("late");
    assert_eq!(why, "times are not those of the links: 9 ms late; is the machine busy?");
    let rows = measured.rows();
    assert_eq!(rows.len(), sound.len());
    for row in &rows {
        row.check().expect("a record takes it");
        let time = row.unit == "ns" && !row.id.ends_with("/script");
        assert_eq!((row.ok, row.error.as_ref()), (!time, time.then_some(&why)), "{row:?}");
    }
    assert!(rows.iter().any(|row| row.ok && row.metric.name() == "stale_reads"));
    measured.judged = false;
    assert!(measured.rows().iter().all(|row| row.ok), "told of and not judged");
}

#[test]
fn what_is_not_seen_of_an_outage_has_no_time_of_zero() {
    let mut plan = Plan::of(Scale::Full).expect("a plan");
    plan.backend = "exact:simulation".parse().expect("a choice");
    let mut measured = measure(&plan, Mode::Quorum).expect("simulated");
    let outage = &mut measured.run.outages[0];
    outage.fail_over[1] = FailOver::NotTried;
    outage.recovery[1] = None;
    let rows = measured.rows();
    let of = |metric: &str| {
        rows.iter().find(|row| row.id == "regions/quorum/us" && row.metric.name() == metric)
    };
    assert!(of("fail_over").is_none() && of("unserved_until_whole").is_none());
    let recovery = of("recovery").expect("a failed row");
    assert!(!recovery.ok && recovery.dimensions["outage"] == "0");
    assert!(recovery.error.as_ref().is_some_and(|why| why.contains("more time")), "{recovery:?}");
}

#[test]
fn a_simulation_is_the_same_twice_and_takes_no_time() {
    let mut plan = Plan::of(Scale::Full).expect("a plan");
    plan.backend = "exact:simulation".parse().expect("a choice");
    for mode in Mode::ALL {
        let [one, other] = [(); 2].map(|()| measure(&plan, mode).expect("simulated"));
        assert_eq!(one.run, other.run);
        assert_eq!((one.shown(), one.kept(), &one.spoiled), (Ok(()), Ok(()), &None));
        let text = table(&one);
        assert!(text.starts_with(&format!("{mode} over simulated regions (it was asked for)")));
        assert_eq!(one.rows()[0].dimensions["backend"], "simulated regions");
        let rows = one.rows();
        let script = rows.iter().find(|row| row.id.ends_with("/script")).expect("there is one");
        assert_eq!(script.per_operation(), [10e9, 10e9, 20e9, 20e9]);
        let said = &script.dimensions["script"];
        assert!(said.starts_with("at 10s partition eu us; at 10s partition eu asia; "), "{said}");
        let shown = &script.dimensions["effect eu -> us cut once"];
        assert!(shown.ends_with("sent while it was cut, and none came"), "{shown}");
        rows.iter().for_each(|row| row.check().expect("a record takes it"));
    }
}

#[test]
fn a_history_on_the_disk_is_checked() {
    let folder = ScratchDirectory::create().expect("a folder");
    let file = folder.path().join("h.jsonl");
    let code = |text: &str| {
        fs::write(&file, text).expect("write");
        format!("{:?}", check(&file))
    };
    let entry = |time: u8, kind: &str, value: &str| {
        format!(
            "{{\"time\":{time},\"process\":0,\"type\":\"{kind}\",\"f\":\"read\",\"value\":{value}}}\n"
        )
    };
    let of = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(code(&[entry(1, "invoke", "null"), entry(2, "ok", "0")].concat()), of(0));
    assert_eq!(code(&[entry(1, "invoke", "null"), entry(2, "ok", "9")].concat()), of(BROKE));
    assert_eq!(code("no history"), of(USAGE));
    assert_eq!(code(""), of(NOT_MEASURED));
}
