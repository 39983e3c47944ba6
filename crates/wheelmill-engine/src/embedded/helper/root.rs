//! Putting the root file system of a container together.
//!
//! An image is one overlay. The host's root is several: a skeleton of empty folders, and an overlay
//! on each folder that belongs to the system. One overlay of `/` would show everything else that
//! lies there too, and is refused in a user namespace, where `/` has mounts that cannot be taken
//! off it.

use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::mounts::kind_of;
use super::overlay::Overlay;
use super::read_only;
use super::target::find_or_make;
use crate::embedded::spec::{During as _, Failure, Operation, RunRequest};
use crate::{Isolation, Mount};

/// Folders of the host's root that belong to its system, beside those that begin with `lib`. All
/// others (homes, data, what is mounted) are not shown.
const SYSTEM_FOLDERS: [&str; 8] = ["bin", "etc", "gnu", "nix", "opt", "sbin", "usr", "var"];

/// Empty folders that programs expect, with their permissions.
const EMPTY_FOLDERS: [(&str, u32); 11] = [
    ("boot", 0o755),
    ("dev", 0o755),
    ("home", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
];

/// The folder in which a container is put together.
pub(super) struct Stage {
    folder: Utf8PathBuf,
}

impl Stage {
    /// Mounts a small file system in memory on the folder, seen by this process alone.
    pub(super) fn new(folder: &Utf8Path) -> Result<Self, Failure> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), folder.as_std_path(), Some("tmpfs"), flags, Some("mode=755"))
            .during(|| Operation::Stage)?;
        let stage = Self { folder: folder.to_owned() };
        fs_err::create_dir(stage.root()).during(|| Operation::Stage)?;
        Ok(stage)
    }

    /// Where the container's root is mounted.
    pub(super) fn root(&self) -> Utf8PathBuf {
        self.folder.join("root")
    }

    /// A path for something else that the container is made of.
    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }

    /// Mounts the root.
    pub(super) fn build(&self, request: &RunRequest) -> Result<(), Failure> {
        if request.isolation == Isolation::ReadOnly {
            return self.build_read_only(request);
        }
        let stubs = self.path("stubs");
        fs_err::create_dir(&stubs).during(|| Operation::Stage)?;
        let folders = if request.root.host {
            skeleton(&stubs).during(|| Operation::Stage)?
        } else {
            Vec::new()
        };
        make_stubs(&stubs, &request.mounts)?;
        self.overlay(request, "", &stubs, None)?;
        for folder in folders {
            let host = Utf8Path::new("/").join(&folder);
            self.overlay(request, &folder, &stubs.join(&folder), Some(host))?;
        }
        Ok(())
    }

    /// Puts the root together without overlays.
    fn build_read_only(&self, request: &RunRequest) -> Result<(), Failure> {
        let root = self.root();
        read_only::make_mount(&root)?;
        let folders = skeleton(&root).during(|| Operation::Stage)?;
        let made_here = ["/etc/hosts", "/etc/resolv.conf"].map(Utf8Path::new);
        let targets = request.mounts.iter().map(|mount| mount.target.as_path());
        let wanted: Vec<&Utf8Path> = targets.chain(made_here).collect();
        for folder in folders {
            read_only::show(&Utf8Path::new("/").join(&folder), &root.join(&folder), &wanted)?;
        }
        Ok(())
    }

    /// Mounts the overlay of a folder of the root; `""` is the root itself.
    fn overlay(
        &self,
        request: &RunRequest,
        folder: &str,
        stubs: &Utf8Path,
        host: Option<Utf8PathBuf>,
    ) -> Result<(), Failure> {
        let name = if folder.is_empty() { "root" } else { folder };
        let place = if folder.is_empty() { self.root() } else { self.root().join(folder) };
        let seen = Utf8Path::new("/").join(folder);
        let layers = request.root.layers.iter().rev();
        let lower = layers
            .map(
                |layer| {
                    if folder.is_empty() { layer.clone() } else { layer.with_file_name(folder) }
                },
            )
            .filter(|layer| layer.is_dir())
            .chain(host.clone())
            .chain([stubs.to_owned()])
            .collect();
        let overlay = Overlay {
            name: &seen,
            lower,
            upper: request.root.upper.join(name),
            work: request.root.work.join(name),
            user_attributes: request.mode.user_attributes(),
        };
        match (overlay.mount(&place, &self.path("links").join(name)), host) {
            // In a user namespace, a folder with mounts below it cannot be a layer; it is shown as
            // it is, and cannot be changed.
            (Err(failure), Some(host)) if failure.errno == Errno::EINVAL as i32 => {
                read_only::show(&host, &place, &[])
            }
            (result, _) => result,
        }
    }
}

/// Makes the folders of the host's root, empty, and its links. Returns the names of those that are
/// to be seen with their content.
fn skeleton(root: &Utf8Path) -> std::io::Result<Vec<String>> {
    let mut shown = Vec::new();
    for name in system_folders()? {
        let host = Utf8Path::new("/").join(&name);
        let kind = host.symlink_metadata()?.file_type();
        if kind.is_symlink() {
            symlink(fs_err::read_link(&host)?, root.join(&name))?;
        } else if kind.is_dir() {
            fs_err::create_dir(root.join(&name))?;
            shown.push(name);
        }
    }
    for (name, permissions) in EMPTY_FOLDERS {
        let path = root.join(name);
        fs_err::create_dir(&path)?;
        fs_err::set_permissions(&path, Permissions::from_mode(permissions))?;
    }
    Ok(shown)
}

/// The names of what lies in the host's root and belongs to its system.
pub(super) fn system_folders() -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir("/")? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if SYSTEM_FOLDERS.contains(&name.as_str()) || name.starts_with("lib") {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes empty files and folders to mount things on, in a folder that goes below all layers. What
/// a layer has in their place wins; where none has, a mount finds its place without a trace in the
/// layer that the container writes, and even where its user may not write.
fn make_stubs(stubs: &Utf8Path, mounts: &[Mount]) -> Result<(), Failure> {
    let root = File::open(stubs).during(|| Operation::Stage)?;
    for mount in mounts {
        find_or_make(&root, &mount.target, kind_of(&mount.source), &mut Vec::new())
            .during(|| Operation::Stage)?;
    }
    Ok(())
}
