//! What is mounted where, and how a mount of ours is ended, also one that a killed run left.
//!
//! A mount is ours when its source is [`SOURCE`], its type that of FUSE, and it lies in a scratch
//! directory; a scratch directory is abandoned when nobody holds its lock. Nothing else is touched.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

/// What our mounts name as their source, as a disk would be named.
pub(crate) const SOURCE: &str = "weighbridge";

/// One line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// `fuse`, `fuse.something`, `ext4`…
    pub(crate) kind: String,
    /// What is mounted, by the name that the one who mounted it gave.
    pub(crate) source: String,
    /// Options of the file system, as `rw` and `max_read=131072`.
    pub(crate) options: Vec<String>,
}

/// How a mount ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nobody used it.
    Cleanly,
    /// It was in use: whoever still reads gets an error from now on.
    ByForce,
    /// By `fusermount3`, for those who may not unmount: out of sight at once, and ended when the last
    /// file in it is closed; until then a server that is alive answers with errors.
    ByHelper,
    /// It was not there any more.
    Already,
}

impl Mount {
    fn is_ours(&self) -> bool {
        let fuse = self.kind == "fuse" || self.kind.starts_with("fuse.");
        fuse && self.source == SOURCE
    }
}

/// Everything that this process sees mounted, in the order of mounting.
///
/// # Errors
/// When `/proc` is not there.
pub(crate) fn all() -> io::Result<Vec<Mount>> {
    let table = fs::read("/proc/self/mountinfo")?;
    Ok(table.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// The mount at exactly this place that was made last, which is the one that is seen.
///
/// # Errors
/// When the place or `/proc` is not there.
pub(crate) fn at(point: &Path) -> io::Result<Option<Mount>> {
    Ok(all()?.into_iter().rfind(|mount| mount.point == point))
}

/// Whether anything is mounted on this directory or below it.
///
/// # Errors
/// When the directory or `/proc` is not there.
pub(crate) fn any_below(directory: &Path) -> io::Result<bool> {
    let directory = directory.canonicalize()?;
    Ok(all()?.iter().any(|mount| mount.point.starts_with(&directory)))
}

/// Unmounts ours in this directory and leaves others alone. What cannot be unmounted stays: the
/// directory cannot be removed then, and the next run tries again.
pub(crate) fn detach_ours_below(directory: &Path) {
    let Ok(directory) = directory.canonicalize() else { return };
    let Ok(mounts) = all() else { return };
    let inside = |mount: &&Mount| mount.is_ours() && mount.point.starts_with(&directory);
    // The last mounted may lie on one before it.
    for mount in mounts.iter().rev().filter(inside) {
        let _ = end(&mount.point);
    }
}

/// Unmounts what is mounted here, whether somebody uses it or not.
///
/// # Errors
/// What the system said, where neither this process nor `fusermount3` may do it.
pub(crate) fn end(point: &Path) -> io::Result<Ended> {
    match unmount(point, UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(Ended::Cleanly),
        Err(Errno::BUSY) => {
            let force = UnmountFlags::FORCE | UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
            unmount(point, force)?;
            Ok(Ended::ByForce)
        }
        Err(Errno::INVAL | Errno::NOENT) => Ok(Ended::Already),
        Err(Errno::PERM) => by_helper(point),
        Err(errno) => Err(errno.into()),
    }
}

fn by_helper(point: &Path) -> io::Result<Ended> {
    for helper in ["fusermount3", "fusermount"] {
        let mut command = Command::new(helper);
        command.args(["-u", "-z", "-q", "--"]).arg(point).stdin(Stdio::null());
        match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => return Ok(Ended::ByHelper),
            _ => {}
        }
    }
    Err(Errno::PERM.into())
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD…] - KIND SOURCE SUPER_OPTIONS`, where blanks within
/// a field are written as `\040`; see proc_pid_mountinfo(5).
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let point = unescaped(fields.nth(4)?);
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let mut text = || Some(String::from_utf8_lossy(&unescaped(rest.next()?)).into_owned());
    let (kind, source, options) = (text()?, text()?, text()?);
    let options = options.split(',').map(str::to_owned).collect();
    Some(Mount { point: OsString::from_vec(point).into(), kind, source, options })
}

fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.first_chunk::<3>().filter(|_| byte == b'\\').and_then(octal);
        match escaped {
            Some(character) => {
                out.push(character);
                rest = &after[3..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

fn octal(digits: &[u8; 3]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &[u8] = br"36 35 0:45 / /a/b\040c rw,nosuid shared:1 master:2 - fuse weighbridge rw,user_id=0,max_read=65536";

    #[test]
    fn a_line_is_read_with_its_escapes_and_optional_fields() {
        let mount = parse(LINE).expect("a mount");
        assert_eq!(mount.point, Path::new("/a/b c"));
        assert_eq!(mount.options, ["rw", "user_id=0", "max_read=65536"]);
        assert!(mount.is_ours());
        let without = parse(b"1 2 8:1 / / rw - ext4 /dev/vda rw").expect("a mount");
        assert_eq!((without.kind.as_str(), without.is_ours()), ("ext4", false));
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn of_others_neither_source_nor_type_is_ours() {
        for (from, to) in [("weighbridge", "sshfs"), ("- fuse ", "- tmpfs "), ("fuse", "fuseblk")] {
            let line = String::from_utf8_lossy(LINE).replace(from, to);
            assert!(!parse(line.as_bytes()).expect("a mount").is_ours(), "{line}");
        }
        let line = String::from_utf8_lossy(LINE).replace("- fuse ", "- fuse.sub ");
        assert!(parse(line.as_bytes()).expect("a mount").is_ours());
    }

    #[test]
    fn this_machine_has_a_root() {
        let root = at(Path::new("/")).expect("/proc is there").expect("something is mounted");
        assert!(!root.kind.is_empty());
        assert_eq!(at(Path::new("/no/such/place")).expect("/proc is there"), None);
        assert!(any_below(Path::new("/")).expect("/proc is there"));
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!any_below(folder.path()).expect("/proc is there"));
    }

    #[test]
    fn what_is_not_mounted_has_ended_already() {
        let folder = tempfile::tempdir().expect("a folder");
        match end(folder.path()) {
            Ok(ended) => assert_eq!(ended, Ended::Already),
            Err(error) => assert_eq!(error.raw_os_error(), Some(Errno::PERM.raw_os_error())),
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(line: Vec<u8>) {
            let _: Option<Mount> = parse(&line);
        }

        #[test]
        fn text_without_backslash_is_kept(text in "[^\\\\]*") {
            prop_assert_eq!(unescaped(text.as_bytes()), text.as_bytes());
        }
    }
}
