//! Network fixtures and workloads, in the order the data flows:
//!
//! - [`layout`]: who runs where: two pinned threads, or one thread for both ends.
//! - [`echo`]: a connection whose far end sends everything back.
//! - [`connect`]: a connection made and closed, again and again, without using up the ports.
//! - [`tcp`]: what a TCP service does all day: connections, requests, bulk.
//! - [`workloads`]: these two, with their parameters, in one place.
//! - [`socket`]: settings that both share, as they took effect.
//! - [`link`]: what a link does to packets: profiles with their sources, and a pure model.
//! - [`topology`]: regions, the links between them, and what becomes of these over time.
//! - [`proxy`]: a link before any address, in this process and without privileges.
//! - [`emulated`]: a link between two networks of its own, with the kernel's TCP at both ends.
//! - [`tun`], [`af_packet`]: what carries its packets.
//! - [`netem`]: such a link by the kernel alone, and what others are held against.
//! - [`foreign`]: a link that another program makes, for the same probes.
//! - [`sim`]: TCP over a link without a socket: seeded, and the same on every machine.
//! - [`calibrate`]: whether a link takes as long, carries as much and loses as many as it was asked to.
//! - [`backend`]: all of these behind one interface, chosen by what the machine can do.
//! - [`register`]: a replicated register over such regions, its history and what cuts did to it.
//! - [`fault`]: what services have to live with, each with a proof that it happened.
//!
//! All traffic stays on this machine: on loopback, or in network namespaces that are made for it and gone
//! after it. Start with [`echo::Echo`].

pub mod af_packet;
pub mod backend;
pub mod calibrate;
pub mod connect;
pub mod echo;
pub mod emulated;
pub mod error;
pub mod fault;
pub mod foreign;
pub mod layout;
pub mod link;
pub mod netem;
mod network;
pub mod proxy;
pub mod register;
mod schedstat;
pub mod sim;
pub mod socket;
#[cfg(test)]
mod socket_table;
pub mod tcp;
pub mod topology;
pub mod tun;
mod wait;
pub mod workloads;

pub use error::Error;
