//! How many user-space instructions does file access cost? The kernel's are not in the count. Gates.

use bench_storage::workloads::{ReadWarm, Write};

benches::counts! {
    storage:
        read_warm = ReadWarm [_1KiB _4KiB _4097B _16KiB _64KiB _256KiB _1MiB];
        write = Write [_1KiB _4KiB _4097B _16KiB _64KiB _256KiB _1MiB];
}
