//! The server's side: answers the kernel from memory, and counts what it asks.

use std::ffi::OsStr;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use bench_core::units::ByteSize;
use fuser::{
    AccessFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};
use rustix::process::{getgid, getuid};

use super::options::FuseOptions;
use super::probe;
use super::requests::{Counters, RequestKind};
use super::seeded::SeededTree;

/// Writes are never measured; this only sets how many pages a request may have.
const REQUEST_MOST: u32 = 1 << 20;
/// Inodes of files follow that of the directory.
const FIRST: u64 = INodeNo::ROOT.0 + 1;
/// What the kernel said at the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// Version of the protocol.
    pub(super) abi: (u32, u32),
    /// How far it would read ahead.
    pub(super) read_ahead: ByteSize,
}

/// What the server could not ask for, so that there is no mount.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) setting: &'static str,
    pub(super) asked: u32,
    /// What could be.
    pub(super) nearest: u32,
}

/// A tree as a file system.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) tree: SeededTree,
    pub(super) options: FuseOptions,
    pub(super) probe: ByteSize,
    /// Of all files and of the probe.
    pub(super) content: Vec<u8>,
    pub(super) counters: Arc<Counters>,
    /// How the kernel's greeting went, once it came.
    pub(super) greeting: Arc<OnceLock<Result<Offer, Refused>>>,
    /// From when it is set on, everything asked fails: the mount is gone although a file is open.
    pub(super) ended: Arc<AtomicBool>,
}

impl Served {
    /// The content of all files; the probe's is its beginning.
    pub(super) fn content(tree: &SeededTree, probe: ByteSize) -> Vec<u8> {
        let mut content = tree.payload().to_bytes().to_vec();
        content.resize(content.len().max(probe.len()), 0);
        content
    }

