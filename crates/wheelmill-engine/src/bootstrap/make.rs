//! Makes the root, and the tar of it.

use std::fs::File;
use std::io;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::Uid;
use wheelmill_model::NetworkSettings;

use super::mirror;
use super::process;
use super::release::Release;
use super::tool::{Tool, check_keyring, find};
use crate::image::remove_tree;
use crate::tail::TailSink;
use crate::{Cancel, EngineError, Exit, MemoryWatch, OutputSink};

/// What builds need, beside the smallest system: a compiler, Python with headers, certificates.
const PACKAGES: &str = "g++,python3,python3-dev,ca-certificates";

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Bootstrap<'a> {
    /// The release.
    pub release: Release,
    /// Where its packages come from; this machine's own mirror, or the distribution's, when not
    /// given.
    pub mirror: Option<&'a str>,
    /// The tar that is made; nothing may be there.
    pub output: &'a Utf8Path,
    /// A folder on a local disk for the root while it is made.
    pub scratch: &'a Utf8Path,
    /// Where programs are looked for.
    pub programs: &'a [Utf8PathBuf],
    /// How mirrors are reached.
    pub network: &'a NetworkSettings,
}

/// Makes a base as a tar: whole or not at all, with the owners that its files have.
///
/// # Errors
/// A program or the keys are missing, the mirror cannot be reached, the disk is full, the output is
/// there already, or the caller cancelled.
pub fn bootstrap(
    request: &Bootstrap<'_>,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let Bootstrap { release, output: target, programs, .. } = *request;
    if target.exists() {
        let source = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(files("create", target)(source));
    }
    let tool = Tool::find(release, programs, Uid::effective().is_root())?;
    let work = Work { request, keyring: check_keyring(release)? };
    let parent = target.parent().filter(|parent| !parent.as_str().is_empty());
    let parent = parent.unwrap_or(Utf8Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(".wheelmill-")
        .tempfile_in(parent)
        .map_err(files("create", target))?;
    let tar = Utf8PathBuf::try_from(temporary.path().to_owned());
    let tar = &tar.expect("its folder's path is text");
    match tool {
        Tool::Debootstrap(program) => {
            let folder = Folder::new(request.scratch)?;
            work.debootstrap(&program, &folder.path, output, cancel)?;
            work.pack(&folder.path, tar, output, cancel)?;
        }
        Tool::Mmdebstrap(program) => work.mmdebstrap(&program, tar, output, cancel)?,
    }
    let publish = || {
        // The program may have made the file anew.
        File::open(tar)?.sync_all()?;
        fs_err::set_permissions(tar, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        temporary.persist_noclobber(target).map_err(|error| error.error)?;
        File::open(parent)?.sync_all()
    };
    publish().map_err(files("create", target))
}

struct Work<'a> {
    request: &'a Bootstrap<'a>,
    keyring: &'static Utf8Path,
}

impl Work<'_> {
    fn mirror(&self) -> String {
        let Bootstrap { release, mirror, programs, .. } = *self.request;
        let default = || release.mirror(std::env::consts::ARCH).to_owned();
        mirror
            .map(str::to_owned)
            .or_else(|| mirror::of_machine(release, programs))
            .unwrap_or_else(default)
    }

    fn debootstrap(
        &self,
        program: &Utf8Path,
        root: &Utf8Path,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let release = self.request.release;
        let mut command = self.contained(program);
        command.args(["--variant=minbase", "--force-check-gpg"]);
        command.arg(format!("--include={PACKAGES}")).arg(format!("--keyring={}", self.keyring));
        command.args([release.codename(), root.as_str(), &self.mirror()]);
        let scripts = Utf8Path::new("/usr/share/debootstrap/scripts");
        if !scripts.join(release.codename()).exists() {
            command.arg(scripts.join(release.script()));
        }
        self.run(&format!("debootstrap {}", release.codename()), &mut command, output, cancel)?;
        tidy(root).map_err(files("tidy up", root))
    }

    /// Packs a root: owners by number, names in order, and no time later than the release's own, so
    /// that the same packages give the same file.
    fn pack(
        &self,
        root: &Utf8Path,
        tar: &Utf8Path,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let mut command = self.contained(Utf8Path::new("tar"));
        command.args(["--create", "--sort=name", "--numeric-owner", "--xattrs"]);
        command.args(["--format=posix", "--pax-option=delete=atime,delete=ctime"]);
        if let Some(date) = date_of_release(root) {
            command.arg(format!("--mtime={date}")).arg("--clamp-mtime");
        }
        // Empty but for what apt and debootstrap leave there.
        command.args(["--exclude=./var/lib/apt/lists/*", "--exclude=./debootstrap"]);
        command.args(["--file", tar.as_str(), "--directory", root.as_str(), "."]);
        self.run("packing it", &mut command, output, cancel)
    }

    fn mmdebstrap(
        &self,
        program: &Utf8Path,
        tar: &Utf8Path,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let release = self.request.release;
        let mut command = self.command(program);
        command.args(["--variant=minbase", "--format=tar"]);
        command.arg(format!("--include={PACKAGES}")).arg(format!("--keyring={}", self.keyring));
        command.args([release.codename(), tar.as_str(), &self.mirror()]);
        self.run(&format!("mmdebstrap {}", release.codename()), &mut command, output, cancel)
    }

    /// A command in namespaces of its own: what it mounts is gone, and what it starts is dead, when
    /// it ends, or we do.
    fn contained(&self, program: &Utf8Path) -> Command {
        let mut command = self.command(Utf8Path::new("setpriv"));
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]);
        command.args(["--kill-child", program.as_str()]);
        command
    }

    fn command(&self, program: &Utf8Path) -> Command {
        let Bootstrap { programs, network, scratch, .. } = *self.request;
        let mut command =
            Command::new(find(programs, program.as_str()).as_deref().unwrap_or(program));
        let path: Vec<&str> = programs.iter().map(|folder| folder.as_str()).collect();
        command.env_clear().env("PATH", path.join(":")).env("LC_ALL", "C");
        command.env("TMPDIR", scratch).env("DEBIAN_FRONTEND", "noninteractive");
        let mut proxied = false;
        for (name, value) in &network.variables {
            if name.to_ascii_lowercase().ends_with("_proxy") {
                proxied |= name.eq_ignore_ascii_case("http_proxy");
                command.env(name.to_ascii_lowercase(), value.reveal());
            }
        }
        if !proxied && let Some(proxy) = mirror::proxy(programs) {
            command.env("http_proxy", proxy);
        }
        command
    }

    fn run(
        &self,
        title: &str,
        command: &mut Command,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let mut sink = TailSink::new(output);
        let ended = process::run(command, &mut sink, cancel)
            .map_err(|source| EngineError::Start { step: title.to_owned(), source })?;
        match ended {
            None => Err(EngineError::Cancelled),
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(EngineError::Step {
                title: title.to_owned(),
                exit: Exit {
                    code: status.code().unwrap_or(137),
                    peak_memory: None,
                    oom_kills: 0,
                    watch: MemoryWatch::None,
                    wall: Duration::ZERO,
                    cancelled: false,
                },
                tail: sink.tail(),
            }),
        }
    }
}

