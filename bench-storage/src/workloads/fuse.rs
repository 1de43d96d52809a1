//! Looking at files, at names that no file has, and reading, each through a FUSE mount by what the
//! kernel may remember; through plain files where nothing can be mounted.
//!
//! [`FUSE_VARIABLE`](crate::fuse::FUSE_VARIABLE) demands one or the other.

use std::fmt::{self, Display};
use std::io;
use std::marker::PhantomData;
use std::str::FromStr;

use bench_core::units::ByteSize;
use bench_core::workload::{Failure, Workload};

use crate::fuse::{Caching, Choice, FileTree, FuseOptions, RequestKind, Requests, SeededTree};

const SEED: u64 = 42;

/// What the kernel may remember, and of what: `caching/files` or `caching/size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuseCell<T> {
    /// What the kernel may remember.
    pub caching: Caching,
    /// How many files there are, or how large the only one is.
    pub of: T,
}

impl<T: Display> Display for FuseCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.caching, self.of)
    }
}

impl<T: FromStr<Err: Display>> FromStr for FuseCell<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("'{text}' is not of the form ttl_0/32, with files or a size");
        let (caching, of) = text.split_once('/').ok_or_else(form)?;
        let caching = caching.parse().map_err(|error: crate::Error| error.to_string())?;
        Ok(Self { caching, of: of.parse().map_err(|error| format!("{}: {error}", form()))? })
    }
}

/// What is looked at, by number of file.
pub trait Look {
    /// The workload's.
    const NAME: &'static str;

    /// Looks, and is told something.
    ///
    /// # Errors
    /// What the system said.
    fn look(tree: &mut FileTree, number: u32) -> io::Result<u64>;

    /// What it has to be told, whatever the number.
    fn expected(tree: &SeededTree) -> u64;
}

/// A look for every file of a directory, on one thread, as a workload.
#[derive(Debug)]
pub struct FuseLook<L>(Each, PhantomData<L>);

/// Looks at every file of a directory, on one thread: `fuse/stat/ttl_0/32`.
pub type FuseStat = FuseLook<AtFiles>;
/// Looks for as many names that no file has: `fuse/stat_missing/ttl_0/32`.
pub type FuseStatMissing = FuseLook<ForMissing>;

/// The look of [`FuseStat`].
#[derive(Debug)]
pub struct AtFiles;
/// The look of [`FuseStatMissing`].
#[derive(Debug)]
pub struct ForMissing;

impl Look for AtFiles {
    const NAME: &'static str = "fuse/stat";

    fn look(tree: &mut FileTree, number: u32) -> io::Result<u64> {
        tree.stat(number)
    }

    fn expected(tree: &SeededTree) -> u64 {
        tree.size.bytes()
    }
}

impl Look for ForMissing {
    const NAME: &'static str = "fuse/stat_missing";

    fn look(tree: &mut FileTree, number: u32) -> io::Result<u64> {
        tree.stat_missing(number).map(|missing| if missing { NONE } else { 0 })
    }

    fn expected(_: &SeededTree) -> u64 {
        NONE
    }
}

/// A call for every file of a directory.
#[derive(Debug)]
struct Each {
    tree: FileTree,
    /// What the last operation was told, by number of file.
    told: Vec<u64>,
    failure: Option<io::Error>,
    before: Option<Requests>,
    caching: Caching,
    /// Since `before`.
    operations: u64,
}

/// Of a name that no file has.
const NONE: u64 = u64::MAX;

impl Each {
    fn set_up(cell: &FuseCell<u32>) -> Result<Self, Failure> {
        let size = ByteSize::kib(4);
        let tree = SeededTree { files: cell.of, size, seed: SEED };
        let tree = FileTree::start(Choice::from_env()?, tree, cell.caching.options())?;
        let told = Vec::with_capacity(cell.of as usize);
        let caching = cell.caching;
        Ok(Self { tree, told, failure: None, before: None, caching, operations: 0 })
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.told.clear();
        (self.before, self.operations) = (self.tree.requests()?, 0);
        Ok(())
    }

    fn run(&mut self, call: impl Fn(&mut FileTree, u32) -> io::Result<u64>) {
        self.told.clear();
        self.operations += 1;
        for number in 0..self.tree.tree().files {
            match call(&mut self.tree, number) {
                Ok(told) => self.told.push(told),
                Err(error) => _ = self.failure.get_or_insert(error),
            }
        }
    }

