//! How many instructions does making and checking a payload cost, by size? The odd sizes end within
//! a block of the generator. Gates.

use bench_core::workloads::{PayloadFill, PayloadVerify};

benches::counts! {
    payload:
        fill = PayloadFill [_1B _63B _64B _1000B _1KiB _4KiB _4097B _16KiB _64KiB _256KiB _1MiB];
        verify = PayloadVerify [_1B _63B _64B _1000B _1KiB _4KiB _4097B _16KiB _64KiB _256KiB _1MiB];
}
