//! One mount of the overlay file system.

use std::os::unix::fs::symlink;

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::chdir;

use crate::embedded::spec::{During as _, Failure, Operation};

/// Folders that are seen as one.
pub(super) struct Overlay<'a> {
    /// Where it is seen in the container; for messages.
    pub(super) name: &'a Utf8Path,
    /// What is only read, highest first.
    pub(super) lower: Vec<Utf8PathBuf>,
    /// Where changes go.
    pub(super) upper: Utf8PathBuf,
    /// A folder of the same file system for the kernel's use.
    pub(super) work: Utf8PathBuf,
    /// Whether marks are kept in `user.*` attributes.
    pub(super) user_attributes: bool,
}

impl Overlay<'_> {
    /// Mounts it on `place`. `links` is a folder to be made for links to the layers.
    ///
    /// mount(2) cuts its options off after 4096 bytes without a word, and `:` and `,` in a path
    /// would have to be escaped. So the options name short links, relative to the working directory.
    pub(super) fn mount(&self, place: &Utf8Path, links: &Utf8Path) -> Result<(), Failure> {
        let named = || Operation::Overlay(self.name.to_owned());
        fs_err::create_dir_all(links).during(named)?;
        let mut names = Vec::with_capacity(self.lower.len());
        for (index, folder) in self.lower.iter().enumerate() {
            let name = index.to_string();
            symlink(folder, links.join(&name)).during(named)?;
            names.push(name);
        }
        for (name, folder) in [("u", &self.upper), ("w", &self.work)] {
            fs_err::create_dir_all(folder).during(named)?;
            symlink(folder, links.join(name)).during(named)?;
        }
        let mut options = format!("lowerdir={},upperdir=u,workdir=w", names.join(":"));
        // With root's attributes the module's own defaults would decide whether layers are plain
        // folders, and they differ between distributions. Without them, they are anyhow.
        options.push_str(if self.user_attributes {
            ",userxattr"
        } else {
            ",index=off,redirect_dir=off,metacopy=off"
        });
        chdir(links.as_std_path()).during(named)?;
        // A volatile overlay does not wait for the disk when it is unmounted. What must last is
        // synchronised once, where layers are kept. Kernels before 5.10 do not know the option.
        let result = match self.try_mount(place, &format!("{options},volatile")) {
            Err(Errno::EINVAL) => self.try_mount(place, &options),
            result => result,
        };
        chdir("/").during(named)?;
        result.during(named)
    }

    fn try_mount(&self, place: &Utf8Path, options: &str) -> nix::Result<()> {
        if options.len() >= 4096 {
            return Err(Errno::E2BIG);
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("overlay"), place.as_std_path(), Some("overlay"), flags, Some(options))
    }
}
