//! What the tests need beside Rust: installed on Debian and its relatives when we are root, named
//! elsewhere.

use anyhow::{Result, bail};
use camino::Utf8Path;

use crate::command::{output, program, run, works};

struct Need {
    /// The package of Debian.
    package: &'static str,
    /// Which tests need it.
    reason: &'static str,
    present: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        package: "ca-certificates",
        reason: "packages come from PyPI over TLS",
        present: || Utf8Path::new("/etc/ssl/certs/ca-certificates.crt").exists(),
    },
    Need {
        package: "python3",
        reason: "wheels are built by and for it, and looked into with it",
        present: || works("python3", &["--version"]),
    },
    Need {
        package: "python3-pip",
        reason: "the gate is tested with the ccache of PyPI",
        present: || works("python3", &["-m", "pip", "--version"]),
    },
    Need {
        package: "python3-dev",
        reason: "the small CUDA package of the tests includes Python.h",
        present: has_python_header,
    },
    Need {
        package: "g++",
        reason: "nvcc compiles the small CUDA package of the tests with it",
        present: || works("g++", &["--version"]),
    },
    Need {
        package: "make",
        reason: "the gate is tested with the build systems that packages have",
        present: || works("make", &["--version"]),
    },
    Need { package: "ninja-build", reason: "the same", present: || works("ninja", &["--version"]) },
    Need { package: "cmake", reason: "the same", present: || works("cmake", &["--version"]) },
    Need {
        package: "uidmap",
        reason: "the engine is tested as a plain user with subordinate identities",
        present: || on_path("newuidmap"),
    },
    Need {
        package: "docker-registry",
        reason: "images are pulled from a registry that the tests start",
        present: || on_path("docker-registry"),
    },
    Need {
        package: "docker.io",
        reason: "the tests drive a daemon of their own",
        present: || on_path("dockerd") && on_path("docker"),
    },
    Need {
        package: "iproute2",
        reason: "the tests make routes in a network of their own",
        present: || on_path("ip"),
    },
    Need {
        package: "systemd",
        reason: "its networkd makes a bridge in a network of the tests' own",
        present: || Utf8Path::new("/lib/systemd/systemd-networkd").exists(),
    },
    Need {
        package: "network-manager",
        reason: "it makes a bridge in a network of the tests' own",
        present: || on_path("NetworkManager") && on_path("nmcli"),
    },
    Need {
        package: "e2fsprogs",
        reason: "the tests make file systems that cannot hold images",
        present: || on_path("mkfs.ext4"),
    },
    Need {
        package: "podman",
        reason: "the tests drive a service of its own",
        present: || on_path("podman"),
    },
    Need {
        package: "debootstrap",
        reason: "the tests' containers start from a root that it makes",
        present: || on_path("debootstrap"),
    },
    Need {
        package: "openssl",
        reason: "that registry gets a certificate that nobody trusts",
        present: || on_path("openssl"),
    },
];

/// Makes sure of everything in the table.
pub(crate) fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        println!("    all {} are there", NEEDS.len());
        return Ok(());
    }
    for need in &missing {
        println!("    missing: {} ({})", need.package, need.reason);
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let packages_line = packages.join(" ");
    if !on_path("apt-get") {
        bail!("this machine has no apt-get: install what Debian calls {packages_line}");
    }
    if output(program("id").arg("-u"))?.trim() != "0" {
        bail!("this needs root: run `sudo apt-get install {packages_line}`");
    }
    run(program("apt-get").args(["update", "--quiet"]))?;
    run(program("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(&packages))?;
    match self::missing().first() {
        None => Ok(()),
        Some(need) => bail!("`{}` was installed and is still not found", need.package),
    }
}

fn missing() -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| !(need.present)()).collect()
}

fn on_path(name: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    // Root's own folders are not on every user's path, and what they hold is run from there.
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .any(|folder| Utf8Path::new(folder).join(name).is_file())
}

fn has_python_header() -> bool {
    const ASK: &str = "import os, sysconfig, sys
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h')))";
    works("python3", &["-c", ASK])
}
