//! The pools of others, each as its documentation would have it used.

use std::sync::Arc;

use bench_core::units::ByteSize;
use crossbeam_queue::ArrayQueue as Queue;
use lockfree_object_pool as lockfree;

use super::{BUFFERS, Pool, SIZE};

/// One of each.
pub(super) struct Peers {
    pub(super) array_queue: ArrayQueue,
    pub(super) opool: Opool,
    pub(super) opool_owned: OpoolOwned,
    pub(super) object_pool: ObjectPool,
    pub(super) object_pool_owned: ObjectPoolOwned,
    pub(super) linear: Linear,
    pub(super) linear_owned: LinearOwned,
    pub(super) sharded_slab: ShardedSlab,
    pub(super) sharded_slab_owned: ShardedSlabOwned,
    pub(super) deadpool: Deadpool,
}

impl Peers {
    pub(super) fn new() -> Self {
        Self {
            array_queue: Pool::new(),
            opool: Pool::new(),
            opool_owned: Pool::new(),
            object_pool: Pool::new(),
            object_pool_owned: Pool::new(),
            linear: Pool::new(),
            linear_owned: Pool::new(),
            sharded_slab: Pool::new(),
            sharded_slab_owned: Pool::new(),
            deadpool: Pool::new(),
        }
    }
}

/// What the pools hold.
#[derive(Default)]
pub(super) struct Buffer(#[expect(dead_code, reason = "held, and never touched")] Vec<u8>);

fn buffer() -> Buffer {
    Buffer(Vec::with_capacity(ByteSize::len(SIZE)))
}

/// A queue of buffers: what people build who want no pool.
pub(super) struct ArrayQueue(Queue<Buffer>);

/// A buffer that goes back into its queue.
pub(super) struct Queued<'a>(&'a Queue<Buffer>, Option<Buffer>);

impl Pool for ArrayQueue {
    type Guard<'a> = Queued<'a>;
    const NAME: &'static str = "array_queue";

    fn new() -> Self {
        let queue = Queue::new(BUFFERS);
        (0..BUFFERS).for_each(|_| drop(queue.push(buffer())));
        Self(queue)
    }

    #[inline]
    fn get(&self) -> Option<Queued<'_>> {
        self.0.pop().map(|buffer| Queued(&self.0, Some(buffer)))
    }
}

impl Drop for Queued<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(buffer) = self.1.take() {
            let _room = self.0.push(buffer);
        }
    }
}

pub(super) struct Allocator;

impl opool::PoolAllocator<Buffer> for Allocator {
    fn allocate(&self) -> Buffer {
        buffer()
    }
}

/// `opool`, borrowed.
pub(super) struct Opool(opool::Pool<Allocator, Buffer>);

impl Pool for Opool {
    type Guard<'a> = opool::RefGuard<'a, Allocator, Buffer>;
    const NAME: &'static str = "opool";

    fn new() -> Self {
        Self(opool::Pool::new_prefilled(BUFFERS, Allocator))
    }

    #[inline]
    fn get(&self) -> Option<Self::Guard<'_>> {
        Some(self.0.get())
    }
}

/// `opool`, reference-counted.
pub(super) struct OpoolOwned(Arc<opool::Pool<Allocator, Buffer>>);

impl Pool for OpoolOwned {
    type Guard<'a> = opool::RcGuard<Allocator, Buffer>;
    const NAME: &'static str = "opool_owned";

    fn new() -> Self {
        Self(opool::Pool::new_prefilled(BUFFERS, Allocator).to_rc())
    }

    #[inline]
    fn get(&self) -> Option<Self::Guard<'_>> {
        Some(self.0.clone().get_rc())
    }
}

/// `object-pool`, borrowed.
pub(super) struct ObjectPool(object_pool::Pool<Buffer>);

impl Pool for ObjectPool {
    type Guard<'a> = object_pool::Reusable<'a, Buffer>;
    const NAME: &'static str = "object_pool";

    fn new() -> Self {
        Self(object_pool::Pool::new(BUFFERS, buffer))
    }

