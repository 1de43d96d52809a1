//! Interleaved rounds of bench executables: arms, slices, rounds, and the journal that keeps them.
