//! Data paths: how the bytes of a message go between the application and HTTP/2. All of them put
//! the same bytes on the wire, so that any client path works with any server path.

use std::fmt;
use std::str::FromStr;

/// How the bytes of a message go between the application and HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataPath {
    /// What tonic generates when nobody asks for more: `Vec<u8>` fields. A sender copies its
    /// content into the message, and the message into the send buffer; a receiver copies the
    /// frames into one buffer, and that into the message.
    ProstVec,
    /// `bytes::Bytes` fields: a message refers to the content, and a received one to the receive
    /// buffer. A copy into the send buffer and one into the receive buffer remain.
    ProstBytes,
    /// Hand-framed messages over the same transport: nothing is copied but messages of up to
    /// 32 KiB, and a received message is the pieces in which it came.
    Segments,
}

impl DataPath {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ProstVec, Self::ProstBytes, Self::Segments];

    /// The name in ids and dimensions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProstVec => "vec",
            Self::ProstBytes => "bytes",
            Self::Segments => "segments",
        }
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No data path of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a data path; write one of {}", DataPath::ALL.map(DataPath::name).join(", "))]
pub struct UnknownPath {
    /// What was asked for.
    pub name: String,
}

impl FromStr for DataPath {
    type Err = UnknownPath;

    fn from_str(name: &str) -> Result<Self, UnknownPath> {
        let named = Self::ALL.into_iter().find(|path| path.name() == name);
        named.ok_or_else(|| UnknownPath { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_parses_from_its_name_and_an_unknown_name_is_told_the_known_ones() {
        for path in DataPath::ALL {
            assert_eq!(path.to_string().parse(), Ok(path));
        }
        let error = "zero".parse::<DataPath>().expect_err("unknown").to_string();
        assert_eq!(error, "'zero' is not a data path; write one of vec, bytes, segments");
    }
}
