//! Regions, the link between each two of them, and what becomes of these links over time. All but
//! [`net`] is pure: who carries packets asks [`State::way`] for each.
//!
//! - [`Topology`]: regions and their links, from a matrix of round trips or from a file.
//! - [`script`]: what changes when: another link, a partition, its end, a link that flaps.
//! - [`mod@file`]: both as text.
//! - [`State`]: the links as they are at a time.
//! - [`net`]: such links with real bytes on them, changed while these flow.
//!
//! A packet meets the state of the moment at which it is sent; one that is on its way when its link
//! is cut arrives.

pub mod error;
pub mod file;
pub mod net;
pub mod script;
mod state;

use std::time::Duration;

use crate::link::{Direction, LinkProfile, Source};

pub use error::TopologyError;
pub use script::{Change, Event, Script, Ways};
pub use state::State;

/// A region, as its index in the order in which regions were named.
pub type Region = usize;

/// Regions, all connected with all.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    names: Vec<String>,
    /// Of each two regions, in the order of [`pairs`]; up is from the first to the second.
    links: Vec<LinkProfile>,
}

impl Topology {
    /// Regions with these round trips between them; `round_trips[a][b]` is that between `a` and
    /// `b`. Links only delay.
    ///
    /// # Errors
    /// Names that ids cannot hold or that stand twice; a matrix of another shape, with a diagonal
    /// that is not zero, that is not symmetric, or with a delay no link has.
    pub fn from_round_trips(
        names: &[&str],
        round_trips: &[Vec<Duration>],
    ) -> Result<Self, TopologyError> {
        shape(names, round_trips)?;
        for (a, b) in pairs(names.len()) {
            let (there, back) = (round_trips[a][b], round_trips[b][a]);
            if there != back {
                let [a, b] = [names[a], names[b]].map(str::to_owned);
                return Err(TopologyError::Asymmetric { a, b, there, back });
            }
        }
        Self::new(names, |a, b| LinkProfile::round_trip(round_trips[a][b]))
    }

    /// Regions with these delays one way; `delays[a][b]` is that from `a` to `b`. This is how a
    /// matrix that is not symmetric is said to be meant so.
    ///
    /// # Errors
    /// As of [`from_round_trips`](Self::from_round_trips), but for symmetry.
    pub fn from_one_way(names: &[&str], delays: &[Vec<Duration>]) -> Result<Self, TopologyError> {
        shape(names, delays)?;
        Self::new(names, |a, b| one_way([names[a], names[b]], [delays[a][b], delays[b][a]]))
    }

    fn new(
        names: &[&str],
        link: impl Fn(Region, Region) -> LinkProfile,
    ) -> Result<Self, TopologyError> {
        check_names(names)?;
        let links: Vec<LinkProfile> = pairs(names.len()).map(|(a, b)| link(a, b)).collect();
        links.iter().try_for_each(LinkProfile::check)?;
        Ok(Self { names: names.iter().map(|&name| name.to_owned()).collect(), links })
    }

    /// Puts another link between two regions; up is from `a` to `b`.
    ///
    /// # Errors
    /// That the profile makes no sense.
    ///
    /// # Panics
    /// When the two are one region, or there is no such region.
    pub fn set(&mut self, a: Region, b: Region, link: LinkProfile) -> Result<(), TopologyError> {
        link.check()?;
        let (index, turned) = self.index(a, b);
        self.links[index] = if turned { turn(link) } else { link };
        Ok(())
    }

    /// What a packet from `from` to `to` meets.
    ///
    /// # Panics
    /// When the two are one region, or there is no such region.
    pub fn way(&self, from: Region, to: Region) -> &Direction {
        let (index, turned) = self.index(from, to);
        if turned { &self.links[index].down } else { &self.links[index].up }
    }

    /// The link between two regions and, where up is not from `a` to `b`, that it is turned.
    ///
    /// # Panics
    /// When the two are one region, or there is no such region.
    pub fn link(&self, a: Region, b: Region) -> (&LinkProfile, bool) {
        let (index, turned) = self.index(a, b);
        (&self.links[index], turned)
    }

    /// The regions' names, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The region of this name.
    ///
    /// # Errors
    /// [`TopologyError::UnknownRegion`] with all names.
    pub fn region(&self, name: &str) -> Result<Region, TopologyError> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            TopologyError::UnknownRegion { name: name.to_owned(), all: self.names.join(", ") }
        })
    }

    /// Of the link between two regions; whether up is from the second to the first.
    fn index(&self, a: Region, b: Region) -> (usize, bool) {
        let wanted = (a.min(b), a.max(b));
        let found = pairs(self.names.len()).position(|pair| pair == wanted);
        (found.unwrap_or_else(|| panic!("no link between regions {a} and {b}")), a > b)
    }
}

/// Each two of so many regions, the smaller first.
pub fn pairs(regions: usize) -> impl Iterator<Item = (Region, Region)> {
    (0..regions).flat_map(move |a| (a + 1..regions).map(move |b| (a, b)))
}

/// A link that only delays: there from the first region to the second, and back.
fn one_way([first, second]: [&str; 2], [there, back]: [Duration; 2]) -> LinkProfile {
    LinkProfile {
        name: format!("{first}_{second}").into(),
        source: Source::OwnChoice("a delay for each way and nothing else".into()),
        up: Direction::delay(there),
        down: Direction::delay(back),
    }
}

fn turn(link: LinkProfile) -> LinkProfile {
    LinkProfile { up: link.down, down: link.up, ..link }
}

fn shape(names: &[&str], matrix: &[Vec<Duration>]) -> Result<(), TopologyError> {
    let regions = names.len();
    let short = matrix.iter().position(|row| row.len() != regions);
    if matrix.len() != regions || short.is_some() {
        let found = match short {
            Some(row) => format!("row {} has {}", row + 1, matrix[row].len()),
            None => format!("there are {} rows", matrix.len()),
        };
        return Err(TopologyError::Shape { regions, found });
    }
    match (0..regions).find(|&at| matrix[at][at] != Duration::ZERO) {
        Some(at) => {
            Err(TopologyError::Diagonal { region: names[at].to_owned(), found: matrix[at][at] })
        }
        None => Ok(()),
    }
}

fn check_names(names: &[&str]) -> Result<(), TopologyError> {
    if names.len() < 2 {
        return Err(TopologyError::TooFew { found: names.len() });
    }
    (0..names.len()).try_for_each(|at| check_name(&names[..at], names[at]))
}

/// Whether a region can have this name beside those that have theirs.
fn check_name(others: &[impl AsRef<str>], name: &str) -> Result<(), TopologyError> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(letter) {
        return Err(TopologyError::Name { name: name.to_owned() });
    }
    if others.iter().any(|other| other.as_ref() == name) {
        return Err(TopologyError::Twice { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
