//! Where a file's bytes are when an operation begins, as types: who asks for a cold file cannot be
//! handed a warm one, and nothing is timed without the proof in hand.
//!
//! A [`Reached`] is that proof. It can only be had by bringing the file into the state and looking,
//! and it keeps what was seen for the record.

use std::fmt;
use std::marker::PhantomData;

use crate::error::Error;
use crate::page_cache::{CachedFile, PageCacheState};
use crate::residency::{Residency, Witness};

/// How often a file is brought into its state again, where pages on their way in from a read-ahead
/// came behind the look.
const REACH_ROUNDS: u32 = 8;

/// A state that a file can be brought into.
pub trait CacheState: fmt::Debug + Send + Sync + 'static {
    /// The state as a value.
    const STATE: PageCacheState;

    /// Whether a read leaves the file in another state, so that the next needs its own preparation.
    const SPENT_BY_READING: bool;

    /// Whether reads go past the page cache (`O_DIRECT`).
    const DIRECT: bool;

    /// Whether what is seen before operations is this state.
    fn met(before: Residency) -> bool;

    /// Whether what is seen after reads agrees with the state they were to meet.
    fn held(after: Residency) -> bool;
}

/// No page is in memory; a read goes through the page cache and fills it. What is touched again is
/// no longer cold: who does that has to say so beside the state.
#[derive(Debug)]
pub enum Cold {}

/// Every page is in memory.
#[derive(Debug)]
pub enum Warm {}

/// No page is in memory, and reads and writes go past it.
#[derive(Debug)]
pub enum Direct {}

impl CacheState for Cold {
    const STATE: PageCacheState = PageCacheState::Cold;
    const SPENT_BY_READING: bool = true;
    const DIRECT: bool = false;

    fn met(before: Residency) -> bool {
        before.is_cold()
    }

    fn held(_after: Residency) -> bool {
        true // The read itself has warmed it.
    }
}

impl CacheState for Warm {
    const STATE: PageCacheState = PageCacheState::Warm;
    const SPENT_BY_READING: bool = false;
    const DIRECT: bool = false;

    fn met(before: Residency) -> bool {
        before.is_warm()
    }

    fn held(after: Residency) -> bool {
        Self::met(after)
    }
}

impl CacheState for Direct {
    const STATE: PageCacheState = PageCacheState::Direct;
    const SPENT_BY_READING: bool = false;
    const DIRECT: bool = true;

    fn met(before: Residency) -> bool {
        before.is_cold()
    }

    fn held(after: Residency) -> bool {
        Self::met(after)
    }
}

/// The proof that a file was brought into a state, and what was seen there.
#[derive(Debug)]
pub struct Reached<S> {
    seen: Residency,
    witness: Witness,
    file_system: String,
    state: PhantomData<S>,
}

impl CachedFile {
    /// Brings the file into the state, looks, and hands over the proof. Never inside a clock:
    /// eviction takes milliseconds, and its work is not the operation's.
    ///
    /// # Errors
    /// [`Error::StayedResident`] or [`Error::NotResident`] where the state cannot be reached,
    /// [`Error::StateLost`] where it does not last until it was looked at.
    pub fn reach<S: CacheState>(&self) -> Result<Reached<S>, Error> {
        self.reach_while(|| self.bring_to(S::STATE))
    }

    fn reach_while<S: CacheState>(
        &self,
        bring: impl Fn() -> Result<(), Error>,
    ) -> Result<Reached<S>, Error> {
        let mut seen = self.residency()?;
        for _ in 0..REACH_ROUNDS {
            bring()?;
            seen = self.residency()?;
            if S::met(seen) {
                return Ok(Reached {
                    seen,
                    witness: self.witness(),
                    file_system: self.file_system().to_owned(),
                    state: PhantomData,
                });
            }
        }
        Err(lost::<S>(self, seen))
    }
}

impl<S: CacheState> Reached<S> {
    /// The pages that were in memory when the state was reached.
    pub const fn residency(&self) -> Residency {
        self.seen
    }

    /// Asserts, after the operations, that the file is still as they were to meet it.
    ///
    /// # Errors
    /// [`Error::StateLost`] where it is not: some operations met another state.
    pub fn held(&self, file: &CachedFile) -> Result<(), Error> {
        let seen = file.residency()?;
        if S::held(seen) { Ok(()) } else { Err(lost::<S>(file, seen)) }
    }

