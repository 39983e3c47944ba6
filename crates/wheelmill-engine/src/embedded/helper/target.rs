//! Finding, and making, the place of a mount inside a root that may hold hostile links.
//!
//! An image, or a command that ran before, may have left a link where a mount is to go. Every link
//! is therefore read and followed by hand, inside the root: an absolute one starts at the root
//! again, `..` stops there, and the magic links of `/proc` are nothing but text.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

const PATH: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// A place in a root.
pub(super) struct Target {
    /// A descriptor that only names it.
    pub(super) file: OwnedFd,
    /// Its path in the root, without links.
    pub(super) path: Utf8PathBuf,
}

/// Opens a path of a root, as a process whose `/` it is would see it.
pub(super) fn find(root: impl AsFd, path: &Utf8Path) -> nix::Result<Target> {
    walk(root, path, None, &mut Vec::new())
}

/// Opens a path of a root, making it and its parents where they are missing. What was made is added
/// to `made`, parents first.
pub(super) fn find_or_make(
    root: impl AsFd,
    path: &Utf8Path,
    kind: Kind,
    made: &mut Vec<Utf8PathBuf>,
) -> nix::Result<Target> {
    walk(root, path, Some(kind), made)
}

fn walk(
    root: impl AsFd,
    path: &Utf8Path,
    make: Option<Kind>,
    made: &mut Vec<Utf8PathBuf>,
) -> nix::Result<Target> {
    let root = openat(&root, ".", PATH | OFlag::O_DIRECTORY, Mode::empty())?;
    let mut parents: Vec<(OwnedFd, String)> = Vec::new();
    let mut rest: VecDeque<String> = parts(path.as_str());
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            parents.pop();
            continue;
        }
        let here = parents.last().map_or(&root, |(file, _)| file);
        let file = match openat(here, name.as_str(), PATH, Mode::empty()) {
            Err(Errno::ENOENT) => {
                let Some(kind) = make else { return Err(Errno::ENOENT) };
                let kind = if rest.is_empty() { kind } else { Kind::Folder };
                let file = create(here, &name, kind)?;
                let folder: Utf8PathBuf = parents.iter().map(|(_, name)| name.as_str()).collect();
                made.push(Utf8Path::new("/").join(folder).join(&name));
                file
            }
            other => other?,
        };
        if SFlag::from_bits_truncate(fstat(&file)?.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK {
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::ELOOP);
            }
            let link = readlinkat(&file, "")?.into_string().map_err(|_| Errno::EILSEQ)?;
            if link.starts_with('/') {
                parents.clear();
            }
            for part in parts(&link).into_iter().rev() {
                rest.push_front(part);
            }
            continue;
        }
        parents.push((file, name));
    }
    let path: Utf8PathBuf = parents.iter().map(|(_, name)| name.as_str()).collect();
    let file = parents.pop().map_or(root, |(file, _)| file);
    Ok(Target { file, path: Utf8Path::new("/").join(path) })
}

fn parts(path: &str) -> VecDeque<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

fn create(folder: &OwnedFd, name: &str, kind: Kind) -> nix::Result<OwnedFd> {
    match kind {
        Kind::Folder => mkdirat(folder, name, Mode::from_bits_truncate(0o755))?,
        Kind::File => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
            drop(openat(folder, name, flags, Mode::from_bits_truncate(0o644))?);
        }
    }
    openat(folder, name, PATH, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().unwrap();
        let file = File::open(folder.path()).unwrap();
        (folder, file)
    }

    #[test]
    fn links_never_lead_out_of_the_root() {
        let (folder, root) = folder();
        let outside = tempfile::tempdir().unwrap();
        symlink(outside.path(), folder.path().join("absolute")).unwrap();
        symlink("../../../../../../etc", folder.path().join("upwards")).unwrap();
        symlink("/proc/self/cwd", folder.path().join("magic")).unwrap();
        let mut made = Vec::new();
        for (path, seen) in [
            ("/absolute/new", format!("{}/new", outside.path().to_str().unwrap())),
            ("/upwards/new", "/etc/new".to_owned()),
            ("/magic/new", "/proc/self/cwd/new".to_owned()),
        ] {
            let target = find_or_make(&root, path.into(), Kind::Folder, &mut made).unwrap();
            assert_eq!(target.path, seen);
            assert!(folder.path().join(seen.trim_start_matches('/')).is_dir());
        }
        assert_eq!(outside.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_is_made_is_told_parents_first() {
        let (folder, root) = folder();
        let mut made = Vec::new();
        find_or_make(&root, "/a/b/file".into(), Kind::File, &mut made).unwrap();
        assert_eq!(made, ["/a", "/a/b", "/a/b/file"]);
        assert!(folder.path().join("a/b/file").is_file());
        made.clear();
        find_or_make(&root, "a/./b/../b/file".into(), Kind::File, &mut made).unwrap();
        assert_eq!(made, [""; 0]);
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let (folder, root) = folder();
        symlink("two", folder.path().join("one")).unwrap();
        symlink("one", folder.path().join("two")).unwrap();
        assert!(matches!(find(&root, "/one".into()), Err(Errno::ELOOP)));
    }
}
