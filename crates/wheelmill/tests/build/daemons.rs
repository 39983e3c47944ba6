//! The same recipe in containers of Docker, of Podman, and of our own.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use testkit::{Daemon, DaemonProgram};

use crate::place::Place;

/// The tar of a Debian root with a compiler and Python, made once: no registry can be reached
/// everywhere that tests run.
pub(crate) fn debian() -> Utf8PathBuf {
    let folder = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
    let tar = folder.join("root.tar");
    if !tar.exists() {
        let script = r#"
            rm -rf "$1"; mkdir -p "$1"
            debootstrap --variant=minbase --include=g++,python3,python3-dev,ca-certificates \
                bookworm "$1/root" >"$1/log" 2>&1 || { tail -n 20 "$1/log" >&2; exit 1; }
            rm -rf "$1"/root/var/cache/apt/archives/*.deb "$1"/root/var/lib/apt/lists/*
            tar -C "$1/root" -cf "$1/root.tar.new" .
            rm -rf "$1/root"; mv "$1/root.tar.new" "$1/root.tar"
        "#;
        let made = Command::new("sh").args(["-euc", script, "sh", folder.as_str()]).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    tar
}

/// The names and contents of a wheel's files, but for what the process numbers of compilers leave.
fn contents(place: &Place, variable: Option<(&str, &str)>, engine: &str) -> String {
    let base = debian();
    let mut command = place.command(&format!(
        "build tinycuda --cuda 13.0 --arch 9.0 --json --engine {engine} --base {base}"
    ));
    command.envs(variable);
    let cell = crate::place::Ended::of(command.output().unwrap()).expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    let wheel = cell["wheel"]["path"].as_str().unwrap();
    // nvcc names its temporary files after its process, and the names get into the symbol table.
    let script = "import hashlib, re, sys, zipfile
for entry in sorted(zipfile.ZipFile(sys.argv[1]).infolist(), key=lambda entry: entry.filename):
    data = zipfile.ZipFile(sys.argv[1]).read(entry)
    data = re.sub(rb'tmpxft_[0-9a-f]{8}_', b'tmpxft_', data)
    if not entry.filename.endswith('RECORD'):
        print(entry.filename, entry.external_attr >> 16, hashlib.sha256(data).hexdigest())";
    let listed = Command::new("python3").args(["-c", script, wheel]).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout).unwrap()
}

#[test]
fn docker_podman_and_our_own_containers_give_the_same_wheel() {
    let place = || Place::with("");
    let own = contents(&place(), None, "embedded");
    assert!(own.contains("tinycuda"), "{own}");
    for (program, variable, name) in [
        (DaemonProgram::Docker, "DOCKER_HOST", "docker"),
        (DaemonProgram::Podman, "CONTAINER_HOST", "podman"),
    ] {
        let Some(daemon) = Daemon::start(program) else { continue };
        let address = format!("unix://{}", daemon.socket());
        assert_eq!(contents(&place(), Some((variable, &address)), name), own, "{name}");
        let left = daemon.says(&["ps", "--all", "--quiet"]);
        assert!(left.is_empty(), "{name} has containers left: {left:?}");
        let unnamed = daemon.says(&["images", "--quiet", "--filter", "dangling=true"]);
        assert!(unnamed.is_empty(), "{name} has images without a name: {unnamed:?}");
    }
}
