//! With which rights containers are made on this machine.

use std::path::Path;

use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

use crate::image::XattrMode;

/// How namespaces are entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mode {
    /// As root: no user namespace is needed.
    Root {
        /// Whether overlay keeps its marks in `user.*` attributes, because this "root" is itself
        /// one of a user namespace.
        user_attributes: bool,
    },
    /// As a user with a range of subordinate identities: all users of the container exist.
    Mapped {
        /// First subordinate user and their number.
        users: (u32, u32),
        /// First subordinate group and their number.
        groups: (u32, u32),
    },
    /// As a user who is root in the container, where no other user exists.
    Single,
}

impl Mode {
    /// The best that this process may do, judged by its rights; nothing is tried.
    pub(super) fn detect() -> Self {
        let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
        if Uid::effective().is_root() && has_capability(&status, CAP_SYS_ADMIN) {
            let map = fs_err::read_to_string("/proc/self/uid_map").unwrap_or_default();
            return Self::Root { user_attributes: !covers_all_ids(&map) };
        }
        subordinate_ids().unwrap_or(Self::Single)
    }

    /// Whether a user namespace is made.
    pub(super) const fn is_user(self) -> bool {
        !matches!(self, Self::Root { .. })
    }

    /// Whether overlay must keep its marks in `user.*` attributes. In a user namespace a mount
    /// without them seems to work, but removing folders of lower layers then fails with EIO.
    pub(super) const fn user_attributes(self) -> bool {
        match self {
            Self::Root { user_attributes } => user_attributes,
            Self::Mapped { .. } | Self::Single => true,
        }
    }

    /// The same, for whoever unpacks layers.
    pub(super) const fn attributes(self) -> XattrMode {
        if self.user_attributes() { XattrMode::User } else { XattrMode::Trusted }
    }

    /// The folder for layers made in this mode. They cannot be exchanged between modes: marks of
    /// deleted files and owners differ.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Root { user_attributes: false } => "root",
            Self::Root { user_attributes: true } => "nested-root",
            Self::Mapped { .. } => "mapped",
            Self::Single => "single",
        }
    }
}

/// The number of the capability that mounting needs; `linux/capability.h`.
const CAP_SYS_ADMIN: u32 = 21;

fn has_capability(status: &str, number: u32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .is_some_and(|bits| bits & (1 << number) != 0)
}

/// Whether a map of identities is that of the first user namespace.
fn covers_all_ids(map: &str) -> bool {
    map.split_whitespace().collect::<Vec<_>>() == ["0", "0", "4294967295"]
}

/// Where the programs that write maps with more than one identity are, if they are.
pub(super) fn map_program(name: &str) -> Option<String> {
    ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin"]
        .iter()
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| Path::new(path).is_file())
}

fn subordinate_ids() -> Option<Mode> {
    map_program("newuidmap")?;
    map_program("newgidmap")?;
    let uid = Uid::current();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let range = |file: &str| {
        let text = fs_err::read_to_string(file).ok()?;
        subordinate_range(&text, name.as_deref(), uid.as_raw())
    };
    let users = range("/etc/subuid")?;
    let groups = range("/etc/subgid")?;
    // Debian's packages use identities up to 65534; with fewer, the one-identity way is safer.
    (users.1 >= 65_535 && groups.1 >= 65_535).then_some(Mode::Mapped { users, groups })
}

/// The first range of a user in the text of `/etc/subuid`, see subuid(5).
fn subordinate_range(text: &str, name: Option<&str>, uid: u32) -> Option<(u32, u32)> {
    let number = uid.to_string();
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        if Some(owner) != name && owner != number {
            return None;
        }
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let text = "daemon:1:2\nann:100000:65536\n1001:200000:65536\n";
        assert_eq!(subordinate_range(text, Some("ann"), 1000), Some((100_000, 65_536)));
        assert_eq!(subordinate_range(text, Some("bob"), 1001), Some((200_000, 65_536)));
        assert_eq!(subordinate_range(text, None, 1), None);
    }

    #[test]
    fn a_root_inside_a_user_namespace_is_recognised() {
        assert!(covers_all_ids("         0          0 4294967295\n"));
        assert!(!covers_all_ids("         0       1000          1\n"));
        assert!(has_capability("Name:\tx\nCapEff:\t000001fffeffffff\n", CAP_SYS_ADMIN));
        assert!(!has_capability("CapEff:\t0000000000000000\n", CAP_SYS_ADMIN));
    }
}
