//! Reads the kernel's files.

use std::thread;

use camino::Utf8Path;

use super::tool;
use super::{NvidiaDriver, NvidiaGpu};
use crate::program::Programs;

/// The number of NVIDIA in PCI, and the class of devices that show or compute.
const VENDOR: &str = "0x10de";
const CLASS: &str = "0x03";

impl NvidiaDriver {
    /// Reads a machine; `root` is the folder that stands for `/`. Takes as long as `nvidia-smi`,
    /// which is asked only where the machine has a driver: up to a second or two.
    #[must_use]
    pub fn read(root: &Utf8Path, programs: &Programs) -> Self {
        let version = version(root);
        let on_bus = on_bus(root);
        // In Windows' Linux the driver is Windows' own.
        let drives = version.is_some() || root.join("dev/dxg").exists();
        if !drives {
            return Self { version, on_bus, ..Self::default() };
        }
        let (asked, header) = thread::scope(|scope| {
            let header = scope.spawn(|| tool::cuda(programs));
            (tool::gpus(programs), header.join().unwrap_or_default())
        });
        let (version_of_tool, gpus, trouble) = match asked {
            Ok((version, gpus)) => (version, gpus, None),
            Err(why) => (None, of_kernel(root), Some(why)),
        };
        Self { version: version.or(version_of_tool), cuda: header, gpus, on_bus, trouble }
    }
}

/// The version of the module that is loaded.
fn version(root: &Utf8Path) -> Option<String> {
    let of_module = fs_err::read_to_string(root.join("sys/module/nvidia/version")).ok();
    let of_module = of_module.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    of_module.or_else(|| {
        let text = fs_err::read_to_string(root.join("proc/driver/nvidia/version")).ok()?;
        version_in(&text)
    })
}

/// The first number with dots: the words around it differ between the two kinds of modules.
fn version_in(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
}

fn on_bus(root: &Utf8Path) -> usize {
    let devices = root.join("sys/bus/pci/devices").read_dir_utf8().into_iter().flatten().flatten();
    let begins = |file: &Utf8Path, with: &str| {
        fs_err::read_to_string(file).is_ok_and(|text| text.starts_with(with))
    };
    devices
        .filter(|device| {
            let folder = device.path();
            begins(&folder.join("vendor"), VENDOR) && begins(&folder.join("class"), CLASS)
        })
        .count()
}

