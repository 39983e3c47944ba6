//! Daemons that tests start, with folders and sockets of their own, and stop: never the machine's.

use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nix::mount::MsFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

/// Set where every test must run: what cannot be tested is then a failure.
const CI: &str = "WHEELMILL_CI";

/// A program that runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonProgram {
    /// `dockerd`.
    Docker,
    /// `podman system service`.
    Podman,
}

/// What stands for NVIDIA's runtime, and for the specification that its toolkit writes.
const RUNTIME: &str = include_str!("../fixtures/gpu/nvidia-runtime");
const SPECIFICATION: &str = include_str!("../fixtures/gpu/nvidia.yaml");

/// How a `dockerd` is started.
#[derive(Clone, Debug)]
pub struct DaemonSetup {
    /// Options beside those that keep it apart from the machine's daemon.
    pub options: Vec<String>,
    /// Its file of settings.
    pub settings: String,
    /// It gives containers a device `/dev/nvidia0`.
    pub gpus: bool,
    /// The bytes of the disk on which its images and containers lie, in memory; the machine's own
    /// when not given.
    pub disk: Option<u64>,
}

impl Default for DaemonSetup {
    /// Without a network of its own.
    fn default() -> Self {
        let options = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"];
        Self {
            options: options.map(str::to_owned).to_vec(),
            settings: "{}".to_owned(),
            gpus: false,
            disk: None,
        }
    }
}

/// A daemon that is stopped when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    program: DaemonProgram,
    setup: DaemonSetup,
    folder: TempDir,
    child: Child,
}

impl Daemon {
    /// Starts a daemon, if this machine has its program and we are root.
    ///
    /// # Panics
    /// It does not start, or where everything must be tested it cannot.
    #[must_use]
    pub fn start(program: DaemonProgram) -> Option<Self> {
        Self::start_with(program, DaemonSetup::default())
    }

    /// Starts a daemon that gives containers a device `/dev/nvidia0`: Docker by a runtime `nvidia`,
    /// Podman by the specification in [`cdi`](Self::cdi).
    ///
    /// # Panics
    /// As `start`.
    #[must_use]
    pub fn start_with_gpus(program: DaemonProgram) -> Option<Self> {
        Self::start_with(program, DaemonSetup { gpus: true, ..DaemonSetup::default() })
    }

    /// As `start`, with options and settings of the test's own for a `dockerd`.
    ///
    /// # Panics
    /// As `start`.
    #[must_use]
    pub fn start_with(program: DaemonProgram, setup: DaemonSetup) -> Option<Self> {
        let name = if program == DaemonProgram::Docker { "dockerd" } else { "podman" };
        let there = ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(name).exists());
        if !there || !Uid::effective().is_root() {
            let what = format!("there is no {name} that root could start");
            assert!(std::env::var_os(CI).is_none(), "{what}");
            #[expect(clippy::print_stderr, reason = "what is not tested must be said")]
            {
                eprintln!("NOT TESTED: {what}");
            }
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8Path::from_path(folder.path()).expect("its path is text");
        fs_err::write(path.join("daemon.json"), &setup.settings).expect("a file of settings");
        if let Some(bytes) = setup.disk {
            let data = path.join("data");
            fs_err::create_dir(&data).expect("a folder for its data");
            let size = format!("size={bytes}");
            let tmpfs = Some("tmpfs");
            nix::mount::mount(tmpfs, data.as_str(), tmpfs, MsFlags::empty(), Some(size.as_str()))
                .expect("a small disk");
        }
        let child = spawn(program, &setup, path);
        let mut daemon = Self { program, setup, folder, child };
        daemon.wait_until_it_answers();
        Some(daemon)
    }

    /// Which it is.
    #[must_use]
    pub const fn program(&self) -> DaemonProgram {
        self.program
    }

