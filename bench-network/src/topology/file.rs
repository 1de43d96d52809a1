//! A topology and its script as text, a statement a line; `#` begins a comment.
//!
//! ```text
//! region eu
//! region us
//! region asia
//! rtt eu us 70ms                # a link that only delays
//! delay us asia 80ms            # one way; the way back needs its own line
//! delay asia us 60ms
//! link eu asia lossy_mobile     # a link with a name
//! at 2s partition eu us         # nothing passes
//! at 2s partition us -> asia    # nothing passes that way
//! at 5s heal eu us
//! at 6s set eu us 3g
//! at 7s flap us asia every 200ms until 9s
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Change, Event, Region, Script, Topology, TopologyError, Ways, pairs};
use crate::link::{LinkProfile, named};

/// When the last event of a script may be: a run as long as that is watched by nobody.
const SCRIPT_MAX: Duration = Duration::from_secs(3600);

/// Of a link, and of a way, whether or not it says the same again.
const TWICE: &str = "this was described above; say it once, and where there and back differ write \
                     `delay A B 30ms` and `delay B A 40ms` instead of both";

/// What is known of the link between two regions, the smaller first.
enum Known {
    Link(Box<LinkProfile>),
    /// There and back.
    OneWay([Option<Duration>; 2]),
}

/// Reads a text; `file` is what errors call it.
///
/// # Errors
/// The first line that says nothing known, with its number; a link of which nothing is said.
pub fn parse(file: &str, text: &str) -> Result<(Topology, Script), TopologyError> {
    let mut read = Read::default();
    for (index, line) in text.lines().enumerate() {
        let statement = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = statement.split_whitespace().collect();
        let line = index + 1;
        read.statement(&words).map_err(|reason| TopologyError::Line {
            file: file.to_owned(),
            line,
            reason,
        })?;
    }
    read.finish()
}

#[derive(Default)]
struct Read {
    names: Vec<String>,
    links: BTreeMap<(Region, Region), Known>,
    script: Script,
}

impl Read {
    fn statement(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            [] => Ok(()),
            ["region", name] => self.region(name),
            ["rtt", a, b, time] => {
                let link = LinkProfile::round_trip(read_time(time, named::ROUND_TRIP_MAX)?);
                let pair = self.pair(a, b)?;
                self.know(pair, link)
            }
            ["link", a, b, name] => {
                let link = named::find(name).map_err(|error| error.to_string())?;
                let pair = self.pair(a, b)?;
                self.know(pair, link)
            }
            ["delay", from, to, time] => {
                self.delay((from, to), read_time(time, named::ROUND_TRIP_MAX)?)
            }
            ["at", time, ref change @ ..] => self.event(read_time(time, SCRIPT_MAX)?, change),
            [word, ..] => Err(format!(
                "'{word}' begins no statement; write region, rtt, delay, link or at, and as many \
                 words after it as each needs"
            )),
        }
    }

    fn region(&mut self, name: &str) -> Result<(), String> {
        if !self.links.is_empty() || !self.script.events().is_empty() {
            return Err("regions are named before anything is said of them".to_owned());
        }
        super::check_name(&self.names, name).map_err(|error| error.to_string())?;
        self.names.push(name.to_owned());
        Ok(())
    }

    fn event(&mut self, at: Duration, words: &[&str]) -> Result<(), String> {
        let ((a, b), change) = match *words {
            ["partition", a, "->", b] => (self.pair(a, b)?, Change::Partition(Ways::There)),
            ["partition", a, b] => (self.pair(a, b)?, Change::Partition(Ways::Both)),
            ["heal", a, b] => (self.pair(a, b)?, Change::Heal),
            ["set", a, b, name] => {
                let link = named::find(name).map_err(|error| error.to_string())?;
                (self.pair(a, b)?, Change::Set(Box::new(link)))
            }
            ["flap", a, b, "every", every, "until", until] => {
                let pair = self.pair(a, b)?;
                let [every, until] = [every, until].map(|time| read_time(time, SCRIPT_MAX));
                return self.script.flap(pair, at, every?, until?);
            }
            _ => {
                return Err(
                    "after the time comes `partition A B`, `partition A -> B`, `heal A B`, \
                            `set A B LINK` or `flap A B every TIME until TIME`"
                        .to_owned(),
                );
            }
        };
        self.script.add(Event { at, a, b, change });
        Ok(())
    }

    fn pair(&self, a: &str, b: &str) -> Result<(Region, Region), String> {
        let find = |name: &str| {
            let found = self.names.iter().position(|known| known == name);
            found.ok_or_else(|| {
                let all = self.names.join(", ");
                format!("no region is called '{name}'; above this line there are: {all}")
            })
        };
        let (a, b) = (find(a)?, find(b)?);
        if a == b {
            return Err("a link is between two regions, and this is one".to_owned());
        }
        Ok((a, b))
    }

    fn know(&mut self, (a, b): (Region, Region), link: LinkProfile) -> Result<(), String> {
        link.check().map_err(|error| error.to_string())?;
        let link = if a < b { link } else { super::turn(link) };
        match self.links.insert((a.min(b), a.max(b)), Known::Link(Box::new(link))) {
            None => Ok(()),
            Some(_) => Err(TWICE.to_owned()),
        }
    }

    fn delay(&mut self, (from, to): (&str, &str), time: Duration) -> Result<(), String> {
        let (from, to) = self.pair(from, to)?;
        let pair = (from.min(to), from.max(to));
        let known = self.links.entry(pair).or_insert(Known::OneWay([None; 2]));
        match known {
            Known::OneWay(ways) if ways[usize::from(from > to)].is_none() => {
                ways[usize::from(from > to)] = Some(time);
                Ok(())
            }
            _ => Err(TWICE.to_owned()),
        }
    }

    fn finish(mut self) -> Result<(Topology, Script), TopologyError> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let zero = vec![vec![Duration::ZERO; names.len()]; names.len()];
        let mut topology = Topology::from_round_trips(&names, &zero)?;
        for (a, b) in pairs(names.len()) {
            let [first, second] = [a, b].map(|region| names[region].to_owned());
            let link = match self.links.remove(&(a, b)) {
                Some(Known::Link(link)) => *link,
                Some(Known::OneWay([Some(there), Some(back)])) => {
                    super::one_way([&first, &second], [there, back])
                }
                Some(Known::OneWay([None, _])) => {
                    return Err(TopologyError::OneWay { from: second, to: first });
                }
                Some(Known::OneWay(_)) => {
                    return Err(TopologyError::OneWay { from: first, to: second });
                }
                None => return Err(TopologyError::Missing { a: first, b: second }),
            };
            topology.set(a, b, link)?;
        }
        Ok((topology, self.script))
    }
}

fn read_time(text: &str, max: Duration) -> Result<Duration, String> {
    named::time(text, max).map_err(|error| error.to_string())
}
