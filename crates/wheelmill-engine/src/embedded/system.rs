//! What a user's container needs so that package managers can change its system folders.
//!
//! In a user namespace the files of the host's root belong to nobody there, so even the container's
//! root may not write in their folders. Overlay shows a folder with the owner it has in the highest
//! layer; so a layer of empty folders that belong to the user, put between the host and the steps,
//! opens them all. What it does not open are files, which overlay would have to copy with their
//! foreign owner: those that package managers and their scripts write in place (settings, locks,
//! logs) are copied beforehand. All others are replaced by renaming, and stay on the host.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::mode::Mode;
use crate::image::set_attribute;

/// The host's folders in which packages are installed, when they are folders and not links.
const FOLDERS: [&str; 9] = ["bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "var"];

/// Folders whose files are copied: settings, and data bases that are changed in place.
const COPIED: [&str; 8] = [
    "etc",
    "usr/lib/sysimage/rpm",
    "var/cache/debconf",
    "var/cache/man",
    "var/lib/dnf",
    "var/lib/dpkg/triggers",
    "var/lib/rpm",
    "var/lib/zypp",
];

/// Folders of which the files are copied, but not those in folders below.
const COPIED_FLAT: [&str; 2] = ["var/lib/apt", "var/lib/dpkg"];

/// Folders whose files become empty: what was logged on the host is no business of a container.
const EMPTIED: [&str; 1] = ["var/log"];

/// Files larger than this are not copied, but for data bases of packages.
const LARGE: u64 = 1 << 20;

/// apt drops its rights to a user that, with one identity, does not exist; it must stay root.
const APT: (&str, &str) = ("etc/apt/apt.conf.d/00wheelmill", "APT::Sandbox::User \"root\";\n");

/// Makes the layer for a container over an image: a folder with its `root`.
pub(super) fn prepare_image(layer: &Path) -> io::Result<()> {
    let file = layer.join("root").join(APT.0);
    fs_err::create_dir_all(file.parent().expect("a file in a folder"))?;
    fs_err::write(file, APT.1)
}

/// Makes the layer for containers over a host's root: in `layer`, a folder for each of the root's
/// folders that is an overlay of its own.
pub(super) fn prepare_host(layer: &Path, host: &Path, mode: Mode) -> io::Result<()> {
    fs_err::create_dir_all(layer.join("root"))?;
    let maker = Maker { host, layer, mode };
    for name in FOLDERS {
        let path = host.join(name);
        let found = path.symlink_metadata();
        if let Ok(found) = found
            && found.is_dir()
        {
            maker.folder(Path::new(name), &found)?;
        }
    }
    maker.accounts()?;
    if layer.join("etc/apt/apt.conf.d").is_dir() {
        fs_err::write(layer.join(APT.0), APT.1)?;
    }
    Ok(())
}

struct Maker<'a> {
    host: &'a Path,
    layer: &'a Path,
    mode: Mode,
}

impl Maker<'_> {
    /// Makes a folder and all below it on the same file system. `path` is relative to the root.
    fn folder(&self, path: &Path, found: &Metadata) -> io::Result<()> {
        let mut waiting: Vec<(PathBuf, Metadata)> = vec![(path.to_owned(), found.clone())];
        while let Some((path, found)) = waiting.pop() {
            let made = self.layer.join(&path);
            fs_err::create_dir(&made)?;
            let permissions = found.permissions().mode() & 0o7777 | 0o700;
            fs_err::set_permissions(&made, Permissions::from_mode(permissions))?;
            let Ok(entries) = self.host.join(&path).read_dir() else {
                // A folder that cannot be read could not be listed through the overlay either.
                set_attribute(&made, self.mode.attributes().opaque(), b"y")?;
                continue;
            };
            for entry in entries {
                let entry = entry?;
                let child = path.join(entry.file_name());
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    // What is mounted there is not part of the overlay.
                    match entry.metadata() {
                        Ok(below) if below.dev() == found.dev() => waiting.push((child, below)),
                        _ => {}
                    }
                } else if kind.is_file() {
                    self.file(&child, &entry.metadata()?)?;
                }
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path, found: &Metadata) -> io::Result<()> {
        let within = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        let flat = path
            .parent()
            .is_some_and(|parent| COPIED_FLAT.iter().any(|folder| parent == Path::new(folder)));
        let data_base = flat || within(&COPIED[1..]);
        if is_lock(path) || within(&EMPTIED) {
            self.write(path, found, None)
        } else if data_base || within(&COPIED) && found.len() <= LARGE {
            match File::open(self.host.join(path)) {
                Ok(file) => self.write(path, found, Some(file)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.write(path, found, None)
                }
                Err(error) => Err(error),
            }
        } else {
            Ok(())
        }
    }

    fn write(&self, path: &Path, found: &Metadata, content: Option<File>) -> io::Result<()> {
        let place = self.layer.join(path);
        let mut file = fs_err::File::create(&place)?;
        if let Some(mut content) = content {
            io::copy(&mut content, &mut file)?;
        }
        let permissions = found.permissions().mode() & 0o777 | 0o600;
        file.set_permissions(Permissions::from_mode(permissions))
    }

    /// Passwords are not to be read, but programs that add users want an entry for each they know.
    fn accounts(&self) -> io::Result<()> {
        for (from, to, entry) in [
            ("etc/passwd", "etc/shadow", ":*:1:0:99999:7:::\n"),
            ("etc/group", "etc/gshadow", ":*::\n"),
        ] {
            let Ok(known) = fs_err::read_to_string(self.host.join(from)) else { continue };
            if !self.layer.join(to).is_file() {
                continue;
            }
            let names = known.lines().filter_map(|line| line.split(':').next());
            let text: String = names.map(|name| format!("{name}{entry}")).collect();
            fs_err::write(self.layer.join(to), text)?;
        }
        Ok(())
    }
}

/// Whether programs open the file only to lock it.
fn is_lock(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| {
        name == "lock"
            || name.starts_with("lock-")
            || name.ends_with(".lock")
            || name.ends_with("_lock")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_managers_find_what_they_write_to_and_no_passwords() {
        let host = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = host.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1:1::/home/ann:/bin/sh\n");
        write("etc/shadow", "root:$6$secret:1:::::\n");
        write("etc/apt/apt.conf.d/01x", "X;\n");
        write("usr/bin/tool", "tool");
        write("usr/share/doc/lock", "held");
        write("var/lib/dpkg/lock-frontend", "held");
        write("var/log/apt/term.log", "talk");
        std::os::unix::fs::symlink("usr/bin", host.path().join("bin")).unwrap();
        let layer = tempfile::tempdir().unwrap();
        prepare_host(layer.path(), host.path(), Mode::Root { user_attributes: false }).unwrap();

        let read = |path: &str| std::fs::read_to_string(layer.path().join(path)).ok();
        assert_eq!(read("etc/shadow").unwrap(), "root:*:1:0:99999:7:::\nann:*:1:0:99999:7:::\n");
        assert_eq!(read("etc/apt/apt.conf.d/01x").unwrap(), "X;\n");
        assert!(read(APT.0).unwrap().contains("Sandbox"));
        assert_eq!(read("var/lib/dpkg/lock-frontend").unwrap(), "");
        assert_eq!(read("var/log/apt/term.log").unwrap(), "");
        assert_eq!(read("usr/bin/tool"), None);
        assert!(layer.path().join("usr/bin").is_dir());
        assert!(!layer.path().join("bin").exists());
    }
}
