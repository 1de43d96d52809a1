//! Seeded content, without any device below it.

use std::io;

use bench_core::fixture::{Payload, PooledBuf};
use bench_core::units::ByteSize;
use bytes::BufMut;
use bytes::Bytes;

use super::{Source, assert_room};

/// A payload in memory: what a read costs when nothing but a copy is behind it.
#[derive(Clone, Debug)]
pub struct MemorySource {
    content: Bytes,
}

impl MemorySource {
    /// Computes the payload.
    pub fn new(payload: &Payload) -> Self {
        Self { content: payload.to_bytes() }
    }
}

impl Source for MemorySource {
    fn size(&self) -> ByteSize {
        ByteSize::new(self.content.len() as u64)
    }

    fn read_at(&self, offset: u64, length: usize, into: &mut PooledBuf) -> io::Result<usize> {
        assert_room(into, length);
        let rest = usize::try_from(offset).ok().and_then(|start| self.content.get(start..));
        let rest = rest.unwrap_or_default();
        let found = &rest[..rest.len().min(length)];
        into.put_slice(found);
        Ok(found.len())
    }

    fn backend(&self) -> String {
        "memory".to_owned()
    }
}