    fn check(&mut self, expected: u64) -> Result<(), Failure> {
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        let files = self.tree.tree().files;
        let right = self.told.iter().filter(|told| **told == expected).count();
        if right != files as usize || right != self.told.len() {
            return Err(format!("{right} of {files} calls were told what is there").into());
        }
        // One for each name in each operation: of all that ran, none was answered by a cache.
        let FuseOptions { entry_ttl, negative_ttl, .. } = self.caching.options();
        let operations = self.operations;
        match since(&self.tree, self.before)?.map(|asked| asked.of(RequestKind::Lookup)) {
            Some(asked)
                if entry_ttl.max(negative_ttl).is_zero()
                    && asked < operations * u64::from(files) =>
            {
                let each = "though no name is kept";
                Err(format!("only {asked} lookups in {operations} times {files} {each}").into())
            }
            _ => Ok(()),
        }
    }
}

/// What the kernel asked since then, where there is a mount.
fn since(tree: &FileTree, before: Option<Requests>) -> Result<Option<Requests>, Failure> {
    Ok(tree.requests()?.zip(before).map(|(now, before)| now - before))
}

impl<L: Look> Workload for FuseLook<L> {
    const NAME: &'static str = L::NAME;
    type Parameter = FuseCell<u32>;

    fn set_up(cell: &FuseCell<u32>) -> Result<Self, Failure> {
        Ok(Self(Each::set_up(cell)?, PhantomData))
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.0.prepare()
    }

    fn run(&mut self) {
        self.0.run(L::look);
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.0.check(L::expected(self.0.tree.tree()))
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        self.0.tree.dimensions()
    }
}

/// Opens the only file of a directory, reads it from its beginning to its end in blocks of 1 MiB, and
/// closes it: `fuse/read/ttl_0/4MiB`. Without `keep_cache` each open makes the kernel ask for all of
/// it again.
#[derive(Debug)]
pub struct FuseRead {
    tree: FileTree,
    content: Vec<u8>,
    /// How much the last operation read.
    read: Option<io::Result<usize>>,
    before: Option<Requests>,
    caching: Caching,
    /// Since `before`.
    operations: u64,
}

impl FuseRead {
    /// That every operation opened the file at the server, and where content is not kept got all of it
    /// from there.
    fn check_requests(&self) -> Result<(), Failure> {
        let asked = since(&self.tree, self.before)?.zip(self.tree.largest_read());
        let Some((asked, largest)) = asked else { return Ok(()) };
        let (operations, size) = (self.operations, self.tree.tree().size);
        let (opens, reads) = (asked.of(RequestKind::Open), asked.of(RequestKind::Read));
        if opens < operations {
            return Err(format!("only {opens} opens in {operations} operations").into());
        }
        let kept = self.caching.options().keep_cache;
        // No request asks for more, so that fewer cannot have brought everything.
        if !kept && reads * largest.bytes() < operations * size.bytes() {
            let each = "though no content is kept";
            return Err(format!(
                "only {reads} requests of {largest} in {operations} times {size} {each}"
            )
            .into());
        }
        Ok(())
    }
}

impl Workload for FuseRead {
    const NAME: &'static str = "fuse/read";
    type Parameter = FuseCell<ByteSize>;

    fn set_up(cell: &FuseCell<ByteSize>) -> Result<Self, Failure> {
        let tree = SeededTree { files: 1, size: cell.of, seed: SEED };
        let tree = FileTree::start(Choice::from_env()?, tree, cell.caching.options())?;
        let (content, caching) = (vec![0; cell.of.len()], cell.caching);
        Ok(Self { tree, content, read: None, before: None, caching, operations: 0 })
    }

    fn bytes(&self) -> Option<ByteSize> {
        Some(self.tree.tree().size)
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        self.read = None;
        self.content.fill(0);
        (self.before, self.operations) = (self.tree.requests()?, 0);
        Ok(())
    }

    fn run(&mut self) {
        self.operations += 1;
        // The first failure of many operations is the one to tell.
        if !matches!(self.read, Some(Err(_))) {
            self.read = Some(self.tree.read(0, &mut self.content));
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let read = self.read.take().ok_or("nothing was read")??;
        self.tree.tree().verify(0, &self.content[..read])?;
        self.check_requests()
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        self.tree.dimensions()
    }
}

#[cfg(test)]
mod tests {
    use bench_core::workload::{conforms, id, run_once};

    use super::*;
    use crate::fuse::Kind;

    const STAT: FuseCell<u32> = FuseCell { caching: Caching::Ttl0, of: 3 };
    const READ: FuseCell<ByteSize> = FuseCell { caching: Caching::Ttl0, of: ByteSize::kib(300) };