    /// First byte and size of the file with this inode.
    fn file(&self, inode: INodeNo) -> Option<(u64, ByteSize)> {
        let number = u32::try_from(inode.0.checked_sub(FIRST)?).ok()?;
        match number {
            file if file < self.tree.files => Some((SeededTree::start(file), self.tree.size)),
            probe if probe == self.tree.files => Some((0, self.probe)),
            _ => None,
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// What is asked for besides reading ahead.
    fn ask(&self, config: &mut KernelConfig) -> Result<(), Refused> {
        let refused = |setting, asked| move |nearest| Refused { setting, asked, nearest };
        config.set_max_write(REQUEST_MOST).map_err(refused("max write", REQUEST_MOST))?;
        if let Some(most) = self.options.max_background {
            let taken = config.set_max_background(most).map_err(u32::from);
            taken.map_err(refused("max background", most.into()))?;
        }
        Ok(())
    }

    fn inode(&self, name: &OsStr) -> Option<INodeNo> {
        let number =
            if name == probe::FILE { Some(self.tree.files) } else { self.tree.number(name) };
        number.map(|number| INodeNo(FIRST + u64::from(number)))
    }

    fn attributes(&self, inode: INodeNo) -> Option<FileAttr> {
        if inode == INodeNo::ROOT {
            return Some(attributes(inode, FileType::Directory, ByteSize::new(0)));
        }
        let (_, size) = self.file(inode)?;
        Some(attributes(inode, FileType::RegularFile, size))
    }

    /// The part of the file that a request asks for, shorter at its end.
    fn part(&self, inode: INodeNo, offset: u64, size: u32) -> Option<&[u8]> {
        let (start, length) = self.file(inode)?;
        let from = offset.min(length.bytes());
        let to = from.saturating_add(size.into()).min(length.bytes());
        self.content.get((start + from) as usize..(start + to) as usize)
    }
}

fn attributes(ino: INodeNo, kind: FileType, size: ByteSize) -> FileAttr {
    let (perm, nlink) = if kind == FileType::Directory { (0o555, 2) } else { (0o444, 1) };
    FileAttr {
        ino,
        size: size.bytes(),
        blocks: size.bytes().div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink,
        uid: getuid().as_raw(),
        gid: getgid().as_raw(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Served {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let abi = config.kernel_abi();
        // Setting returns what stood before: the kernel's offer. A refusal returns it, too.
        let offered = config.set_max_readahead(1).and_then(|offered| {
            let asked = self.options.read_ahead.map_or(offered, |size| size.bytes() as u32);
            config.set_max_readahead(asked.min(offered)).map(|_| offered)
        });
        let read_ahead = ByteSize::new(offered.unwrap_or_else(|nearest| nearest).into());
        let asked = self.ask(config);
        let _ = self.greeting.set(asked.map(|()| Offer { abi: (abi.0, abi.1), read_ahead }));
        asked.map_err(|_| io::ErrorKind::InvalidInput.into())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.counters.count(RequestKind::Lookup);
        if self.has_ended() {
            return reply.error(Errno::ENOTCONN);
        }
        let inode = self.inode(name).filter(|_| parent == INodeNo::ROOT);
        let FuseOptions { entry_ttl, attr_ttl, negative_ttl, .. } = self.options;
        match inode.and_then(|inode| self.attributes(inode)) {
            Some(attr) => reply.entry_with_ttls(&attr_ttl, &entry_ttl, &attr, Generation(0)),
            None if negative_ttl.is_zero() => reply.error(Errno::ENOENT),
            // Inode 0 says: not there, and remember that.
            None => {
                let nothing = attributes(INodeNo(0), FileType::RegularFile, ByteSize::new(0));
                reply.entry_with_ttls(&Duration::ZERO, &negative_ttl, &nothing, Generation(0));
            }
        }
    }

    fn forget(&self, _: &Request, _: INodeNo, _: u64) {
        self.counters.count(RequestKind::Forget);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.counters.count(RequestKind::GetAttr);
        if self.has_ended() {
            return reply.error(Errno::ENOTCONN);
        }
        match self.attributes(inode) {
            Some(attr) => reply.attr(&self.options.attr_ttl, &attr),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.counters.count(RequestKind::Open);
        if self.has_ended() {
            return reply.error(Errno::ENOTCONN);
        }
        let keep = FopenFlags::FOPEN_KEEP_CACHE;
        let flags = if self.options.keep_cache { keep } else { FopenFlags::empty() };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.counters.read(size);
        if self.has_ended() {
            return reply.error(Errno::ENOTCONN);
        }
        match self.part(inode, offset, size) {
            Some(part) => reply.data(part),
            None => reply.error(Errno::ENOENT),
        }
    }

    /// Nothing is written, so there is nothing to flush; the kernel asks once and never again.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.counters.count(RequestKind::Flush);
        reply.error(Errno::ENOSYS);
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.counters.count(RequestKind::Release);
        reply.ok();
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.counters.count(RequestKind::Directory);
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        self.counters.count(RequestKind::Directory);
        if inode != INodeNo::ROOT {
            return reply.error(Errno::ENOTDIR);
        }
        for number in u32::try_from(offset).unwrap_or(u32::MAX)..self.tree.files {
            let (inode, next) = (INodeNo(FIRST + u64::from(number)), u64::from(number) + 1);
            if reply.add(inode, next, FileType::RegularFile, SeededTree::name(number)) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, _: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.counters.count(RequestKind::Directory);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        self.counters.count(RequestKind::Other);
        let blocks = (self.content.len() as u64).div_ceil(4096);
        reply.statfs(blocks, 0, 0, self.tree.files.into(), 0, 4096, 255, 4096);
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        self.counters.count(RequestKind::Other);
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _: &Request, _: INodeNo, _: u32, reply: ReplyXattr) {
        self.counters.count(RequestKind::Other);
        reply.error(Errno::ENOSYS);
    }

    fn access(&self, _: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        self.counters.count(RequestKind::Other);
        reply.error(Errno::ENOSYS);
    }

    fn lseek(&self, _: &Request, _: INodeNo, _: FileHandle, _: i64, _: i32, reply: ReplyLseek) {
        self.counters.count(RequestKind::Other);
        reply.error(Errno::ENOSYS);
    }
}
