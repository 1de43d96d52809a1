//! Values under a cap of bytes; the least recently used go first.

use std::collections::BTreeMap;

/// Values by object number.
#[derive(Debug)]
pub(super) struct Lru<V> {
    most: u64,
    each: u64,
    uses: u64,
    /// With the number of the last use.
    values: BTreeMap<u64, (u64, V)>,
    /// Objects by that number.
    order: BTreeMap<u64, u64>,
}

impl<V> Lru<V> {
    /// Room for `most` bytes in values of `each`.
    pub(super) fn new(most: u64, each: u64) -> Self {
        Self { most, each, uses: 0, values: BTreeMap::new(), order: BTreeMap::new() }
    }

    /// The value, which is now the most recently used.
    pub(super) fn get(&mut self, object: u64) -> Option<&V> {
        let (used, value) = self.values.get_mut(&object)?;
        self.order.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.order.insert(self.uses, object);
        Some(value)
    }

    /// Puts a value in, in place of one with the same number, and gives those that have to go.
    #[must_use = "they go"]
    pub(super) fn put(&mut self, object: u64, value: V) -> Vec<(u64, V)> {
        let mut gone: Vec<(u64, V)> =
            self.remove(object).map(|old| (object, old)).into_iter().collect();
        while (self.values.len() as u64 + 1) * self.each > self.most
            && let Some((_, coldest)) = self.order.pop_first()
        {
            gone.extend(self.values.remove(&coldest).map(|(_, value)| (coldest, value)));
        }
        self.uses += 1;
        self.order.insert(self.uses, object);
        self.values.insert(object, (self.uses, value));
        gone
    }

    pub(super) fn remove(&mut self, object: u64) -> Option<V> {
        let (used, value) = self.values.remove(&object)?;
        self.order.remove(&used);
        Some(value)
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> u64 {
        self.values.len() as u64 * self.each
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list with the most recently used at its end.
        #[test]
        fn the_least_recently_used_go_and_the_cap_holds(
            steps in prop::collection::vec((0..3_u8, 0..6_u64), 1..100),
        ) {
            let mut lru = Lru::new(35, 10);
            let mut model: Vec<u64> = Vec::new();
            for (step, object) in steps {
                let at = model.iter().position(|known| *known == object);
                at.map(|at| model.remove(at));
                match step {
                    0 => {
                        prop_assert_eq!(lru.get(object).copied(), at.map(|_| object));
                        model.extend(at.map(|_| object));
                    }
                    1 => prop_assert_eq!(lru.remove(object), at.map(|_| object)),
                    _ => {
                        let gone: Vec<u64> = lru.put(object, object).into_iter().map(|(gone, _)| gone).collect();
                        let mut expected: Vec<u64> = at.map(|_| object).into_iter().collect();
                        if model.len() == 3 {
                            expected.push(model.remove(0));
                        }
                        prop_assert_eq!(gone, expected);
                        model.push(object);
                    }
                }
                prop_assert_eq!(lru.bytes(), model.len() as u64 * 10);
            }
        }
    }
}
