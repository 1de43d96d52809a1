//! Does the front door notice benches that panic, hang or answer wrongly? Never part of a run
//! without the feature `faults`.

use benches::faults::{Hang, Panic, Wrong};

benches::counts! {
    fault:
        panic = Panic [_1KiB];
        hang = Hang [_1KiB];
        wrong = Wrong [_1KiB];
}
