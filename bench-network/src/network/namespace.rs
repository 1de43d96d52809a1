//! A network of its own, without a name: it is there as long as somebody holds it, and a process
//! that is killed leaves nothing behind.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::kernel;
use crate::error::Error;

/// Enough that the kernel's queue before the emulator is never full: what overflows there would be
/// a loss that nobody asked for.
pub(crate) const QUEUE_PACKETS: u32 = 10_000;
/// The largest buffers of a socket, so that the link and not the socket bounds what is on its way.
const SOCKET_BYTES: &str = "4096 131072 134217728";
/// Settings of this namespace alone. Each kernel has the first three; IPv6 would send packets of its
/// own, and with them the same seed would lose others.
const SETTINGS: [(&str, &str); 4] = [
    ("ipv4/tcp_no_metrics_save", "1"),
    ("ipv4/tcp_wmem", SOCKET_BYTES),
    ("ipv4/tcp_rmem", SOCKET_BYTES),
    ("ipv6/conf/default/disable_ipv6", "1"),
];

/// A network namespace with one interface beside its `lo`.
#[derive(Debug)]
pub(crate) struct Namespace {
    held: File,
}

impl Namespace {
    /// Makes one and does `set_up` in it, which makes its interface.
    pub(crate) fn new<T: Send>(
        set_up: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<(Self, T), Error> {
        let make = || -> Result<(Self, T), Error> {
            kernel::leave_network().map_err(Error::io("make a network namespace"))?;
            for (name, value) in SETTINGS {
                let written = fs::write(format!("/proc/sys/net/{name}"), value);
                match written {
                    // A kernel without IPv6.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                    written => written.map_err(Error::io("set a namespace's TCP up"))?,
                }
            }
            let made = set_up()?;
            let held = File::open("/proc/thread-self/ns/net");
            Ok((Self { held: held.map_err(Error::io("hold a network namespace"))? }, made))
        };
        // In a thread that ends, because no thread that others use may be left in there.
        on_a_thread(make)
    }

    /// That of a process of somebody else's.
    pub(crate) fn of_process(id: u32) -> Result<Self, Error> {
        let held = File::open(format!("/proc/{id}/ns/net"));
        Ok(Self { held: held.map_err(Error::io("hold the network of another process"))? })
    }

    /// The namespace itself, for who moves an interface into it.
    pub(crate) fn as_file(&self) -> &File {
        &self.held
    }

    /// Does `work` inside, on a thread of its own. Sockets that it makes belong to the namespace
    /// and may be used from anywhere.
    pub(crate) fn enter<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        on_a_thread(|| {
            move_into_link_name_space(self.held.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(Error::io("enter a network namespace"))?;
            work()
        })
    }

    /// How many packets the kernel dropped on their way out of these interfaces: nobody fetched them
    /// in time.
    pub(crate) fn overflowed(&self, interfaces: &[&str]) -> Result<u64, Error> {
        let table = self.enter(|| {
            fs::read_to_string("/proc/thread-self/net/dev").map_err(Error::io("read net/dev"))
        })?;
        let all: Option<u64> = interfaces.iter().map(|name| dropped(&table, name)).sum();
        all.ok_or_else(|| {
            Error::io("read net/dev")(io::Error::other("it does not list the interface"))
        })
    }
}

/// What the interface is called, in every namespace.
pub(crate) const INTERFACE: &str = "link";

/// The packets dropped on their way out of the interface, from the kernel's table.
fn dropped(table: &str, interface: &str) -> Option<u64> {
    let row =
        table.lines().find_map(|row| row.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    // Eight columns of what came in; then bytes, packets, errors, dropped.
    row.split_whitespace().nth(11)?.parse().ok()
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("namespace".to_owned());
        let thread = thread.spawn_scoped(scope, work).map_err(Error::io("start a thread"))?;
        thread.join().unwrap_or(Err(Error::Gone("thread in a namespace")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_its_columns() {
        let table = "Inter-| Receive | Transmit\n face |bytes packets errs drop fifo frame\n    \
                     lo: 1 1 1 1 1 1 1 1 2 2 2 2 2 2 2 2\n  \
                     link: 10 11 12 13 14 15 16 17 20 21 22 23 24 25 26 27\n";
        assert_eq!(dropped(table, "link"), Some(23));
        assert_eq!(dropped("lo: 1 2 3", "link"), None);
        assert_eq!(dropped("link: 1 2 3", "link"), None);
    }
}
