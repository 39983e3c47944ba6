//! The folder that a layer is unpacked into, and the rule that nothing leaves it.
//!
//! Every name is walked part by part. A symlink on the way is followed as it would be with the
//! folder as the root of the file system, so it leads to a place within the folder or to none.
//! Nobody else writes to the folder meanwhile, so what was found to be a folder stays one.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::FileType;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, mknod};

use super::metadata::Metadata;
use super::name::components;
use super::{UnpackError, Unpacked, XattrMode, xattr};

/// As many symlinks as Linux follows in one path.
const MOST_LINKS: usize = 40;

/// A layer folder in the making.
pub(super) struct Tree {
    root: PathBuf,
    mode: XattrMode,
    /// Folders that were seen or made, below the root and free of symlinks.
    known: HashSet<PathBuf>,
    /// What folders get at the end: set earlier, a read-only mode would keep entries out.
    folders: BTreeMap<PathBuf, Metadata>,
}

impl Tree {
    /// Starts with an existing, empty folder.
    pub(super) fn new(root: &Path, mode: XattrMode) -> Self {
        let folders = BTreeMap::from([(PathBuf::new(), Metadata::implied())]);
        Self { root: root.to_owned(), mode, known: HashSet::from([PathBuf::new()]), folders }
    }

    /// The place of a new file, symlink or pipe, with nothing there any more: the last entry of a
    /// name wins.
    pub(super) fn place(&mut self, parts: &[OsString], raw: &[u8]) -> Result<PathBuf, UnpackError> {
        let relative = self.resolve(parts, raw)?;
        self.clear(&relative)?;
        Ok(self.root.join(relative))
    }

    /// Makes a hard link to what must be in the layer already, and no folder.
    pub(super) fn hard_link(
        &mut self,
        parts: &[OsString],
        link: &[u8],
        raw: &[u8],
    ) -> Result<(), UnpackError> {
        let target = self.target(link, raw)?;
        let relative = self.resolve(parts, raw)?;
        if target == relative {
            return Ok(());
        }
        if target.starts_with(&relative) {
            return Err(UnpackError::entry(raw, "would replace the folder that it links into"));
        }
        self.clear(&relative)?;
        let path = self.root.join(relative);
        std::fs::hard_link(self.root.join(target), &path)
            .map_err(UnpackError::write("make the hard link", &path))
    }

    fn target(&mut self, link: &[u8], raw: &[u8]) -> Result<PathBuf, UnpackError> {
        let missing = || UnpackError::entry(raw, "is a hard link to nothing in its layer");
        let parts = components(link)?;
        let (name, parent) = parts.split_last().ok_or_else(missing)?;
        let relative = self.walk(parent, raw, false)?.ok_or_else(missing)?.join(name);
        match self.kind(&relative)? {
            Some(kind) if kind.is_dir() => {
                Err(UnpackError::entry(raw, "is a hard link to a folder"))
            }
            Some(kind) if !is_whiteout(kind) => Ok(relative),
            None | Some(_) => Err(missing()),
        }
    }

    /// The place of an entry that is no folder, free of symlinks, whatever is there now.
    fn resolve(&mut self, parts: &[OsString], raw: &[u8]) -> Result<PathBuf, UnpackError> {
        let Some((name, parent)) = parts.split_last() else {
            return Err(UnpackError::entry(raw, "would replace the root folder"));
        };
        Ok(self.folder(parent, raw)?.join(name))
    }

    /// Makes a folder, or gives one that is there its final metadata.
    pub(super) fn add_folder(
        &mut self,
        parts: &[OsString],
        metadata: Metadata,
        raw: &[u8],
    ) -> Result<(), UnpackError> {
        let Some((name, parent)) = parts.split_last() else {
            self.folders.insert(PathBuf::new(), metadata);
            return Ok(());
        };
        let relative = self.folder(parent, raw)?.join(name);
        self.make_folder(&relative)?;
        self.folders.insert(relative, metadata);
        Ok(())
    }

    /// Hides a name of the layers below; what this layer itself has there stays.
    pub(super) fn hide(
        &mut self,
        parent: &[OsString],
        name: &OsStr,
        raw: &[u8],
    ) -> Result<(), UnpackError> {
        let relative = self.folder(parent, raw)?.join(name);
        let path = self.root.join(&relative);
        match self.kind(&relative)? {
            // Overlays know a whiteout as a character device 0/0, which any user may make.
            None => mknod(&path, SFlag::S_IFCHR, Mode::empty(), 0)
                .map_err(io::Error::from)
                .map_err(UnpackError::write("make the whiteout", &path)),
            Some(kind) if kind.is_dir() => self.make_opaque(&relative),
            Some(_) => Ok(()),
        }
    }

