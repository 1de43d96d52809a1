//! What a scenario uses while it runs, sampled ten times a second beside it: processor time by
//! process and thread, how long threads waited for a processor, context switches, memory, the state of
//! the machine, TCP's counters and the queues of sockets.
//!
//! - [`reading`]: one look at `/proc`.
//! - [`parse`]: its files as numbers; pure.
//! - [`sockets`]: the queues of TCP sockets and their `TCP_INFO`, by netlink.
//! - [`series`]: readings as rows, one for each thing that was sampled.
//!
//! Not seen: what threads did that ended between two looks, after the first of these; sockets and
//! counters of other network namespaces than that of the process; any but the children of the
//! process and theirs. The processor time of the process itself, by contrast, is exact. Sockets and
//! retransmissions are those of the whole namespace, whosever they are.
//!
//! A watch that this machine cannot have, for want of `/proc`, has no rows and says so in the judge's
//! words: nothing was sampled.

pub mod parse;
pub mod reading;
pub mod series;
pub mod sockets;

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use self::reading::Reading;
use self::series::Series;
use crate::record::Row;

/// Ten times a second.
pub const PERIOD: Duration = Duration::from_millis(100);
/// A watch uses no more of a processor than one part in so many: where there are thousands of threads
/// or sockets to look at, it looks less often.
const SHARE_MAX: u32 = 50;
/// What the watch's own thread is called.
pub const THREAD: &str = "resource-watch";
/// The variable that switches watches off, by the value `off`.
pub const VARIABLE: &str = "WEIGHBRIDGE_WATCH";

/// Samples from its start to its stop.
#[derive(Debug)]
#[must_use = "what was sampled is told by stopping it"]
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<()>,
    watched: Arc<Mutex<Watched>>,
}

/// What was sampled.
#[derive(Debug, Default)]
pub struct Watched {
    series: Series,
    /// Of the watch itself.
    cpu: Duration,
    elapsed: Duration,
}

impl Watch {
    /// Starts, unless the environment says otherwise; `None` then, and where no thread can be had.
    pub fn from_env() -> Option<Self> {
        let off = std::env::var_os(VARIABLE).is_some_and(|value| value == "off");
        (!off).then(|| Self::start(PERIOD)).flatten()
    }

    /// Starts to look once in every period; `None` where no thread can be had.
    pub fn start(period: Duration) -> Option<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let watched = Arc::new(Mutex::new(Watched::default()));
        let theirs = Arc::clone(&watched);
        let body = move || {
            let (start, mut due) = (Instant::now(), Duration::ZERO);
            loop {
                let used = locked(&theirs).look(start);
                due = (due + pause(period, used)).max(start.elapsed());
                match stopped.recv_timeout(due.saturating_sub(start.elapsed())) {
                    Err(RecvTimeoutError::Timeout) => (),
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            // The last interval, which is shorter, or all of a run that was.
            locked(&theirs).look(start);
        };
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(body).ok()?;
        Some(Self { stop, thread, watched })
    }

    /// The rows of what was sampled so far, of the scenario with this id.
    pub fn rows(&self, id: &str) -> Vec<Row> {
        locked(&self.watched).rows(id)
    }

    /// Looks once more, and stops.
    pub fn stop(self) -> Watched {
        drop(self.stop);
        // One that panicked has sampled what it has.
        let _panicked = self.thread.join();
        std::mem::take(&mut *locked(&self.watched))
    }
}

/// How long after a look that took so much processor time the next one is.
fn pause(period: Duration, used: Duration) -> Duration {
    period.max(used * SHARE_MAX)
}

fn locked(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    /// Adds a reading; the processor time that it took.
    fn look(&mut self, start: Instant) -> Duration {
        self.series.add(start.elapsed(), Reading::take());
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let before = self.cpu;
        self.cpu = Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32);
        self.elapsed = start.elapsed();
        self.cpu - before
    }

    /// How often it looked, but for the first time.
    pub fn samples(&self) -> usize {
        self.series.intervals()
    }

