//! Faults as a command line names them: `latency`, `latency:20ms`, `slicer:1KiB:2ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bench_core::fixture::cpus;
use bench_core::units::ByteSize;

use super::{FaultError, StreamFault, Ways};
use crate::link::named;

/// Any fault, before it is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultSpec {
    /// Into the streams of a proxy.
    Stream(StreamFault),
    /// A [`CpuOverload`](super::CpuOverload).
    CpuOverload {
        /// How many threads.
        threads: usize,
        /// How much of a processor each wants.
        percent: u32,
    },
    /// A [`MemoryPressure`](super::MemoryPressure) of this size.
    MemoryPressure(ByteSize),
    /// A [`DiskPressure`](super::DiskPressure) with a file of this size.
    DiskPressure(ByteSize),
}

/// Every kind with what may follow it.
const SPELLINGS: [(&str, &str); 11] = [
    ("latency", "latency:20ms or, with a jitter, latency:20ms:5ms"),
    ("bandwidth", "bandwidth:1MiB, which is so much a second"),
    ("slow_close", "slow_close:20ms"),
    ("reset", "reset:50ms"),
    ("time_out", "time_out:50ms"),
    ("slicer", "slicer:1KiB:1ms"),
    ("limit_data", "limit_data:40KiB"),
    ("slow_accept", "slow_accept:20ms"),
    ("cpu_overload", "cpu_overload:4:100, which is 4 threads of 100% each"),
    ("memory_pressure", "memory_pressure:64MiB"),
    ("disk_pressure", "disk_pressure:16MiB"),
];

impl FaultSpec {
    /// What ids call the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stream(fault) => fault.name(),
            Self::CpuOverload { .. } => "cpu_overload",
            Self::MemoryPressure(_) => "memory_pressure",
            Self::DiskPressure(_) => "disk_pressure",
        }
    }

    /// The names of all kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SPELLINGS.into_iter().map(|(name, _)| name)
    }

    /// One of each kind, on both ways of a stream and so strong that a local service feels it: our own
    /// choice. `None` where no kind has this name.
    pub fn usual(name: &str) -> Option<Self> {
        let (ways, ms) = (Ways::Both, Duration::from_millis);
        Some(match name {
            "latency" => StreamFault::Latency { ways, delay: ms(10), jitter: ms(2) }.into(),
            "bandwidth" => StreamFault::Bandwidth { ways, bytes_per_second: 1 << 20 }.into(),
            "slow_close" => StreamFault::SlowClose { ways, delay: ms(20) }.into(),
            "reset" => StreamFault::Reset { after: ms(30) }.into(),
            "time_out" => StreamFault::TimeOut { ways, after: ms(30) }.into(),
            "slicer" => StreamFault::Slicer { ways, bytes: 1024, pause: ms(1) }.into(),
            "limit_data" => StreamFault::LimitData { ways: Ways::Up, bytes: 40 << 10 }.into(),
            "slow_accept" => StreamFault::SlowAccept { delay: ms(20) }.into(),
            "cpu_overload" => {
                let threads = 2 * cpus::available().map_or(1, <[usize]>::len);
                Self::CpuOverload { threads, percent: 100 }
            }
            "memory_pressure" => Self::MemoryPressure(ByteSize::mib(64)),
            "disk_pressure" => Self::DiskPressure(ByteSize::mib(16)),
            _ => return None,
        })
    }
}

impl From<StreamFault> for FaultSpec {
    fn from(fault: StreamFault) -> Self {
        Self::Stream(fault)
    }
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(fault) => fault.fmt(f),
            Self::CpuOverload { threads, percent } => {
                write!(f, "cpu_overload {threads} x {percent}%")
            }
            Self::MemoryPressure(size) => write!(f, "memory_pressure {size}"),
            Self::DiskPressure(size) => write!(f, "disk_pressure {size}"),
        }
    }
}

impl FromStr for FaultSpec {
    type Err = FaultError;

