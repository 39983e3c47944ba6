//! Wishes that are not granted, each with the reason and what to do instead.

use camino::Utf8Path;
use wheelmill_model::Subnet;
use wheelmill_recipe::HostSection;

use super::change::{Refusal, Remark};
use crate::dropin::explain;
use crate::machine::{DaemonKind, DaemonOptions, Machine, Route, Suitability};
use crate::service::ServiceKind;

/// Storage drivers that are gone, and the release without them (`docs/deprecated.md` of Docker).
const GONE: &[(&str, u64)] = &[("overlay", 24), ("aufs", 24), ("devicemapper", 25)];

/// Storage drivers that a daemon has, and containerd's own (Docker 20.10 to 29).
const DRIVERS: &[&str] =
    &["overlay2", "overlayfs", "fuse-overlayfs", "btrfs", "zfs", "vfs", "native"];

/// Programs that storage drivers need.
const PROGRAMS: &[(&str, &str)] = &[("fuse-overlayfs", "fuse-overlayfs"), ("zfs", "zfs")];

/// The first release that knows CDI.
const CDI: u64 = 25;

/// Everything in a wish that is not granted on a machine.
pub(super) fn refusals(machine: &Machine, wish: &HostSection) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    refusals.extend(daemon(machine));
    refusals.extend(hosts(&machine.options, wish));
    refusals.extend(storage_driver(machine, wish));
    refusals.extend(cdi(machine, wish));
    refusals.extend(data_root(machine));
    refusals.extend(data_root_place(machine, wish));
    refusals.extend(subnets(machine, wish));
    refusals.extend(bridge(machine, wish));
    refusals
}

/// What is granted, and has a drawback.
pub(super) fn remarks(machine: &Machine, wish: &HostSection) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if let Some(Suitability::Doubtful(message)) =
        machine.data_root.as_ref().map(crate::machine::FileSystem::suitability)
    {
        remarks.push(Remark { message, hint: None });
    }
    if let (Some(folder), Some(system)) = (&wish.data_root, &machine.data_root)
        && !system.at_start
    {
        remarks.push(Remark {
            message: format!(
                "`{}`, which holds `{folder}`, is mounted neither by `/etc/fstab` nor by a unit: after a start \
                 without it Docker would begin anew on the system's own disk",
                system.mounted_at
            ),
            hint: Some("add a line for it, by its UUID (`lsblk --fs`)".to_owned()),
        });
    }
    if let (Some(folder), Some(containerd)) = (&wish.data_root, &machine.report.containerd)
        && machine.report.driver_status.iter().any(|(_, value)| value.contains("snapshotter"))
        && containerd == "/run/containerd/containerd.sock"
    {
        remarks.push(Remark {
            message: format!(
                "this Docker keeps images in the system's containerd, whose folder is not moved \
                 to `{folder}`"
            ),
            hint: Some("set `root` in /etc/containerd/config.toml, too".to_owned()),
        });
    }
    remarks.extend(open_sockets(&machine.options));
    remarks.extend(old_drop_ins(machine));
    remarks
}

/// A daemon that cannot be set up through a file of this machine.
fn daemon(machine: &Machine) -> Option<Refusal> {
    let refused = |what: &str, instead: &str| {
        Some(Refusal::machine("daemon-elsewhere", what.to_owned(), instead))
    };
    match DaemonKind::of(&machine.report) {
        DaemonKind::Podman => refused(
            "what answers is Podman, which has neither a daemon to set up nor these settings",
            "nothing is needed for CPU builds; for GPUs write a CDI specification: \
             `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`",
        ),
        DaemonKind::Desktop => refused(
            "what answers is Docker Desktop, whose daemon lives in a virtual machine",
            "change its settings in its own window, under Docker Engine",
        ),
        DaemonKind::Snap => refused(
            "what answers is Docker from a snap, which sees neither other disks nor NVIDIA's \
             runtime",
            "install Docker's own packages: https://docs.docker.com/engine/install/",
        ),
        DaemonKind::Docker | DaemonKind::Rootless if machine.process.is_none() => refused(
            "the daemon's process cannot be seen from here, so its settings cannot be found",
            "run this as root (`sudo`), on the machine itself and not in a container",
        ),
        DaemonKind::Docker | DaemonKind::Rootless => None,
    }
}

