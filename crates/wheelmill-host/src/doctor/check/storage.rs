//! How and where a daemon keeps images.

use camino::Utf8Path;
use wheelmill_model::ByteSize;

use super::disk::LEAST;
use crate::doctor::fact::{DaemonFacts, Facts};
use crate::doctor::result::Check;
use crate::machine::{FileSystem, Suitability};

const DRIVER: &str = "storage-driver";
const ROOT: &str = "data-root";
const SPACE: &str = "data-root-space";
const CONTAINERD: &str = "containerd-root";

/// Drivers that copy every layer as a whole.
const COPYING: [&str; 2] = ["vfs", "native"];
/// Drivers that newer daemons do not have, with the release without them.
const GONE: [(&str, u8); 3] = [("overlay", 24), ("aufs", 24), ("devicemapper", 25)];
/// Below this, not even one image of a CUDA toolkit fits.
const LITTLE: ByteSize = ByteSize(20_000_000_000);

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let Some(daemon) = facts.daemon_in_use() else {
        return vec![Check::not_applicable(ROOT, "no daemon is used")];
    };
    let mut checks = vec![driver(daemon)];
    checks.extend(root(ROOT, &daemon.report.root, &daemon.data_root));
    match &daemon.containerd_root {
        Some((folder, system)) => checks.extend(root(CONTAINERD, folder, system)),
        None => checks.push(Check::not_applicable(CONTAINERD, "all images lie in the data root")),
    }
    checks
}

fn driver(daemon: &DaemonFacts) -> Check {
    let driver = &daemon.report.driver;
    if COPYING.contains(&driver.as_str()) {
        return Check::warning(
            DRIVER,
            format!(
                "images are kept by `{driver}`, where every layer is a full copy of the one below: \
                 the disk fills at once"
            ),
            format!(
                "move the data root to ext4, xfs with `ftype=1` or btrfs: write `data-root` below \
                 `[host]`, then `sudo wheelmill host plan`; what holds it now: `df --print-type {}`",
                daemon.report.root
            ),
        );
    }
    // Podman calls that of today so.
    let gone = GONE.iter().find(|(gone, _)| gone == driver).filter(|_| !daemon.report.podman);
    if let Some((_, release)) = gone {
        return Check::warning(
            DRIVER,
            format!("images are kept by `{driver}`, with which Docker {release} does not start"),
            "take `storage-driver` out of the settings before the upgrade; images must be built or \
             fetched anew",
        );
    }
    Check::ok(DRIVER, format!("`{driver}`"))
}

fn root(code: &'static str, folder: &Utf8Path, system: &Result<FileSystem, String>) -> Vec<Check> {
    let system = match system {
        Ok(system) => system,
        Err(why) => {
            let message = format!("what `{folder}` lies on is not known: {why}");
            return vec![Check::not_checked(code, message, "`sudo wheelmill doctor`")];
        }
    };
    // Space is told apart.
    let roomy = FileSystem { free: ByteSize(u64::MAX), ..system.clone() };
    let move_it = "move it: write `data-root` below `[host]` of wheelmill.toml, then `sudo \
                   wheelmill host plan`";
    let lies = match roomy.suitability() {
        Suitability::Unfit(why) => Check::problem(code, format!("`{folder}`: {why}"), move_it),
        Suitability::Doubtful(why) => Check::warning(code, format!("`{folder}`: {why}"), move_it),
        Suitability::Good => late(code, folder, system).unwrap_or_else(|| {
            let FileSystem { kind, mounted_at, .. } = system;
            Check::ok(code, format!("`{folder}` lies on {kind}, mounted at `{mounted_at}`"))
        }),
    };
    vec![lies, space(if code == ROOT { SPACE } else { code }, folder, system)]
}

/// A disk that may come after the daemon: then that begins anew on the system's own.
fn late(code: &'static str, folder: &Utf8Path, system: &FileSystem) -> Option<Check> {
    let FileSystem { mounted_at, kind, .. } = system;
    let at_login = ["/media", "/run/media"].iter().any(|place| mounted_at.starts_with(place));
    // ZFS mounts its own at the start, without a table.
    if !at_login && (system.at_start || kind == "zfs") {
        return None;
    }
    let when = match at_login {
        true => "is mounted when somebody logs in",
        false => "is mounted neither by `/etc/fstab` nor by a unit",
    };
    Some(Check::warning(
        code,
        format!(
            "`{mounted_at}`, which holds `{folder}`, {when}: a Docker that starts before begins \
             anew on the system's own disk"
        ),
        format!(
            "add it to /etc/fstab by its UUID (`lsblk --fs`), then `sudo systemctl edit docker` \
             with `[Unit]` and `RequiresMountsFor={mounted_at}`"
        ),
    ))
}

fn space(code: &'static str, folder: &Utf8Path, system: &FileSystem) -> Check {
    let free = system.free;
    let message = format!("{free} free for images in `{folder}`");
    let fix = "see what takes it: `docker system df`; wheelmill's own share: `wheelmill clean`";
    if free < LEAST {
        Check::problem(code, message, fix)
    } else if free < LITTLE {
        let message =
            format!("{message}; one with a CUDA toolkit takes more than half of {LITTLE}");
        Check::warning(code, message, fix)
    } else {
        Check::ok(code, message)
    }
}
