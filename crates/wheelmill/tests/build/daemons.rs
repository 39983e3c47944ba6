//! The same recipe in containers of Docker, of Podman, and of our own.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use testkit::{Daemon, DaemonProgram};

use crate::gate::{sources, traced};
use crate::place::Place;

/// The tar of a Debian root with a compiler and Python, made once: no registry can be reached
/// everywhere that tests run.
pub(crate) fn debian() -> Utf8PathBuf {
    let folder = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
    let tar = folder.join("root.tar");
    fs_err::create_dir_all(&folder).unwrap();
    // Tests run in processes of their own, and several want it at once.
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if !tar.exists() {
        let made = Command::new(env!("CARGO_BIN_EXE_wheelmill"))
            .args(["images", "bootstrap", "debian:bookworm", "--output", tar.as_str()])
            .env("WHEELMILL_CACHE", &folder)
            .output()
            .unwrap();
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
    command.envs(variable).env("WHEELMILL_COMPILE_CACHE_SIZE", "1GiB");
    let cell = crate::place::Ended::of(command.output().unwrap()).expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    // Whether others have compiled it before is their matter.
    let asked = ["hits", "misses"].map(|name| cell["compile-cache"][name].as_u64().unwrap_or(0));
    assert_eq!(asked.iter().sum::<u64>(), 1, "the cache was not asked with {engine}: {cell}");
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

/// What was built can be written down, with every file that is copied.
fn dockerfile(place: &Place, variable: (&str, &str), engine: &str) {
    let (base, folder) = (debian(), place.path().join("image"));
    let mut command = place.command(&format!(
        "images dockerfile tinycuda --cuda 13.0 --arch 9.0 --engine {engine} --base {base} \
         --output {folder}"
    ));
    command.env(variable.0, variable.1);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = fs_err::read_to_string(folder.join("Dockerfile")).unwrap();
    assert!(text.contains("FROM localhost/wheelmill/base:"), "{text}");
    assert!(text.contains("# CUDA 13.0"), "{text}");
    for copied in text.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let name = copied.split(' ').next().unwrap();
        assert!(folder.join(name).is_file(), "{name}");
    }
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
        let place = place();
        assert_eq!(contents(&place, Some((variable, &address)), name), own, "{name}");
        assert_eq!(sources(&traced(&place)), ["/build/src/tiny.cu"], "{name} has not met the gate");
        dockerfile(&place, (variable, &address), name);
        let left = daemon.says(&["ps", "--all", "--quiet"]);
        assert!(left.is_empty(), "{name} has containers left: {left:?}");
        let unnamed = daemon.says(&["images", "--quiet", "--filter", "dangling=true"]);
        assert!(unnamed.is_empty(), "{name} has images without a name: {unnamed:?}");
    }
}
