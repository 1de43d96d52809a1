//! What this room measures, under the name that every room has for it.

pub use crate::connect::Connect;
pub use crate::echo::Echo;
pub use crate::layout::{Cell, Exchange, Layout};
pub use crate::link::offer::LinkOffer;
pub use crate::tcp::bulk::{Bulk, BulkCell};
pub use crate::tcp::rate::{Connections, Security};
pub use crate::tcp::request::Request;