    /// The part of one processor that the watch itself used.
    pub fn share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The rows, of the scenario with this id.
    pub fn rows(&self, id: &str) -> Vec<Row> {
        let own = ("watch_cpu", format!("{:.3}%", self.share() * 100.0));
        self.series.rows(id, [own])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hint::black_box;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::record::watched;

    fn sum(rows: &[Row], metric: &str, dimension: (&str, &str)) -> f64 {
        let is = |row: &&Row| {
            row.metric.name() == metric
                && row.dimensions.get(dimension.0).is_some_and(|value| value == dimension.1)
        };
        let row = rows.iter().find(is).unwrap_or_else(|| panic!("no {metric} of {dimension:?}"));
        let Some(crate::record::Data::Samples { values, .. }) = &row.data else {
            panic!("{row:?}")
        };
        values.iter().sum()
    }

    #[test]
    fn a_thread_that_burns_and_bytes_that_nobody_reads_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let mut client = TcpStream::connect(listener.local_addr().expect("port")).expect("connect");
        let (_server, _) = listener.accept().expect("accept");
        client.write_all(&[7; 10_000]).expect("send");
        let watch = Watch::start(Duration::from_millis(5)).expect("a thread");
        let (told, burnt) = mpsc::channel();
        let (done, end) = mpsc::channel::<()>();
        let burn = move || {
            let time = || clock_gettime(ClockId::ThreadCPUTime).tv_nsec;
            for _ in 0..6 {
                let begin = time();
                while time().abs_diff(begin) < 10_000_000 {
                    black_box(());
                }
                // It is switched away from, however busy the machine is.
                thread::sleep(Duration::from_millis(1));
            }
            told.send(()).expect("somebody waits");
            let _ended = end.recv();
        };
        let thread = thread::Builder::new().name("watched-burner".to_owned()).spawn(burn);
        burnt.recv().expect("it burns");
        // Its account is a tick of the scheduler old at most; the watch looks again when it stops.
        thread::sleep(Duration::from_millis(20));
        let watched = watch.stop();
        drop(done);
        thread.expect("it starts").join().expect("it ends");
        let rows = watched.rows("a/b");
        assert!(watched.samples() >= 1 && watched.share() > 0.0);
        let burner = (watched::THREAD, "watched-burner");
        assert!(sum(&rows, watched::THREAD_CPU_TIME, burner) >= 40e6, "{rows:?}");
        let own = (watched::PROCESS, watched::SELF);
        assert!(sum(&rows, watched::CPU_TIME, own) >= 50e6);
        assert!(sum(&rows, watched::THREAD_SWITCHES, burner) >= 1.0);
        assert!(sum(&rows, watched::RSS, own) > 0.0);
        assert!(sum(&rows, watched::MACHINE_TIME, (watched::STATE, "busy")) > 0.0);
        if sockets::read().is_some() {
            assert!(sum(&rows, watched::SOCKET_QUEUE, (watched::QUEUE, "receive")) >= 10_000.0);
            assert!(sum(&rows, watched::TCP_BUSY_TIME, (watched::WATCHED, "a/b")) >= 0.0);
        }
        let mut seen = BTreeSet::new();
        for row in &rows {
            row.check().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((row.id.as_str(), row.gates), ("watch/a/b", false));
            assert_eq!(row.dimensions[watched::WATCHED], "a/b");
            assert!(seen.insert((&row.metric, &row.dimensions)), "{row:?}");
        }
    }

    #[test]
    fn what_takes_long_to_look_at_is_looked_at_less_often() {
        let ms = Duration::from_millis;
        assert_eq!(
            [0, 1, 2, 20].map(|used| pause(PERIOD, ms(used))),
            [100, 100, 100, 1000].map(ms)
        );
    }

    #[test]
    fn the_shortest_run_has_a_sample() {
        let watched = Watch::start(PERIOD).expect("a thread").stop();
        assert!(watched.samples() >= 1);
        assert!(!watched.rows("a/b").is_empty());
    }

    #[test]
    fn a_process_that_was_started_is_watched_too() {
        let watch = Watch::start(Duration::from_millis(5)).expect("a thread");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it starts");
        thread::sleep(Duration::from_millis(30));
        let rows = watch.stop().rows("a/b");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        if std::path::Path::new("/proc/thread-self/children").exists() {
            // Before it became `sleep` it had our name, which is another series.
            assert!(sum(&rows, watched::RSS, (watched::PROCESS, "sleep")) > 0.0);
        }
    }
}
