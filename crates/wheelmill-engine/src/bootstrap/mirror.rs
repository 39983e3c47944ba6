//! What this machine's apt is told of mirrors and proxies.

use std::process::Command;

use camino::Utf8PathBuf;

use super::release::Release;
use super::tool::find;

/// The mirror that this machine itself uses for a release, if it is one of it.
pub(super) fn of_machine(release: Release, folders: &[Utf8PathBuf]) -> Option<String> {
    let codename = format!("Codename: {}", release.codename());
    let said = ask(
        folders,
        "apt-get",
        &["indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", &codename],
    )?;
    first_address(&said)
}

/// The proxy that apt is told to use for http.
pub(super) fn proxy(folders: &[Utf8PathBuf]) -> Option<String> {
    let said = ask(folders, "apt-config", &["shell", "PROXY", "Acquire::http::Proxy"])?;
    let value = said.trim().strip_prefix("PROXY=")?.trim_matches('\'').to_owned();
    (value.starts_with("http")).then_some(value)
}

fn ask(folders: &[Utf8PathBuf], program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(find(folders, program)?).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}

fn first_address(said: &str) -> Option<String> {
    let address = said.lines().map(str::trim).find(|line| line.starts_with("http"))?;
    Some(address.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_others_can_reach_count() {
        let said = "cdrom:[Debian]/\nhttp://mirror.example/debian/\nhttp://b.example/\n";
        assert_eq!(first_address(said).unwrap(), "http://mirror.example/debian");
        assert_eq!(first_address("file:/srv/debian\n"), None);
    }
}
