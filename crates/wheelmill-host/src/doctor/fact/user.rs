//! Who asks.

use camino::Utf8Path;
use nix::unistd::{Group, Uid, User as Account, getgroups};

/// The user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name; the number of one that has none.
    pub name: String,
    /// It is root.
    pub is_root: bool,
    /// The groups that this process is in.
    pub groups: Vec<String>,
    /// The groups that a new login would be in, beside the user's own.
    pub groups_at_login: Vec<String>,
    /// Programs of the user go on after the logout.
    pub lingers: bool,
    /// Identities in `/etc/subuid` and in `/etc/subgid`: how many of each.
    pub subordinate: (u32, u32),
    /// `newuidmap` and `newgidmap` are there.
    pub has_map_programs: bool,
}

impl User {
    pub(super) fn read(root: &Utf8Path) -> Self {
        let id = Uid::effective();
        let account = Account::from_uid(id).ok().flatten();
        let name = account.map_or_else(|| id.to_string(), |account| account.name);
        let text = |file: &str| fs_err::read_to_string(root.join(file)).unwrap_or_default();
        let now = getgroups().unwrap_or_default().into_iter();
        let now = now.filter_map(|group| Some(Group::from_gid(group).ok()??.name));
        let number = id.to_string();
        let identities = |file: &str| identities(&text(file), &[&name, &number]);
        let has = |program: &str| root.join("usr/bin").join(program).exists();
        Self {
            is_root: id.is_root(),
            groups: now.collect(),
            groups_at_login: groups_of(&text("etc/group"), &name),
            lingers: root.join("var/lib/systemd/linger").join(&name).exists(),
            subordinate: (identities("etc/subuid"), identities("etc/subgid")),
            has_map_programs: has("newuidmap") && has("newgidmap"),
            name,
        }
    }
}

fn groups_of(text: &str, user: &str) -> Vec<String> {
    let group = |line: &str| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let &[name, _, _, members] = &fields[..] else { return None };
        members.split(',').any(|member| member == user).then(|| name.to_owned())
    };
    text.lines().filter_map(group).collect()
}

/// How many identities the first range of a user has, see subuid(5).
fn identities(text: &str, names: &[&str]) -> u32 {
    let count = |line: &str| {
        let mut fields = line.trim().split(':');
        names.contains(&fields.next()?).then(|| fields.nth(1)?.parse().ok())?
    };
    text.lines().find_map(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_identities_are_found_by_the_users_name() {
        let groups = "root:x:0:\ndocker:x:998:bob,ann\nvideo:x:44:anna\nbroken\n";
        assert_eq!(groups_of(groups, "ann"), ["docker"]);
        assert_eq!(identities("bob:1:2\nann:100000:65536\n", &["ann", "1000"]), 65_536);
        assert_eq!(identities("1000:100000:65536\n", &["ann", "1000"]), 65_536);
        assert_eq!(identities("ann:x\n", &["ann"]), 0);
    }
}
