//! Does the audit notice counts that do not repeat, and name the reason? Never part of a run without
//! the feature `faults`.

use benches::faults::{Address, Clock, Environment, OwnPath, RandomHasher, Threads};

benches::counts! {
    varies:
        hasher = RandomHasher [_1KiB];
        threads = Threads [_1KiB];
        clock = Clock [_1KiB];
        address = Address [_1KiB];
        environment = Environment [_1KiB];
        path = OwnPath [_1KiB];
}
