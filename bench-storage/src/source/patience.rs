//! How long a kernel that cannot answer now is asked again.

use std::io;
use std::thread;
use std::time::Duration;

/// Before what the kernel holds is given up. No test waits that long.
const MOST: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });
const PAUSE: Duration = Duration::from_millis(1);

/// Counts the pauses of one wait.
#[derive(Debug, Default)]
pub(super) struct Patience {
    paused: u32,
}

impl Patience {
    /// Pauses where the kernel may answer otherwise when it is asked again: after `EAGAIN`, for want
    /// of memory, and `EBUSY`, when answers have to be taken first. `false` after any other error,
    /// and once it has lasted too long.
    pub(super) fn waited(&mut self, error: &io::Error) -> bool {
        let for_now = [io::ErrorKind::ResourceBusy, io::ErrorKind::WouldBlock];
        if !for_now.contains(&error.kind()) || PAUSE * self.paused >= MOST {
            return false;
        }
        self.paused += 1;
        thread::sleep(PAUSE);
        true
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn it_ends_and_is_for_those_errors_only_that_pass() {
        let mut patience = Patience::default();
        let asked = (0..1000).take_while(|_| patience.waited(&Errno::AGAIN.into())).count();
        assert_eq!(asked, 50);
        let mut patience = Patience::default();
        assert!(patience.waited(&Errno::BUSY.into()) && !patience.waited(&Errno::IO.into()));
    }
}
