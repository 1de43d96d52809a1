//! What this room measures, under the name that every room has for it.

pub use crate::connect::Connect;
pub use crate::echo::Echo;
pub use crate::layout::{Cell, Layout};
pub use crate::link::offer::LinkOffer;