fn hosts(options: &DaemonOptions, wish: &HostSection) -> Option<Refusal> {
    let hosts = wish.hosts.as_deref()?;
    let verified = options.is_verified();
    if let Some(open) = hosts.iter().find(|host| host.starts_with("tcp://") && !verified) {
        return Some(Refusal::wish(
            "hosts-tcp",
            format!(
                "`{open}` without TLS makes every program on this machine root, and every web \
                 page that a browser on it shows"
            ),
            "use the unix socket; from another machine, `docker context create NAME --docker \
             host=ssh://USER@MACHINE`",
        ));
    }
    let given = options.values("hosts").collect::<Vec<_>>().join(" -H ");
    if !given.is_empty() {
        return Some(Refusal::wish(
            "hosts-activation",
            format!(
                "the daemon is started with `-H {given}`, and does not start when its settings \
                 have `hosts`, too"
            ),
            "leave `hosts` out; the sockets are those of the service",
        ));
    }
    Some(Refusal::wish(
        "hosts-service",
        "sockets belong to the service: `hosts` in the settings would keep the daemon from \
         starting as soon as a package brings its unit with `-H fd://`"
            .to_owned(),
        "leave `hosts` out; the unix socket is there without",
    ))
}

fn storage_driver(machine: &Machine, wish: &HostSection) -> Option<Refusal> {
    const INSTEAD: &str =
        "leave `storage-driver` out, or write `overlay2`; another disk needs neither";
    let wished = wish.storage_driver.as_deref()?;
    if let Some((name, release)) = GONE.iter().find(|(name, _)| *name == wished) {
        return Some(Refusal::wish(
            "storage-driver-gone",
            format!(
                "the storage driver `{name}` is deprecated, and from Docker {release} on the \
                 daemon does not start with it"
            ),
            INSTEAD,
        ));
    }
    let refused = |message: String| Some(Refusal::wish("storage-driver-unfit", message, INSTEAD));
    // Containerd has drivers as plug-ins, by any name.
    let by_containerd =
        machine.report.driver_status.iter().any(|(_, value)| value.contains("snapshotter"));
    if !DRIVERS.contains(&wished) && !by_containerd && !wished.contains([':', '/']) {
        return refused(format!("Docker has no storage driver `{wished}`"));
    }
    let system = machine.data_root.as_ref().or(machine.present_root.as_ref());
    if let Some(system) = system {
        if matches!(wished, "btrfs" | "zfs") && system.kind != wished {
            return refused(format!(
                "the storage driver `{wished}` works on {wished} alone, and `{}` is {}",
                system.mounted_at, system.kind
            ));
        }
        if let (true, Suitability::Unfit(why)) =
            (wished.starts_with("overlay"), system.suitability())
        {
            return refused(format!("the storage driver `{wished}` does not work here: {why}"));
        }
    }
    let missing = |program: &str| {
        machine.process.as_ref().is_some_and(|it| it.find_program(program).is_none())
    };
    let (_, program) = PROGRAMS.iter().find(|(name, _)| *name == wished)?;
    if missing(program) {
        return refused(format!(
            "the storage driver `{wished}` needs the program `{program}`, which the daemon does \
             not find"
        ));
    }
    None
}

fn cdi(machine: &Machine, wish: &HostSection) -> Option<Refusal> {
    let version = &machine.report.version;
    let release: u64 = version.split('.').next()?.parse().ok()?;
    (wish.cdi == Some(true) && release < CDI).then(|| {
        Refusal::machine(
            "cdi-unknown",
            format!("Docker {version} knows no CDI; the first that does is {CDI}"),
            "leave `cdi` out and write `nvidia-runtime = true`, or install a newer Docker",
        )
    })
}

fn data_root(machine: &Machine) -> Option<Refusal> {
    let system = machine.data_root.as_ref()?;
    let Suitability::Unfit(message) = system.suitability() else { return None };
    Some(Refusal::wish(
        "data-root-unfit",
        message,
        "choose a folder on ext4, on xfs with `ftype=1` or on btrfs, mounted without `noexec`",
    ))
}

/// Folders of the system. What lies below the second ones is nobody's but the system's, too.
const SYSTEM: (&[&str], &[&str]) = (
    &["/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/lib"],
    &["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr"],
);

