//! How many instructions does making and checking a payload cost, by size? Gates.

use bench_core::workloads::{PayloadFill, PayloadVerify};

benches::counts! {
    payload:
        fill = PayloadFill [_1KiB _4KiB _16KiB _64KiB _256KiB _1MiB];
        verify = PayloadVerify [_1KiB _4KiB _16KiB _64KiB _256KiB _1MiB];
}
