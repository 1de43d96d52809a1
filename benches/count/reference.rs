//! How many instructions do operations cost whose cost is known: a hash of every byte, a sum of every
//! word, a copy, a sort? A gate that misjudges these misjudges everything. Gates.

use bench_core::workloads::{Copy, Hash, Sort, Sum};

benches::counts! {
    reference:
        copy = Copy [_1KiB _4KiB _16KiB _64KiB _256KiB _1MiB];
        hash = Hash [_1KiB _4KiB _16KiB _64KiB _256KiB _1MiB];
        sort = Sort [_1KiB _4KiB _16KiB _64KiB _256KiB _1MiB];
        sum = Sum [_1KiB _4KiB _16KiB _64KiB _256KiB _1MiB];
}
