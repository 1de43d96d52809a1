//! Where the emulator's packets come from and go to: each a virtio header and IP, whatever carries
//! them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::Error;
use crate::network::Namespace;

/// One end of the emulator.
#[derive(Debug)]
pub(crate) struct Port {
    file: File,
}

impl Port {
    /// A TUN interface, which speaks IP.
    pub(crate) fn tun(file: File) -> Self {
        Self { file }
    }

    /// The same port for another thread.
    pub(super) fn share(&self) -> Result<Self, Error> {
        let file = self.file.try_clone().map_err(Error::io("share an interface"))?;
        Ok(Self { file })
    }

    /// One packet that the kernel sends.
    pub(super) fn read(&self, packet: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(packet)
    }

    /// Gives the kernel a packet that arrived.
    pub(super) fn write(&self, packet: &[u8]) -> io::Result<()> {
        (&self.file).write(packet).map(|_| ())
    }

    /// How many packets the kernel dropped because nobody read them in time.
    pub(super) fn overflowed(&self, namespace: &Namespace) -> Result<u64, Error> {
        namespace.overflowed()
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
