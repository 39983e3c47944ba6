//! What a container's control group says of its memory.

use camino::{Utf8Path, Utf8PathBuf};

/// The file with a container's peak of memory. The daemon's own statistics have no peak under the
/// unified hierarchy, and Podman's have none at all; the files can be read by everybody.
#[derive(Debug)]
pub(super) struct PeakFile(Utf8PathBuf);

impl PeakFile {
    /// The file for the group of a process.
    pub(super) fn of(pid: i64) -> Option<Self> {
        let groups = fs_err::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let (old, unified) = paths(&groups);
        let old = old.map(|group| format!("memory/{group}/memory.max_usage_in_bytes"));
        let unified = unified.map(|group| format!("{group}/memory.peak"));
        old.into_iter()
            .chain(unified)
            .map(|path| Utf8Path::new("/sys/fs/cgroup").join(path))
            .find(|path| path.is_file())
            .map(Self)
    }

    /// The peak so far, in bytes.
    pub(super) fn read(&self) -> Option<u64> {
        fs_err::read_to_string(&self.0).ok()?.trim().parse().ok()
    }
}

/// The group of the memory controller, and that of the unified hierarchy, in `/proc/PID/cgroup`.
fn paths(groups: &str) -> (Option<String>, Option<String>) {
    let (mut old, mut unified) = (None, None);
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/').to_owned();
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
}
