//! The releases that a base can be made of.

use std::fmt;
use std::str::FromStr;

/// A release of a distribution, as images are named: `debian:bookworm`, `ubuntu:22.04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    distribution: Distribution,
    codename: &'static str,
    /// Ubuntu's images are named by number.
    number: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distribution {
    Debian,
    Ubuntu,
}

const fn debian(codename: &'static str, number: &'static str) -> Release {
    Release { distribution: Distribution::Debian, codename, number }
}

const fn ubuntu(codename: &'static str, number: &'static str) -> Release {
    Release { distribution: Distribution::Ubuntu, codename, number }
}

const RELEASES: [Release; 5] = [
    debian("bullseye", "11"),
    debian("bookworm", "12"),
    debian("trixie", "13"),
    ubuntu("jammy", "22.04"),
    ubuntu("noble", "24.04"),
];

impl Release {
    /// `bookworm`.
    pub(super) const fn codename(self) -> &'static str {
        self.codename
    }

    /// Where its packages come from when nothing else is said, for a machine as Rust names it.
    pub(super) fn mirror(self, machine: &str) -> &'static str {
        match self.distribution {
            Distribution::Debian => "http://deb.debian.org/debian",
            Distribution::Ubuntu if machine == "x86_64" => "http://archive.ubuntu.com/ubuntu",
            Distribution::Ubuntu => "http://ports.ubuntu.com/ubuntu-ports",
        }
    }

    /// The file with the keys that sign it, and the package that brings this file.
    pub(super) const fn keyring(self) -> (&'static str, &'static str) {
        match self.distribution {
            Distribution::Debian => {
                ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring")
            }
            Distribution::Ubuntu => {
                ("/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring")
            }
        }
    }

    /// The script of debootstrap that all releases of the distribution have in common, for a
    /// debootstrap that is older than the release.
    pub(super) const fn script(self) -> &'static str {
        match self.distribution {
            Distribution::Debian => "sid",
            Distribution::Ubuntu => "gutsy",
        }
    }

    /// A name for its file: `debian-bookworm.tar`, `ubuntu-22.04.tar`.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{}.tar", self.to_string().replace(':', "-"))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.distribution {
            Distribution::Debian => write!(formatter, "debian:{}", self.codename),
            Distribution::Ubuntu => write!(formatter, "ubuntu:{}", self.number),
        }
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |release: &Self| {
            let distribution = release.to_string();
            let distribution = distribution.split(':').next().unwrap_or_default();
            [release.codename, release.number]
                .iter()
                .any(|name| text == format!("{distribution}:{name}"))
        };
        RELEASES.into_iter().find(named).ok_or_else(|| {
            let known = RELEASES.map(|release| format!("`{release}`")).join(", ");
            format!("`{text}` is not a release that a base can be made of; there are {known}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_named_as_images_are() {
        let read = |text: &str| text.parse::<Release>().map(|release| release.to_string());
        assert_eq!(read("debian:12"), Ok("debian:bookworm".to_owned()));
        assert_eq!(read("ubuntu:noble"), Ok("ubuntu:24.04".to_owned()));
        assert!(read("ubuntu:bookworm").unwrap_err().contains("`ubuntu:22.04`"));
        assert_eq!("ubuntu:22.04".parse::<Release>().unwrap().file_name(), "ubuntu-22.04.tar");
    }
}
