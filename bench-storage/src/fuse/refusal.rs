//! Why there is no mount: for want of FUSE, which plain files may stand in for, or because something
//! failed.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::served::Refused;
use crate::error::Error;

/// The server could not ask for what it was to.
pub(super) fn not_negotiated(refused: &Refused) -> Error {
    let Refused { setting, asked, nearest } = *refused;
    Error::NotNegotiated { setting, asked: asked.to_string(), taken: nearest.to_string() }
}

/// What a mount that did not come about is to its caller.
pub(super) fn not_mounted(folder: &Path, error: io::Error) -> Error {
    if says_no_fuse(&error) {
        let reason = format!("failed to mount on {}: {}", folder.display(), words(&error));
        return Error::NoFuse { reason };
    }
    Error::io("mount a FUSE file system on", folder)(error)
}

/// What a machine without FUSE answers, or one that gives no right to it.
const NO_FUSE: [(Errno, &str); 5] = [
    (Errno::PERM, "EPERM"),
    (Errno::ACCESS, "EACCES"),
    (Errno::NOENT, "ENOENT"),
    (Errno::NODEV, "ENODEV"),
    (Errno::NOSYS, "ENOSYS"),
];

/// Whether it is for want of a device, of a right, or of a helper that could. Anything else failed on a
/// machine that has FUSE, and is no reason to measure something else in its place.
pub(super) fn says_no_fuse(error: &io::Error) -> bool {
    if let Some(code) = error.raw_os_error() {
        return NO_FUSE.iter().any(|(errno, _)| errno.raw_os_error() == code);
    }
    match error.to_string().strip_prefix("Error calling mount()") {
        // Fuser keeps only the name of what mount(2) said.
        Some(rest) => NO_FUSE.iter().any(|(_, name)| rest.contains(&format!(": {name}: "))),
        // The words of fusermount3.
        None => matches!(error.kind(), io::ErrorKind::Other | io::ErrorKind::PermissionDenied),
    }
}

/// The folder is there and the device was opened: what was not found is the helper that mounts for those
/// who may not.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            "not permitted, and there is no fusermount3 to start".to_owned()
        }
        _ => error.to_string().trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::mount::available;
    use super::*;

    #[test]
    fn only_want_of_a_device_or_a_right_is_want_of_fuse() {
        let folder = Path::new("folder");
        let is_no_fuse =
            |error: io::Error| matches!(not_mounted(folder, error), Error::NoFuse { .. });
        for (errno, _) in NO_FUSE {
            assert!(is_no_fuse(errno.into()), "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NOMEM, Errno::INVAL, Errno::BUSY, Errno::IO] {
            assert!(!is_no_fuse(errno.into()), "{errno}");
        }
        let mount = |said: &str| {
            io::Error::other(format!("Error calling mount() at \"x\" with \"fd=3\": {said}"))
        };
        assert!(is_no_fuse(mount("ENODEV: No such device")));
        assert!(!is_no_fuse(mount("EINVAL: Invalid argument")));
        assert!(is_no_fuse(io::Error::other("fusermount3: mount failed: Operation not permitted")));
        for kind in [io::ErrorKind::InvalidData, io::ErrorKind::NotConnected] {
            assert!(!is_no_fuse(io::Error::new(kind, "during handshake")), "{kind}");
        }
        let error = not_mounted(folder, Errno::MFILE.into()).to_string();
        assert!(error.starts_with("failed to mount a FUSE file system on folder: "), "{error}");
        assert!(matches!(available(Path::new("/proc/version/x")), Err(Error::Io { .. })));
    }

    #[test]
    fn what_was_not_found_is_the_helper() {
        let said = words(&io::ErrorKind::NotFound.into());
        assert_eq!(said, "not permitted, and there is no fusermount3 to start");
        assert_eq!(
            words(&io::Error::other("fusermount3: mount failed\n")),
            "fusermount3: mount failed"
        );
    }
}
