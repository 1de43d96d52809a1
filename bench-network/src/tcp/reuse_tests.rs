//! How many connections requests take, and that none waits for ever.

use std::task::Poll;

use tokio::runtime::Builder;

use super::*;

fn config(connections: usize, requests_per_connection: u64) -> ReuseConfig {
    ReuseConfig {
        connections,
        requests_per_connection: NonZeroU64::new(requests_per_connection),
        request: ByteSize::new(64),
        response: ByteSize::kib(1),
        wait_limit: Duration::from_secs(10),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_all().build().expect("runtime")
}

#[test]
fn requests_one_after_the_other_take_as_many_connections_as_the_server_asks_for() {
    // Never closed, and closed after each tenth and after each request.
    for (limit, connections) in [(0, 1), (10, 10), (1, 100)] {
        let reuse = Reuse::start(config(4, limit)).expect("start");
        let made = runtime().block_on(async {
            let mut made = 0;
            for _ in 0..100 {
                made += u64::from(reuse.request().await.expect("served").connecting.is_some());
            }
            made
        });
        let counts = reuse.counts();
        assert_eq!((counts.requests, counts.connections, made), (100, connections, connections));
    }
}

#[test]
fn a_pool_makes_no_more_connections_than_it_may_have() {
    let reuse = Reuse::start(config(3, 0)).expect("start");
    // All at once.
    let mut requests: Vec<_> = (0..50).map(|_| Box::pin(reuse.request())).collect();
    runtime().block_on(std::future::poll_fn(|context| {
        requests.retain_mut(|request| match request.as_mut().poll(context) {
            Poll::Ready(result) => {
                result.expect("served");
                false
            }
            Poll::Pending => true,
        });
        if requests.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }));
    let counts = reuse.counts();
    assert_eq!((counts.requests, counts.stale), (50, 0));
    assert!((1..=3).contains(&counts.connections), "{counts:?}");
}

#[test]
fn a_pool_that_is_used_up_is_an_error_with_the_limit() {
    let limit = Duration::from_millis(30);
    let reuse = Reuse::start(ReuseConfig { wait_limit: limit, ..config(1, 0) }).expect("start");
    let error = runtime().block_on(async {
        let _held = reuse.pool.get().await.expect("the only one");
        reuse.request().await.expect_err("none is left")
    });
    let sentence = "no connection of a pool of 1 was free within 30ms; make the pool larger, send \
                    less at once, or allow more time";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn a_server_that_is_gone_is_an_error_and_no_hang() {
    let mut reuse = Reuse::start(config(2, 0)).expect("start");
    runtime().block_on(async {
        reuse.request().await.expect("served");
        reuse.stop.take().expect("runs").send(()).expect("runs");
        reuse.thread.take().expect("runs").join().expect("no panic");
        let error = reuse.request().await.expect_err("nobody is there").to_string();
        assert!(error.starts_with("failed to connect for the pool: "), "{error}");
    });
}

#[test]
fn a_pool_of_nothing_is_refused() {
    assert!(matches!(Reuse::start(config(0, 0)), Err(Error::Empty)));
}
