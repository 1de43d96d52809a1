//! Bounds that need no baseline.
