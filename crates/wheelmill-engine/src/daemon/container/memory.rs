//! What a container's control group says of its memory.

use camino::{Utf8Path, Utf8PathBuf};

/// The control group of a container. The daemon's own statistics have no peak under the unified
/// hierarchy, and Podman's have none at all; the files can be read by everybody.
#[derive(Debug)]
pub(in crate::daemon) struct MemoryGroup {
    peak: Utf8PathBuf,
    events: Utf8PathBuf,
}

/// What a control group has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::daemon) struct Figures {
    /// The most memory held so far, in bytes.
    pub(in crate::daemon) peak: Option<u64>,
    /// How many processes the kernel has killed for memory.
    pub(in crate::daemon) kills: u64,
}

impl MemoryGroup {
    /// The group of a process.
    pub(in crate::daemon) fn of(pid: i64) -> Option<Self> {
        let groups = fs_err::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let (old, unified) = paths(&groups);
        let root = Utf8Path::new("/sys/fs/cgroup");
        let old = old.map(|group| {
            let folder = root.join("memory").join(group);
            (folder.join("memory.max_usage_in_bytes"), folder.join("memory.oom_control"))
        });
        let unified = unified.map(|group| {
            let folder = root.join(group);
            (folder.join("memory.peak"), folder.join("memory.events"))
        });
        let found = old.into_iter().chain(unified).find(|(peak, _)| peak.is_file());
        found.map(|(peak, events)| Self { peak, events })
    }

    /// Adds what is counted now to what was seen before. A group that is gone adds nothing.
    pub(in crate::daemon) fn read(&self, before: Figures) -> Figures {
        let text = |path: &Utf8Path| fs_err::read_to_string(path).ok();
        let peak = text(&self.peak).and_then(|text| text.trim().parse().ok());
        let kills = text(&self.events).and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
        });
        Figures { peak: before.peak.max(peak), kills: before.kills.max(kills.unwrap_or(0)) }
    }
}

/// The group of the memory controller, and that of the unified hierarchy, in `/proc/PID/cgroup`.
fn paths(groups: &str) -> (Option<String>, Option<String>) {
    let (mut old, mut unified) = (None, None);
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/').to_owned();
        // The group of everything: that of a process which has ended, and of no container.
        if path.is_empty() {
            continue;
        }
        if controllers.is_empty() {
            unified = Some(path);
        } else if controllers.split(',').any(|controller| controller == "memory") {
            old = Some(path);
        }
    }
    (old, unified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_are_read() {
        let groups = "9:memory:/docker/ab\n1:name=systemd:/docker/ab\n0::/x\n";
        assert_eq!(paths(groups), (Some("docker/ab".to_owned()), Some("x".to_owned())));
    }

    #[test]
    fn the_group_of_the_whole_machine_is_no_containers() {
        assert_eq!(paths("9:memory:/\n1:name=systemd:/docker/ab\n0::/\n"), (None, None));
    }
}
