//! The file system that a folder lies on, and whether images can.

use std::os::fd::AsFd as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use serde::Serialize;
use wheelmill_model::ByteSize;

use super::start;

/// A mounted file system, as far as a folder on it can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileSystem {
    /// Its kind, as the kernel names it: `ext4`.
    pub kind: String,
    /// Where it is mounted.
    pub mounted_at: Utf8PathBuf,
    /// How it is mounted: `rw`, `nosuid`, `noexec`.
    pub options: Vec<String>,
    /// What is free for a plain user.
    pub free: ByteSize,
    /// It says of what kind the entries of a folder are, which overlays need.
    pub tells_types: bool,
    /// The folder that was asked for, or the nearest one above that exists.
    pub nearest: Utf8PathBuf,
    /// It is mounted at every start, by a line of `/etc/fstab` or a unit, or it holds the system.
    pub at_start: bool,
}

/// Whether images and containers can lie on a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suitability {
    /// They can.
    Good,
    /// They can, with a drawback.
    Doubtful(String),
    /// They cannot, or only as copies of copies.
    Unfit(String),
}

/// Kinds that overlays cannot lie on, or on which they hang or lose files.
const UNFIT: &[(&str, &str)] = &[
    ("nfs", "overlays do not work on a network file system"),
    ("nfs4", "overlays do not work on a network file system"),
    ("cifs", "overlays do not work on a share of Windows"),
    ("smb3", "overlays do not work on a share of Windows"),
    ("vfat", "it knows neither owners nor links"),
    ("exfat", "it knows neither owners nor links"),
    ("msdos", "it knows neither owners nor links"),
    ("ntfs", "overlays do not work on a file system of Windows"),
    ("ntfs3", "overlays do not work on a file system of Windows"),
    ("fuseblk", "overlays do not work on a file system outside the kernel"),
    ("overlay", "overlays do not work on an overlay"),
    ("aufs", "overlays do not work on an overlay"),
    ("ecryptfs", "overlays do not work on it"),
    ("9p", "overlays do not work on a folder of another machine"),
    ("virtiofs", "overlays do not work on a folder of another machine"),
    ("squashfs", "it cannot be written"),
    ("iso9660", "it cannot be written"),
];

/// Below this, not even one image of a CUDA toolkit fits.
const LITTLE: ByteSize = ByteSize(20_000_000_000);

impl FileSystem {
    /// The file system of a folder, or of the nearest folder above that exists.
    ///
    /// # Errors
    /// The folder cannot be looked at, or is none.
    pub fn of(path: &Utf8Path) -> std::io::Result<Self> {
        if path.exists() && !path.is_dir() {
            return Err(std::io::ErrorKind::NotADirectory.into());
        }
        let nearest = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path);
        let existing = nearest.canonicalize_utf8()?;
        let mut folder =
            Dir::open(existing.as_std_path(), OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty())?;
        let size = fstatvfs(folder.as_fd())?;
        // The folder itself is an entry of every folder.
        let tells_types = folder.iter().flatten().any(|entry| {
            entry.file_name().to_bytes() == b"." && entry.file_type() == Some(Type::Directory)
        });
        let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
        let mount = mount_of(&mounts, &existing)
            .ok_or_else(|| std::io::Error::other("no mount holds the folder"))?;
        let at_start = start::is_mounted("/".into(), &mount.mounted_at);
        let free = size.blocks_available().saturating_mul(size.fragment_size());
        let nearest = nearest.to_owned();
        Ok(Self { free: ByteSize(free), tells_types, nearest, at_start, ..mount })
    }

    /// Whether images and containers can lie on it.
    #[must_use]
    pub fn suitability(&self) -> Suitability {
        let Self { kind, mounted_at, .. } = self;
        let base = kind.split('.').next().unwrap_or_default();
        if let Some((_, why)) = UNFIT.iter().find(|(unfit, _)| *unfit == base) {
            return Suitability::Unfit(format!("`{mounted_at}` is {kind}: {why}"));
        }
        if self.has("ro") {
            return Suitability::Unfit(format!("`{mounted_at}` is mounted to be read only"));
        }
        if !self.tells_types {
            return Suitability::Unfit(format!(
                "`{mounted_at}` ({kind}) was made without the types of files in folders (d_type), \
                 so every layer of an image would be a full copy of the one below"
            ));
        }
        if self.has("noexec") {
            return Suitability::Unfit(format!(
                "`{mounted_at}` is mounted with `noexec`: nothing in a volume can be executed, so \
                 builds in one fail"
            ));
        }
        if kind == "tmpfs" || kind == "ramfs" {
            return Suitability::Doubtful(format!(
                "`{mounted_at}` is memory: images are gone when it is unmounted"
            ));
        }
        if self.free < LITTLE {
            return Suitability::Doubtful(format!(
                "`{mounted_at}` has {} free; an image with a CUDA toolkit takes more than half of \
                 {LITTLE}",
                self.free
            ));
        }
        Suitability::Good
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }
}