    /// Asserts, before the operations, that the file still is in the state.
    ///
    /// # Errors
    /// [`Error::StateLost`] where something since has moved a page in or out.
    pub fn held_before(&self, file: &CachedFile) -> Result<(), Error> {
        let seen = file.residency()?;
        if S::met(seen) { Ok(()) } else { Err(lost::<S>(file, seen)) }
    }

    /// What a record says of the state.
    pub fn dimensions(&self) -> Vec<(&'static str, String)> {
        let Residency { resident, pages, .. } = self.seen;
        vec![
            ("page_cache", S::STATE.to_string()),
            ("page_cache_witness", self.witness.to_string()),
            ("resident_pages", format!("{resident} of {pages}")),
            ("file_system", self.file_system.clone()),
        ]
    }
}

fn lost<S: CacheState>(file: &CachedFile, seen: Residency) -> Error {
    let Residency { resident, pages, .. } = seen;
    Error::StateLost { path: file.path().to_owned(), state: S::STATE, resident, pages }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::FileExt;

    use bench_core::fixture::Payload;
    use bench_core::units::ByteSize;

    use super::*;
    use crate::file::ScratchFile;
    use crate::file_system::lives_in_memory;
    use crate::scratch::ScratchDirectory;

    #[test]
    fn each_state_is_reached_recorded_and_noticed_when_lost() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let payload = Payload::seeded(1, ByteSize::kib(300));
        let file = ScratchFile::create(&scratch, "file", payload).expect("create");
        let cached = file.cached();
        if lives_in_memory(cached.file_system()) {
            assert!(matches!(cached.reach::<Cold>(), Err(Error::StayedResident { .. })));
            return;
        }
        let cold = cached.reach::<Cold>().expect("cold");
        assert_eq!(cold.residency().resident, 0);
        assert!(cold.dimensions().contains(&("resident_pages", "0 of 75".to_owned())));

        let warm = cached.reach::<Warm>().expect("warm");
        assert!(warm.dimensions().contains(&("resident_pages", "75 of 75".to_owned())));
        warm.held(cached).expect("still warm");

        let direct = cached.reach::<Direct>().expect("evicted");
        direct.held(cached).expect("nothing was read");
        let lost = warm.held(cached).expect_err("evicted").to_string();
        assert!(lost.contains("is no longer warm: 0 of 75 pages"), "{lost}");
        cached.file().read_exact_at(&mut [0], 0).expect("read");
        let lost = direct.held(cached).expect_err("read through the page cache").to_string();
        assert!(lost.contains("is no longer direct"), "{lost}");
        cold.held(cached).expect("a cold read ends warm");
        cold.held_before(cached).expect_err("and does not begin so");
    }

    #[test]
    fn pages_that_come_back_behind_the_first_look_are_no_state() {
        let scratch = ScratchDirectory::create().expect("scratch");
        let payload = Payload::seeded(1, ByteSize::kib(300));
        let file = ScratchFile::create(&scratch, "file", payload).expect("create");
        let cached = file.cached();
        if lives_in_memory(cached.file_system()) {
            return;
        }
        // What a read-ahead that was under way does: evicted and asserted, and then a page is back.
        let rounds = Cell::new(0);
        let late_until = |last| {
            rounds.set(0);
            move |rounds: &Cell<u32>| {
                cached.evict()?;
                rounds.set(rounds.get() + 1);
                if rounds.get() <= last {
                    cached.file().read_exact_at(&mut [0], 0).expect("read");
                }
                Ok(())
            }
        };
        let bring = late_until(2);
        let cold: Reached<Cold> = cached.reach_while(|| bring(&rounds)).expect("at the third");
        assert_eq!((rounds.get(), cold.residency().resident), (3, 0));
        let bring = late_until(u32::MAX);
        let lost = cached.reach_while::<Direct>(|| bring(&rounds)).expect_err("never").to_string();
        assert!(lost.contains("is no longer direct"), "{lost}");
        assert_eq!(rounds.get(), REACH_ROUNDS);
    }
}
