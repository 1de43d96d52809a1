//! What the gate says of where a change came from; [`crate::explain`] finds it out.

pub(crate) use crate::explain::functions::{Change, explain};