    #[test]
    fn a_check_fails_where_nothing_ran() {
        for caching in Caching::ALL {
            conforms::<FuseStat>(&FuseCell { caching, ..STAT }).expect("stat");
            conforms::<FuseStatMissing>(&FuseCell { caching, ..STAT }).expect("stat_missing");
            conforms::<FuseRead>(&FuseCell { caching, ..READ }).expect("read");
        }
    }

    #[test]
    fn a_wrong_byte_a_short_read_and_a_wrong_size_are_found() {
        let mut read = run_once::<FuseRead>(&READ).expect("read");
        read.run();
        read.content[777] ^= 1;
        assert!(read.check().expect_err("flipped").to_string().contains("offset 777"));
        read.run();
        read.read = Some(Ok(1000));
        assert!(read.check().expect_err("short").to_string().contains("found 1000"));

        let mut stat = run_once::<FuseStat>(&STAT).expect("stat");
        stat.run();
        stat.0.told[1] += 1;
        let error = stat.check().expect_err("wrong size").to_string();
        assert_eq!(error, "2 of 3 calls were told what is there");
    }

    #[test]
    fn answers_that_nobody_was_asked_for_do_not_pass() {
        let mut stat = run_once::<FuseStat>(&STAT).expect("stat");
        if stat.0.tree.kind() == Kind::Fuse {
            stat.prepare().expect("prepare");
            (stat.0.told, stat.0.operations) = (vec![4096; 3], 1);
            let error = stat.check().expect_err("no request").to_string();
            assert_eq!(error, "only 0 lookups in 1 times 3 though no name is kept");
        }
    }

    #[test]
    fn a_batch_of_which_only_the_first_reached_the_server_does_not_pass() {
        let kept = Caching::KeepCache60s;
        let mut stat = run_once::<FuseStat>(&FuseCell { caching: kept, ..STAT }).expect("stat");
        let mut none =
            run_once::<FuseStatMissing>(&FuseCell { caching: kept, ..STAT }).expect("missing");
        let mut read = run_once::<FuseRead>(&FuseCell { caching: kept, ..READ }).expect("read");
        if stat.0.tree.kind() != Kind::Fuse {
            return;
        }
        // Rows that claim what the mount does not do.
        (stat.0.caching, none.0.caching, read.caching) =
            (Caching::Ttl0, Caching::Ttl0, Caching::Ttl5s);
        fn failed(workload: &mut impl Workload) -> String {
            workload.prepare().expect("prepare");
            (0..20).for_each(|_| workload.run());
            workload.check().expect_err("from a cache").to_string()
        }
        for said in [failed(&mut stat), failed(&mut none)] {
            assert!(said.ends_with("lookups in 20 times 3 though no name is kept"), "{said}");
        }
        let said = failed(&mut read);
        assert!(said.ends_with("in 20 times 300KiB though no content is kept"), "{said}");
    }

    #[test]
    fn a_read_without_an_open_does_not_pass() {
        let mut read = run_once::<FuseRead>(&READ).expect("read");
        if read.tree.kind() == Kind::Fuse {
            read.run();
            read.operations += 1;
            let error = read.check().expect_err("one open").to_string();
            assert_eq!(error, "only 2 opens in 3 operations");
        }
    }

    #[test]
    fn rows_say_what_ran_and_what_was_negotiated() {
        let stat = run_once::<FuseStat>(&STAT).expect("stat");
        let dimensions = stat.dimensions();
        let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
        for name in ["backend", "backend_reason", "files", "seed"] {
            assert!(names.contains(&name), "{name} of {names:?}");
        }
        let negotiated = [
            "entry_ttl",
            "keep_cache",
            "remembered",
            "read_request",
            "read_ahead",
            "max_read",
            "max_background",
            "fuse_abi",
        ];
        let fuse = stat.0.tree.kind() == Kind::Fuse;
        assert!(negotiated.iter().all(|name| names.contains(name) == fuse), "{names:?}");
    }

    #[test]
    fn cells_parse_what_they_print() {
        assert_eq!(id::<FuseStat>(&STAT), "fuse/stat/ttl_0/3");
        assert_eq!("ttl_0/3".parse(), Ok(STAT));
        assert_eq!("ttl_0/300KiB".parse(), Ok(READ));
        for (text, why) in [("ttl_0", "form"), ("ttl_9/3", "no caching"), ("ttl_0/x", "'ttl_0/x'")]
        {
            let error = text.parse::<FuseCell<u32>>().expect_err(text);
            assert!(error.contains(why), "{error}");
        }
    }
}
