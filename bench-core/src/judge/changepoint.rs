//! When a series changed.
