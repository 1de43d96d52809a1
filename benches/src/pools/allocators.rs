//! Allocators written in C, called directly: the global one stays what it is.

#![expect(unsafe_code, reason = "an allocator that is not the global one has no safe interface")]

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::ptr::NonNull;

use mimalloc::MiMalloc;
use tikv_jemallocator::Jemalloc;

use super::{Pool, SIZE};

/// One of each.
pub(super) struct Allocators {
    pub(super) mimalloc: Of<MiMalloc>,
    pub(super) jemalloc: Of<Jemalloc>,
}

impl Allocators {
    pub(super) fn new() -> Self {
        Self { mimalloc: Pool::new(), jemalloc: Pool::new() }
    }
}

/// An allocator as a pool.
pub(super) struct Of<A>(A);

/// One allocation of `layout()`, freed when dropped.
pub(super) struct Allocation<'a, A: GlobalAlloc>(&'a A, NonNull<u8>);

// SAFETY: both allocators free on any thread what another one allocated.
unsafe impl<A: GlobalAlloc + Sync> Send for Allocation<'_, A> {}

/// What has a name in the ids and can be made.
pub(super) trait Named: GlobalAlloc + Sync {
    const NAME: &'static str;
    const NEW: Self;
}

impl Named for MiMalloc {
    const NAME: &'static str = "mimalloc";
    const NEW: Self = Self;
}

impl Named for Jemalloc {
    const NAME: &'static str = "jemalloc";
    const NEW: Self = Self;
}

fn layout() -> Layout {
    Layout::array::<u8>(SIZE.len()).expect("far below half the address space")
}

impl<A: Named> Pool for Of<A> {
    type Guard<'a>
        = Allocation<'a, A>
    where
        A: 'a;
    const NAME: &'static str = A::NAME;

    fn new() -> Self {
        Self(A::NEW)
    }

    #[inline]
    fn get(&self) -> Option<Allocation<'_, A>> {
        // SAFETY: the layout has a size.
        let memory = NonNull::new(unsafe { self.0.alloc(layout()) })?;
        Some(Allocation(&self.0, black_box(memory)))
    }
}

impl<A: GlobalAlloc> Drop for Allocation<'_, A> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: of this allocator with this layout, and freed only here.
        unsafe { self.0.dealloc(self.1.as_ptr(), layout()) };
    }
}
