//! What this machine is: the facts that decide what can be built here and how.
//!
//! Measured from files and two quick programs, so that it costs a few milliseconds.

use std::process::{Command, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::NvidiaDriver;
use wheelmill_engine::program::Programs;
use wheelmill_model::{ByteSize, CudaArch, CudaVersion, PythonVersion};
use wheelmill_recipe::Machine;

/// An interpreter of the base that containers can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    pub(crate) version: PythonVersion,
    pub(crate) path: Utf8PathBuf,
}

/// The host as a base of containers, and as a machine.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// `x86_64`, `aarch64`.
    pub(crate) machine: &'static str,
    /// `debian 12`.
    pub(crate) distribution: String,
    /// The C library: `glibc 2.36`.
    pub(crate) libc: String,
    /// `g++`'s full version, when it is there.
    pub(crate) gcc: Option<String>,
    /// The distribution's interpreters, newest first. Those in homes are not seen by containers.
    pub(crate) interpreters: Vec<Interpreter>,
    /// CUDA toolkits in their usual places.
    pub(crate) toolkits: Vec<(CudaVersion, Utf8PathBuf)>,
    pub(crate) cores: usize,
}

impl Host {
    pub(crate) fn measure() -> Self {
        let mut interpreters: Vec<Interpreter> = ["/usr/bin", "/usr/local/bin"]
            .into_iter()
            .flat_map(|folder| interpreters_in(Utf8Path::new(folder)))
            .collect();
        interpreters.sort_by_key(|found| std::cmp::Reverse(found.version));
        Self {
            machine: std::env::consts::ARCH,
            distribution: distribution(),
            libc: first_line("getconf", &["GNU_LIBC_VERSION"])
                .unwrap_or_else(|| "unknown libc".to_owned()),
            gcc: first_line("/usr/bin/g++", &["-dumpfullversion"]),
            interpreters,
            toolkits: toolkits_in(Utf8Path::new("/usr/local")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// What of the host's root decides a build. A patch release of the distribution or another
    /// package of it does not, so that an `apt upgrade` costs nobody their layers.
    pub(crate) fn identity(&self) -> String {
        let pythons: Vec<String> =
            self.interpreters.iter().map(|found| found.version.to_string()).collect();
        format!(
            "{} {} {} g++ {} python {}",
            self.machine,
            self.distribution,
            self.libc,
            self.gcc.as_deref().unwrap_or("none"),
            pythons.join(","),
        )
    }

    pub(crate) fn interpreter(&self, version: PythonVersion) -> Option<&Interpreter> {
        self.interpreters.iter().find(|found| found.version == version)
    }

    /// The Python that `python3` starts, else the newest, else one that uv can bring.
    fn default_python(&self) -> PythonVersion {
        let linked = fs_err::read_link("/usr/bin/python3").ok();
        let linked = linked
            .as_deref()
            .and_then(|target| target.file_name()?.to_str()?.strip_prefix("python")?.parse().ok());
        linked
            .or(self.interpreters.first().map(|found| found.version))
            .unwrap_or(PythonVersion::new(3, 12))
    }

    pub(crate) fn toolkit(&self, cuda: CudaVersion) -> Option<&Utf8Path> {
        self.toolkits.iter().find(|(version, _)| *version == cuda).map(|(_, path)| path.as_path())
    }

    /// The facts that matrix expansion needs. Asking the driver for its GPUs takes up to a second,
    /// so it is done only for a wish that needs them.
    pub(crate) fn for_matrix(&self, with_gpus: bool) -> Machine {
        Machine {
            arch: self.machine.to_owned(),
            gpus: if with_gpus { gpus() } else { Vec::new() },
            gcc: self.gcc_major(),
            default_python: self.default_python(),
        }
    }

    pub(crate) fn gcc_major(&self) -> Option<u16> {
        self.gcc.as_deref()?.split('.').next()?.parse().ok()
    }
}

/// Memory that new processes can take without pushing others out (`MemAvailable`), and no more
/// than this process's own control group allows.
pub(crate) fn available_memory() -> Option<ByteSize> {
    let available = meminfo("MemAvailable:")?;
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| fs_err::read_to_string(file).ok()?.trim().parse().ok())
        .unwrap_or(u64::MAX);
    Some(ByteSize(available.0.min(limit)))
}

/// All memory of this machine.
pub(crate) fn total_memory() -> Option<ByteSize> {
    meminfo("MemTotal:")
}

/// A line of `/proc/meminfo`.
fn meminfo(name: &str) -> Option<ByteSize> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(ByteSize(kilobytes * 1024))
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

fn distribution() -> String {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|file| fs_err::read_to_string(file).ok())
        .unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
    };
    [value("ID"), value("VERSION_ID")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn interpreters_in(folder: &Utf8Path) -> Vec<Interpreter> {
    let Ok(entries) = folder.read_dir_utf8() else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().strip_prefix("python")?.parse().ok()?;
            entry.path().exists().then(|| Interpreter { version, path: entry.path().to_owned() })
        })
        .collect()
}

fn toolkits_in(folder: &Utf8Path) -> Vec<(CudaVersion, Utf8PathBuf)> {
    let Ok(entries) = folder.read_dir_utf8() else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().strip_prefix("cuda-")?.parse().ok()?;
            let has_compiler = entry.path().join("bin/nvcc").exists();
            has_compiler.then(|| (version, entry.path().to_owned()))
        })
        .collect()
}

/// The architectures of this machine's GPUs, as the driver's own tool names them.
fn gpus() -> Vec<CudaArch> {
    let arguments = ["--query-gpu=compute_cap", "--format=csv,noheader"];
    let Ok(output) = Command::new("nvidia-smi").args(arguments).stderr(Stdio::null()).output()
    else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut found: Vec<CudaArch> =
        text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    found.sort();
    found.dedup();
    found
}

/// Where the driver's own tool lies: in the folders of the system, or in that of Windows' Linux.
const DRIVER_TOOLS: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/bin", "/usr/lib/wsl/lib"];

/// NVIDIA's driver. One that does not answer in this time is broken.
pub(crate) fn driver() -> NvidiaDriver {
    let folders = DRIVER_TOOLS.map(Utf8PathBuf::from).to_vec();
    NvidiaDriver::read("/".into(), &Programs { folders, limit: Duration::from_secs(30) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_and_toolkits_are_known_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for file in ["python3.9", "python3.11", "python3", "python3.11-config", "python3-pip"] {
            fs_err::write(root.join(file), "").unwrap();
        }
        let mut found: Vec<String> =
            interpreters_in(root).iter().map(|found| found.version.to_string()).collect();
        found.sort();
        assert_eq!(found, ["3.11", "3.9"]);

        fs_err::create_dir_all(root.join("cuda-12.8/bin")).unwrap();
        fs_err::write(root.join("cuda-12.8/bin/nvcc"), "").unwrap();
        fs_err::create_dir_all(root.join("cuda-11.8/bin")).unwrap();
        assert_eq!(toolkits_in(root), [(CudaVersion::new(12, 8), root.join("cuda-12.8"))]);
    }
}
