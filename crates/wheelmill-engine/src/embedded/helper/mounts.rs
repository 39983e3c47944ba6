//! What is mounted in a container's root beside its layers.

use std::fs::{File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::bind::{Rights, bind, limit, name_of};
use super::network;
use super::read_only;
use super::root::Stage;
use super::target::{Kind, find, find_or_make};
use crate::Isolation;
use crate::embedded::spec::{During as _, Failure, Operation, RunRequest};

/// Devices that every program may expect.
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

/// Places that tell of the host, or change it: covered by something empty, as Docker does.
const MASKED: [&str; 13] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/cgroup",
];

/// Of the host's system folders, what is no business of a container: secrets that root could read,
/// and what other programs keep.
const PRIVATE: [&str; 15] = [
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/krb5.keytab",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/var/backups",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/mail",
    "/var/spool",
];

/// Places that only the host may change.
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What a mount of `source` needs to be mounted on.
pub(super) fn kind_of(source: &Utf8Path) -> Kind {
    if source.is_dir() { Kind::Folder } else { Kind::File }
}

/// The root of a container while things are mounted in it.
pub(super) struct Mounter<'a> {
    stage: &'a Stage,
    root: OwnedFd,
    /// What was made to mount things on, as seen in the container.
    made: Vec<Utf8PathBuf>,
}

impl<'a> Mounter<'a> {
    /// Begins, with the layers already mounted.
    pub(super) fn new(stage: &'a Stage) -> Result<Self, Failure> {
        let root = File::open(stage.root()).during(|| Operation::Stage)?;
        Ok(Self { stage, root: root.into(), made: Vec::new() })
    }

    /// Mounts everything. Returns what had to be made for it in the container's own layer.
    pub(super) fn mount_all(mut self, request: &RunRequest) -> Result<Vec<Utf8PathBuf>, Failure> {
        let fixed = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        self.file_system("/proc", "proc", fixed, "")?;
        self.sysfs(request.network)?;
        self.devices()?;
        let usual = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        self.file_system("/run", "tmpfs", usual, "mode=755")?;
        self.lock_folder().during(|| Operation::System("/run".into()))?;
        for (folder, place) in request.temporary.iter().zip(["/tmp", "/var/tmp"]) {
            self.show(folder, place.into(), true)?;
        }
        if request.isolation == Isolation::ReadOnly {
            self.show(&request.root.upper, "/root".into(), true)?;
        }
        // Packages may bring their own settings and accounts.
        let private = if request.root.host && !request.packages { &PRIVATE[..] } else { &[] };
        let private = private.iter().map(|place| Utf8Path::new(*place));
        for place in private.chain(request.hidden.iter().map(Utf8PathBuf::as_path)) {
            self.cover(place)?;
        }
        self.text("/etc/hosts", &network::hosts(request.network))?;
        self.text("/etc/resolv.conf", &network::resolver(request.network))?;
        // Parents first, or a mount would be covered by that of its parent.
        let mut mounts: Vec<_> = request.mounts.iter().collect();
        mounts.sort_by(|one, two| one.target.cmp(&two.target));
        for mount in mounts {
            self.show(&mount.source, &mount.target, mount.writable)?;
        }
        for place in MASKED {
            self.cover(place.into())?;
        }
        for place in READ_ONLY {
            self.protect(place.into())?;
        }
        if request.isolation == Isolation::ReadOnly {
            read_only::close(&self.stage.root())?;
        }
        Ok(self.made)
    }

    fn file_system(
        &mut self,
        place: &str,
        kind: &str,
        flags: MsFlags,
        options: &str,
    ) -> Result<(), Failure> {
        let named = || Operation::System(place.into());
        let target =
            find_or_make(&self.root, place.into(), Kind::Folder, &mut self.made).during(named)?;
        mount(Some(kind), name_of(&target.file).as_str(), Some(kind), flags, Some(options))
            .during(named)
    }