    /// A name, and its numbers where others than the usual ones are wanted.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (name, numbers) = (parts[0], &parts[1..]);
        let Some((_, spelling)) = SPELLINGS.into_iter().find(|(known, _)| *known == name) else {
            let all = Self::names().collect::<Vec<_>>().join(", ");
            return Err(FaultError::Unknown { name: name.to_owned(), all });
        };
        if numbers.is_empty() {
            return Ok(Self::usual(name).expect("every spelling has a usual fault"));
        }
        let spec = parse(name, numbers);
        let spec = spec.ok_or(FaultError::Spelling { text: text.to_owned(), spelling })?;
        if let Self::Stream(fault) = &spec {
            fault.check()?;
        }
        Ok(spec)
    }
}

fn parse(name: &str, numbers: &[&str]) -> Option<FaultSpec> {
    let ways = Ways::Both;
    // The fault itself says how long it may be.
    let time = |text: &str| named::time(text, Duration::MAX).ok();
    let size = |text: &str| text.parse::<ByteSize>().ok();
    Some(match (name, numbers) {
        ("latency", [delay]) => {
            StreamFault::Latency { ways, delay: time(delay)?, jitter: Duration::ZERO }.into()
        }
        ("latency", [delay, jitter]) => {
            StreamFault::Latency { ways, delay: time(delay)?, jitter: time(jitter)? }.into()
        }
        ("bandwidth", [rate]) => {
            StreamFault::Bandwidth { ways, bytes_per_second: size(rate)?.bytes() }.into()
        }
        ("slow_close", [delay]) => StreamFault::SlowClose { ways, delay: time(delay)? }.into(),
        ("reset", [after]) => StreamFault::Reset { after: time(after)? }.into(),
        ("time_out", [after]) => StreamFault::TimeOut { ways, after: time(after)? }.into(),
        ("slicer", [bytes, pause]) => {
            StreamFault::Slicer { ways, bytes: size(bytes)?.len(), pause: time(pause)? }.into()
        }
        ("limit_data", [bytes]) => {
            StreamFault::LimitData { ways: Ways::Up, bytes: size(bytes)?.bytes() }.into()
        }
        ("slow_accept", [delay]) => StreamFault::SlowAccept { delay: time(delay)? }.into(),
        ("cpu_overload", [threads, percent]) => FaultSpec::CpuOverload {
            threads: threads.parse().ok()?,
            percent: percent.parse().ok()?,
        },
        ("memory_pressure", [bytes]) => FaultSpec::MemoryPressure(size(bytes)?),
        ("disk_pressure", [bytes]) => FaultSpec::DiskPressure(size(bytes)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_usual_fault_and_the_spelling_that_it_advertises() {
        for (name, spelling) in SPELLINGS {
            let usual: FaultSpec = name.parse().expect(name);
            assert_eq!((usual.name(), Some(usual)), (name, FaultSpec::usual(name)));
            let first = spelling.split([',', ' ']).next().expect("an example");
            let spec: FaultSpec = first.parse().unwrap_or_else(|error| panic!("{first}: {error}"));
            assert_eq!(spec.name(), name);
        }
        let jitter: FaultSpec = "latency:20ms:5ms".parse().expect("a jitter");
        assert_eq!(jitter.to_string(), "latency 20ms ± 5ms");
        let late: FaultSpec = "reset:300s".parse().expect("longer than any link's delay");
        assert_eq!(late, StreamFault::Reset { after: Duration::from_secs(300) }.into());
        let overload: FaultSpec = "cpu_overload:4:50".parse().expect("threads");
        assert_eq!(overload.to_string(), "cpu_overload 4 x 50%");
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_to_write() {
        for (text, said) in [
            ("rain", "no fault is called 'rain'; write one of latency, "),
            ("", "no fault is called ''"),
            ("latency:soon", "'latency:soon' is no fault; write it as in latency:20ms"),
            ("latency:1ms:1ms:1ms", "write it as in latency:20ms"),
            ("slicer:1KiB", "as in slicer:1KiB:1ms"),
            ("cpu_overload:many:100", "as in cpu_overload:4:100"),
            ("memory_pressure:", "as in memory_pressure:64MiB"),
            ("latency:1ms:2ms", "the jitter of the fault 'latency' is 2ms"),
            ("bandwidth:0B", "at least 1 B/s"),
            ("time_out:3601s", "at most 3600s"),
        ] {
            let error = text.parse::<FaultSpec>().expect_err(text);
            assert!(error.to_string().contains(said), "{error}");
            assert!(error.is_of_usage());
        }
    }
}
