//! Extended attributes: which of a layer's are kept, and how they are set.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::XattrMode;

impl XattrMode {
    /// The attribute that marks a folder as opaque. Linux, `Documentation/filesystems/overlayfs.rst`,
    /// "whiteouts and opaque directories"; `user.` goes with the mount option `userxattr`.
    #[must_use]
    pub const fn opaque(self) -> &'static CStr {
        match self {
            Self::Trusted => c"trusted.overlay.opaque",
            Self::User => c"user.overlay.opaque",
        }
    }
}

/// Whether an attribute of an image is passed on: file capabilities and what users set themselves.
/// Never an overlay's own marks, by which a layer could reach folders of other layers.
pub(super) fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability"
        || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

/// Sets an attribute of a file or folder, not following a link.
#[expect(unsafe_code, reason = "neither std nor nix wraps lsetxattr")]
pub(crate) fn set(path: &Path, name: &CStr, value: &[u8]) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both strings end in a zero byte and outlive the call, which reads `value.len()` bytes
    // from `value` and keeps nothing.
    let result = unsafe {
        libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether a folder carries the opaque mark of a mode.
#[expect(unsafe_code, reason = "neither std nor nix wraps lgetxattr")]
pub(crate) fn is_opaque(path: &Path, mode: XattrMode) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut value = [0_u8; 1];
    // SAFETY: both strings end in a zero byte and outlive the call, which writes at most
    // `value.len()` bytes to `value`.
    let length = unsafe {
        libc::lgetxattr(
            path.as_ptr(),
            mode.opaque().as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    length == 1 && value == *b"y"
}
