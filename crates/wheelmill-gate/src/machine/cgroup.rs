//! Memory control groups, of the old kind (v1) and the unified one (v2), read only.
//!
//! Files and their meaning: cgroups(7), and the kernel's documentation of `cgroup-v1/memory` and
//! `cgroup-v2`.

use camino::{Utf8Path, Utf8PathBuf};
use std::fs;

/// Which files there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Old,
    Unified,
}

/// The memory control group of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cgroup {
    kind: Kind,
    /// Where the hierarchy is mounted.
    mount: Utf8PathBuf,
    folder: Utf8PathBuf,
}

impl Cgroup {
    /// The group of a process; of this one for `self`.
    pub(crate) fn of(process: &str) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Self::find(&groups, &mounts)
    }

    fn find(groups: &str, mounts: &str) -> Option<Self> {
        let path_of = |wanted: &str| {
            groups.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let (controllers, path) = (fields.next()?, fields.next()?);
                controllers.split(',').any(|name| name == wanted).then_some(path)
            })
        };
        // Where there are both, the controller belongs to one of them.
        let (kind, path) = match path_of("memory") {
            Some(path) => (Kind::Old, path),
            None => (Kind::Unified, path_of("")?),
        };
        let (root, mount) = mounts.lines().find_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut left = left.split(' ').skip(3);
            let (root, mount) = (left.next()?, left.next()?);
            let mut right = right.split(' ');
            let found = right.next()?;
            let options = right.nth(1)?;
            let fits = match kind {
                Kind::Old => {
                    found == "cgroup" && options.split(',').any(|option| option == "memory")
                }
                Kind::Unified => found == "cgroup2",
            };
            fits.then_some((root, mount))
        })?;
        // In a container, what is mounted may be a part of the hierarchy.
        let below = Utf8Path::new(path).strip_prefix(root).unwrap_or("".as_ref());
        let below = below.as_str().trim_start_matches('/');
        let mount = Utf8PathBuf::from(mount);
        let folder = if below.is_empty() { mount.clone() } else { mount.join(below) };
        Some(Self { kind, mount, folder })
    }

    /// This group and those around it, from the inside.
    fn around(&self) -> impl Iterator<Item = Self> {
        let inside = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.mount));
        inside.map(|folder| Self { folder: folder.to_owned(), ..self.clone() })
    }

    /// The one among this group and those around it with the lowest limit, and that limit in bytes.
    pub(crate) fn tightest(&self) -> Option<(Self, u64)> {
        let limits = self.around().filter_map(|group| group.limit().map(|limit| (group, limit)));
        // Of equal ones the outermost, which holds the others.
        limits.reduce(|best, next| if next.1 <= best.1 { next } else { best })
    }

    fn limit(&self) -> Option<u64> {
        // Without a limit, v1 shows the largest number of whole pages.
        const UNLIMITED: u64 = 1 << 62;
        let file = match self.kind {
            Kind::Old => "memory.limit_in_bytes",
            Kind::Unified => "memory.max",
        };
        self.read(file)?.trim().parse().ok().filter(|&limit| limit < UNLIMITED)
    }

    /// What the group holds that is in no file on a disk, in bytes.
    pub(crate) fn held(&self) -> Option<u64> {
        let stat = self.read("memory.stat")?;
        let names = match self.kind {
            Kind::Old => ["total_rss", "total_shmem"],
            Kind::Unified => ["anon", "shmem"],
        };
        Some(field(&stat, names[0])?.saturating_add(field(&stat, names[1]).unwrap_or(0)))
    }

    /// How many pages of files had been dropped and were read again, since ever.
    pub(crate) fn refaults(&self) -> Option<u64> {
        let stat = self.read("memory.stat")?;
        let names: &[&str] = match self.kind {
            Kind::Old => &["total_workingset_refault_file", "total_workingset_refault"],
            Kind::Unified => &["workingset_refault_file", "workingset_refault"],
        };
        names.iter().find_map(|name| field(&stat, name))
    }

    /// How many of its processes the kernel killed for memory, since ever.
    pub(crate) fn oom_kills(&self) -> Option<u64> {
        let file = match self.kind {
            Kind::Old => "memory.oom_control",
            Kind::Unified => "memory.events",
        };
        field(&self.read(file)?, "oom_kill")
    }

    /// How long its processes waited for memory; only the unified kind says that.
    pub(crate) fn pressure(&self) -> Option<String> {
        (self.kind == Kind::Unified).then(|| self.read("memory.pressure"))?
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(file)).ok()
    }
}

/// How many processes of the machine the kernel killed for memory, since ever.
pub(crate) fn oom_kills_of_machine() -> Option<u64> {
    field(&fs::read_to_string("/proc/vmstat").ok()?, "oom_kill")
}

/// The number of a line `name number`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "\
        30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn groups_are_found_where_they_are_mounted() {
        let old = Cgroup::find("4:memory:/jobs/7\n0::/x\n", BOTH).unwrap();
        assert_eq!((old.kind, old.folder.as_str()), (Kind::Old, "/sys/fs/cgroup/memory/jobs/7"));
        let mounts = "32 24 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let unified = Cgroup::find("0::/user.slice/a\n", mounts).unwrap();
        assert_eq!(
            (unified.kind, unified.folder.as_str()),
            (Kind::Unified, "/sys/fs/cgroup/user.slice/a")
        );
        let around: Vec<Utf8PathBuf> = unified.around().map(|group| group.folder).collect();
        let names = ["/sys/fs/cgroup/user.slice/a", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"];
        assert_eq!(around, names);
        // A container sees a part of the hierarchy as its root.
        let part = "9 8 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let inside = Cgroup::find("4:memory:/docker/abc\n", part).unwrap();
        assert_eq!(inside.folder, "/sys/fs/cgroup/memory");
        assert_eq!(Cgroup::find("", BOTH), None);
    }

    #[test]
    fn the_lowest_limit_counts() {
        let root = tempfile::tempdir().unwrap();
        let mount = Utf8PathBuf::try_from(root.path().to_owned()).unwrap();
        let folder = mount.join("outer/inner");
        fs::create_dir_all(&folder).unwrap();
        for (group, limit) in
            [("", None), ("outer", Some("1000\n")), ("outer/inner", Some("max\n"))]
        {
            let limit = limit.map(|limit| fs::write(mount.join(group).join("memory.max"), limit));
            limit.transpose().unwrap();
        }
        fs::write(folder.join("memory.events"), "oom 5\noom_kill 3\n").unwrap();
        fs::write(folder.join("memory.stat"), "anon 700\nfile 9\nshmem 20\n").unwrap();
        let group = Cgroup { kind: Kind::Unified, mount: mount.clone(), folder };
        let (tightest, limit) = group.tightest().unwrap();
        assert_eq!((tightest.folder, limit), (mount.join("outer"), 1000));
        assert_eq!((group.oom_kills(), group.held()), (Some(3), Some(720)));
        assert_eq!((group.refaults(), group.pressure()), (None, None));
    }
}
