//! Names behind addresses: the function of the symbol, and the functions inlined at that place.
//!
//! In an optimised executable a symbol holds the code of dozens of functions. The debug
//! information says for each address which ones, from the symbol's own function inwards; without
//! any, or without addresses in the profile, the symbol alone is named.

use std::collections::HashMap;
use std::rc::Rc;

use addr2line::Loader;

use super::names::readable;
use crate::gate::callgrind::Spot;

/// One function of a chain of inlined ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Frame {
    /// The symbol with its path, or the bare name of an inlined function.
    pub(crate) name: Rc<str>,
    /// The bare name, by which a function is known whether it was inlined or not.
    pub(crate) bare: Rc<str>,
    /// Where in this function: the code itself, or the place at which the next was inlined.
    pub(crate) file: Rc<str>,
    /// 0 where it is not known.
    pub(crate) line: u64,
}

/// The debug information of the executables and libraries of one side.
#[derive(Default)]
pub(crate) struct Symbols {
    /// `None` for what can't be read: a library that is gone, the kernel's own.
    objects: HashMap<Rc<str>, Option<Loader>>,
    chains: HashMap<(Rc<str>, u64), Rc<[Frame]>>,
}

impl Symbols {
    /// The functions at this place, the symbol's own first, the one whose code it is last; at
    /// least one.
    pub(crate) fn chain(&mut self, spot: &Spot) -> Rc<[Frame]> {
        let Some(address) = spot.address else { return symbol_alone(spot) };
        let object = &spot.function.object;
        let key = (Rc::clone(object), address);
        if let Some(chain) = self.chains.get(&key) {
            return Rc::clone(chain);
        }
        let frames = self.frames(object, address);
        let chain = if frames.is_empty() {
            symbol_alone(spot)
        } else {
            let symbol: Rc<str> = readable(&spot.function.name).into();
            let named = |(place, (name, file, line)): (usize, (Option<String>, String, u64))| {
                let bare: Rc<str> = name.map_or_else(|| Rc::clone(&symbol), Rc::from);
                let name = if place == 0 { &symbol } else { &bare };
                Frame { name: Rc::clone(name), bare: Rc::clone(&bare), file: file.into(), line }
            };
            frames.into_iter().rev().enumerate().map(named).collect()
        };
        self.chains.insert(key, Rc::clone(&chain));
        chain
    }

    /// Bare name, file and line of each function at an address, the innermost first; none where
    /// nothing is known. `address` counts as the object's own headers do.
    pub(crate) fn frames(
        &mut self,
        object: &Rc<str>,
        address: u64,
    ) -> Vec<(Option<String>, String, u64)> {
        let loader = self.loader(object);
        let Some(mut frames) = loader.and_then(|loader| loader.find_frames(address).ok()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|name| name.raw_name().ok());
            let location = frame.location.as_ref();
            let file = location.and_then(|at| at.file).unwrap_or_default().to_owned();
            let line = location.and_then(|at| at.line).map_or(0, u64::from);
            found.push((name.map(|name| readable(&name)), file, line));
        }
        found
    }

    /// The symbol that covers an address, as people read it.
    pub(crate) fn symbol(&mut self, object: &Rc<str>, address: u64) -> Option<String> {
        self.loader(object)?.find_symbol(address).map(readable)
    }

    fn loader(&mut self, object: &Rc<str>) -> Option<&Loader> {
        let load = || Loader::new(&**object).ok();
        self.objects.entry(Rc::clone(object)).or_insert_with(load).as_ref()
    }
}

fn symbol_alone(spot: &Spot) -> Rc<[Frame]> {
    let name: Rc<str> = readable(&spot.function.name).into();
    let bare = Rc::clone(&name);
    Rc::new([Frame { name, bare, file: Rc::clone(&spot.file), line: spot.line }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::callgrind::Function;

    fn spot(object: &str, address: Option<u64>) -> Spot {
        let function = Function { object: object.into(), name: "a::f".into() };
        Spot { function, file: "a.rs".into(), line: 7, address }
    }

    #[test]
    fn without_address_file_or_debug_information_the_symbol_alone_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let text = folder.path().join("no-executable");
        std::fs::write(&text, "no executable").expect("written");
        let places = [
            spot("", None),
            spot("/no/such/file", Some(7)),
            spot(&text.to_string_lossy(), Some(7)),
            spot(env!("CARGO_MANIFEST_DIR"), Some(7)),
        ];
        let mut symbols = Symbols::default();
        for place in places {
            let chain = symbols.chain(&place);
            let seen: Vec<_> = chain.iter().map(|f| (&*f.name, &*f.file, f.line)).collect();
            assert_eq!(seen, [("a::f", "a.rs", 7)], "{place:?}");
            assert_eq!(symbols.chain(&place), chain, "it is remembered");
        }
    }
}
