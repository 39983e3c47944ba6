//! Judges native modules by themselves: what they are for, where they look for libraries, what they
//! ask of the loader.

use crate::elf::{Machine, installed_path};
use crate::finding::Findings;
use crate::inspection::NativeModule;
use crate::metadata::WheelFile;
use crate::rules;

use wheelmill_model::WheelFilename;

/// Holds the native modules against the tags of the file name and the words of WHEEL, and judges
/// each by itself.
pub(crate) fn check(
    file_name: &WheelFilename,
    wheel: &WheelFile,
    modules: &[NativeModule],
    findings: &mut Findings,
) {
    let platforms = || file_name.tags.iter().map(|tag| tag.platform.as_str());
    if platforms().all(|platform| platform == "any") {
        for module in modules {
            findings.add(rules::TAG_ANY, module.path.clone());
        }
    }
    if wheel.root_is_purelib {
        for module in modules.iter().filter(|module| !module.path.contains(".data/platlib/")) {
            findings.add(rules::TAG_PURE, module.path.clone());
        }
    }
    check_system(file_name, modules, findings);
    let promised: Vec<Machine> = platforms().filter_map(Machine::of_platform).collect();
    for module in modules {
        if !promised.is_empty() && !promised.contains(&module.machine) {
            findings.add(rules::ELF_MACHINE, format!("{}: {}", module.path, module.machine));
        }
        let relocatable = module.device_code.iter().all(|container| container.relocatable);
        if relocatable && !module.device_code.is_empty() {
            findings.add(rules::DEVICE_UNLINKED, module.path.clone());
        }
        let name = module.path.rsplit('/').next().unwrap_or_default();
        if is_driver(name) || module.soname.as_deref().is_some_and(is_driver) {
            findings.add(rules::ELF_DRIVER, module.path.clone());
        }
        check_loading(module, findings);
    }
}

/// Holds Linux code against tags for other systems, and glibc's against those for musl.
fn check_system(file_name: &WheelFilename, modules: &[NativeModule], findings: &mut Findings) {
    let platforms = || file_name.tags.iter().map(|tag| tag.platform.as_str());
    let is_linux = |platform| platform == "any" || Machine::is_of_linux(platform);
    let all_musl = platforms().all(|platform| platform.starts_with("musllinux"));
    for module in modules {
        let needs_glibc = module.needed.iter().any(|library| library == "libc.so.6");
        if !platforms().any(is_linux) {
            findings.add(rules::TAG_SYSTEM, format!("{}: Linux", module.path));
        } else if all_musl && needs_glibc {
            findings.add(rules::TAG_SYSTEM, format!("{}: glibc's libc.so.6", module.path));
        }
    }
}

fn check_loading(module: &NativeModule, findings: &mut Findings) {
    let path = &module.path;
    for library in module.needed.iter().filter(|library| library.contains('/')) {
        findings.add(rules::ELF_NEEDED_PATH, format!("{path}: {library}"));
    }
    for folder in module.rpath.iter().chain(&module.runpath) {
        if !stays_inside(path, folder) {
            let folder = if folder.is_empty() { "the current folder" } else { folder };
            findings.add(rules::ELF_RPATH, format!("{path}: {folder}"));
        }
    }
    let properties = module.properties;
    for (rule, applies) in [
        (rules::ELF_STACK, properties.executable_stack),
        (rules::ELF_TEXTREL, properties.text_relocations),
        (rules::ELF_WRITABLE_CODE, properties.writable_code),
    ] {
        if applies {
            findings.add(rule, path.clone());
        }
    }
}

/// Whether a folder of DT_RPATH or DT_RUNPATH lies among what installers unpack, beside the module
/// or in another package, or at the most in Python's own folder above. Of files that go elsewhere
/// than to Python's path, that is not known.
fn stays_inside(module: &str, folder: &str) -> bool {
    let rest = folder.strip_prefix("$ORIGIN").or_else(|| folder.strip_prefix("${ORIGIN}"));
    let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return false;
    };
    let Some(installed) = installed_path(module) else { return true };
    let mut depth = installed.matches('/').count() + 1;
    for part in rest.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match (part, depth) {
            ("..", 0) => return false,
            ("..", _) => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Whether a name is that of a library that comes with the driver and must match the kernel's
/// part of it. Repair tools put a hash into the name: `libcuda-1a2b3c4d.so.1`.
fn is_driver(name: &str) -> bool {
    ["libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"].iter().any(|driver| {
        name.strip_prefix(driver).is_some_and(|rest| {
            let hash = rest.strip_prefix('-').and_then(|rest| rest.split_once('.'));
            let rest = match hash {
                Some((hash, _)) if hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    &rest[hash.len() + 1..]
                }
                _ => rest,
            };
            rest == ".so" || rest.starts_with(".so.")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_known_under_its_names() {
        for name in ["libcuda.so.1", "libcuda-1a2b3c4d.so.550.54.14", "libnvidia-ml.so.1"] {
            assert!(is_driver(name), "{name}");
        }
        for name in
            ["libcudart.so.13", "libcuda_utils.so", "libcudart-0a1b.so.12", "libcudadevrt.so"]
        {
            assert!(!is_driver(name), "{name}");
        }
    }

    #[test]
    fn folders_of_other_packages_are_inside_and_those_of_the_machine_are_not() {
        let module = "demo/lib/libdemo.so";
        for folder in
            ["$ORIGIN", "${ORIGIN}/", "$ORIGIN/../../nvidia/cublas/lib", "$ORIGIN/../../../lib"]
        {
            assert!(stays_inside(module, folder), "{folder}");
        }
        for folder in
            ["/usr/local/cuda-13.0/lib64", "", "lib", "$ORIGIN/../../../../lib", "$ORIGINAL/lib"]
        {
            assert!(!stays_inside(module, folder), "{folder}");
        }
        assert!(stays_inside("demo-1.data/scripts/tool", "$ORIGIN/../lib"));
    }
}