    /// The kernel's objects. A new view of them belongs to a network namespace; whoever shares the
    /// host's may not make one in a user namespace, and sees the host's.
    fn sysfs(&mut self, network: bool) -> Result<(), Failure> {
        let flags =
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        match self.file_system("/sys", "sysfs", flags, "") {
            Err(failure) if network && failure.errno == Errno::EPERM as i32 => {
                self.show("/sys".into(), "/sys".into(), false)
            }
            result => result,
        }
    }

    /// Where `/var/lock` often leads.
    fn lock_folder(&self) -> std::io::Result<()> {
        let folder = self.stage.root().join("run/lock");
        fs_err::create_dir(&folder)?;
        fs_err::set_permissions(&folder, Permissions::from_mode(0o1777))
    }

    fn devices(&mut self) -> Result<(), Failure> {
        let named = || Operation::System("/dev".into());
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        self.file_system("/dev", "tmpfs", quiet, "mode=755,size=64k")?;
        let dev = self.stage.root().join("dev");
        for name in DEVICES {
            let device = Utf8Path::new("/dev").join(name);
            if device.exists() {
                self.show(&device, &device, true)?;
            }
        }
        for (name, link) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            symlink(link, dev.join(name)).during(named)?;
        }
        self.file_system("/dev/pts", "devpts", quiet, "newinstance,ptmxmode=0666,mode=620")?;
        let shared = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        self.file_system("/dev/shm", "tmpfs", shared, "mode=1777")
    }

    /// Shows something of the host.
    fn show(&mut self, source: &Utf8Path, place: &Utf8Path, writable: bool) -> Result<(), Failure> {
        let named = || Operation::Bind { source: source.to_owned(), target: place.to_owned() };
        let kind = source.metadata().during(named)?.file_type();
        let device = kind.is_char_device() || source.starts_with("/dev");
        let on = if kind.is_dir() { Kind::Folder } else { Kind::File };
        let target = find_or_make(&self.root, place, on, &mut self.made).during(named)?;
        bind(source.as_std_path(), &target.file).during(named)?;
        // The descriptor still names what is now covered, so the mount is looked up again.
        let mounted = find(&self.root, &target.path).during(named)?;
        limit(&mounted.file, Rights { write: writable, devices: device }).during(named)
    }

    /// Covers a file or folder, if it is there, with an empty one that cannot be changed.
    fn cover(&mut self, place: &Utf8Path) -> Result<(), Failure> {
        let named = || Operation::System(place.to_owned());
        let target = match find(&self.root, place) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => return Ok(()),
            target => target.during(named)?,
        };
        let inside = self.stage.root().join(target.path.as_str().trim_start_matches('/'));
        if kind_of(&inside) == Kind::File {
            return self.show("/dev/null".into(), &target.path, false);
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_RDONLY;
        let name = name_of(&target.file);
        mount(Some("tmpfs"), name.as_str(), Some("tmpfs"), flags, Some("mode=755,size=4k"))
            .during(named)
    }

    /// Makes a file or folder of a system folder, if it is there, read-only.
    fn protect(&self, place: &Utf8Path) -> Result<(), Failure> {
        let named = || Operation::System(place.to_owned());
        let target = match find(&self.root, place) {
            Err(Errno::ENOENT) => return Ok(()),
            target => target.during(named)?,
        };
        bind(name_of(&target.file).as_ref(), &target.file).during(named)?;
        let mounted = find(&self.root, &target.path).during(named)?;
        limit(&mounted.file, Rights { write: false, devices: false }).during(named)
    }

    /// Shows a small file that is made here.
    fn text(&mut self, place: &str, text: &str) -> Result<(), Failure> {
        let source = self.stage.path(&place.replace('/', "-"));
        fs_err::write(&source, text).during(|| Operation::System(place.into()))?;
        self.show(&source, place.into(), false)
    }
}
