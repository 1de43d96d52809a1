//! Records over time: the store, what is imported into it, change points and export.
