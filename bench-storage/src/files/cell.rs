//! What a file workload does, as the last parts of its id: `psync/random/bs4KiB/qd8/16MiB`.

use std::fmt;
use std::str::FromStr;

use bench_core::units::ByteSize;

/// Queue depths above this say more about the scheduler than about files.
pub const DEPTH_MOST: u32 = 256;

/// Why a text is no part of an id, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseCellError(String);

/// An enum whose variants have names, which it prints and parses.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $text,)+ })
            }
        }

        impl FromStr for $name {
            type Err = ParseCellError;

            fn from_str(text: &str) -> Result<Self, ParseCellError> {
                let names = [$($text),+].join(", ");
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(ParseCellError(format!("'{text}' is no {}; write one of: {names}", $what))),
                }
            }
        }
    };
}

named! {
    /// By which interface a file is read or written.
    Engine, "engine" {
        /// `pread` and `pwrite`; a queue depth above 1 is that many threads.
        Psync = "psync",
        /// A copy out of a mapping; a queue depth above 1 is that many threads. Reads only.
        Mmap = "mmap",
        /// io_uring: one thread, with as many operations under way as the queue is deep.
        IoUring = "io_uring",
        /// `tokio::fs` on one thread and its pool for blocking calls; a queue depth above 1 is that
        /// many tasks.
        Tokio = "tokio",
    }
}

named! {
    /// In which order blocks are touched.
    Pattern, "pattern" {
        /// First to last.
        Sequential = "sequential",
        /// Uniformly drawn, with repeats; see [`steps`](super::steps).
        Random = "random",
    }
}

named! {
    /// When what was written is made to reach the disk.
    SyncPolicy, "fsync policy" {
        /// Never: the kernel writes it back when it likes.
        Never = "nosync",
        /// `fdatasync` once, after the last write.
        AtEnd = "fdatasync",
        /// `fdatasync` after every write.
        EachWrite = "fdatasync_each",
    }
}

/// Reads of a file: `engine/pattern/bs<block>/qd<depth>/<size>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCell {
    /// By which interface.
    pub engine: Engine,
    /// In which order.
    pub pattern: Pattern,
    /// What one read brings; the last of a sequence may be shorter.
    pub block: ByteSize,
    /// Reads under way at once.
    pub depth: u32,
    /// The file, of which as many bytes are read.
    pub size: ByteSize,
}

/// Writes over a file: `engine/pattern/policy/bs<block>/qd<depth>/<size>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteCell {
    /// By which interface.
    pub engine: Engine,
    /// In which order.
    pub pattern: Pattern,
    /// When it is to be on the disk.
    pub sync: SyncPolicy,
    /// What one write takes; the last of a sequence may be shorter.
    pub block: ByteSize,
    /// Writes under way at once.
    pub depth: u32,
    /// The file, of which as many bytes are written.
    pub size: ByteSize,
}

impl fmt::Display for ReadCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, pattern, block, depth, size } = self;
        write!(f, "{engine}/{pattern}/bs{block}/qd{depth}/{size}")
    }
}

impl FromStr for ReadCell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let [engine, pattern, block, depth, size] = parts(text, "engine/pattern/bs4KiB/qd1/16MiB")?;
        Ok(Self {
            engine: engine.parse()?,
            pattern: pattern.parse()?,
            block: sized(block, "bs")?,
            depth: counted(depth, "qd")?,
            size: sized(size, "")?,
        })
    }
}

impl fmt::Display for WriteCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, pattern, sync, block, depth, size } = self;
        write!(f, "{engine}/{pattern}/{sync}/bs{block}/qd{depth}/{size}")
    }
}

impl FromStr for WriteCell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, ParseCellError> {
        let [engine, pattern, sync, block, depth, size] =
            parts(text, "engine/pattern/nosync/bs4KiB/qd1/16MiB")?;
        Ok(Self {
            engine: engine.parse()?,
            pattern: pattern.parse()?,
            sync: sync.parse()?,
            block: sized(block, "bs")?,
            depth: counted(depth, "qd")?,
            size: sized(size, "")?,
        })
    }
}

/// The parts of an id between slashes, exactly as many as the caller takes.
pub(super) fn parts<'a, const N: usize>(
    text: &'a str,
    form: &str,
) -> Result<[&'a str; N], ParseCellError> {
    let parts: Vec<&str> = text.split('/').collect();
    parts.try_into().map_err(|_| ParseCellError(format!("'{text}' is not of the form {form}")))
}

/// A size behind a prefix.
pub(super) fn sized(text: &str, prefix: &str) -> Result<ByteSize, ParseCellError> {
    let size = text.strip_prefix(prefix).and_then(|size| size.parse::<ByteSize>().ok());
    size.filter(|size| !size.is_empty()).ok_or_else(|| {
        ParseCellError(format!(
            "'{text}' is not {prefix} and a size of at least 1B, as {prefix}4KiB"
        ))
    })
}

/// A number of at least 1 and at most [`DEPTH_MOST`] behind a prefix.
pub(super) fn counted(text: &str, prefix: &str) -> Result<u32, ParseCellError> {
    let number = text.strip_prefix(prefix).and_then(|number| number.parse::<u32>().ok());
    number.filter(|number| (1..=DEPTH_MOST).contains(number)).ok_or_else(|| {
        ParseCellError(format!("'{text}' is not {prefix} and a number from 1 to {DEPTH_MOST}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_parse_what_they_print() {
        for &engine in Engine::ALL {
            for &pattern in Pattern::ALL {
                for &sync in SyncPolicy::ALL {
                    let (block, size) = (ByteSize::kib(4), ByteSize::mib(16));
                    let read = ReadCell { engine, pattern, block, depth: 8, size };
                    assert_eq!(read.to_string().parse(), Ok(read));
                    let write = WriteCell { engine, pattern, sync, block, depth: 8, size };
                    assert_eq!(write.to_string().parse(), Ok(write));
                }
            }
        }
        let text = "io_uring/random/bs4KiB/qd32/1MiB";
        assert_eq!(text.parse::<ReadCell>().expect("a cell").to_string(), text);
    }

    #[test]
    fn what_is_no_cell_is_refused_with_the_place() {
        let refused = |text: &str| text.parse::<ReadCell>().expect_err(text).to_string();
        assert!(refused("psync/random").contains("not of the form engine/pattern/"));
        assert!(refused("aio/random/bs4KiB/qd1/1MiB").starts_with("'aio' is no engine; write one"));
        assert!(refused("psync/random/4KiB/qd1/1MiB").starts_with("'4KiB' is not bs and a size"));
        for depth in ["qd0", "qd257", "8", "qd"] {
            let text = refused(&format!("psync/random/bs4KiB/{depth}/1MiB"));
            assert_eq!(text, format!("'{depth}' is not qd and a number from 1 to 256"));
        }
        refused("psync/random/bs0B/qd1/1MiB");
        refused("psync/random/bs4KiB/qd1/0B");
    }
}
