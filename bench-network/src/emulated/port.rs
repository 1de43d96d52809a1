//! Where the emulator's packets come from and go to: each a virtio header and IP, whatever carries
//! them.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::packet::VIRTIO_BYTES;
use crate::error::Error;
use crate::network::{INTERFACE, Namespace, kernel, veth};

const ETHERNET_BYTES: usize = 14;
/// To and from the address of all ends, IPv4.
const ETHERNET: [u8; ETHERNET_BYTES] = {
    let [a, b, c, d, e, f] = veth::HARDWARE_ADDRESS;
    [a, b, c, d, e, f, a, b, c, d, e, f, 8, 0]
};
/// Where the virtio header says how long the headers are, and where the checksum's part begins: both
/// from the start of the frame.
const HEADERS_LENGTH: usize = 2;
const CHECKSUM_START: usize = 6;

/// One end of the emulator.
#[derive(Debug)]
pub(crate) struct Port {
    file: File,
    frames: Frames,
}

#[derive(Clone, Debug)]
enum Frames {
    /// IP alone: of a TUN device.
    Ip,
    /// IP behind an Ethernet header: of a packet socket, with the packets it dropped so far, which the
    /// kernel forgets when it has told them.
    Ethernet(Arc<AtomicU64>),
}

impl Port {
    /// A TUN interface, which speaks IP.
    pub(crate) fn tun(device: File) -> Self {
        Self { file: device, frames: Frames::Ip }
    }

    /// A packet socket, which speaks Ethernet.
    pub(crate) fn packets(socket: OwnedFd) -> Self {
        Self { file: File::from(socket), frames: Frames::Ethernet(Arc::default()) }
    }

    /// The same port for another thread.
    pub(super) fn share(&self) -> Result<Self, Error> {
        let file = self.file.try_clone().map_err(Error::io("share an interface"))?;
        Ok(Self { file, frames: self.frames.clone() })
    }

    /// One packet that the kernel sends.
    pub(super) fn read(&self, packet: &mut [u8]) -> io::Result<usize> {
        if matches!(self.frames, Frames::Ip) {
            return (&self.file).read(packet);
        }
        let mut ethernet = [0; ETHERNET_BYTES];
        let (virtio, ip) = packet.split_at_mut(VIRTIO_BYTES);
        let mut parts =
            [IoSliceMut::new(virtio), IoSliceMut::new(&mut ethernet), IoSliceMut::new(ip)];
        let bytes = (&self.file).read_vectored(&mut parts)?;
        shift(virtio, -(ETHERNET_BYTES as i16));
        Ok(bytes.saturating_sub(ETHERNET_BYTES))
    }

    /// Gives the kernel a packet that arrived.
    pub(super) fn write(&self, packet: &[u8]) -> io::Result<()> {
        if matches!(self.frames, Frames::Ip) {
            return (&self.file).write(packet).map(|_| ());
        }
        let (virtio, ip) = packet.split_at(VIRTIO_BYTES);
        let mut header = [0; VIRTIO_BYTES];
        header.copy_from_slice(virtio);
        shift(&mut header, ETHERNET_BYTES as i16);
        let parts = [IoSlice::new(&header), IoSlice::new(&ETHERNET), IoSlice::new(ip)];
        (&self.file).write_vectored(&parts).map(|_| ())
    }

    /// How many packets the kernel dropped because nobody read them in time.
    pub(super) fn overflowed(&self, namespace: &Namespace) -> Result<u64, Error> {
        match &self.frames {
            Frames::Ip => namespace.overflowed(&[INTERFACE]),
            Frames::Ethernet(dropped) => {
                let new = kernel::packets_dropped(&self.file);
                let new = new.map_err(Error::io("ask a packet socket what it dropped"))?;
                let all = dropped.fetch_add(new, Ordering::Relaxed) + new;
                Ok(all + namespace.overflowed(&[INTERFACE, veth::WIRE])?)
            }
        }
    }
}

/// Moves the places that a virtio header names by so many bytes. Where it names none they are zero, mean
/// nothing, and are zero again on the other side.
fn shift(virtio: &mut [u8], by: i16) {
    for at in [HEADERS_LENGTH, CHECKSUM_START] {
        let place = u16::from_ne_bytes([virtio[at], virtio[at + 1]]).wrapping_add_signed(by);
        virtio[at..at + 2].copy_from_slice(&place.to_ne_bytes());
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_from_the_start_of_the_frame_there_and_of_ip_here() {
        let mut virtio = [1, 1, 0, 0, 9, 9, 0, 0, 16, 0];
        virtio[2..4].copy_from_slice(&66_u16.to_ne_bytes());
        virtio[6..8].copy_from_slice(&34_u16.to_ne_bytes());
        let before = virtio;
        shift(&mut virtio, -14);
        assert_eq!(virtio[2..4], 52_u16.to_ne_bytes());
        assert_eq!(virtio[6..8], 20_u16.to_ne_bytes());
        assert_eq!(virtio[4..6], [9, 9]);
        shift(&mut virtio, 14);
        assert_eq!(virtio, before);
        let mut none = [0; VIRTIO_BYTES];
        shift(&mut none, -14);
        shift(&mut none, 14);
        assert_eq!(none, [0; VIRTIO_BYTES]);
    }
}