    #[inline]
    fn get(&self) -> Option<Self::Guard<'_>> {
        self.0.try_pull()
    }
}

/// `object-pool`, owned.
pub(super) struct ObjectPoolOwned(Arc<object_pool::Pool<Buffer>>);

impl Pool for ObjectPoolOwned {
    type Guard<'a> = object_pool::ReusableOwned<Buffer>;
    const NAME: &'static str = "object_pool_owned";

    fn new() -> Self {
        Self(Arc::new(object_pool::Pool::new(BUFFERS, buffer)))
    }

    #[inline]
    fn get(&self) -> Option<Self::Guard<'_>> {
        object_pool::Pool::try_pull_owned(&self.0)
    }
}

/// `lockfree-object-pool`, its fastest kind.
pub(super) struct Linear(lockfree::LinearObjectPool<Buffer>);

impl Pool for Linear {
    type Guard<'a> = lockfree::LinearReusable<'a, Buffer>;
    const NAME: &'static str = "lockfree_object_pool";

    fn new() -> Self {
        Self(lockfree::LinearObjectPool::new(buffer, |_| {}))
    }

    #[inline]
    fn get(&self) -> Option<Self::Guard<'_>> {
        Some(self.0.pull())
    }
}

/// The same, owned.
pub(super) struct LinearOwned(Arc<lockfree::LinearObjectPool<Buffer>>);

impl Pool for LinearOwned {
    type Guard<'a> = lockfree::LinearOwnedReusable<Buffer>;
    const NAME: &'static str = "lockfree_object_pool_owned";

    fn new() -> Self {
        Self(Arc::new(lockfree::LinearObjectPool::new(buffer, |_| {})))
    }

    #[inline]
    fn get(&self) -> Option<Self::Guard<'_>> {
        Some(self.0.pull_owned())
    }
}

impl sharded_slab::Clear for Buffer {
    fn clear(&mut self) {}
}

/// `sharded-slab`, borrowed. It makes an item when it is asked for one; a cleared one keeps its
/// memory.
pub(super) struct ShardedSlab(sharded_slab::Pool<Buffer>);

/// An entry that is cleared when it is given back.
pub(super) struct Entry<'a>(&'a sharded_slab::Pool<Buffer>, usize);

impl Drop for Entry<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.clear(self.1);
    }
}

impl Pool for ShardedSlab {
    type Guard<'a> = Entry<'a>;
    const NAME: &'static str = "sharded_slab";

    fn new() -> Self {
        Self(sharded_slab::Pool::new())
    }

    #[inline]
    fn get(&self) -> Option<Entry<'_>> {
        self.0.create().map(|entry| Entry(&self.0, entry.key()))
    }
}

/// `sharded-slab`, owned.
pub(super) struct ShardedSlabOwned(Arc<sharded_slab::Pool<Buffer>>);

/// The same for an owned entry.
pub(super) struct OwnedEntry(Arc<sharded_slab::Pool<Buffer>>, usize);

impl Drop for OwnedEntry {
    #[inline]
    fn drop(&mut self) {
        self.0.clear(self.1);
    }
}

impl Pool for ShardedSlabOwned {
    type Guard<'a> = OwnedEntry;
    const NAME: &'static str = "sharded_slab_owned";

    fn new() -> Self {
        Self(Arc::new(sharded_slab::Pool::new()))
    }

    #[inline]
    fn get(&self) -> Option<OwnedEntry> {
        self.0.create().map(|entry| entry.key()).map(|key| OwnedEntry(self.0.clone(), key))
    }
}

/// `deadpool`, unmanaged.
pub(super) struct Deadpool(deadpool::unmanaged::Pool<Buffer>);

impl Pool for Deadpool {
    type Guard<'a> = deadpool::unmanaged::Object<Buffer>;
    const NAME: &'static str = "deadpool";

    fn new() -> Self {
        Self(deadpool::unmanaged::Pool::from((0..BUFFERS).map(|_| buffer()).collect::<Vec<_>>()))
    }

    #[inline]
    fn get(&self) -> Option<Self::Guard<'_>> {
        self.0.try_get().ok()
    }
}
