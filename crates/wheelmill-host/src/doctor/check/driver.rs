//! NVIDIA's driver, its GPUs, and the CUDA release that it supports.

use wheelmill_engine::{NvidiaDriver, NvidiaGpu};
use wheelmill_model::{DriverNeed, DriverVersion};

use crate::doctor::fact::Facts;
use crate::doctor::result::Check;

const DRIVER: &str = "driver";
const GPUS: &str = "gpus";
const CUDA: &str = "cuda";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let driver = &facts.driver;
    if !driver.is_there() {
        let message = "there is neither a GPU of NVIDIA nor its driver; building needs none";
        return vec![Check::not_applicable(DRIVER, message)];
    }
    let mut checks = vec![loaded(driver)];
    if driver.version.is_some() {
        checks.push(gpus(driver));
        checks.push(cuda(driver));
    }
    checks
}

fn loaded(driver: &NvidiaDriver) -> Check {
    let Some(version) = &driver.version else {
        return Check::warning(
            DRIVER,
            "a GPU of NVIDIA is there, and no driver is loaded; building needs none",
            "`sudo ubuntu-drivers install`, `sudo apt-get install nvidia-driver` on Debian, `sudo \
             dnf install akmod-nvidia` on Fedora; then reboot",
        );
    };
    match driver.trouble.as_deref() {
        None => Check::ok(DRIVER, format!("NVIDIA's driver {version}")),
        Some(why) if why.contains("version mismatch") => Check::warning(
            DRIVER,
            format!("driver {version} is loaded, and its libraries are of another version"),
            "`sudo reboot`",
        ),
        Some(why) if why.contains("is not installed") => Check::warning(
            DRIVER,
            format!("driver {version} is loaded, and {why}"),
            "`sudo apt-get install nvidia-utils-BRANCH`, or the package of your distribution that \
             has `nvidia-smi`",
        ),
        Some(why) => Check::warning(
            DRIVER,
            format!("driver {version} is loaded, and does not work: {why}"),
            "`sudo dmesg | grep -i nvrm`",
        ),
    }
}

fn gpus(driver: &NvidiaDriver) -> Check {
    let described = |gpu: &NvidiaGpu| {
        let capability = gpu.compute_capability.as_ref();
        let capability =
            capability.map_or_else(String::new, |found| format!(", sm_{}", found.replace('.', "")));
        let uuid = gpu.uuid.as_ref().map_or_else(String::new, |uuid| format!(" ({uuid})"));
        format!("{}{capability}{uuid}", gpu.name)
    };
    let list: Vec<String> = driver.gpus.iter().map(described).collect();
    match list.is_empty() {
        false => Check::ok(GPUS, list.join("; ")),
        true => Check::warning(GPUS, "the driver has no GPU", "`lspci | grep -i nvidia`"),
    }
}

fn cuda(driver: &NvidiaDriver) -> Check {
    let version = driver.version.as_deref().unwrap_or_default();
    if let Some(cuda) = &driver.cuda {
        return Check::ok(CUDA, format!("driver {version} runs programs up to CUDA {cuda}"));
    }
    let known = version.parse::<DriverVersion>().ok();
    match known.as_ref().and_then(DriverNeed::newest_of) {
        Some(need) => Check::ok(
            CUDA,
            format!("driver {version} runs programs up to CUDA {}, by NVIDIA's table", need.cuda),
        ),
        None => Check::not_checked(
            CUDA,
            format!("which CUDA driver {version} runs is not known"),
            "see the heading of `nvidia-smi`",
        ),
    }
}
