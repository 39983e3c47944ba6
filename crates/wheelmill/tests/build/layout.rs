//! Folders of images with installers: built by a real daemon with one command and no new file.

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testkit::{Daemon, DaemonProgram};

use crate::daemons::debian;
use crate::interruptions::expect_gone;
use crate::place::{Ended, Place};
use crate::shell::AtTerminal;

const BASE: &str = "localhost/base:1";

/// A folder of the old layout, and a daemon that builds it.
struct Folder<'a> {
    place: Place,
    daemon: &'a Daemon,
}

impl<'a> Folder<'a> {
    fn new(daemon: &'a Daemon) -> Self {
        let place = Place::empty();
        testkit::write_context(place.path());
        Self { place, daemon }
    }

    fn dockerfile(&self, cuda: &str, more: &str) {
        testkit::write_dockerfile(self.place.path(), cuda, BASE, more);
    }

    /// The program, which finds the daemon.
    fn command(&self, arguments: &str) -> Command {
        let mut command = self.place.command(arguments);
        let (variable, engine) = match self.daemon.program() {
            DaemonProgram::Docker => ("DOCKER_HOST", "docker"),
            DaemonProgram::Podman => ("CONTAINER_HOST", "podman"),
        };
        command.env(variable, format!("unix://{}", self.daemon.socket()));
        command.env("WHEELMILL_ENGINE", engine);
        command
    }

    fn run(&self, arguments: &str) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// Builds the cell of a CUDA release, which fails, and says how.
    #[track_caller]
    fn failure(&self, cuda: &str) -> Value {
        let ended = self.run(&format!("build tinytool --cuda {cuda} --json"));
        ended.expect(1).cell()["failure"].clone()
    }

    /// The names in the volume.
    fn volume(&self) -> Vec<String> {
        let volume = ["--volume", "build-vol:/builds", "--network", "none"];
        self.daemon.says(&[&["run", "--rm"], &volume[..], &[BASE, "ls", "/builds"]].concat())
    }

    #[track_caller]
    fn nothing_runs(&self) {
        let left = self.daemon.says(&["ps", "--all", "--quiet"]);
        assert!(left.is_empty(), "containers are left: {left:?}");
    }
}

#[test]
fn docker_builds_the_old_layout() {
    all(DaemonProgram::Docker);
}

#[test]
fn podman_builds_the_old_layout() {
    all(DaemonProgram::Podman);
}

fn all(program: DaemonProgram) {
    let Some(daemon) = Daemon::start_with_gpus(program) else { return };
    let _id = daemon.says(&["import", debian().as_str(), BASE]);
    builds(&daemon);
    if program == DaemonProgram::Docker {
        builds_cuda(&daemon);
    }
    fails(&daemon);
    looks_around(&daemon);
    changes(&daemon);
    modern(&daemon);
    stops(&daemon);
}

