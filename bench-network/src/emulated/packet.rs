//! Packets as TUN hands them over: a virtio header, then IP. TCP leaves several segments in one
//! packet (GSO) and its checksum to whoever sends it on; both are kept that way as long as nothing
//! has to be done to a single segment.
//!
//! The header is `struct virtio_net_hdr` of the virtio specification, 1.2, 5.1.6, in the byte order
//! of the machine.

/// Before every packet.
pub(super) const VIRTIO_BYTES: usize = 10;
const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
/// The sender marks congestion (ECN); it says nothing of how segments are cut.
const GSO_ECN: u8 = 0x80;

const TCP: u8 = 6;
const FIN_PSH: u8 = 0x09;
const CWR: u8 = 0x80;

/// Where the parts of a packet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes of the IP packet.
    ip_bytes: usize,
    /// Where its TCP header begins and where that ends, from the start of IP; both 0 of a packet
    /// that is not cut.
    tcp: usize,
    payload: usize,
    /// Payload of each segment but the last.
    segment_bytes: usize,
}

impl Shape {
    /// Of a packet with its virtio header; `None` of what is no whole IPv4 packet.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let (virtio, ip) = packet.split_at_checked(VIRTIO_BYTES)?;
        if ip.first()? >> 4 != 4 || ip.len() < 20 {
            return None;
        }
        let whole = Self { ip_bytes: ip.len(), tcp: 0, payload: 0, segment_bytes: ip.len() };
        if virtio[1] & !GSO_ECN != GSO_TCPV4 {
            return Some(whole);
        }
        let tcp = usize::from(ip[0] & 0xf) * 4;
        let payload = tcp + usize::from(ip.get(tcp + 12)? >> 4) * 4;
        let segment_bytes = usize::from(u16::from_ne_bytes([virtio[4], virtio[5]]));
        let sound = ip[9] == TCP && tcp >= 20 && payload >= tcp + 20 && payload < ip.len();
        (sound && segment_bytes > 0).then_some(Self { tcp, payload, segment_bytes, ..whole })
    }

    /// How many packets go over the wire.
    pub(super) fn segments(self) -> usize {
        (self.ip_bytes - self.payload).div_ceil(self.segment_bytes)
    }

    /// Bytes of one of them as IP counts.
    pub(super) fn wire_bytes(self, segment: usize) -> u32 {
        let sent = segment * self.segment_bytes;
        (self.payload + self.segment_bytes.min(self.ip_bytes - self.payload - sent)) as u32
    }

    /// Writes the segments `from..to` as one packet into `out`, with its virtio header.
    pub(super) fn cut(self, packet: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
        out.clear();
        if from == 0 && to == self.segments() {
            out.extend_from_slice(packet);
            return;
        }
        let ip = VIRTIO_BYTES;
        let start = self.payload + from * self.segment_bytes;
        let end = (self.payload + to * self.segment_bytes).min(self.ip_bytes);
        out.extend_from_slice(&packet[..ip + self.payload]);
        out.extend_from_slice(&packet[ip + start..ip + end]);
        if to - from == 1 {
            out[1] = GSO_NONE;
            out[4..6].fill(0);
        }
        let (head, body) = out.split_at_mut(ip + self.tcp);
        let head = &mut head[ip..];
        let total = (self.payload + end - start) as u16;
        head[2..4].copy_from_slice(&total.to_be_bytes());
        let id = u16::from_be_bytes([head[4], head[5]]).wrapping_add(from as u16);
        head[4..6].copy_from_slice(&id.to_be_bytes());
        head[10..12].fill(0);
        let sum = !fold(sum(head));
        head[10..12].copy_from_slice(&sum.to_be_bytes());
        let sequence = u32::from_be_bytes([body[4], body[5], body[6], body[7]]);
        let sequence = sequence.wrapping_add((from * self.segment_bytes) as u32);
        body[4..8].copy_from_slice(&sequence.to_be_bytes());
        if to < self.segments() {
            body[13] &= !FIN_PSH;
        }
        if from > 0 {
            body[13] &= !CWR;
        }
        // What is left to do for whoever sends it on is to add the segment itself.
        let pseudo = fold(pseudo_sum(head, total - self.tcp as u16));
        body[16..18].copy_from_slice(&pseudo.to_be_bytes());
    }
}

