//! A user without any rights builds the same.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use camino::Utf8Path;

use crate::place::{Ended, Place, walk};

/// Nobody's numbers, on every distribution.
const NOBODY: u32 = 65534;

#[test]
fn a_plain_user_builds_with_packages_that_the_host_lacks_and_leaves_it_as_it_was() {
    if !nix::unistd::geteuid().is_root() {
        assert!(
            std::env::var_os("WHEELMILL_CI").is_none(),
            "this test needs root to become nobody"
        );
        eprintln!("not tested: only root can become another user");
        return;
    }
    let header = Utf8Path::new("/usr/include/numa.h");
    let was_there = header.exists();
    let mut place = Place::with(
        "system-packages = [\"numactl\"]\n\
         command = [\"sh\", \"-euc\", \"test -e /usr/include/numa.h; \
         uv build --wheel --no-build-isolation --no-cache --out-dir {out} .\"]",
    );
    // A user's layers are of another kind than root's, and so is their cache.
    let cache = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("user-cache");
    fs_err::create_dir_all(&cache).unwrap();
    chown(&cache, Some(NOBODY), Some(NOBODY)).unwrap();
    // A checkout below /root is closed to others; the program and the cache are bound elsewhere.
    let visible = place.path().join("visible");
    for folder in ["program", "cache"] {
        fs_err::create_dir_all(visible.join(folder)).unwrap();
    }
    fs_err::copy(env!("CARGO_BIN_EXE_wheelmill"), visible.join("program/wheelmill")).unwrap();
    place.set_cache(&visible.join("cache"));
    for path in walk(place.path()) {
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    for folder in [".", "tinycuda", "home", "visible", "visible/program", "visible/cache"] {
        let folder = place.path().join(folder);
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        fs_err::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let script = format!(
        "mount --bind '{cache}' '{visible}/cache' && exec setpriv --reuid {NOBODY} --regid {NOBODY} \
         --clear-groups '{visible}/program/wheelmill' build tinycuda --cuda 13.0 --arch 9.0 --json"
    );
    let mut command = Command::new("unshare");
    place.prepare(&mut command);
    command.args(["--mount", "sh", "-c", &script]);
    let cell = Ended::of(command.output().unwrap()).expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    assert!(cell["verdict"].as_str().unwrap().contains("sm_90"), "{cell}");
    assert_eq!(header.exists(), was_there, "the build changed the host");
}
