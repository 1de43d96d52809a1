//! The processor: counters, clocks, and who else uses it.

use std::time::Duration;

use super::{Finding, Status};

/// Above this share of stolen time a time says more about the neighbours.
const STEAL_MAX: f64 = 0.01;
/// A read of the clock that takes longer is a system call and not the vDSO.
const CLOCK_READ_MAX: Duration = Duration::from_nanos(200);

/// What a clock does when read in a tight loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The smallest step between two different readings.
    pub(crate) step: Duration,
    /// The time of one reading.
    pub(crate) cost: Duration,
}

/// Hardware counters, judged by files alone: opening one is the only proof, and needs a system
/// call that this program does not make.
pub(crate) fn counters(paranoid: Option<&str>, devices: &[String]) -> Finding {
    let what = "hardware counters";
    let allowed = paranoid.and_then(|text| text.trim().parse::<i64>().ok());
    // Arm names its counters otherwise, and hybrid chips have one device for each kind of core.
    let present = devices.iter().any(|name| name.starts_with("cpu") || name.starts_with("armv"));
    match (present, allowed) {
        (false, _) if devices.is_empty() => {
            Finding::new(what, Status::Unknown, "sysfs is not readable", "not used by any gate")
        }
        (false, _) => Finding::new(
            what,
            Status::Missing,
            "the kernel shows no CPU counters, as in most virtual machines",
            "no cycles and no cache misses; counts come from valgrind's simulation",
        ),
        (true, Some(level)) if level > 2 => Finding::new(
            what,
            Status::Limited,
            format!("there, but perf_event_paranoid is {level}"),
            "only root may read them; sysctl kernel.perf_event_paranoid=2 lets everyone",
        ),
        (true, _) => Finding::new(
            what,
            Status::Ok,
            "the kernel shows CPU counters",
            "perf can most likely read cycles; only opening one would prove it",
        ),
    }
}

pub(crate) fn governor(governor: Option<&str>) -> Finding {
    match governor.map(str::trim) {
        Some("performance") => {
            Finding::new("governor", Status::Ok, "performance", "the clock does not wait for load")
        }
        Some(other) => Finding::new(
            "governor",
            Status::Limited,
            other,
            "short benchmarks run at a lower clock; set it to 'performance' while measuring",
        ),
        None => Finding::new(
            "governor",
            Status::Unknown,
            "not shown here",
            "the clock may change while a benchmark runs; compare interleaved pairs only",
        ),
    }
}

/// The two files are Intel's `no_turbo` and everyone else's `boost`.
pub(crate) fn turbo(no_turbo: Option<&str>, boost: Option<&str>) -> Finding {
    let on = no_turbo.map(|text| text.trim() == "0").or(boost.map(|text| text.trim() == "1"));
    match on {
        Some(false) => {
            Finding::new("turbo", Status::Ok, "off", "the clock does not depend on heat")
        }
        Some(true) => Finding::new(
            "turbo",
            Status::Limited,
            "on",
            "times depend on how warm the CPU is; compare interleaved pairs only",
        ),
        None => Finding::new(
            "turbo",
            Status::Unknown,
            "not shown here",
            "times may depend on how warm the CPU is",
        ),
    }
}

pub(crate) fn smt(active: Option<&str>) -> Finding {
    match active.map(str::trim) {
        Some("0") => {
            Finding::new("SMT", Status::Ok, "off", "cores do not share their execution units")
        }
        Some("1") => Finding::new(
            "SMT",
            Status::Limited,
            "on",
            "a busy sibling slows a benchmark down; pin to one thread of each core",
        ),
        _ => Finding::new("SMT", Status::Unknown, "not shown here", "cores may share units"),
    }
}

pub(crate) fn virtualised(cpuinfo: &str) -> Finding {
    let what = "virtual machine";
    let mut flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    match flags.next() {
        Some(line) if line.split_whitespace().any(|flag| flag == "hypervisor") => Finding::new(
            what,
            Status::Limited,
            "yes",
            "what the neighbours do is in every time; only counts can gate",
        ),
        Some(_) => Finding::new(what, Status::Ok, "no", "no neighbour shares the CPU"),
        None => {
            Finding::new(what, Status::Unknown, "the CPU does not say", "it may have neighbours")
        }
    }
}

/// The share of CPU time that the host gave to others, since boot and between two readings of
/// `/proc/stat`.
pub(crate) fn steal(before: &str, after: &str) -> Finding {
    let what = "stolen time";
    let (Some(then), Some(now)) = (cpu_times(before), cpu_times(after)) else {
        return Finding::new(what, Status::Unknown, "not readable", "neighbours go unnoticed");
    };
    let share = |stolen: u64, all: u64| if all == 0 { 0.0 } else { stolen as f64 / all as f64 };
    let boot = share(now.0, now.1);
    let recent = share(now.0.saturating_sub(then.0), now.1.saturating_sub(then.1));
    let found = format!("{:.2} % since boot, {:.2} % just now", boot * 100.0, recent * 100.0);
    if boot.max(recent) > STEAL_MAX {
        let why = "the host gives this machine's CPU to others; expect outliers in every time";
        return Finding::new(what, Status::Limited, found, why);
    }
    Finding::new(what, Status::Ok, found, "the CPU was there when it was wanted")
}

