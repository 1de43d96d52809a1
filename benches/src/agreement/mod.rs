//! Simulated and real, side by side: the same three workloads over the same links, through one
//! interface ([`bench_network::backend`]).
//!
//! | workload | links | agrees within |
//! |---|---|---|
//! | a request and a response of 100 bytes each, one after the other | 50, 70, 120, 180 ms | 1 %, and 0.5 ms where that is more |
//! | connecting | the same | 2 % |
//! | 16 MiB over a new connection | 20 ms, 50 Mbit/s, a queue of two bandwidth-delay products | 5 % |
//!
//! That is the domain in which a simulated time stands for a real one: one connection with CUBIC at
//! both ends, links without loss or jitter, hosts that need no time. Outside of it the simulation says
//! how a model behaves ([`bench_network::sim`] lists what is in it), and nothing here says how near
//! that is. Below some milliseconds the hosts' own time is no longer small beside the link's.
//!
//! - [`cell`]: the workloads, the links and their tolerances.
//! - [`measure`]: both sides of a cell, its rows and its verdict.
//! - [`flags`]: the command line, the table, and the way there.

pub mod cell;
pub mod flags;
pub mod measure;

pub use flags::main;