fn builds(daemon: &Daemon) {
    let folder = Folder::new(daemon);
    folder.dockerfile("90", "");
    let cell = folder.run("build TinyTool --cuda 9.0 --json").expect(0).cell();
    assert_eq!((&cell["cell"], &cell["outcome"]), (&"TinyTool-cu90".into(), &"built".into()));
    let wheel = &cell["wheel"];
    assert_eq!((&wheel["package"], &wheel["version"]), (&"tiny".into(), &"1.0".into()), "{cell}");
    let name = wheel["file-name"].as_str().unwrap();
    assert_eq!(folder.volume(), [name], "the wheel stays in the volume, too");
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    // Podman's specification of GPUs is not where the program looks for it.
    let gpus = match daemon.program() {
        DaemonProgram::Docker => "in the environment build, cuda>=9.0, GPUs all",
        DaemonProgram::Podman => "in the environment build, cuda>=9.0, GPUs void",
    };
    for said in ["running /opt/some/path/installer.sh, network on", gpus] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let images = daemon.says(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    assert!(images.iter().any(|image| image.ends_with("tinytool90builder:latest")), "{images:?}");
    folder.nothing_runs();

    let run = folder.run("runs show last --json").expect(0).json();
    assert_eq!(run["run"]["attempts"][0]["spec"]["network"], true, "{run}");
    let page = folder.run("runs show last").expect(0).stdout;
    assert!(page.contains("network      on while compiling"), "{page}");
    let again = folder.run("build --json").expect(0);
    assert_eq!(again.cell()["outcome"], "stored", "nothing changed");
    assert_eq!(again.json()["run"], Value::Null, "nothing was done");

    // What the installer builds from has changed, and so has the wheel's cell.
    let context = folder.place.path().join("build_contexts/tinytool");
    fs_err::write(context.join("scripts/more.txt"), "more").unwrap();
    assert_eq!(folder.run("build --json").expect(0).cell()["outcome"], "built");
    folder.run("init").expect(0);
    assert_eq!(folder.run("build --json").expect(0).cell()["outcome"], "stored", "it is equal");
}

/// An installer that fetches its compiler leaves a wheel with code for a GPU.
fn builds_cuda(daemon: &Daemon) {
    let folder = Folder::new(daemon);
    let more = "RUN echo Acquire::Retries 5\\; > /etc/apt/apt.conf.d/retries && \
                apt-get update -qq && apt-get install -qq --yes python3-pip\n\
                LABEL dev.wheelmill.installer=/opt/some/path/cuda.sh";
    folder.dockerfile("130", more);
    let cell = folder.run("build --json").expect(0).cell();
    assert!(cell["verdict"].to_string().contains("sm_90"), "{cell}");
    folder.nothing_runs();
}

fn fails(daemon: &Daemon) {
    let folder = Folder::new(daemon);
    folder.dockerfile("100", "LABEL dev.wheelmill.installer=/bin/true");
    assert_eq!(folder.failure("10.0")["cause"], "no-wheel");

    folder.dockerfile("101", "RUN cp -r /opt/some/path /opt/tool");
    let several = folder.failure("10.1");
    assert_eq!(several["cause"], "no-installer");
    let message = several["message"].as_str().unwrap();
    assert!(message.contains("/opt/some/path/installer.sh`, `/opt/tool/installer.sh"), "{several}");
    assert!(several["fixes"][0].as_str().unwrap().contains("LABEL dev.wheelmill.installer="));

    folder.dockerfile("110", "RUN echo no such luck && exit 7");
    let broken = folder.failure("11.0");
    assert_eq!(broken["phase"], "environment", "{broken}");
    assert!(broken["fixes"][0].as_str().unwrap().contains("Dockerfile_cuda110_builder"));

    folder.dockerfile("112", "LABEL dev.wheelmill.installer=/opt/nope.sh");
    let nowhere = folder.failure("11.2");
    assert_eq!(nowhere["cause"], "no-installer");
    assert!(nowhere["message"].to_string().contains("no file /opt/nope.sh"), "{nowhere}");
    folder.dockerfile("113", "COPPY a b");
    let slip = folder.failure("11.3")["fixes"].to_string();
    assert!(slip.contains("correct ") && !slip.contains("buildx"), "{slip}");

    let bad = "RUN printf '#!/bin/sh\\necho bad > /builds/bad-1.0-py3-none-any.whl\\n' \
               > /opt/bad.sh && chmod +x /opt/bad.sh\nLABEL dev.wheelmill.installer=/opt/bad.sh";
    folder.dockerfile("118", bad);
    assert_eq!(folder.failure("11.8")["cause"], "verdict-failed");
    assert!(folder.volume().contains(&"bad-1.0-py3-none-any.whl".to_owned()));
    let stored = folder.run("wheels ls --json").expect(0).json();
    assert_eq!(stored["wheels"], serde_json::json!([]));
    folder.nothing_runs();
}

/// What an installer left when it failed, a person can look at.
fn looks_around(daemon: &Daemon) {
    let folder = Folder::new(daemon);
    let half = "RUN printf '#!/bin/sh\\necho half done > /opt/left; exit 5\\n' > /opt/half.sh && \
                chmod +x /opt/half.sh\nLABEL dev.wheelmill.installer=/opt/half.sh";
    folder.dockerfile("120", half);
    let fixes = folder.failure("12.0")["fixes"].to_string();
    assert!(fixes.contains("wheelmill shell TinyTool --cuda 12.0"), "{fixes}");
    let mut shell = AtTerminal::start(folder.command("shell tinytool --cuda 12.0"));
    shell.wait_for("in what the failed build left");
    shell.wait_for("conda environment build");
    shell.wait_for("# ");
    shell.type_keys("cat /opt/left; echo $CONDA_DEFAULT_ENV; touch /builds/by-hand; exit 6\r");
    shell.wait_for("half done\r\nbuild\r\n");
    assert_eq!(shell.end().code(), Some(6));
    assert!(folder.volume().contains(&"by-hand".to_owned()));
    folder.nothing_runs();
    let images = || daemon.says(&["images", "--format", "{{.Repository}}"]);
    let left = || images().iter().filter(|image| image.ends_with("wheelmill/failed")).count();
    let before = left();
    assert!(before > 0);
    // The next try begins anew, and leaves one again: also of another installer, and out of time.
    let hangs = "RUN printf '#!/bin/sh\\nsleep 86399\\n' > /opt/hangs.sh && chmod +x /opt/hangs.sh\n\
                 LABEL dev.wheelmill.installer=/opt/hangs.sh";
    folder.dockerfile("120", hangs);
    let ended = folder.run("build tinytool --cuda 12.0 --timeout 2s --json").expect(1);
    assert_eq!(ended.cell()["failure"]["cause"], "timed-out");
    assert_eq!(left(), before);
    assert_eq!(daemon.says(&["images", "--quiet", "--filter", "dangling=true"]), [""; 0]);
    if daemon.program() == DaemonProgram::Podman {
        let ended = folder.run("build tinytool --cuda 12.0 --gpus all --json").expect(1);
        assert_eq!(ended.cell()["failure"]["cause"], "no-gpu");
    }
}

/// What is edited while an earlier cell is built is not stored as what it was before.
fn changes(daemon: &Daemon) {
    let folder = Folder::new(daemon);
    folder.dockerfile("90", "RUN echo it-has''-begun && sleep 3 && exit 1");
    folder.dockerfile("130", "");
    let child = folder.place.start_command(&mut folder.command("build"), "it-has-begun");
    let edited = folder.place.path().join("build_contexts/tinytool/scripts/pack.py");
    fs_err::write(&edited, "raise SystemExit").unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
    let run = folder.run("runs show last --json").expect(0).json();
    let failure = &run["run"]["attempts"][1]["cause"];
    assert_eq!(failure["cause"], "context-changed", "{run}");
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("/scripts/pack.py` was changed after"), "{failure}");
    folder.nothing_runs();
}