/// Stolen and all jiffies of the first line of `/proc/stat`. Guest time is already in user time.
fn cpu_times(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.lines().find(|line| line.starts_with("cpu "))?.split_whitespace().skip(1);
    let times: Vec<u64> = fields.by_ref().take(8).map_while(|field| field.parse().ok()).collect();
    (times.len() == 8).then(|| (times[7], times.iter().sum()))
}

pub(crate) fn cores(allowed: Option<u64>, machine: u64) -> Finding {
    let what = "cores";
    let Some(allowed) = allowed else {
        return Finding::new(what, Status::Unknown, "not readable", "threads may share a core");
    };
    let found = if machine > allowed {
        format!("{allowed} of the machine's {machine} for this process")
    } else {
        allowed.to_string()
    };
    match allowed {
        0 | 1 => Finding::new(
            what,
            Status::Limited,
            found,
            "client and server take turns on one core: network times are mostly scheduling",
        ),
        2 | 3 => Finding::new(
            what,
            Status::Limited,
            found,
            "a core each for client and server and none for the rest: latencies under load are \
             an upper bound",
        ),
        _ => Finding::new(what, Status::Ok, found, "client, server and load have a core each"),
    }
}

/// The cores that `Cpus_allowed_list` of `/proc/self/status` names, as in `0-2,5`.
pub(crate) fn allowed_cores(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    line.trim().split(',').map(range).sum()
}

fn range(text: &str) -> Option<u64> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    to.checked_sub(from)?.checked_add(1)
}

pub(crate) fn machine_cores(cpuinfo: &str) -> u64 {
    cpuinfo.lines().filter(|line| line.starts_with("processor")).count() as u64
}

pub(crate) fn timer(source: Option<&str>, clock: Clock) -> Finding {
    let name = source.map_or("unknown clock", str::trim);
    let (step, cost) = (clock.step.as_nanos(), clock.cost.as_nanos());
    let found = format!("{name}, steps of {step} ns, {cost} ns to read");
    if clock.cost > CLOCK_READ_MAX {
        let why = "a reading is a system call; operations below 10 µs need many to one reading";
        return Finding::new("timer", Status::Limited, found, why);
    }
    Finding::new("timer", Status::Ok, found, "operations of a microsecond can be timed one by one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn counters_are_judged_by_what_the_kernel_shows() {
        let vm = names(&["breakpoint", "msr", "software", "tracepoint"]);
        assert_eq!(counters(Some("2\n"), &vm).status, Status::Missing);
        let metal = names(&["cpu", "software"]);
        assert_eq!(counters(Some("2\n"), &metal).status, Status::Ok);
        assert_eq!(counters(Some("4\n"), &metal).status, Status::Limited);
        assert_eq!(counters(None, &[]).status, Status::Unknown);
    }

    #[test]
    fn switches_read_either_way() {
        assert_eq!(turbo(Some("0\n"), None).found, "on");
        assert_eq!(turbo(Some("1\n"), None).found, "off");
        assert_eq!(turbo(None, Some("1\n")).found, "on");
        assert_eq!(turbo(None, None).status, Status::Unknown);
        assert_eq!(smt(Some("1\n")).status, Status::Limited);
        assert_eq!(governor(Some("performance\n")).status, Status::Ok);
        assert_eq!(governor(Some("powersave\n")).status, Status::Limited);
        assert_eq!(governor(None).status, Status::Unknown);
    }

    #[test]
    fn a_hypervisor_shows_in_the_flags() {
        assert_eq!(virtualised("flags\t\t: fpu hypervisor avx2\n").found, "yes");
        assert_eq!(virtualised("flags\t\t: fpu avx2\n").found, "no");
        assert_eq!(virtualised("Features : asimd\n").status, Status::Unknown);
    }

    #[test]
    fn stolen_time_is_a_share_of_all_time() {
        let before = "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1\n";
        let quiet = "cpu  150 0 150 900 0 0 0 0 7 7\n";
        assert_eq!(steal(before, quiet).found, "0.00 % since boot, 0.00 % just now");
        let noisy = "cpu  150 0 100 900 0 0 0 50 0 0\n";
        let told = steal(before, noisy);
        assert_eq!(
            (told.status, told.found.as_str()),
            (Status::Limited, "4.17 % since boot, 25.00 % just now")
        );
        assert_eq!(steal("", "cpu 1 2").status, Status::Unknown);
    }

    #[test]
    fn cores_are_those_this_process_may_use() {
        assert_eq!(allowed_cores("Name:\tx\nCpus_allowed_list:\t0-2,5\n"), Some(4));
        assert_eq!(allowed_cores("Cpus_allowed_list:\t3-1\n"), None);
        assert_eq!(machine_cores("processor\t: 0\nflags\nprocessor\t: 1\n"), 2);
        assert_eq!(cores(Some(2), 8).found, "2 of the machine's 8 for this process");
        assert_eq!(cores(Some(8), 8).status, Status::Ok);
    }

    #[test]
    fn a_clock_that_needs_a_system_call_is_told() {
        let clock =
            |cost| Clock { step: Duration::from_nanos(1), cost: Duration::from_nanos(cost) };
        assert_eq!(timer(Some("tsc\n"), clock(25)).status, Status::Ok);
        assert_eq!(timer(Some("hpet\n"), clock(900)).status, Status::Limited);
    }
}
