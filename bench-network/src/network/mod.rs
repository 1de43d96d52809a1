//! Networks of one's own: namespaces without a name, and what is plugged between two of them.

mod ends;
pub(crate) mod kernel;
mod namespace;
mod netlink;
pub(crate) mod veth;

pub(crate) use ends::Ends;
pub(crate) use namespace::{INTERFACE, Namespace, QUEUE_PACKETS};
pub(crate) use netlink::{attribute, nested};
