//! Networks of one's own: namespaces without a name, and what is plugged between two of them.

mod ends;
pub(crate) mod kernel;
mod namespace;

pub(crate) use ends::Ends;
pub(crate) use namespace::{INTERFACE, Namespace, QUEUE_PACKETS};
