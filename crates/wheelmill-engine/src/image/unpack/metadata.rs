//! Owner, mode, time and attributes of what is unpacked.

use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, fchown, lchown};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use tar::Header;

use super::{UnpackError, Unpacked, XattrMode, xattr};

/// What an entry says of itself beside its name and content.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    /// Seconds since 1970: all that bytecode caches and `make` compare.
    pub(super) mtime: u64,
    pub(super) attributes: Vec<(CString, Vec<u8>)>,
}

impl Metadata {
    /// Of a folder that the layer needs but has no entry for.
    pub(super) const fn implied() -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, mtime: 0, attributes: Vec::new() }
    }

    pub(super) fn read(header: &Header) -> io::Result<Self> {
        Ok(Self {
            mode: header.mode()? & 0o7777,
            uid: header.uid()?,
            gid: header.gid()?,
            // A time before 1970 is no reason to refuse an image.
            mtime: header.mtime().unwrap_or(0),
            attributes: Vec::new(),
        })
    }

    /// Gives a file what it is to have. The order matters: a change of owner clears the set-user-id
    /// bit and file capabilities.
    pub(super) fn apply_to_file(
        &self,
        file: &File,
        path: &Path,
        mode: XattrMode,
        unpacked: &mut Unpacked,
    ) -> Result<(), UnpackError> {
        if let (Ok(uid), Ok(gid)) = (u32::try_from(self.uid), u32::try_from(self.gid)) {
            let result = fchown(file, Some(uid), Some(gid));
            tolerate_owner(result, path, mode, unpacked)?;
        } else {
            unpacked.owners_lost += 1;
        }
        file.set_permissions(Permissions::from_mode(self.mode))
            .map_err(UnpackError::write("set the mode of", path))?;
        self.apply_attributes(path, unpacked);
        let time = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(self.mtime))
            .unwrap_or(SystemTime::UNIX_EPOCH);
        file.set_modified(time).map_err(UnpackError::write("set the time of", path))
    }

    /// Gives anything but a file what it is to have; a symlink has no mode.
    pub(super) fn apply_to_path(
        &self,
        path: &Path,
        is_symlink: bool,
        mode: XattrMode,
        unpacked: &mut Unpacked,
    ) -> Result<(), UnpackError> {
        if let (Ok(uid), Ok(gid)) = (u32::try_from(self.uid), u32::try_from(self.gid)) {
            let result = lchown(path, Some(uid), Some(gid));
            tolerate_owner(result, path, mode, unpacked)?;
        } else {
            unpacked.owners_lost += 1;
        }
        if !is_symlink {
            // Attributes first: the mode may take away the right to set them.
            self.apply_attributes(path, unpacked);
            fs_err::set_permissions(path, Permissions::from_mode(self.mode))
                .map_err(UnpackError::write("set the mode of", path))?;
        }
        let time = TimeSpec::new(i64::try_from(self.mtime).unwrap_or(0), 0);
        utimensat(
            nix::fcntl::AT_FDCWD,
            path,
            &TimeSpec::UTIME_OMIT,
            &time,
            UtimensatFlags::NoFollowSymlink,
        )
        .map_err(io::Error::from)
        .map_err(UnpackError::write("set the time of", path))
    }

    fn apply_attributes(&self, path: &Path, unpacked: &mut Unpacked) {
        for (name, value) in &self.attributes {
            // Not every file system and not every user can keep them, and nothing that compiles
            // depends on them.
            if xattr::set(path, name, value).is_err() {
                unpacked.attributes_lost += 1;
            }
        }
    }
}

/// Owners outside the map of a user namespace cannot be kept, and need not be: only root's are
/// exact.
fn tolerate_owner(
    result: io::Result<()>,
    path: &Path,
    mode: XattrMode,
    unpacked: &mut Unpacked,
) -> Result<(), UnpackError> {
    match result {
        Err(error)
            if mode == XattrMode::User
                && matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM)) =>
        {
            unpacked.owners_lost += 1;
            Ok(())
        }
        other => other.map_err(UnpackError::write("set the owner of", path)),
    }
}
