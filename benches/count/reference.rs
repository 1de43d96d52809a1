//! How many instructions do operations cost whose cost is known: a hash of every byte, a sum of every
//! word, a copy, a sort? A gate that misjudges these misjudges everything. Gates.

use bench_core::workloads::{Copy, Hash, Sort, Sum};

benches::counts! {
    reference:
        copy = Copy [_100B _1000B _1KiB _4KiB _5000B _16KiB _64KiB _256KiB _1MiB];
        hash = Hash [_100B _1000B _1KiB _4KiB _5000B _16KiB _64KiB _256KiB _1MiB];
        sort = Sort [_100B _1000B _1KiB _4KiB _5000B _16KiB _64KiB _256KiB _1MiB];
        sum = Sum [_100B _1000B _1KiB _4KiB _5000B _16KiB _64KiB _256KiB _1MiB];
}
