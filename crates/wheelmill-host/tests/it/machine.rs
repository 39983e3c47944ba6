//! What is read of a machine: routes of a network of the test's own, file systems that it mounts.

#![expect(clippy::print_stderr, reason = "what is not tested must be said")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_host::machine::{FileSystem, Route, Suitability};

/// Says that something cannot be tested here; where everything must be, that is a failure.
pub(crate) fn not_tested(what: &str) {
    assert!(std::env::var_os("WHEELMILL_CI").is_none(), "{what}");
    eprintln!("NOT TESTED: {what}");
}

fn run(line: &str) -> bool {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A process that is ended with the test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn routes_of_every_table_of_a_network_are_seen() {
    let script = "ip link add tun7 type bridge && ip link set tun7 up && \
        ip address add 10.8.0.2/24 dev tun7 && ip route add 172.16.0.0/12 dev tun7 && \
        ip rule add from all table 51820 && ip route add 192.168.5.0/24 dev tun7 table 51820 && \
        ip route add 0.0.0.0/1 dev tun7 && echo ready && exec sleep 60";
    let started = Command::new("unshare")
        .args(["--net", "sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return not_tested("there is no unshare") };
    let stdout = child.stdout.take().unwrap();
    let child = Ended(child);
    let first = BufReader::new(stdout).lines().next();
    if !first.is_some_and(|line| line.is_ok_and(|line| line == "ready")) {
        return not_tested("no network of our own can be made");
    }
    let routes = Route::all(Some(i32::try_from(child.0.id()).unwrap()));
    let seen: Vec<String> = routes
        .iter()
        .map(|route| {
            let device = route.device.as_deref().unwrap_or("-");
            format!("{} {device} {}", route.to, route.table)
        })
        .collect();
    for wanted in ["10.8.0.0/24 tun7 main", "172.16.0.0/12 tun7 main", "192.168.5.0/24 - 51820"] {
        assert!(seen.iter().any(|seen| seen == wanted), "{wanted}: {seen:?}");
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

/// A file system in a file, unmounted when dropped.
struct Mounted {
    _folder: tempfile::TempDir,
    place: Utf8PathBuf,
}

impl Mounted {
    /// Mounts what a command made of a file of 16 MiB; none where that cannot be.
    fn new(make: &str, options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("its path is text");
        let (file, place) = (root.join("disk"), root.join("place"));
        fs_err::create_dir(&place).expect("a folder");
        fs_err::File::create(&file).and_then(|file| file.set_len(16 << 20)).expect("a file");
        let mounted = run(&format!("{make} {file}"))
            && run(&format!("mount -o loop,{options} {file} {place}"));
        if !mounted {
            not_tested("no file system can be mounted");
            return None;
        }
        Some(Self { _folder: folder, place })
    }

    fn suitability(&self) -> Suitability {
        FileSystem::of(&self.place.join("docker")).expect("it can be looked at").suitability()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        assert!(run(&format!("umount {}", self.place)) || std::thread::panicking());
    }
}

fn unfit(suitability: Suitability) -> String {
    match suitability {
        Suitability::Unfit(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_disk_without_types_in_folders_cannot_hold_images() {
    let Some(disk) = Mounted::new("mkfs.ext4 -q -O ^filetype", "rw") else { return };
    let why = unfit(disk.suitability());
    assert!(why.contains("d_type"), "{why}");
}

#[test]
fn a_disk_that_executes_nothing_cannot_hold_volumes() {
    let Some(disk) = Mounted::new("mkfs.ext4 -q", "noexec,nosuid,nodev") else { return };
    let why = unfit(disk.suitability());
    assert!(why.contains("noexec"), "{why}");
}

#[test]
fn a_small_disk_can_but_is_doubtful() {
    let Some(disk) = Mounted::new("mkfs.ext4 -q", "rw") else { return };
    let system = FileSystem::of(&disk.place).unwrap();
    assert_eq!((system.kind.as_str(), system.tells_types), ("ext4", true));
    assert_eq!(system.mounted_at, disk.place);
    assert!(!system.at_start);
    assert!(matches!(disk.suitability(), Suitability::Doubtful(why) if why.contains("free")));
}