/// A folder for a root; it is locked while we live, and gone when this is dropped.
struct Folder {
    path: Utf8PathBuf,
    _lock: File,
}

impl Folder {
    fn new(scratch: &Utf8Path) -> Result<Self, EngineError> {
        let make = || {
            fs_err::create_dir_all(scratch)?;
            let folder = tempfile::Builder::new().prefix("base-").tempdir_in(scratch)?.keep();
            let path = Utf8PathBuf::try_from(folder).map_err(io::Error::other)?;
            // A root is entered by others than its owner.
            fs_err::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            let lock = File::open(&path)?;
            lock.lock()?;
            io::Result::Ok(Self { path, _lock: lock })
        };
        make().map_err(files("create a folder in", scratch))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(self.path.as_std_path()) {
            tracing::warn!(folder = %self.path, %error, "could not remove the root of a base");
        }
    }
}

/// Removes what is only of use to who makes the root, and what differs from day to day.
fn tidy(root: &Utf8Path) -> io::Result<()> {
    for folder in ["var/cache/apt", "var/log"] {
        let files = walkdir::WalkDir::new(root.join(folder)).into_iter().filter_map(Result::ok);
        for file in files.filter(|entry| entry.file_type().is_file()) {
            fs_err::remove_file(file.path())?;
        }
    }
    for file in ["var/cache/ldconfig/aux-cache", "etc/hostname", "etc/resolv.conf"] {
        match fs_err::remove_file(root.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let machine = root.join("etc/machine-id");
    if machine.exists() { fs_err::write(machine, "") } else { Ok(()) }
}

/// When the release that a root was made of was published, as its list of packages says.
fn date_of_release(root: &Utf8Path) -> Option<String> {
    let lists = root.join("var/lib/apt/lists").read_dir_utf8().ok()?.flatten();
    let mut releases = lists.filter(|entry| entry.file_name().ends_with("Release"));
    let text = fs_err::read_to_string(releases.next()?.path()).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Date: ")).map(str::to_owned)
}

fn files(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Files { action, path, source }
}