/// A line of `/proc/self/mountinfo` (`proc(5)`).
struct Mount<'a> {
    /// The device's number.
    device: &'a str,
    /// The folder of the device that is mounted.
    root: Utf8PathBuf,
    mounted_at: Utf8PathBuf,
    options: &'a str,
    kind: &'a str,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (place, source) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(2);
        Some(Self {
            device: place.next()?,
            root: unescaped(place.next()?).into(),
            mounted_at: unescaped(place.next()?).into(),
            options: place.next()?,
            kind: source.split(' ').next()?,
        })
    }

    /// A folder of the other mount that is mounted over itself, as daemons do with their own.
    fn is_part_of(&self, other: &Self) -> bool {
        let part = self.root.strip_prefix(&other.root).ok();
        self.device == other.device
            && self.mounted_at != other.mounted_at
            && part.is_some_and(|part| other.mounted_at.join(part) == self.mounted_at)
    }
}

/// The last mount that a folder lies below: later ones hide earlier ones.
fn mount_of(mounts: &str, folder: &Utf8Path) -> Option<FileSystem> {
    let mounts: Vec<Mount<'_>> = mounts.lines().filter_map(Mount::read).collect();
    let own = |mount: &&Mount<'_>| !mounts.iter().any(|other| mount.is_part_of(other));
    let found =
        mounts.iter().filter(|mount| folder.starts_with(&mount.mounted_at)).filter(own).reduce(
            |best, next| if next.mounted_at.starts_with(&best.mounted_at) { next } else { best },
        )?;
    Some(FileSystem {
        kind: found.kind.to_owned(),
        mounted_at: found.mounted_at.clone(),
        options: found.options.split(',').map(str::to_owned).collect(),
        free: ByteSize(0),
        tells_types: false,
        nearest: folder.to_owned(),
        at_start: false,
    })
}

/// Paths in the kernel's tables have spaces and the like as octal numbers: `\040`.
pub(super) fn unescaped(text: &str) -> String {
    ["040: ", "011:\t", "012:\n", "134:\\"]
        .iter()
        .fold(text.to_owned(), |text, pair| text.replace(&format!("\\{}", &pair[..3]), &pair[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 8:1 / /media/me/my\\040disk rw,nosuid,nodev,noexec - exfat /dev/sda1 rw
31 22 8:2 / /mnt rw - ext4 /dev/sdb rw
32 31 0:40 / /mnt/share rw - fuse.sshfs a:/ rw
";

    #[test]
    fn the_deepest_mount_holds_a_folder() {
        let of = |path: &str| mount_of(MOUNTS, path.into()).unwrap();
        assert_eq!(of("/var/lib").kind, "ext4");
        assert_eq!(of("/mntx").mounted_at, "/");
        assert_eq!(of("/mnt/share/x").kind, "fuse.sshfs");
        let disk = of("/media/me/my disk/docker");
        assert_eq!((disk.kind.as_str(), disk.has("noexec")), ("exfat", true));
    }

    #[test]
    fn a_folder_over_itself_lies_where_it_lay() {
        let bound = "40 22 254:0 /var/lib/docker /var/lib/docker rw - ext4 /dev/vda rw\n\
                     41 22 8:2 /docker /srv/docker rw - ext4 /dev/sdb rw\n";
        let mounts = format!("{MOUNTS}{bound}");
        let of = |path: &str| mount_of(&mounts, path.into()).unwrap().mounted_at;
        assert_eq!(of("/var/lib/docker/overlay2"), "/");
        // This one is another disk's.
        assert_eq!(of("/srv/docker"), "/srv/docker");
    }

    #[test]
    fn what_cannot_hold_images_is_told_with_the_reason() {
        let good = FileSystem {
            kind: "ext4".to_owned(),
            mounted_at: "/mnt".into(),
            options: vec!["rw".to_owned()],
            free: ByteSize(100_000_000_000),
            tells_types: true,
            nearest: "/mnt/disk".into(),
            at_start: true,
        };
        let with = |change: fn(&mut FileSystem)| {
            let mut system = good.clone();
            change(&mut system);
            system.suitability()
        };
        assert_eq!(good.suitability(), Suitability::Good);
        for change in [
            (|system| system.kind = "ntfs3".to_owned()) as fn(&mut FileSystem),
            |system| system.options.push("noexec".to_owned()),
            |system| system.options = vec!["ro".to_owned()],
            |system| system.tells_types = false,
        ] {
            assert!(matches!(with(change), Suitability::Unfit(_)));
        }
        assert!(matches!(with(|system| system.free = ByteSize(1)), Suitability::Doubtful(_)));
        assert!(matches!(with(|system| system.kind = "tmpfs".into()), Suitability::Doubtful(_)));
    }

    #[test]
    fn this_machines_own_folders_are_found() {
        let system = FileSystem::of("/nonexistent/folder".into()).unwrap();
        assert_eq!(system.mounted_at, "/");
        assert!(system.at_start);
    }
}
