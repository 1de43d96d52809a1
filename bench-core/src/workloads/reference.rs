//! Operations of known nature, named `reference/…`: one bound by the processor's arithmetic, one
//! by its branches, one by memory, one by the allocator. They say how noisy a machine is for code
//! of each kind, and are what comparisons of times are tried on.

use std::hint::black_box;

use crate::fixture::Payload;
use crate::units::ByteSize;
use crate::workload::{Failure, Workload};

use super::SEED;

/// FNV-1a, 64 bit: offset basis and prime (Fowler, Noll and Vo, RFC 9923).
const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0100_0000_01b3);

/// `reference/hash`: FNV-1a over a buffer, one dependent multiplication per byte.
#[derive(Debug)]
pub struct Hash {
    bytes: Vec<u8>,
    answer: Option<u64>,
}

/// `reference/sort`: copies a buffer of random `u64`s and sorts the copy in place.
#[derive(Debug)]
pub struct Sort {
    unsorted: Vec<u64>,
    sorted: Vec<u64>,
}

/// `reference/sum`: adds up a buffer as `u64`s. Larger than the caches, it waits for memory.
#[derive(Debug)]
pub struct Sum {
    words: Vec<u64>,
    expected: u64,
    answer: Option<u64>,
}

/// `reference/copy`: a new vector with the content of a buffer, freed by the next operation.
#[derive(Debug)]
pub struct Copy {
    bytes: Vec<u8>,
    copied: Vec<u8>,
}

impl Workload for Hash {
    const NAME: &'static str = "reference/hash";
    type Parameter = ByteSize;

    fn set_up(size: &ByteSize) -> Result<Self, Failure> {
        Ok(Self { bytes: Payload::seeded(SEED, *size).to_bytes().into(), answer: None })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(self.bytes.len() as u64))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.answer = None;
        Ok(())
    }

    fn run(&mut self) {
        #[cfg(feature = "canary-syscall")]
        crate::fixture::canary::system_call();
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(FNV.1);
        self.answer = Some(black_box(&self.bytes).iter().fold(FNV.0, step));
    }

    /// Against the definition, computed another way: byte by byte from a second copy.
    fn check(&mut self) -> Result<(), Failure> {
        let mut expected = FNV.0;
        for index in 0..self.bytes.len() {
            expected ^= u64::from(self.bytes[index]);
            expected = expected.wrapping_mul(FNV.1);
        }
        answered(self.answer, expected)
    }
}

impl Workload for Sort {
    const NAME: &'static str = "reference/sort";
    type Parameter = ByteSize;

    fn set_up(size: &ByteSize) -> Result<Self, Failure> {
        let unsorted = words(*size);
        Ok(Self { sorted: Vec::with_capacity(unsorted.len()), unsorted })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(8 * self.unsorted.len() as u64))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.sorted.clear();
        Ok(())
    }

    fn run(&mut self) {
        self.sorted.clear();
        self.sorted.extend_from_slice(black_box(&self.unsorted));
        self.sorted.sort_unstable();
    }

    fn check(&mut self) -> Result<(), Failure> {
        let sum = |words: &[u64]| words.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
        let same = sum(&self.sorted) == sum(&self.unsorted);
        if same && self.sorted.len() == self.unsorted.len() && self.sorted.is_sorted() {
            Ok(())
        } else {
            Err("the numbers are not sorted, or not the same numbers".into())
        }
    }
}

impl Workload for Sum {
    const NAME: &'static str = "reference/sum";
    type Parameter = ByteSize;

    fn set_up(size: &ByteSize) -> Result<Self, Failure> {
        let words = words(*size);
        let expected = (0..words.len()).fold(0, |sum: u64, index| sum.wrapping_add(words[index]));
        Ok(Self { words, expected, answer: None })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(8 * self.words.len() as u64))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.answer = None;
        Ok(())
    }

    fn run(&mut self) {
        let words = black_box(&self.words);
        #[cfg(feature = "canary-per-byte")]
        crate::fixture::canary::per_byte(words.len());
        self.answer = Some(words.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word)));
    }

    fn check(&mut self) -> Result<(), Failure> {
        answered(self.answer, self.expected)
    }
}

impl Workload for Copy {
    const NAME: &'static str = "reference/copy";
    type Parameter = ByteSize;

    fn set_up(size: &ByteSize) -> Result<Self, Failure> {
        let bytes = Payload::seeded(SEED, *size).to_bytes().into();
        Ok(Self { bytes, copied: Vec::new() })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(ByteSize::new(self.bytes.len() as u64))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.copied = Vec::new();
        Ok(())
    }

    fn run(&mut self) {
        self.copied = black_box(&self.bytes).to_vec();
    }

    fn check(&mut self) -> Result<(), Failure> {
        if self.copied == self.bytes { Ok(()) } else { Err("the copy differs".into()) }
    }
}

/// Random words; what is left of a size that 8 does not divide is left out.
fn words(size: ByteSize) -> Vec<u64> {
    let bytes = Payload::seeded(SEED, size).to_bytes();
    let (words, _rest) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

fn answered(answer: Option<u64>, expected: u64) -> Result<(), Failure> {
    match answer {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(format!("the answer is {found}, not {expected}").into()),
        None => Err("there is no answer".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::conforms;

    #[test]
    fn every_reference_conforms() {
        let size = ByteSize::kib(4);
        conforms::<Hash>(&size).expect("hash");
        conforms::<Sort>(&size).expect("sort");
        conforms::<Sum>(&size).expect("sum");
        conforms::<Copy>(&size).expect("copy");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // RFC 9923, test vectors: FNV-1a 64 of "a".
        let mut hash = Hash { bytes: b"a".to_vec(), answer: None };
        hash.run();
        assert_eq!(hash.answer, Some(0xaf63_dc4c_8601_ec8c));
    }
}
