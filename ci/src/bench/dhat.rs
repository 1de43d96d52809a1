//! Reads DHAT's output: who allocated how much.
//!
//! The format is that of valgrind's `dh_view`, version 2: program points (`pps`) with a total of
//! blocks and bytes and a stack of numbers, innermost call first, into a table of frames (`ftbl`).
//! DHAT counts from the start of a process to its end. gungraun leaves those program points in the
//! file that have the measured function on their stack, so set-up, check and clean-up are out, and
//! so is what other threads allocate on the operation's behalf.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

/// Who allocated how much within the operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heap {
    /// In the order of the file.
    pub(crate) points: Vec<Point>,
    /// The executable that ran; of several, the last.
    pub(crate) executable: String,
}

/// One stack that allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Allocation calls.
    pub(crate) blocks: u64,
    /// Bytes asked for.
    pub(crate) bytes: u64,
    /// Innermost call first.
    pub(crate) stack: Vec<Frame>,
}

/// One call. DHAT is told to leave inlined ones out, because reading the debug information of a
/// large executable takes longer than all the rest; they can be found by the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// In memory, where valgrind has loaded the code; 0 where the file says none.
    pub(crate) address: u64,
    /// As valgrind names it.
    pub(crate) function: String,
    /// `file:line`, or the object where no line is known.
    pub(crate) place: String,
}

impl Heap {
    /// Allocation calls of all program points.
    pub(crate) fn blocks(&self) -> u64 {
        self.points.iter().map(|point| point.blocks).sum()
    }

    /// Bytes of all program points.
    pub(crate) fn bytes(&self) -> u64 {
        self.points.iter().map(|point| point.bytes).sum()
    }
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(rename = "dhatFileVersion")]
    version: u64,
    mode: String,
    #[serde(rename = "cmd")]
    command: String,
    pps: Vec<FilePoint>,
    ftbl: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct FilePoint {
    tb: u64,
    tbk: u64,
    fs: Vec<usize>,
}

/// What these files hold together: one for each process of a bench.
///
/// # Errors
/// When there is none, one can't be read, or is not DHAT's.
pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Heap> {
    anyhow::ensure!(!files.is_empty(), "DHAT left no output, as if it had not run");
    let mut heap = Heap::default();
    for path in files {
        let one = read_one(path)?;
        heap.points.extend(one.points);
        heap.executable = one.executable;
    }
    Ok(heap)
}

fn read_one(path: &Path) -> anyhow::Result<Heap> {
    let bytes =
        std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    parse(&bytes).with_context(|| format!("failed to understand {}", path.display()))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Heap> {
    let file: File = serde_json::from_str(&String::from_utf8_lossy(bytes))?;
    let (version, mode) = (file.version, &file.mode);
    anyhow::ensure!(version == 2, "it is of version {version}; only version 2 is read here");
    anyhow::ensure!(mode == "heap", "it is of mode '{mode}'; only the heap is read here");
    let point = |point: FilePoint| {
        let frame = |&number: &usize| file.ftbl.get(number).map(|text| frame(text));
        let stack: Option<Vec<Frame>> = point.fs.iter().map(frame).collect();
        let stack = stack.context("a stack has a frame that is not in the table")?;
        Ok(Point { blocks: point.tbk, bytes: point.tb, stack })
    };
    let points = file.pps.into_iter().map(point).collect::<anyhow::Result<_>>()?;
    // gungraun's own arguments follow; a path may hold blanks.
    let executable = file.command.split(" --").next().unwrap_or_default().to_owned();
    Ok(Heap { points, executable })
}

/// `0x1234: function (file.rs:7)` or `0x1234: function (in /path/to/object)`.
fn frame(text: &str) -> Frame {
    let (address, after) = text.split_once(": ").unwrap_or(("", text));
    let address = address.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let (function, place) = match after.rsplit_once(" (") {
        Some((function, place)) => (function, place.strip_suffix(')').unwrap_or(place)),
        None => (after, ""),
    };
    Frame {
        address: address.unwrap_or(0),
        function: function.to_owned(),
        place: place.trim_start_matches("in ").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"dhatFileVersion":2,"mode":"heap","verb":"Allocated","bklt":true,
        "bkacc":true,"tu":"instrs","Mtu":"Minstr","tuth":500,"cmd":"/w/my benches/a --gungraun-run d","pid":1,"te":9,"tg":8,
        "pps":[{"tb":4096,"tbk":1,"tl":5,"mb":4096,"mbk":1,"gb":0,"gbk":0,"eb":0,"ebk":0,"rb":0,
        "wb":1,"fs":[1,2]},{"tb":30,"tbk":3,"fs":[1]}],
        "ftbl":["[root]","0x48: malloc (in /usr/libexec/valgrind/vgpreload_dhat.so)",
        "0x10: <T as a::B>::new (with spaces) (lib.rs:7)"]}"#;

    #[test]
    fn blocks_bytes_and_stacks_are_read() {
        let heap = parse(FILE.as_bytes()).expect("DHAT's");
        assert_eq!((heap.blocks(), heap.bytes()), (4, 4_126));
        assert_eq!(heap.executable, "/w/my benches/a");
        let stack = &heap.points[0].stack;
        assert_eq!(stack[1].address, 0x10);
        assert_eq!(stack[0].function, "malloc");
        assert_eq!(stack[0].place, "/usr/libexec/valgrind/vgpreload_dhat.so");
        assert_eq!(stack[1].function, "<T as a::B>::new (with spaces)");
        assert_eq!(stack[1].place, "lib.rs:7");
    }

    #[test]
    fn what_is_not_dhats_is_an_error_and_so_is_nothing() {
        let error = read(&[]).expect_err("nothing");
        assert!(error.to_string().contains("as if it had not run"), "{error}");
        let other = FILE.replace("Version\":2", "Version\":3");
        assert!(parse(other.as_bytes()).expect_err("version").to_string().contains("version 3"));
        let other = FILE.replace("\"heap\"", "\"copy\"");
        assert!(parse(other.as_bytes()).expect_err("mode").to_string().contains("'copy'"));
        let other = FILE.replace("[1,2]", "[1,9]");
        assert!(parse(other.as_bytes()).expect_err("frame").to_string().contains("not in the"));
        assert!(parse(b"hello").is_err());
    }
}
