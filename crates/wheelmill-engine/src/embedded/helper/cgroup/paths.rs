//! Where the groups of this process are in the file system.

use camino::{Utf8Path, Utf8PathBuf};

/// The hierarchies that are mounted, and where in them this process is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Controllers of the old kind, each with the folder of this process's group.
    v1: Vec<(String, Utf8PathBuf)>,
    /// The unified hierarchy: where it is mounted, and this process's group below that.
    pub(super) unified: Option<(Utf8PathBuf, Utf8PathBuf)>,
}

impl Places {
    pub(super) fn of_this_process() -> Self {
        let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
    }

    /// The group of this process for a controller of the old kind.
    pub(super) fn v1(&self, controller: &str) -> Option<&Utf8Path> {
        self.v1.iter().find(|(name, _)| name == controller).map(|(_, path)| path.as_path())
    }

    /// Reads `/proc/self/cgroup`, see cgroups(7), and `/proc/self/mountinfo`, see
    /// proc_pid_mountinfo(5).
    fn parse(groups: &str, mounts: &str) -> Self {
        let mut places = Self::default();
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            if controllers.is_empty() {
                places.unified = find(mounts, "cgroup2", None, path);
                continue;
            }
            for controller in controllers.split(',') {
                if let Some((mount, below)) = find(mounts, "cgroup", Some(controller), path) {
                    places.v1.push((controller.to_owned(), mount.join(below)));
                }
            }
        }
        places
    }
}

/// Where a hierarchy is mounted, and the path of a group below that place.
fn find(
    mounts: &str,
    kind: &str,
    controller: Option<&str>,
    group: &str,
) -> Option<(Utf8PathBuf, Utf8PathBuf)> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, place) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let found = right.next()?;
        let options = right.nth(1)?;
        let has = |name: &str| options.split(',').any(|option| option == name);
        if found != kind || controller.is_some_and(|name| !has(name)) {
            return None;
        }
        // In a container, what is mounted may be a part of the hierarchy.
        let below = Utf8Path::new(group).strip_prefix(root).unwrap_or("".as_ref());
        Some((place.into(), below.as_str().trim_start_matches('/').into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_where_they_are_mounted() {
        let groups = "4:memory:/jobs/7\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/user.slice/a\n";
        let mounts = "\
            30 24 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
            31 24 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
            32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let places = Places::parse(groups, mounts);
        assert_eq!(places.v1("memory").unwrap(), "/sys/fs/cgroup/memory/jobs/7");
        assert_eq!(places.v1("cpu").unwrap(), "/sys/fs/cgroup/cpu/");
        assert_eq!(places.v1("pids"), None);
        let unified = ("/sys/fs/cgroup/unified".into(), "user.slice/a".into());
        assert_eq!(places.unified, Some(unified));
    }

    #[test]
    fn a_part_of_a_hierarchy_is_its_own_root() {
        let mounts = "9 8 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let places = Places::parse("4:memory:/docker/abc/x\n", mounts);
        assert_eq!(places.v1("memory").unwrap(), "/sys/fs/cgroup/memory/x");
    }
}
