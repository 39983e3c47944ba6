//! The process of a daemon, from `/proc`.

use std::os::unix::net::UnixStream;

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use serde::{Deserialize, Serialize};

/// A process, with all that is needed to start it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DaemonProcess {
    /// Its number.
    pub id: i32,
    /// Its program.
    pub program: Utf8PathBuf,
    /// Its arguments, without the program's name.
    pub arguments: Vec<String>,
    /// Its working folder.
    pub folder: Utf8PathBuf,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// The file that it prints to.
    pub log: Option<Utf8PathBuf>,
}

impl DaemonProcess {
    /// The process that listens at a socket, where that is a `dockerd`. Behind a socket that systemd
    /// made stands systemd; then, and from within a container, this is none.
    #[must_use]
    pub fn at(socket: &Utf8Path) -> Option<Self> {
        let stream = UnixStream::connect(socket).ok()?;
        let peer = getsockopt(&stream, PeerCredentials).ok()?;
        Self::read(peer.pid()).filter(Self::is_daemon)
    }

    /// A process by its number, where we may look at it.
    #[must_use]
    pub fn read(id: i32) -> Option<Self> {
        let of = |file: &str| Utf8PathBuf::from(format!("/proc/{id}/{file}"));
        let texts = |file: &str| {
            let bytes = fs_err::read(of(file)).ok()?;
            let texts = bytes.split(|byte| *byte == 0).filter(|text| !text.is_empty());
            Some(texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>())
        };
        let program = of("exe").read_link_utf8().ok()?;
        // A package that was upgraded: the new program has the old path.
        let program = program.as_str().trim_end_matches(" (deleted)").into();
        let variable = |text: String| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        Some(Self {
            id,
            program,
            arguments: texts("cmdline")?.into_iter().skip(1).collect(),
            folder: of("cwd").read_link_utf8().ok()?,
            environment: texts("environ")?.into_iter().filter_map(variable).collect(),
            log: of("fd/2").read_link_utf8().ok().filter(|path| path.is_file()),
        })
    }

    /// Whether it still runs. One that has ended and that nobody asked about does not; one of which
    /// only the first thread has ended does, and holds its files.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
        // The name in parentheses may hold anything.
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        let threads = || {
            let tasks = Utf8PathBuf::from(format!("/proc/{}/task", self.id));
            tasks.read_dir_utf8().map_or(0, Iterator::count)
        };
        match state {
            None => false,
            Some('Z' | 'X') => threads() > 1,
            Some(_) => true,
        }
    }

    /// A process of the same program with the same arguments: this one, started again.
    #[must_use]
    pub fn running_again(&self) -> Option<Self> {
        let entries = Utf8Path::new("/proc").read_dir_utf8().ok()?;
        let ids = entries.flatten().filter_map(|entry| entry.file_name().parse().ok());
        ids.filter_map(Self::read).find(|other| {
            other.program == self.program && other.arguments == self.arguments && other.is_alive()
        })
    }

    /// A variable of its environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Where a program lies that the process would start by this name.
    #[must_use]
    pub fn find_program(&self, name: &str) -> Option<Utf8PathBuf> {
        let is_program = |path: &Utf8PathBuf| is_executable(path);
        if name.contains('/') {
            return Some(Utf8PathBuf::from(name)).filter(is_program);
        }
        let folders = self.variable("PATH").unwrap_or("/usr/sbin:/usr/bin:/sbin:/bin");
        folders.split(':').map(|folder| Utf8Path::new(folder).join(name)).find(is_program)
    }

    fn is_daemon(&self) -> bool {
        matches!(self.program.file_name(), Some("dockerd" | "docker-current"))
    }
}

/// Whether a path is a file that somebody may execute.
pub(crate) fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_and_its_end_is_seen() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .env("WHO", "a=b")
            .current_dir("/usr")
            .spawn()
            .unwrap();
        let id = i32::try_from(child.id()).unwrap();
        // Between fork and exec it is still this program.
        let process = loop {
            let process = DaemonProcess::read(id).unwrap();
            if process.arguments == ["60"] {
                break process;
            }
        };
        assert_eq!(process.folder, "/usr");
        assert_eq!(process.variable("WHO"), Some("a=b"));
        assert!(process.is_alive());
        assert!(process.running_again().is_some());
        child.kill().unwrap();
        while process.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!process.is_alive());
    }
}