/// Computes the checksum that was left to do, so that a bit that is flipped then makes it wrong.
pub(super) fn finish_checksum(packet: &mut [u8]) {
    let (virtio, ip) = packet.split_at_mut(VIRTIO_BYTES);
    if virtio[0] & NEEDS_CHECKSUM == 0 {
        return;
    }
    let field = |at: usize| usize::from(u16::from_ne_bytes([virtio[at], virtio[at + 1]]));
    let (start, offset) = (field(6), field(8));
    if start + offset + 2 > ip.len() {
        return; // Not a packet of this kernel.
    }
    // The field holds the sum of the pseudo header.
    let sum = !fold(sum(&ip[start..]));
    ip[start + offset..start + offset + 2].copy_from_slice(&sum.to_be_bytes());
    virtio[0] &= !NEEDS_CHECKSUM;
}

/// Flips a bit of the IP packet, counted from its first.
pub(super) fn flip(packet: &mut [u8], bit: u32) {
    packet[VIRTIO_BYTES + bit as usize / 8] ^= 0x80 >> (bit % 8);
}

/// The sum of 16-bit words of RFC 1071, not folded; an odd byte counts as the upper half.
fn sum(bytes: &[u8]) -> u64 {
    let (words, odd) = bytes.as_chunks::<2>();
    let words: u64 = words.iter().map(|&word| u64::from(u16::from_be_bytes(word))).sum();
    words + odd.first().map_or(0, |&byte| u64::from(byte) << 8)
}

