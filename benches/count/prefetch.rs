//! How many instructions does fetching ahead cost where nothing waits: the plan, the hand-over, a
//! stream in place, and a handle for those who read at random? Gates.

use bench_storage::workloads::prefetch::{Exchanges, InPlace, PlainRandomReads, Plan, RandomReads};

benches::counts! {
    prefetch:
        exchange = Exchanges [_1000];
        in_place = InPlace [_64KiB _256KiB _1MiB];
        plan = Plan [_1000];
        random = RandomReads [_1KiB _4KiB _64KiB];
        random_plain = PlainRandomReads [_1KiB _4KiB _64KiB];
}
