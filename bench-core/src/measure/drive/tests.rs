//! The driver against servers whose times are known, on tokio's paused clock: every bound below is
//! arithmetic, no real time passes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::*;
use crate::measure::recorder::Dimensions;
use crate::record::{Data, Metric};

const MS: Duration = Duration::from_millis(1);

fn config(schedule: Schedule, workers: usize, stop: Stop) -> DriveConfig {
    DriveConfig { schedule, workers, stop, warm_up: WarmUp::Operations(0) }
}

fn per_second(rate: f64) -> Schedule {
    Schedule::constant_rate(rate).expect("a rate")
}

/// A server that answers in 1 ms, but answers nobody in the second second of its life.
async fn stalling_server(born: Instant) -> Result<(), String> {
    let age = born.elapsed();
    if age >= 1_000 * MS && age < 2_000 * MS {
        sleep_until(born + 2_000 * MS).await;
    }
    sleep(MS).await;
    Ok(())
}

/// Operations that took longer than `ns`, within the histogram's three digits.
fn above(driven: &Driven, time: Duration) -> u64 {
    let ns = time.as_nanos() as u64;
    driven
        .latency
        .iter_recorded()
        .filter(|v| v.value_iterated_to() > ns)
        .map(|v| v.count_at_value())
        .sum()
}

/// 100 per second for 3 s, stalled from 1 s to 2 s: the 100 operations that should have started in
/// that second wait from 1 s down to 10 ms, and catching up at 1 ms each, against one due every
/// 10 ms, takes another ten or so.
#[tokio::test(start_paused = true)]
async fn a_stall_delays_every_operation_that_should_have_started_in_it() {
    let born = Instant::now();
    let stop = Stop::After(3_000 * MS);
    let driven = drive(config(per_second(100.0), 1, stop), |_| stalling_server(born)).await;

    assert_eq!(driven.operations, 300);
    let delayed = above(&driven, 5 * MS);
    assert!((100..=115).contains(&delayed), "{delayed} delayed");
    let half = above(&driven, 500 * MS);
    assert!((45..=60).contains(&half), "{half} waited more than half of the stall");
    assert!(above(&driven, 990 * MS) >= 1);
    assert_eq!(above(&driven, 1_003 * MS), 0);
    assert!(driven.lateness_max >= 980 * MS, "{:?}", driven.lateness_max);
    // The operation itself was slow once; the rest waited for it.
    assert_eq!(driven.service_time.count_between(5_000_000, u64::MAX), 1);
}

#[tokio::test(start_paused = true)]
async fn many_workers_see_the_same_stall() {
    let born = Instant::now();
    let stop = Stop::After(3_000 * MS);
    let driven = drive(config(per_second(100.0), 64, stop), |_| stalling_server(born)).await;
    assert_eq!(driven.operations, 300);
    let delayed = above(&driven, 5 * MS);
    assert!((99..=102).contains(&delayed), "{delayed} delayed");
}

/// The same server, but every operation waits for the one before: one single slow answer.
#[tokio::test(start_paused = true)]
async fn a_closed_loop_sees_the_stall_once() {
    let born = Instant::now();
    let stop = Stop::After(3_000 * MS);
    let driven = drive(config(Schedule::Closed, 1, stop), |_| stalling_server(born)).await;
    assert_eq!(above(&driven, 5 * MS), 1);
    assert_eq!(driven.lateness_max, Duration::ZERO);
    assert_eq!(driven.latency, driven.service_time);
}

#[tokio::test(start_paused = true)]
async fn operations_start_when_they_should() {
    let starts = RefCell::new(Vec::new());
    let born = Instant::now();
    let stop = Stop::Operations(5);
    drive(config(per_second(100.0), 3, stop), |OperationIndex(index)| {
        starts.borrow_mut().push((index, born.elapsed()));
        async { Ok::<(), String>(()) }
    })
    .await;
    let expected: Vec<_> = (0..5).map(|index| (index, 10 * MS * index as u32)).collect();
    assert_eq!(starts.into_inner(), expected);
}

/// The future holds an `Rc`: neither the runtime nor the driver asks for `Send`.
#[tokio::test(start_paused = true)]
async fn each_index_is_issued_once_whatever_the_number_of_workers() {
    for workers in [1, 2, 7, 100] {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let stop = Stop::Operations(50);
        let driven = drive(config(Schedule::Closed, workers, stop), |OperationIndex(index)| {
            let seen = Rc::clone(&seen);
            async move {
                sleep(MS).await;
                seen.borrow_mut().push(index);
                Ok::<(), String>(())
            }
        })
        .await;
        let mut seen = seen.take();
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
        assert_eq!(driven.operations, 50);
        assert_eq!(driven.elapsed, MS * 50_u32.div_ceil(workers as u32));
    }
}

