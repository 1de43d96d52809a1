//! How many user-space instructions does file access cost? The kernel's are not in the count. Gates.

use bench_storage::workloads::{ReadWarm, Write};

benches::counts! {
    storage:
        read_warm = ReadWarm [_4KiB _64KiB _1MiB];
        write = Write [_4KiB _64KiB _1MiB];
}
