//! The pool against a simple model, over any sequence of acquire, drop, freeze and trim.

use std::collections::BTreeSet;

use bench_core::fixture::{ALIGNMENT, AcquireError, BufferPool, PooledBuf};
use bench_core::units::ByteSize;
use bytes::{BufMut, Bytes};
use proptest::prelude::*;

const CLASSES: [u64; 3] = [4096, 8192, 32768];
const LIMIT: u64 = 80 << 10;

#[derive(Clone, Debug)]
enum Step {
    Acquire(u64),
    Drop(usize),
    Freeze(usize),
    Trim,
}

enum Held {
    Buffer(PooledBuf, u8),
    Frozen(Bytes, u8),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..36_000_u64).prop_map(Step::Acquire),
        4 => any::<usize>().prop_map(Step::Drop),
        2 => any::<usize>().prop_map(Step::Freeze),
        1 => Just(Step::Trim),
    ]
}

/// What is out with its capacity, and the last mark that was written into a buffer.
#[derive(Default)]
struct Model {
    out: Vec<(Held, u64)>,
    serial: u8,
}

impl Model {
    fn in_use(&self) -> u64 {
        self.out.iter().map(|(_, capacity)| capacity).sum()
    }

    fn acquire(&mut self, pool: &BufferPool, asked: u64) {
        let before = pool.stats();
        let result = pool.try_acquire(ByteSize::new(asked));
        let Some(class) = CLASSES.into_iter().find(|&class| class >= asked) else {
            assert!(matches!(result, Err(AcquireError::TooLarge { .. })));
            return;
        };
        if self.in_use() + class > LIMIT {
            assert!(matches!(result, Err(AcquireError::Exhausted { .. })));
            assert_eq!(pool.stats().refusals, before.refusals + 1);
            return;
        }
        let mut buffer = result.expect("the model has room");
        assert!(buffer.is_empty());
        assert_eq!(buffer.capacity() as u64, class);
        assert_eq!(buffer.as_ptr().addr() % ALIGNMENT, 0);
        self.serial = self.serial.wrapping_add(1);
        buffer.put_bytes(self.serial, class as usize);
        self.out.push((Held::Buffer(buffer, self.serial), class));
    }

    fn freeze(&mut self, index: usize) {
        let (held, capacity) = self.out.swap_remove(index);
        let held = match held {
            Held::Buffer(buffer, mark) => Held::Frozen(buffer.into_bytes(), mark),
            frozen => frozen,
        };
        self.out.push((held, capacity));
    }

    fn step(&mut self, pool: &BufferPool, step: &Step) {
        let count = self.out.len();
        match *step {
            Step::Acquire(asked) => self.acquire(pool, asked),
            Step::Drop(index) if count > 0 => drop(self.out.swap_remove(index % count)),
            Step::Freeze(index) if count > 0 => self.freeze(index % count),
            Step::Drop(_) | Step::Freeze(_) => {}
            Step::Trim => {
                let idle = pool.stats().idle_bytes;
                assert_eq!(pool.trim(), idle);
                assert_eq!(pool.stats().idle_bytes, ByteSize::new(0));
            }
        }
    }

    /// Everybody still reads what they wrote, from memory of their own, and the books balance.
    fn check(&self, pool: &BufferPool) {
        let mut addresses = BTreeSet::new();
        for (held, capacity) in &self.out {
            let (bytes, mark) = match held {
                Held::Buffer(buffer, mark) => (&buffer[..], mark),
                Held::Frozen(bytes, mark) => (&bytes[..], mark),
            };
            assert_eq!(bytes.len() as u64, *capacity);
            assert!(bytes.iter().all(|byte| byte == mark));
            assert!(addresses.insert(bytes.as_ptr()));
        }
        let stats = pool.stats();
        let held = stats.in_use_bytes.bytes() + stats.idle_bytes.bytes();
        assert_eq!(stats.in_use_bytes.bytes(), self.in_use());
        assert!(held <= stats.high_water_bytes.bytes());
        assert!(stats.high_water_bytes.bytes() <= LIMIT);
        assert_eq!(stats.hits() + stats.misses, stats.returned + self.out.len() as u64);
    }
}

proptest! {
    #[test]
    fn the_pool_keeps_its_books(steps in prop::collection::vec(any_step(), 1..80)) {
        let pool = CLASSES
            .into_iter()
            .fold(BufferPool::builder(ByteSize::new(LIMIT)), |builder, class| {
                builder.class(ByteSize::new(class))
            })
            .build()
            .expect("a valid pool");
        let mut model = Model::default();
        for step in &steps {
            model.step(&pool, step);
            model.check(&pool);
        }
    }
}