/// A place in which nothing of Docker's may lie, or which is not there.
fn data_root_place(machine: &Machine, wish: &HostSection) -> Option<Refusal> {
    let folder = wish.data_root.as_deref()?;
    let (exact, trees) = SYSTEM;
    let is_system = exact.iter().any(|own| folder == Utf8Path::new(own))
        || trees.iter().any(|tree| folder.starts_with(tree));
    if is_system {
        return Some(Refusal::wish(
            "data-root-system",
            format!("`{folder}` belongs to the system, and Docker makes its root its own"),
            "name a folder for Docker alone, as `/mnt/disk/docker`",
        ));
    }
    let present = &machine.report.root;
    if folder != present && (folder.starts_with(present) || present.starts_with(folder)) {
        return Some(Refusal::wish(
            "data-root-inside",
            format!("`{folder}` and the present root `{present}` lie one in the other"),
            "name a folder beside it",
        ));
    }
    let nearest = &machine.data_root.as_ref()?.nearest;
    let parent = folder.parent().filter(|parent| nearest != folder && nearest != parent)?;
    Some(Refusal::machine(
        "data-root-missing",
        format!("there is no `{parent}`: Docker would make it, on the disk of `{nearest}`"),
        format!(
            "mount the disk that is meant, or make the folder: `sudo mkdir --parents {parent}`"
        ),
    ))
}

/// Subnets that the machine needs for something else.
fn subnets(machine: &Machine, wish: &HostSection) -> Vec<Refusal> {
    let own_bridges = [machine.report.bridge.as_deref(), wish.bridge.as_deref()];
    let foreign = |route: &&Route| {
        !route.is_dockers()
            && !own_bridges.into_iter().flatten().any(|own| route.device.as_deref() == Some(own))
    };
    let collision = |key: &str, subnet: Subnet| {
        let route =
            machine.routes.iter().filter(foreign).find(|route| route.to.overlaps(subnet))?;
        let behind = match &route.device {
            Some(device) => format!("behind `{device}`"),
            None => format!("in the routing table `{}`", route.table),
        };
        Some(Refusal::wish(
            "subnet-taken",
            format!("`{key}` takes {subnet}, and {} {behind} is reached there", route.to),
            match free(&machine.routes) {
                Some(free) => format!("choose a network that nothing uses, as {free}"),
                None => "choose a network that nothing uses: see `ip route show table all`".into(),
            },
        ))
    };
    let bridge = wish.bridge_address.map(|address| ("bridge-address", address.subnet()));
    let pools = wish.address_pools.iter().flatten().map(|pool| ("address-pools", pool.base));
    bridge.into_iter().chain(pools).filter_map(|(key, subnet)| collision(key, subnet)).collect()
}

/// A network of 2^16 addresses that no route leads to.
pub(crate) fn free(routes: &[Route]) -> Option<Subnet> {
    let candidates = (201..=255).map(|part| Subnet::of([10, part, 0, 0].into(), 16));
    let mut free =
        candidates.filter(|subnet| routes.iter().all(|route| !route.to.overlaps(*subnet)));
    free.next()
}

fn bridge(machine: &Machine, wish: &HostSection) -> Option<Refusal> {
    let name = wish.bridge.as_deref()?;
    if machine.bridge_keeper.is_some() {
        return None;
    }
    let address = wish.bridge_address.map(|address| address.to_string()).unwrap_or_default();
    Some(Refusal::machine(
        "bridge-not-kept",
        format!(
            "neither systemd-networkd nor NetworkManager runs, so `{name}` would be gone after a \
             reboot, and Docker would not start"
        ),
        format!(
            "leave `bridge` out: with `bridge-address = \"{address}\"` alone Docker makes and \
             keeps its own bridge"
        ),
    ))
}

/// Sockets that are open now; what is not wished is not changed.
fn open_sockets(options: &DaemonOptions) -> Option<Remark> {
    let verified = options.is_verified();
    let open = options.values("hosts").find(|host| host.starts_with("tcp://"))?;
    (!verified).then(|| Remark {
        message: format!("the daemon listens at `{open}` without TLS: whoever reaches it is root"),
        hint: Some("take it out of the service's `ExecStart`".to_owned()),
    })
}

/// Drop-ins that replace the whole command of the service.
fn old_drop_ins(machine: &Machine) -> Vec<Remark> {
    let ServiceKind::Systemd { unit, .. } = &machine.service else { return Vec::new() };
    let folder = machine.root.join("etc/systemd/system").join(format!("{unit}.d"));
    let files = folder.read_dir_utf8().into_iter().flatten().flatten();
    let files = files.map(|entry| entry.path().to_owned());
    files
        .filter(|file| fs_err::read_to_string(file).is_ok_and(|text| explain(&text).is_some()))
        .map(|file| Remark {
            message: format!("`{file}` replaces the whole command of the service"),
            hint: Some(format!(
                "see part by part what it does today: `wheelmill host explain {file}`"
            )),
        })
        .collect()
}

/// Whether a folder lies on another file system than that of the system.
pub(super) fn lies_apart(machine: &Machine) -> bool {
    machine.data_root.as_ref().is_some_and(|system| system.mounted_at != Utf8Path::new("/"))
}
