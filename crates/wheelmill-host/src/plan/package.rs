//! The commands that install NVIDIA's runtime, by distribution, as NVIDIA's installation guide has
//! them (<https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html>).

/// NVIDIA's repository.
const REPOSITORY: &str = "https://nvidia.github.io/libnvidia-container";

/// The commands for the distribution that `/etc/os-release` names; none for one without packages of
/// NVIDIA's.
pub(crate) fn commands(release: &str) -> Vec<String> {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let names = format!("{} {}", value("ID"), value("ID_LIKE"));
    let is = |known: &[&str]| names.split_whitespace().any(|name| known.contains(&name));
    let package = "nvidia-container-toolkit";
    let rpm = format!("{REPOSITORY}/stable/rpm/{package}.repo");
    if is(&["debian", "ubuntu"]) {
        let key = format!("/usr/share/keyrings/{package}-keyring.gpg");
        return vec![
            format!("curl -fsSL {REPOSITORY}/gpgkey | gpg --dearmor --yes -o {key}"),
            format!(
                "curl -fsSL {REPOSITORY}/stable/deb/{package}.list | sed \
                 's#deb https://#deb [signed-by={key}] https://#g' > \
                 /etc/apt/sources.list.d/{package}.list"
            ),
            format!("apt-get update && apt-get install -y {package}"),
        ];
    }
    if is(&["fedora", "rhel", "centos"]) {
        return vec![
            format!("curl -fsSL {rpm} > /etc/yum.repos.d/{package}.repo"),
            format!("dnf install -y {package}"),
        ];
    }
    if is(&["suse", "opensuse"]) {
        return vec![
            format!("zypper addrepo {rpm}"),
            format!("zypper --gpg-auto-import-keys install -y {package}"),
        ];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_own_commands() {
        let last = |release: &str| commands(release).pop().unwrap_or_default();
        assert!(last("NAME=\"Debian\"\nID=debian\n").starts_with("apt-get update"));
        assert!(last("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n").starts_with("apt-get update"));
        assert!(last("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n").starts_with("dnf"));
        assert!(last("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n").starts_with("zypper"));
        assert_eq!(last("ID=arch\n"), "");
    }
}