#[tokio::test(start_paused = true)]
async fn warm_up_is_issued_but_not_counted() {
    for (warm_up, warm) in [(WarmUp::Operations(20), 20), (WarmUp::Time(150 * MS), 15)] {
        for (stop, measured) in [(Stop::Operations(30), 30), (Stop::After(400 * MS), 40)] {
            let issued = Cell::new(0);
            let config = DriveConfig { warm_up, ..config(per_second(100.0), 2, stop) };
            let driven = drive(config, |OperationIndex(index)| {
                issued.set(issued.get() + 1);
                // A slow warm-up that would show in the latencies.
                let cold = index < warm;
                async move {
                    sleep(if cold { 9 * MS } else { MS }).await;
                    Ok::<(), String>(())
                }
            })
            .await;
            assert_eq!((issued.get(), driven.operations), (warm + measured, measured));
            assert_eq!(above(&driven, 5 * MS), 0);
            assert_eq!(driven.elapsed, 10 * MS * (measured as u32 - 1) + MS);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn errors_are_counted_by_kind_and_their_time_is_left_out() {
    let stop = Stop::Operations(9);
    let driven = drive(config(Schedule::Closed, 2, stop), |OperationIndex(index)| async move {
        match index % 3 {
            0 => Err("refused"),
            1 => {
                sleep(1_000 * MS).await;
                Err("timed out")
            }
            _ => Ok(()),
        }
    })
    .await;
    assert_eq!(driven.operations, 9);
    let errors = [("refused".to_owned(), 3), ("timed out".to_owned(), 3)];
    assert_eq!(driven.errors, errors.into());
    assert_eq!(driven.latency.len(), 3);
    assert_eq!(above(&driven, MS), 0);
}

#[tokio::test(start_paused = true)]
async fn errors_that_print_numbers_share_a_kind() {
    let stop = Stop::Operations(1_000);
    let driven =
        drive(config(Schedule::Closed, 1, stop), |OperationIndex(i)| async move { Err(i) }).await;
    assert_eq!(driven.failures(), 1_000);
    assert_eq!(driven.errors[OTHER_ERRORS], 1_000 - 64);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_an_hour_is_kept_as_an_hour_and_counted() {
    let stop = Stop::Operations(2);
    let driven = drive(config(Schedule::Closed, 1, stop), |OperationIndex(index)| async move {
        sleep(Duration::from_secs(3_500 + 7_200 * index)).await;
        Ok::<(), String>(())
    })
    .await;
    assert_eq!((driven.latency.len(), driven.saturated), (2, 1));
}

/// Operations that never wait: without a budget the first worker would run them all.
#[tokio::test]
async fn busy_workers_take_turns() {
    let under_way = Cell::new(0_u32);
    let driven = drive(config(Schedule::Closed, 4, Stop::Operations(10_000)), |_| async {
        under_way.set(under_way.get() + 1);
        Ok::<(), String>(())
    })
    .await;
    assert_eq!((driven.operations, under_way.get()), (10_000, 10_000));
}

/// On a real clock, without judging how precise: no operation starts before it should.
#[tokio::test]
async fn no_operation_starts_early_on_a_real_clock() {
    let born = Instant::now();
    let driven = drive(config(per_second(500.0), 2, Stop::Operations(20)), |index| async move {
        let due = 2 * MS * index.0 as u32;
        if born.elapsed() < due { Err(format!("{index:?} started early")) } else { Ok(()) }
    })
    .await;
    assert_eq!(driven.errors, [].into());
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "operation 3 broke")]
async fn a_panic_in_an_operation_is_not_swallowed() {
    drive(config(Schedule::Closed, 2, Stop::Operations(9)), |index| async move {
        assert_ne!(index.0, 3, "operation 3 broke");
        Ok::<(), String>(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rows_hold_the_raw_values_and_what_made_them() {
    let stop = Stop::Operations(4);
    let driven = drive(config(per_second(100.0), 2, stop), |OperationIndex(index)| async move {
        if index == 0 { Err("refused") } else { Ok(()) }
    })
    .await;
    let latency = driven.latency.clone();
    let rows = driven.into_rows("demo/drive/1B", &Dimensions::from([("a".into(), "b".into())]));

    let row = |metric| rows.iter().find(|row| row.metric == metric).expect("a row");
    assert_eq!(row(Metric::Operations).data, Some(Data::Count { value: 4 }));
    assert_eq!(row(Metric::Errors).data, Some(Data::Count { value: 1 }));
    let elapsed = row(Metric::Other("elapsed".into()));
    assert_eq!(elapsed.data, Some(Data::Count { value: 30_000_000 }));
    let data = row(Metric::Latency).data.clone().expect("times");
    assert_eq!(data.histogram().expect("decodes"), latency);
    for row in &rows {
        assert!(!row.gates && row.ok);
        row.check().expect("a record may hold it");
        assert_eq!(row.errors["refused"], 1);
        let names: Vec<_> = row.dimensions.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(names, ["a=b", "schedule=rate/100.00", "workers=2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn when_nothing_succeeds_there_is_no_latency() {
    let stop = Stop::Operations(2);
    let driven = drive(config(Schedule::Closed, 1, stop), |_| async { Err("refused") }).await;
    let rows = driven.into_rows("demo/refused/1B", &Dimensions::new());
    assert_eq!(rows[0].metric, Metric::Latency);
    assert_eq!(rows[0].data, None);
    assert_eq!(rows[0].error.as_deref(), Some("no operation succeeded"));
    for row in &rows {
        row.check().expect("a record may hold it");
        assert_eq!(row.errors["refused"], 2);
    }
}
