//! What this machine can and cannot measure: one finding each, with what follows from it. Findings
//! are pure functions of texts ([`tools`], [`processor`], [`system`]); [`probe`] fetches the texts.

pub(crate) mod probe;
pub(crate) mod processor;
pub(crate) mod system;
pub(crate) mod tools;

use std::path::Path;

use serde::Serialize;

/// How well something can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// With less precision or under a condition.
    Limited,
    /// Not at all.
    Missing,
    /// This machine does not say.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    pub(crate) status: Status,
    /// What is there.
    pub(crate) found: String,
    /// What follows for the benchmarks.
    pub(crate) consequence: String,
}

impl Finding {
    pub(crate) fn new(
        what: &'static str,
        status: Status,
        found: impl Into<String>,
        consequence: impl Into<String>,
    ) -> Self {
        Self { what, status, found: found.into(), consequence: consequence.into() }
    }
}

/// Looks at everything. `target` is where benchmarks write.
pub(crate) fn examine(target: &Path) -> Vec<Finding> {
    let mut findings = vec![
        tools::valgrind(probe::first_line("valgrind", &["--version"]).as_deref()),
        tools::linker(probe::first_line("cc", &["--version"]).as_deref()),
        tools::critcmp(probe::critcmp().as_deref()),
    ];
    findings.extend(processor_findings());
    findings.extend(memory_and_disk(target));
    findings.extend(network());
    findings.push(system::tunables(probe::tunables().as_deref()));
    findings
}

/// What can be measured with less than full precision or not at all, a line each.
pub(crate) fn limits(findings: &[Finding]) -> Vec<String> {
    let limits = |status| matches!(status, Status::Limited | Status::Missing);
    let line = |it: &Finding| format!("{}: {}; {}", it.what, it.found, it.consequence);
    findings.iter().filter(|it| limits(it.status)).map(line).collect()
}

fn processor_findings() -> Vec<Finding> {
    let read = probe::text;
    let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
    let (before, after) = probe::stat_twice();
    vec![
        processor::counters(
            read("/proc/sys/kernel/perf_event_paranoid").as_deref(),
            &probe::entries("/sys/bus/event_source/devices"),
        ),
        processor::governor(
            read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").as_deref(),
        ),
        processor::turbo(
            read("/sys/devices/system/cpu/intel_pstate/no_turbo").as_deref(),
            read("/sys/devices/system/cpu/cpufreq/boost").as_deref(),
        ),
        processor::smt(read("/sys/devices/system/cpu/smt/active").as_deref()),
        processor::virtualised(&cpuinfo),
        processor::steal(&before, &after),
        processor::cores(
            read("/proc/self/status").as_deref().and_then(processor::allowed_cores),
            processor::machine_cores(&cpuinfo),
        ),
        processor::timer(
            read("/sys/devices/system/clocksource/clocksource0/current_clocksource").as_deref(),
            probe::clock(),
        ),
    ]
}

fn memory_and_disk(target: &Path) -> Vec<Finding> {
    let mounts = probe::text("/proc/self/mountinfo").unwrap_or_default();
    let mount = system::mount_of(&mounts, target);
    let read_ahead = mount
        .as_ref()
        .and_then(|mount| probe::text(&format!("/sys/class/bdi/{}/read_ahead_kb", mount.device)));
    vec![
        system::memory(&probe::text("/proc/meminfo").unwrap_or_default()),
        system::disk(probe::free_bytes(target)),
        system::cold(mount.as_ref().map(|mount| mount.kind.as_str())),
        system::read_ahead(read_ahead.as_deref()),
        system::reclaim(probe::reclaim()),
        system::device("/dev/fuse", probe::opens("/dev/fuse"), "mount file systems of its own"),
    ]
}

fn network() -> Vec<Finding> {
    vec![
        system::device("/dev/net/tun", probe::opens("/dev/net/tun"), "emulate links in user space"),
        system::netem(&probe::netem()),
        system::congestion(
            probe::text("/proc/sys/net/ipv4/tcp_congestion_control").as_deref(),
            probe::text("/proc/sys/net/ipv4/tcp_available_congestion_control").as_deref(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_it_should_be_or_not_known_is_no_limit() {
        let all = [Status::Ok, Status::Limited, Status::Missing, Status::Unknown];
        let findings = all.map(|status| Finding::new("a", status, format!("{status:?}"), "b"));
        assert_eq!(limits(&findings), ["a: Limited; b", "a: Missing; b"]);
    }
}