fn pseudo_sum(ip: &[u8], tcp_bytes: u16) -> u64 {
    sum(&ip[12..20]) + u64::from(TCP) + u64::from(tcp_bytes)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADERS: usize = 20 + 32;

    /// A packet of TCP with time stamps as the kernel leaves it: the sum of the pseudo header in
    /// the place of the checksum.
    fn packet(payload: &[u8], segment_bytes: u16, flags: u8) -> Vec<u8> {
        let total = (HEADERS + payload.len()) as u16;
        let mut ip = vec![0x45, 0];
        ip.extend(total.to_be_bytes());
        ip.extend([0x12, 0x34, 0x40, 0, 64, TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        let check = !fold(sum(&ip));
        ip[10..12].copy_from_slice(&check.to_be_bytes());
        let pseudo = fold(pseudo_sum(&ip, total - 20));
        ip.extend([0, 80, 0, 81, 0xff, 0xff, 0xff, 0, 1, 2, 3, 4, 0x80, flags, 1, 0]);
        ip.extend(pseudo.to_be_bytes());
        ip.extend([0; 14]);
        ip.extend(payload);
        let gso = if payload.len() > usize::from(segment_bytes) { GSO_TCPV4 } else { GSO_NONE };
        let mut packet = vec![NEEDS_CHECKSUM, gso];
        for field in [HEADERS as u16, segment_bytes, 20, 16] {
            packet.extend(field.to_ne_bytes());
        }
        packet.extend(ip);
        packet
    }

    /// Whether both checksums of a packet that is finished are right.
    fn sound(packet: &[u8]) -> bool {
        let ip = &packet[VIRTIO_BYTES..];
        let Some(tcp_bytes) = u16::from_be_bytes([ip[2], ip[3]]).checked_sub(20) else {
            return false;
        };
        let tcp = sum(&ip[20..]) + pseudo_sum(ip, tcp_bytes);
        usize::from(tcp_bytes) + 20 == ip.len()
            && fold(sum(&ip[..20])) == 0xffff
            && fold(tcp) == 0xffff
    }

    fn sequence(packet: &[u8]) -> u32 {
        let at = VIRTIO_BYTES + 24;
        u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
    }

    #[test]
    fn what_is_no_ipv4_packet_or_promises_what_it_has_not_is_no_shape() {
        let good = packet(&[1; 100], 40, 0x10);
        assert!(Shape::of(&good).is_some());
        for len in [0, 9, 10, 29, VIRTIO_BYTES + 30, VIRTIO_BYTES + HEADERS] {
            assert_eq!(Shape::of(&good[..len]), None, "{len} bytes");
        }
        for (at, value) in [(VIRTIO_BYTES, 0x60), (VIRTIO_BYTES, 0x44), (VIRTIO_BYTES + 9, 17)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Shape::of(&bad), None, "byte {at}");
        }
        let mut empty = good.clone();
        empty[4..6].fill(0);
        assert_eq!(Shape::of(&empty), None, "segments of nothing");
    }

    #[test]
    fn flags_stay_with_the_segment_that_they_belong_to() {
        let all = packet(&[7; 3_000], 1_000, 0x10 | FIN_PSH | CWR);
        let shape = Shape::of(&all).expect("sound");
        let flags = |from, to| {
            let mut out = Vec::new();
            shape.cut(&all, from, to, &mut out);
            out[VIRTIO_BYTES + 33]
        };
        assert_eq!([flags(0, 1), flags(1, 2), flags(2, 3)], [0x10 | CWR, 0x10, 0x10 | FIN_PSH]);
    }

    #[test]
    fn a_length_too_small_for_a_header_is_not_sound() {
        let mut short = packet(&[], 1_448, 0x18);
        finish_checksum(&mut short);
        assert!(sound(&short));
        short[VIRTIO_BYTES + 3] = 19;
        assert!(!sound(&short));
    }

    #[test]
    fn a_packet_that_is_not_cut_has_one_segment_of_its_size() {
        let one = packet(&[1; 100], 1_448, 0x18);
        let shape = Shape::of(&one).expect("sound");
        assert_eq!((shape.segments(), shape.wire_bytes(0)), (1, 152));
        let mut out = vec![1, 2, 3];
        shape.cut(&one, 0, 1, &mut out);
        assert_eq!(out, one);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_every_byte_is_there_once_with_sound_checksums(
            payload in proptest::collection::vec(any::<u8>(), 1..9_000),
            segment_bytes in 1..2_000_u16,
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
            flipped: prop::sample::Index,
        ) {
            let all = packet(&payload, segment_bytes, 0x18);
            let shape = Shape::of(&all).expect("sound");
            let segments = shape.segments();
            prop_assert_eq!(segments, payload.len().div_ceil(usize::from(segment_bytes)));
            let wire: usize = (0..segments).map(|segment| shape.wire_bytes(segment) as usize).sum();
            prop_assert_eq!(wire, payload.len() + segments * HEADERS);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(segments)).collect();
            places.extend([0, segments]);
            places.sort_unstable();
            places.dedup();
            let (mut joined, mut out) = (Vec::new(), Vec::new());
            for pair in places.windows(2) {
                shape.cut(&all, pair[0], pair[1], &mut out);
                let begins = sequence(&out).wrapping_sub(sequence(&all)) as usize;
                prop_assert_eq!(begins, joined.len());
                let again = Shape::of(&out).expect("sound");
                prop_assert_eq!(again.segments(), pair[1] - pair[0]);
                joined.extend_from_slice(&out[VIRTIO_BYTES + HEADERS..]);
                finish_checksum(&mut out);
                prop_assert!(sound(&out));
                finish_checksum(&mut out);
                prop_assert!(sound(&out), "once is enough");
                let bits = (out.len() - VIRTIO_BYTES) * 8;
                flip(&mut out, flipped.index(bits) as u32);
                prop_assert!(!sound(&out), "a flipped bit shows");
            }
            prop_assert_eq!(joined, payload);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Some(shape) = Shape::of(&bytes) {
                let mut out = Vec::new();
                for segment in 0..shape.segments() {
                    prop_assert!(shape.wire_bytes(segment) as usize <= bytes.len());
                    shape.cut(&bytes, segment, segment + 1, &mut out);
                    finish_checksum(&mut out);
                }
            }
        }
    }
}