/// Dockerfiles for BuildKit are built with it, where there is a client for it.
fn modern(daemon: &Daemon) {
    let folder = Folder::new(daemon);
    folder.dockerfile("128", "RUN --mount=type=cache,target=/cache echo kept > /cache/x");
    let build = |path: &str| {
        let mut command = folder.command("build tinytool --cuda 12.8 --json");
        Ended::of(command.env("PATH", path).output().unwrap())
    };
    if daemon.program() == DaemonProgram::Docker {
        let failure = build("/no/such/folder").expect(1).cell()["failure"].clone();
        assert!(failure["message"].to_string().contains("requires BuildKit"), "{failure}");
        assert!(failure["fixes"][0].to_string().contains("buildx"), "{failure}");
    }
    // Debian's client has it built in.
    assert_eq!(build("/usr/bin:/usr/sbin").expect(0).cell()["outcome"], "built");
    folder.dockerfile("128", "RUN --mount=type=cache,target=/cache exit 7");
    let failure = build("/usr/bin:/usr/sbin").expect(1).cell()["failure"].clone();
    assert_eq!(failure["phase"], "environment", "{failure}");
    assert!(failure["fixes"][0].to_string().contains("Dockerfile_cuda128_builder"), "{failure}");
    folder.nothing_runs();
}

fn stops(daemon: &Daemon) {
    let folder = Folder::new(daemon);
    // In two parts, since the log shows instructions, too.
    let endless = "RUN printf '#!/bin/sh\\necho it-has''-begun; sleep 86399\\n' > /opt/endless.sh \
                   && chmod +x /opt/endless.sh\nLABEL dev.wheelmill.installer=/opt/endless.sh";
    folder.dockerfile("130", endless);
    let mut command = folder.command("build --verbose");
    let mut child = folder.place.start_command(&mut command, "it-has-begun");
    // As when the terminal is closed.
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGHUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    folder.nothing_runs();
    let run = folder.run("runs show last --json").expect(0).json();
    assert_eq!(run["run"]["outcome"], "cancelled", "{run}");

    // Podman's builder runs an instruction to its end, whoever has gone.
    if daemon.program() == DaemonProgram::Docker {
        let folder = Folder::new(daemon);
        folder.dockerfile("130", "RUN echo it-has''-begun && sleep 86398.1");
        let mut child = folder.place.start_command(&mut folder.command("build"), "it-has-begun");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        // The builder hears of it when its client is gone, and ends the command then.
        expect_gone("sleep 86398.1");
    }
}
