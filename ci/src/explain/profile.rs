//! A callgrind profile with the names of its functions, inlined ones too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Context;

use super::names::standard;
use super::symbols::{Frame, Symbols};
use crate::gate::callgrind::{self, Function};

/// What each symbol executed.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) functions: BTreeMap<Function, Vec<Item>>,
}

/// Instructions at one place of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The symbol's own function first, then what was inlined into it; at least one.
    pub(crate) chain: Rc<[Frame]>,
    /// Whom it calls there; `None` for instructions of its own.
    pub(crate) callee: Option<Function>,
    pub(crate) instructions: u64,
}

impl Item {
    /// The function that it counts to, and whether that is the symbol's own: the innermost that is
    /// neither the standard library's nor a closure, because whoever inlined an iterator wants to
    /// read of the function with the loop and not of `fold`, and of that sooner than of `{closure#0}`.
    pub(crate) fn counts_to(&self) -> (&Frame, bool) {
        let inlined = self.chain.iter().enumerate().rev();
        let found = inlined.map(|(place, frame)| (frame, place == 0));
        let symbol = (&self.chain[0], true);
        let named = |frame: &Frame| !standard(&frame.file) && !frame.bare.starts_with('{');
        found.into_iter().find(|(frame, _)| named(frame)).unwrap_or(symbol)
    }
}

impl Profile {
    /// Adds up these files: one for each process of a bench.
    ///
    /// # Errors
    /// When one can't be read or is not callgrind's.
    pub(crate) fn read(files: &[PathBuf], symbols: &mut Symbols) -> anyhow::Result<Self> {
        let mut profile = Self::default();
        for path in files {
            let bytes = std::fs::read(path)
                .with_context(|| format!("failed to read {}", path.display()))?;
            profile
                .add(&String::from_utf8_lossy(&bytes), symbols)
                .with_context(|| format!("failed to understand {}", path.display()))?;
        }
        Ok(profile)
    }

    /// Adds the costs of one text.
    ///
    /// # Errors
    /// When it is not callgrind's.
    pub(crate) fn add(&mut self, text: &str, symbols: &mut Symbols) -> anyhow::Result<()> {
        let graph = callgrind::graph(text)?;
        let own = graph.costs.into_iter().map(|(spot, cost)| (spot, None, cost));
        let calls = graph.calls.into_iter().map(|(call, cost)| (call.from, Some(call.to), cost));
        for (spot, callee, instructions) in own.chain(calls) {
            let chain = symbols.chain(&spot);
            let items = self.functions.entry(spot.function).or_default();
            items.push(Item { chain, callee, instructions });
        }
        Ok(())
    }

    /// Instructions of the functions' own, all together.
    pub(crate) fn instructions(&self) -> u64 {
        self.own().map(|item| item.instructions).sum()
    }

    /// What is no call.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Item> {
        self.functions.values().flatten().filter(|item| item.callee.is_none())
    }
}

/// A profile from callgrind's text, for tests.
#[cfg(test)]
pub(crate) fn sample(text: &str) -> Profile {
    let mut profile = Profile::default();
    profile.add(&format!("events: Ir\n{text}"), &mut Symbols::default()).expect("callgrind's");
    profile
}
