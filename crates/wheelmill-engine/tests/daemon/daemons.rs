//! Daemons that tests start, with folders and sockets of their own, and stop.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;
use wheelmill_engine::{DaemonEngine, DaemonSettings, EngineKind};
use wheelmill_model::NetworkSettings;

/// Set where every test must run: what cannot be tested is then a failure.
const CI: &str = "WHEELMILL_CI";

/// A daemon that is stopped when this is dropped.
pub(crate) struct Daemon {
    pub(crate) kind: EngineKind,
    folder: TempDir,
    child: Child,
}

impl Daemon {
    /// Starts a daemon, if this machine has its program and we are root.
    pub(crate) fn start(kind: EngineKind) -> Option<Self> {
        let program = if kind == EngineKind::Docker { "dockerd" } else { "podman" };
        let there = ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists());
        if !there || !Uid::effective().is_root() {
            let what = format!("there is no {program} that root could start");
            assert!(std::env::var_os(CI).is_none(), "{what}");
            eprintln!("NOT TESTED: {what}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(kind, Utf8Path::from_path(folder.path()).unwrap());
        let mut daemon = Self { kind, folder, child };
        daemon.wait_until_it_answers();
        Some(daemon)
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    pub(crate) fn socket(&self) -> Utf8PathBuf {
        self.path().join("daemon.sock")
    }

    /// An engine of its own, as another run of the program has it.
    pub(crate) fn engine(&self) -> DaemonEngine {
        DaemonEngine::new(DaemonSettings {
            kind: self.kind,
            sockets: vec![self.socket()],
            images: self.path().join("images"),
            network: NetworkSettings::default(),
        })
    }

    /// Ends the daemon, as an administrator would.
    pub(crate) fn stop(&mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again over the same folders.
    pub(crate) fn start_again(&mut self) {
        drop(fs::remove_file(self.socket()));
        self.child = spawn(self.kind, self.path());
        self.wait_until_it_answers();
    }

    /// What the daemon's own client lists.
    pub(crate) fn lists(&self, what: &[&str]) -> Vec<String> {
        let mut client = match self.kind {
            EngineKind::Docker => {
                let mut client = Command::new("docker");
                client.args(["--host", &format!("unix://{}", self.socket())]);
                client
            }
            _ => podman(self.path()),
        };
        let output = client.args(what).output().unwrap();
        assert!(output.status.success(), "{what:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn wait_until_it_answers(&mut self) {
        let start = Instant::now();
        while UnixStream::connect(self.socket()).is_err() || !self.pings() {
            let ended = self.child.try_wait().unwrap();
            let log = || fs::read_to_string(self.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "no answer:\n{}", log());
            assert!(ended.is_none(), "it has ended:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn pings(&self) -> bool {
        use wheelmill_engine::Engine as _;
        self.engine().probe().isolation.is_some()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // When a test fails, it may have been stopped already.
        let _ = kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM);
        drop(self.child.wait());
        for line in fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines().rev() {
            let place = line.split(' ').nth(4).unwrap_or_default();
            if Path::new(place).starts_with(self.folder.path()) {
                let _ = nix::mount::umount2(place, nix::mount::MntFlags::MNT_DETACH);
            }
        }
    }
}

fn spawn(kind: EngineKind, folder: &Utf8Path) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let socket = format!("unix://{folder}/daemon.sock");
    let mut command = match kind {
        EngineKind::Docker => {
            let mut command = Command::new("dockerd");
            for (option, value) in [
                ("--data-root", "data"),
                ("--exec-root", "exec"),
                ("--pidfile", "pid"),
                // Not the file of the machine's daemon.
                ("--config-file", "daemon.json"),
            ] {
                command.arg(option).arg(folder.join(value));
            }
            fs::write(folder.join("daemon.json"), "{}").unwrap();
            command.args(["--host", &socket, "--bridge=none", "--iptables=false"]);
            command.args(["--ip6tables=false", "--ip-masq=false"]);
            command
        }
        _ => {
            let limits =
                "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
            fs::write(folder.join("containers.conf"), limits).unwrap();
            let mut command = podman(folder);
            command.args(["system", "service", "--time", "0", &socket]);
            command
        }
    };
    let error = log.try_clone().unwrap();
    command.stdin(Stdio::null()).stdout(log).stderr(error).spawn().unwrap()
}

fn podman(folder: &Utf8Path) -> Command {
    let mut command = Command::new("podman");
    command.env("CONTAINERS_CONF", folder.join("containers.conf"));
    command.args(["--root", folder.join("data").as_str()]);
    command.args(["--runroot", folder.join("run").as_str()]);
    command.args(["--tmpdir", folder.join("tmp").as_str()]);
    command
}