/// The GPUs that the module drives, without their compute capabilities.
fn of_kernel(root: &Utf8Path) -> Vec<NvidiaGpu> {
    let folders = root.join("proc/driver/nvidia/gpus").read_dir_utf8();
    let folders = folders.into_iter().flatten().flatten();
    let mut gpus: Vec<NvidiaGpu> = folders
        .filter_map(|folder| {
            let text = fs_err::read_to_string(folder.path().join("information")).ok()?;
            let value = |key: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
                line.map(|value| value.trim().to_owned()).filter(|value| !value.contains('?'))
            };
            Some(NvidiaGpu {
                name: value("Model")?,
                uuid: value("GPU UUID"),
                ..NvidiaGpu::default()
            })
        })
        .collect();
    gpus.sort_by(|one, other| one.uuid.cmp(&other.uuid));
    gpus
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use camino::Utf8PathBuf;

    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new(files: &[(&str, &str)]) -> Self {
            use std::os::unix::fs::PermissionsExt as _;

            let machine = Self(tempfile::tempdir().unwrap());
            for (name, text) in files {
                let file = machine.path().join(name);
                fs_err::create_dir_all(file.parent().unwrap()).unwrap();
                fs_err::write(&file, text).unwrap();
                let mode = std::fs::Permissions::from_mode(0o755);
                fs_err::set_permissions(&file, mode).unwrap();
            }
            machine
        }

        fn path(&self) -> Utf8PathBuf {
            Utf8Path::from_path(self.0.path()).unwrap().to_owned()
        }

        fn read(&self) -> NvidiaDriver {
            let programs =
                Programs { folders: vec![self.path().join("bin")], limit: Duration::from_secs(60) };
            NvidiaDriver::read(&self.path(), &programs)
        }
    }

    const PROPRIETARY: &str = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n\
         GCC version:  gcc version 12.3.0\n";
    const OPEN: &str = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  \
                        Release Build  (dvs-builder@U22-I3)\n";
    const INFORMATION: &str = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 0\n\
                               GPU UUID: \t GPU-1f2a\nVideo BIOS: \t ??.??.??.??.??\n";

    #[test]
    fn both_kinds_of_modules_tell_their_version() {
        assert_eq!(version_in(PROPRIETARY).unwrap(), "535.129.03");
        assert_eq!(version_in(OPEN).unwrap(), "580.65.06");
        assert_eq!(version_in(""), None);
    }

    #[test]
    fn a_machine_without_nvidia_has_nothing_and_asks_nobody() {
        let machine = Machine::new(&[("bin/nvidia-smi", "#!/bin/sh\necho asked > \"$0.log\"\n")]);
        let driver = machine.read();
        assert_eq!((driver.is_there(), driver), (false, NvidiaDriver::default()));
        assert!(!machine.path().join("bin/nvidia-smi.log").exists());
    }

    #[test]
    fn a_gpu_without_a_driver_is_seen_on_the_bus() {
        let machine = Machine::new(&[
            ("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n"),
            ("sys/bus/pci/devices/0000:01:00.0/class", "0x030000\n"),
            // The sound of the same card, and a GPU of somebody else.
            ("sys/bus/pci/devices/0000:01:00.1/vendor", "0x10de\n"),
            ("sys/bus/pci/devices/0000:01:00.1/class", "0x040300\n"),
            ("sys/bus/pci/devices/0000:02:00.0/vendor", "0x8086\n"),
            ("sys/bus/pci/devices/0000:02:00.0/class", "0x030000\n"),
        ]);
        let driver = machine.read();
        assert_eq!((driver.on_bus, driver.version), (1, None));
    }

    #[test]
    fn where_the_tool_fails_the_kernel_still_tells_the_gpus() {
        let machine = Machine::new(&[
            ("sys/module/nvidia/version", "580.65.06\n"),
            ("proc/driver/nvidia/gpus/0000:01:00.0/information", INFORMATION),
            (
                "bin/nvidia-smi",
                "#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\n\
                 exit 18\n",
            ),
        ]);
        let driver = machine.read();
        assert_eq!(driver.version.as_deref(), Some("580.65.06"));
        assert_eq!(driver.gpus.len(), 1);
        assert_eq!(driver.gpus[0].name, "NVIDIA H100 80GB HBM3");
        assert_eq!(driver.gpus[0].uuid.as_deref(), Some("GPU-1f2a"));
        assert!(driver.trouble.unwrap().contains("version mismatch"));
        assert_eq!(driver.cuda, None);
    }

    #[test]
    fn the_tool_tells_gpus_and_the_cuda_release() {
        let machine = Machine::new(&[
            ("proc/driver/nvidia/version", PROPRIETARY),
            (
                "bin/nvidia-smi",
                "#!/bin/sh\ncase \"$1\" in\n--query-gpu*) echo '535.129.03, NVIDIA A100-SXM4-40GB, \
                 GPU-aa, 8.0'; echo '535.129.03, NVIDIA T4, GPU-bb, 7.5';;\n*) echo '| NVIDIA-SMI \
                 535.129.03   Driver Version: 535.129.03   CUDA Version: 12.2     |';;\nesac\n",
            ),
        ]);
        let driver = machine.read();
        assert_eq!(driver.cuda.as_deref(), Some("12.2"));
        let capability = |at: usize| driver.gpus[at].compute_capability.as_deref();
        assert_eq!((capability(0), capability(1)), (Some("8.0"), Some("7.5")));
        let known = driver.for_requirements();
        assert_eq!(known.cuda.unwrap().to_string(), "12.2");
        assert_eq!(known.gpus.len(), 2);
    }
}
