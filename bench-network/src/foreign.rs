//! A link that another program makes between two networks, probed by the same code as ours: what differs
//! is the link, and not who looks at it. How late or how full it was, it does not say.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::calibrate::{self, Arrivals, Bulk, Goodput, Train, round_trip};
use crate::error::Error;
use crate::link::{LinkProfile, Way};
use crate::network::{Ends, Namespace};

/// Who is at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// A process in its network.
    pub process: u32,
    /// The address that the other end reaches.
    pub address: Ipv4Addr,
}

/// Both networks, entered by a process in each. They stay as long as this does; the link stays as long as
/// its program.
#[derive(Debug)]
pub struct ForeignLink {
    ends: Ends,
    profile: LinkProfile,
}

impl ForeignLink {
    /// `profile` is what the program was asked for.
    ///
    /// # Errors
    /// That a process is gone, or its network cannot be held.
    pub fn between(client: End, server: End, profile: &LinkProfile) -> Result<Self, Error> {
        let at = [client.address, server.address];
        let client = Namespace::of_process(client.process)?;
        let server = Namespace::of_process(server.process)?;
        Ok(Self { ends: Ends::at(client, server, at), profile: profile.clone() })
    }

    /// So many round trips of one byte over a connection of their own, without an opinion.
    ///
    /// # Errors
    /// What the system refused, among it to enter the networks; what the connection failed with.
    pub fn echoes(&self, count: u32) -> Result<Vec<Duration>, Error> {
        let [client, server] = self.ends.pair()?;
        round_trip::sample(&self.profile, client, server, count)
    }

    /// What a new connection with this congestion control at both ends gets through that way.
    ///
    /// # Errors
    /// As of [`echoes`](Self::echoes).
    pub fn goodput(&self, way: Way, control: &str, plan: Bulk) -> Result<Goodput, Error> {
        self.ends.goodput(way, control, plan)
    }

    /// Sends numbered datagrams that way; which arrived, and when.
    ///
    /// # Errors
    /// [`Error::Spoiled`] where datagrams were lost at their socket; what the system refused.
    pub fn train(&self, way: Way, train: Train) -> Result<Arrivals, Error> {
        self.ends.train(way, train, calibrate::patience(&self.profile, way))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_has_no_network() {
        // No process has a number as large as this.
        let gone = End { process: u32::MAX, address: Ipv4Addr::LOCALHOST };
        let profile = LinkProfile::round_trip(Duration::ZERO);
        let error = ForeignLink::between(gone, gone, &profile).expect_err("nobody is there");
        assert!(error.to_string().contains("hold the network of another process"), "{error}");
    }

    #[test]
    fn the_network_of_a_process_is_entered_and_probed() {
        // Of this process: loopback, which every user has.
        let own = End { process: std::process::id(), address: Ipv4Addr::LOCALHOST };
        let profile = LinkProfile::round_trip(Duration::ZERO);
        let link = ForeignLink::between(own, own, &profile).expect("it is there");
        match link.echoes(3) {
            Ok(echoes) => assert_eq!(echoes.len(), 3),
            // To enter a network takes a right, also that which one is in.
            Err(error) => assert!(error.to_string().contains("enter a network"), "{error}"),
        }
    }
}
