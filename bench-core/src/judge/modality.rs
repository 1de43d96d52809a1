//! Whether samples have one mode.
