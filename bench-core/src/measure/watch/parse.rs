//! Files of `/proc` as numbers. Pure; what is not there is `None`, never 0.

/// The kernel counts the times of `/proc/stat` in these: `USER_HZ`, which is 100 wherever Rust runs.
const TICK_NS: u64 = 10_000_000;

/// A thread's `schedstat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Nanoseconds on a processor.
    pub ran_ns: u64,
    /// Nanoseconds in the queue for one.
    pub waited_ns: u64,
    /// How often it was given one.
    pub switches: u64,
}

/// `/proc/stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Nanoseconds of all CPUs that did something, for whomever.
    pub busy_ns: u64,
    /// That did nothing.
    pub idle_ns: u64,
    /// That did nothing while a disk was waited for.
    pub iowait_ns: u64,
    /// That the host gave to others while they were wanted here.
    pub steal_ns: u64,
    /// Context switches.
    pub switches: u64,
    /// Threads that run or could.
    pub runnable: u64,
    /// Threads that wait for a disk.
    pub blocked: u64,
}

/// TCP's counters in `net/snmp` and `net/netstat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Segments sent, without those sent again.
    pub sent: u64,
    /// Segments sent again.
    pub retransmitted: u64,
    /// Retransmission time-outs; `None` where the kernel does not tell.
    pub timeouts: Option<u64>,
    /// Connections that found a listener's queue full; likewise.
    pub listen_overflows: Option<u64>,
}

/// The three numbers of `schedstat`.
pub fn account(text: &str) -> Option<Account> {
    let mut fields = text.split_whitespace().map_while(|field| field.parse().ok());
    let (ran_ns, waited_ns) = (fields.next()?, fields.next()?);
    Some(Account { ran_ns, waited_ns, switches: fields.next()? })
}

/// The resident pages in `statm`.
pub fn resident_pages(text: &str) -> Option<u64> {
    text.split_whitespace().nth(1)?.parse().ok()
}

/// `/proc/stat`, of which kernels before 2.6.33 lack fields.
pub fn machine(text: &str) -> Option<Machine> {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let number = |name: &str| line(name)?.trim().parse::<u64>().ok();
    let times: Vec<u64> = line("cpu ")?.split_whitespace().map_while(|t| t.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = times[..] else {
        return None;
    };
    // The time of guests is in that of the user already.
    let busy = user + nice + system + irq + softirq;
    Some(Machine {
        busy_ns: busy * TICK_NS,
        idle_ns: idle * TICK_NS,
        iowait_ns: iowait * TICK_NS,
        steal_ns: steal * TICK_NS,
        switches: number("ctxt ")?,
        runnable: number("procs_running ")?,
        blocked: number("procs_blocked ")?,
    })
}

/// `net/snmp` and `net/netstat`, which give names and values in lines of their own.
pub fn tcp(snmp: &str, netstat: &str) -> Option<Tcp> {
    let named = |text: &str, prefix: &str, name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        let (names, values) = (lines.next()?, lines.next()?);
        let place = names.split_whitespace().position(|known| known == name)?;
        values.split_whitespace().nth(place)?.parse::<u64>().ok()
    };
    Some(Tcp {
        sent: named(snmp, "Tcp:", "OutSegs")?,
        retransmitted: named(snmp, "Tcp:", "RetransSegs")?,
        timeouts: named(netstat, "TcpExt:", "TCPTimeouts"),
        listen_overflows: named(netstat, "TcpExt:", "ListenOverflows"),
    })
}

/// The total of the line `some` of a file of `/proc/pressure`, in nanoseconds.
pub fn pressure(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some.split_whitespace().find_map(|field| field.strip_prefix("total="))?;
    Some(total.parse::<u64>().ok()? * 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_are_read_as_the_kernel_writes_them() {
        let thread = Account { ran_ns: 12, waited_ns: 34, switches: 5 };
        assert_eq!(account("12 34 5\n"), Some(thread));
        assert_eq!(resident_pages("1000 250 40 1 0 300 0\n"), Some(250));
        let stat = "cpu  10 1 4 1000 7 0 2 3 9 0\ncpu0 10 1 4 1000 7 0 2 3 9 0\nintr 99 0\n\
                    ctxt 777\nbtime 1\nprocesses 2\nprocs_running 4\nprocs_blocked 1\n";
        let expected = Machine {
            busy_ns: 17 * TICK_NS,
            idle_ns: 1000 * TICK_NS,
            iowait_ns: 7 * TICK_NS,
            steal_ns: 3 * TICK_NS,
            switches: 777,
            runnable: 4,
            blocked: 1,
        };
        assert_eq!(machine(stat), Some(expected));
        let snmp = "Ip: A B\nIp: 1 2\nTcp: MaxConn OutSegs RetransSegs\nTcp: -1 900 7\n";
        let netstat = "TcpExt: ListenOverflows TCPTimeouts\nTcpExt: 3 4\n";
        let counters = Tcp { sent: 900, retransmitted: 7, timeouts: None, listen_overflows: None };
        assert_eq!(tcp(snmp, ""), Some(counters));
        let whole = Tcp { timeouts: Some(4), listen_overflows: Some(3), ..counters };
        assert_eq!(tcp(snmp, netstat), Some(whole));
        let pressed = "some avg10=0.00 avg60=0.00 avg300=0.00 total=42\nfull avg10=0.00 total=7\n";
        assert_eq!(pressure(pressed), Some(42_000));
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[a-z0-9:= \n]{0,200}") {
            let _read = (account(&text), resident_pages(&text), machine(&text));
            let _read = (tcp(&text, &text), pressure(&text));
        }
    }

    #[test]
    fn what_is_cut_short_is_unknown_and_not_nothing() {
        assert_eq!(
            (account("12 34"), resident_pages("9"), pressure("full total=1")),
            (None, None, None)
        );
        assert_eq!(machine("cpu  1 2 3\nctxt 1\nprocs_running 1\nprocs_blocked 0\n"), None);
        assert_eq!((machine(""), tcp("Tcp: OutSegs\n", "")), (None, None));
    }
}
