//! What a file has beside its content, owner and mode: labels of SELinux, access control lists,
//! attributes of users.

use std::ffi::CStr;
use std::fs::File;
use std::io;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;

/// How large the kernel lets the list of names, or one value, be (`xattr(7)`).
const MOST: usize = 65_536;

/// Gives a file the attributes of another. One that it has already, as a label that its folder gave
/// it, needs no right to be set.
///
/// # Errors
/// One cannot be read or set.
pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
    let mut names = vec![0_u8; MOST];
    let length = match flistxattr(from, &mut names[..]) {
        // A file system without any.
        Err(Errno::OPNOTSUPP) => return Ok(()),
        length => length?,
    };
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).expect("names end with a zero");
        let (mut wanted, mut present) = (vec![0_u8; MOST], vec![0_u8; MOST]);
        let length = match fgetxattr(from, name, &mut wanted[..]) {
            // It was removed meanwhile, or is not for us to see.
            Err(Errno::NODATA) => continue,
            length => length?,
        };
        let has = fgetxattr(to, name, &mut present[..]);
        if has.is_ok_and(|size| present[..size] == wanted[..length]) {
            continue;
        }
        match fsetxattr(to, name, &wanted[..length], XattrFlags::empty()) {
            // A copy on a file system without any.
            Err(Errno::OPNOTSUPP) => {}
            set => set?,
        }
    }
    Ok(())
}