    /// Its folder, gone when this is dropped.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).expect("its path is text")
    }

    /// Its folder of CDI specifications, which may be missing.
    #[must_use]
    pub fn cdi(&self) -> Utf8PathBuf {
        self.path().join("cdi")
    }

    /// Where it answers.
    #[must_use]
    pub fn socket(&self) -> Utf8PathBuf {
        self.path().join("daemon.sock")
    }

    /// The file of settings of a `dockerd`.
    #[must_use]
    pub fn settings(&self) -> Utf8PathBuf {
        self.path().join("daemon.json")
    }

    /// What it printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs_err::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Asks the daemon to read its settings anew.
    ///
    /// # Panics
    /// It has ended.
    pub fn hang_up(&self) {
        kill(self.process(), Signal::SIGHUP).expect("it runs");
    }

    /// Ends the daemon, as an administrator would.
    ///
    /// # Panics
    /// It has ended already.
    pub fn stop(&mut self) {
        kill(self.process(), Signal::SIGTERM).expect("it runs");
        self.wait_until_it_ended();
    }

    /// Kills a `dockerd`, as the kernel does when memory is short; its containers go on.
    ///
    /// # Panics
    /// It has ended already.
    pub fn kill(&mut self) {
        kill(self.process(), Signal::SIGKILL).expect("it runs");
        self.wait_until_it_ended();
        // Its containerd dies with it, and the next one takes the number in here for that one's.
        drop(fs_err::remove_file(self.path().join("exec/containerd/containerd.pid")));
    }

    /// Starts it again over the same folders.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_again(&mut self) {
        drop(fs_err::remove_file(self.socket()));
        self.child = spawn(self.program, &self.setup, self.path());
        self.wait_until_it_answers();
    }

    /// What the daemon's own client says, by lines.
    ///
    /// # Panics
    /// The client fails.
    #[must_use]
    pub fn says(&self, what: &[&str]) -> Vec<String> {
        let output = self.client().args(what).output().expect("the client runs");
        assert!(output.status.success(), "{what:?}: {output:?}");
        String::from_utf8(output.stdout)
            .expect("it speaks UTF-8")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// The daemon's own client.
    #[must_use]
    pub fn client(&self) -> Command {
        match self.program {
            DaemonProgram::Docker => {
                let mut client = Command::new("docker");
                client.args(["--host", &format!("unix://{}", self.socket())]);
                client
            }
            DaemonProgram::Podman => podman(self.path()),
        }
    }

    fn wait_until_it_answers(&mut self) {
        let start = Instant::now();
        while !self.pings() {
            let ended = self.child.try_wait().expect("it is a child");
            assert!(start.elapsed() < Duration::from_secs(60), "no answer:\n{}", self.log());
            assert!(ended.is_none(), "it has ended:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The child, unless what is tested started the daemon again.
    #[must_use]
    pub fn process(&self) -> Pid {
        let written = fs_err::read_to_string(self.path().join("pid")).unwrap_or_default();
        let child = i32::try_from(self.child.id()).expect("process numbers fit 32 bits");
        Pid::from_raw(written.trim().parse().unwrap_or(child))
    }

    /// Waits for a daemon that was told to end. One that is not our child cannot be waited for.
    fn wait_until_it_ended(&mut self) {
        let process = self.process();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            drop(self.child.try_wait());
            if kill(process, None).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn pings(&self) -> bool {
        let ask = || {
            let mut stream = UnixStream::connect(self.socket())?;
            stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains(" 200 "))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // When a test fails, it may have been stopped already.
        if kill(self.process(), Signal::SIGTERM).is_ok() {
            self.wait_until_it_ended();
        }
        for line in fs_err::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines().rev()
        {
            let place = line.split(' ').nth(4).unwrap_or_default();
            if Path::new(place).starts_with(self.folder.path()) {
                let _ = nix::mount::umount2(place, nix::mount::MntFlags::MNT_DETACH);
            }
        }
    }
}

fn spawn(program: DaemonProgram, setup: &DaemonSetup, folder: &Utf8Path) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("a file for its log");
    let socket = format!("unix://{folder}/daemon.sock");
    let mut command = match program {
        DaemonProgram::Docker => {
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
            if setup.gpus {
                let runtime = folder.join("nvidia-runtime");
                fs_err::write(&runtime, RUNTIME).expect("a program");
                fs_err::set_permissions(&runtime, Permissions::from_mode(0o755)).expect("its mode");
                command.arg(format!("--add-runtime=nvidia={runtime}"));
            }
            command.args(["--host", &socket]).args(&setup.options);
            command
        }
        DaemonProgram::Podman => {
            let limits =
                "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
            fs_err::write(folder.join("containers.conf"), limits).expect("a file of settings");
            let mut command = podman(folder);
            if setup.gpus {
                command = seeing_specification(&command, folder);
            }
            command.args(["system", "service", "--time", "0", &socket]);
            command
        }
    };
    let error = log.try_clone().expect("one more descriptor");
    command.stdin(Stdio::null()).stdout(log).stderr(error).spawn().expect("it can be started")
}

/// The same command in mounts of its own, where a specification of ours lies in the place where
/// Podman looks for them.
fn seeing_specification(command: &Command, folder: &Utf8Path) -> Command {
    const SCRIPT: &str = "mkdir -p /etc/cdi && mount --bind \"$0\" /etc/cdi && exec \"$@\"";
    fs_err::create_dir_all(folder.join("cdi")).expect("a folder of specifications");
    fs_err::write(folder.join("cdi/nvidia.yaml"), SPECIFICATION).expect("a specification");
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "sh", "-euc", SCRIPT, folder.join("cdi").as_str()]);
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.expect("none is taken away"));
    }
    wrapped
}

fn podman(folder: &Utf8Path) -> Command {
    let mut command = Command::new("podman");
    command.env("CONTAINERS_CONF", folder.join("containers.conf"));
    command.args(["--root", folder.join("data").as_str()]);
    command.args(["--runroot", folder.join("run").as_str()]);
    command.args(["--tmpdir", folder.join("tmp").as_str()]);
    command
}
