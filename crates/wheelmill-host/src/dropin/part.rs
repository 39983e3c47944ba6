//! The parts of a command, and what each is worth today.

use camino::Utf8Path;
use serde::Serialize;
use serde_json::json;

/// A part of a drop-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    /// As it is written.
    pub text: String,
    /// What it does, in a sentence without a full stop.
    pub meaning: String,
    /// What to do with it today.
    pub today: String,
}

impl Part {
    pub(super) fn new(text: &str, meaning: &str, today: &str) -> Self {
        Self { text: text.to_owned(), meaning: meaning.to_owned(), today: today.to_owned() }
    }

    /// An option of `dockerd`, by its key in the file of settings. Whether those who come over TCP
    /// must show a certificate is said by another.
    pub(super) fn option(text: &str, key: &str, value: &str, verified: bool) -> Self {
        let (meaning, today) = match key {
            "hosts" if value.starts_with("tcp://") && verified => (
                "opens a socket for those with a certificate; each of them is root",
                "keep it in a drop-in of its own, or drop it: from another machine use `ssh://`",
            ),
            "hosts" if value.starts_with("tcp://") => (
                "lets every program on this machine become root, and every web page in a browser \
                 on it; Docker will refuse it one day",
                "drop it; from another machine use `ssh://`",
            ),
            "hosts" => (
                "opens the unix socket, which the package's own command does with `-H fd://`",
                "drop it",
            ),
            "tls" | "tlsverify" | "tlscacert" | "tlscert" | "tlskey" => (
                "is about certificates of those who come over TCP",
                "keep it together with `-H tcp://…`, or drop both",
            ),
            "containerd" => ("is what the package's own command has", "drop it"),
            "config-file" => (
                "names another file of settings",
                "drop it, and let that file be /etc/docker/daemon.json",
            ),
            "bridge" if value == "none" => (
                "gives containers no network but that of the machine, or one that they name",
                "write `\"bridge\": \"none\"` into /etc/docker/daemon.json, if it is still wanted",
            ),
            "bridge" if value == "docker0" => ("is what Docker does by itself", "drop it"),
            "bridge" => (
                "takes a bridge that somebody must have made: one made with `ip link` is gone \
                 after a reboot, and then Docker does not start",
                "write `bridge-address`; Docker makes its own bridge with it, every time",
            ),
            "default-address-pools" => {
                ("says where networks are taken from", "write `address-pools`")
            }
            "bip" => ("gives Docker's bridge its address", "write `bridge-address`"),
            "storage-driver" if matches!(value, "overlay" | "aufs" | "devicemapper") => (
                "was needed for no disk, and is gone: Docker does not start with it since 24 or 25",
                "drop it; images that were made with it are not seen by another driver",
            ),
            "storage-driver" => (
                "fixes how images are kept, which Docker chooses well; from 29 on it hides those \
                 of the default",
                "drop it, unless images of this driver are there",
            ),
            "data-root" if Utf8Path::new(value).starts_with("/media") => (
                "is still right, but disks below /media are mounted when somebody logs in: a \
                 Docker that starts before begins anew on the system's own disk",
                "mount the disk by `/etc/fstab`, and write `data-root`",
            ),
            "data-root" => ("is still right", "write `data-root`"),
            "runtimes" if value.starts_with("nvidia=") => (
                "is still right; the program comes with `nvidia-container-toolkit` today",
                "write `nvidia-runtime`",
            ),
            "" => ("is no option of the daemon", "drop it"),
            _ if !is_known(key) => (
                "is no option of the daemon that is known here",
                "drop it, unless `dockerd --help` has it: with a key that it does not know, Docker \
                 does not start",
            ),
            _ => {
                let today = format!("{}, if it is still wanted", setting(key, value));
                return Self::new(text, "is an option of the daemon", &today);
            }
        };
        Self::new(text, meaning, today)
    }

    /// A word that systemd replaces by what stands in a variable.
    pub(super) fn variable(text: &str) -> Self {
        Self::new(
            text,
            "stands for what /etc/default/docker or /etc/sysconfig/docker says, if the unit reads it",
            "drop it: the package's own command has it where its unit reads such a file",
        )
    }
}

/// Keys whose values are lists, which an option adds to.
const LISTS: &[&str] = &[
    "authorization-plugins",
    "cdi-spec-dirs",
    "dns",
    "dns-opts",
    "dns-search",
    "exec-opts",
    "insecure-registries",
    "labels",
    "registry-mirrors",
    "storage-opts",
];

/// Keys whose values are objects, to which an option adds one entry.
const OBJECTS: &[&str] =
    &["default-network-opts", "default-ulimits", "features", "log-opts", "runtimes"];

/// The other keys that dockerd knows, of 20.10 to 29 (`dockerd --help`, and Docker's page on
/// dockerd), but for those that have words of their own.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "allow-direct-routing", "allow-nondistributable-artifacts", "api-cors-header", "bip6",
    "bridge-accept-fwmark", "cgroup-parent", "containerd-namespace",
    "containerd-plugins-namespace", "cpu-rt-period", "cpu-rt-runtime", "cri-containerd", "debug",
    "default-cgroupns-mode", "default-gateway", "default-gateway-v6", "default-ipc-mode",
    "default-runtime", "default-shm-size", "exec-root", "experimental", "firewall-backend",
    "fixed-cidr", "fixed-cidr-v6", "group", "host-gateway-ip", "host-gateway-ips", "http-proxy",
    "https-proxy", "icc", "init", "init-path", "ip", "ip-forward", "ip-forward-no-drop", "ip-masq",
    "ip6tables", "iptables", "ipv6", "live-restore", "log-driver", "log-format", "log-level",
    "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "metrics-addr",
    "min-api-version", "mtu", "network-control-plane-mtu", "no-new-privileges", "no-proxy",
    "node-generic-resources", "oom-score-adjust", "pidfile", "raw-logs", "seccomp-profile",
    "selinux-enabled", "shutdown-timeout", "swarm-default-advertise-addr", "userland-proxy",
    "userland-proxy-path", "userns-remap",
];

fn is_known(key: &str) -> bool {
    [PLAIN, LISTS, OBJECTS].iter().any(|keys| keys.contains(&key))
}

/// What to write where in the file of settings: options that may stand several times on the
/// command line share one key there.
fn setting(key: &str, value: &str) -> String {
    const FILE: &str = "/etc/docker/daemon.json";
    if LISTS.contains(&key) {
        return format!("write `{}` into the list `\"{key}\"` of {FILE}", json!(value));
    }
    let (name, rest) = value.split_once('=').unwrap_or((value, ""));
    let value = match (key, value) {
        ("log-opts" | "default-network-opts", _) => json!(rest),
        ("features", _) => json!(rest != "false"),
        ("runtimes", _) => json!({ "path": rest }),
        // As `nofile=1024:2048`.
        ("default-ulimits", _) => {
            let (soft, hard) = rest.split_once(':').unwrap_or((rest, rest));
            let number = |text: &str| text.parse::<i64>().unwrap_or_default();
            json!({ "Name": name, "Soft": number(soft), "Hard": number(hard) })
        }
        (_, "true") => json!(true),
        (_, "false") => json!(false),
        (_, number) if number.parse::<i64>().is_ok() => json!(number.parse::<i64>().ok()),
        (_, text) => json!(text),
    };
    match OBJECTS.contains(&key) {
        true => format!("write `\"{name}\": {value}` into `\"{key}\"` of {FILE}"),
        false => format!("write `\"{key}\": {value}` into {FILE}"),
    }
}
