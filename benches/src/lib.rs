//! Shared composition.