    /// Hides all that the layers below have in a folder.
    pub(super) fn hide_all(&mut self, parts: &[OsString], raw: &[u8]) -> Result<(), UnpackError> {
        let relative = self.folder(parts, raw)?;
        self.make_opaque(&relative)
    }

    /// Gives all folders their metadata, the innermost first.
    pub(super) fn finish(self, unpacked: &mut Unpacked) -> Result<(), UnpackError> {
        for (relative, metadata) in self.folders.iter().rev() {
            let path = self.root.join(relative);
            metadata.apply_to_path(&path, false, self.mode, unpacked)?;
        }
        Ok(())
    }

    /// The folder of that name, made when missing.
    fn folder(&mut self, parts: &[OsString], raw: &[u8]) -> Result<PathBuf, UnpackError> {
        let found = self.walk(parts, raw, true)?;
        Ok(found.expect("a walk that makes folders finds one"))
    }

    /// Follows a name to a folder; `None` when it is missing and is not to be made.
    fn walk(
        &mut self,
        parts: &[OsString],
        raw: &[u8],
        make: bool,
    ) -> Result<Option<PathBuf>, UnpackError> {
        let direct: PathBuf = parts.iter().collect();
        if self.known.contains(&direct) {
            return Ok(Some(direct));
        }
        let mut ahead: VecDeque<OsString> = parts.iter().cloned().collect();
        let mut current = PathBuf::new();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            match part.as_bytes() {
                b"" | b"." => continue,
                // Only a symlink brings this; at the root it stays at the root, as in the kernel.
                b".." => {
                    current.pop();
                    continue;
                }
                _ => {}
            }
            let next = current.join(&part);
            if self.known.contains(&next) {
                current = next;
                continue;
            }
            match self.kind(&next)? {
                Some(kind) if kind.is_dir() => {
                    self.known.insert(next.clone());
                    current = next;
                }
                Some(kind) if kind.is_symlink() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(UnpackError::entry(raw, "goes through too many symlinks"));
                    }
                    let path = self.root.join(&next);
                    let target = std::fs::read_link(&path)
                        .map_err(UnpackError::write("read the symlink", &path))?;
                    if target.is_absolute() {
                        current.clear();
                    }
                    for part in target.as_os_str().as_bytes().rsplit(|&byte| byte == b'/') {
                        ahead.push_front(OsStr::from_bytes(part).to_owned());
                    }
                }
                None | Some(_) if !make => return Ok(None),
                Some(kind) if !is_whiteout(kind) => {
                    return Err(UnpackError::entry(raw, "goes through a file"));
                }
                None | Some(_) => {
                    self.make_folder(&next)?;
                    current = next;
                }
            }
        }
        Ok(Some(current))
    }

    /// A folder at a place free of symlinks. One that takes the place of a whiteout is opaque, since
    /// what the layers below have of that name stays hidden.
    fn make_folder(&mut self, relative: &Path) -> Result<(), UnpackError> {
        let path = self.root.join(relative);
        let kind = self.kind(relative)?;
        if !kind.is_some_and(|kind| kind.is_dir()) {
            self.clear(relative)?;
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .map_err(UnpackError::write("create the folder", &path))?;
        }
        self.known.insert(relative.to_owned());
        self.folders.entry(relative.to_owned()).or_insert_with(Metadata::implied);
        if kind.is_some_and(is_whiteout) {
            self.make_opaque(relative)?;
        }
        Ok(())
    }

    fn make_opaque(&self, relative: &Path) -> Result<(), UnpackError> {
        let path = self.root.join(relative);
        xattr::set(&path, self.mode.opaque(), b"y")
            .map_err(UnpackError::write("mark as opaque", &path))
    }

    /// Removes what is at a place free of symlinks.
    fn clear(&mut self, relative: &Path) -> Result<(), UnpackError> {
        let path = self.root.join(relative);
        match self.kind(relative)? {
            None => Ok(()),
            Some(kind) if kind.is_dir() => {
                self.known.retain(|known| !known.starts_with(relative));
                self.folders.retain(|folder, _| !folder.starts_with(relative));
                std::fs::remove_dir_all(&path).map_err(UnpackError::write("replace", &path))
            }
            Some(_) => std::fs::remove_file(&path).map_err(UnpackError::write("replace", &path)),
        }
    }

    fn kind(&self, relative: &Path) -> Result<Option<FileType>, UnpackError> {
        let path = self.root.join(relative);
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.file_type())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(UnpackError::Write { action: "look at", path, source }),
        }
    }
}

/// Devices of the image itself are never made, so every one in the folder is a whiteout.
fn is_whiteout(kind: FileType) -> bool {
    kind.is_char_device()
}
