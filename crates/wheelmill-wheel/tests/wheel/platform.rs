//! What native code needs of the machine: the tag that it earns, libraries, loading, the driver.

use wheelmill_wheel::{Inspection, Verdict, Wishes, inspect_bytes, judge};

use crate::build::{Elf, Fatbin, NAME, Wheel, codes, cubin, module};

const MANYLINUX: &str = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl";

/// A wheel with one extension module, under a file name.
fn inspection(file_name: &str, elf: &Elf) -> Inspection {
    let wheel = Wheel::default().file(&module("_C"), elf.clone().init("_C").write());
    inspect_bytes(file_name, &wheel.bytes(), &Default::default()).unwrap()
}

fn verdict(file_name: &str, elf: &Elf) -> Verdict {
    judge(&inspection(file_name, elf), &Wishes::default())
}

/// The codes of a wheel of that file name, but for its tags differing from those inside.
fn found(file_name: &str, elf: &Elf) -> Vec<&'static str> {
    let codes = codes(&verdict(file_name, elf).findings).into_iter();
    codes.filter(|code| *code != "tag.wheel-vs-filename").collect()
}

fn earned(elf: &Elf) -> String {
    verdict(NAME, elf).platform.unwrap().tag
}

#[test]
fn the_newest_symbol_version_decides_the_tag() {
    let elf = || Elf::default().version("libc.so.6", "GLIBC_2.14");
    assert_eq!(earned(&Elf::default()), "manylinux_2_5_x86_64");
    assert_eq!(earned(&elf()), "manylinux_2_17_x86_64");
    assert_eq!(earned(&elf().version("libstdc++.so.6", "GLIBCXX_3.4.29")), "manylinux_2_34_x86_64");
    assert_eq!(earned(&elf().version("libc.so.6", "GLIBC_PRIVATE")), "linux_x86_64");
    // Versions of other libraries are no matter of the system.
    assert_eq!(
        earned(&elf().version("libcudart.so.13", "libcudart.so.13")),
        "manylinux_2_17_x86_64"
    );
    let platform = verdict(NAME, &elf().version("libm.so.6", "GLIBC_2.29")).platform.unwrap();
    assert_eq!(platform.glibc.as_deref(), Some("2.31"));
    assert_eq!(platform.because, [format!("{}: GLIBC_2.29 of libm.so.6", module("_C"))]);
}

#[test]
fn a_tag_that_promises_too_much_is_an_error() {
    let elf = Elf::default().version("libc.so.6", "GLIBC_2.32");
    assert_eq!(found(MANYLINUX, &elf), ["tag.symbol-version"]);
    assert_eq!(found("demo-1.0-cp311-cp311-manylinux_2_34_x86_64.whl", &elf), [""; 0]);
    // The least of several promises counts.
    let both = "demo-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_34_x86_64.whl";
    assert_eq!(found(both, &elf), ["tag.symbol-version"]);
    assert_eq!(found(NAME, &elf), [""; 0]);
}

#[test]
fn systems_without_a_policy_here_are_not_judged() {
    let unjudged = |file_name: &str, elf: &Elf| {
        let verdict = verdict(file_name, elf);
        assert_eq!(verdict.platform, None, "{file_name}");
        verdict.not_checked.iter().any(|check| check.what.contains("platform tag"))
    };
    assert!(unjudged("demo-1.0-cp311-cp311-linux_ppc64le.whl", &Elf::default().machine(21)));
    let musl = Elf::default().needed("libc.musl-x86_64.so.1");
    assert!(unjudged("demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", &musl));
    // A wheel without native code needs no system.
    let pure = Wheel::default().bytes();
    let inspection = inspect_bytes("demo-1.0-py3-none-any.whl", &pure, &Default::default());
    let verdict = judge(&inspection.unwrap(), &Wishes::default());
    assert!(verdict.platform.is_none() && verdict.not_checked.is_empty());
}

#[test]
fn libraries_come_from_somewhere() {
    let needs = |library: &str| Elf::default().needed(library);
    assert_eq!(found(MANYLINUX, &needs("libnuma.so.1")), ["tag.library"]);
    assert_eq!(found(NAME, &needs("libnuma.so.1")), ["elf.outside-library"]);
    assert_eq!(found(MANYLINUX, &needs("libstdc++.so.6")), [""; 0]);
    // torch is required, and brings CUDA; the driver is on the machine.
    assert_eq!(found(MANYLINUX, &needs("libc10.so").needed("libcuda.so.1")), [""; 0]);
    assert_eq!(found(MANYLINUX, &needs("libcudart.so.13")), [""; 0]);
    assert_eq!(found(MANYLINUX, &needs("libcutensor.so.2")), ["elf.undeclared-library"]);
    assert_eq!(found(MANYLINUX, &needs("/build/lib/libx.so")), ["elf.needed-path", "tag.library"]);
}

#[test]
fn a_library_of_the_wheel_itself_is_not_asked_of_the_system() {
    let wheel = Wheel::default()
        .file(&module("_C"), Elf::default().needed("libown.so.1").init("_C").write())
        .file("demo.libs/libown-0a1b2c3d.so", Elf::default().soname("libown.so.1").write());
    let inspection = inspect_bytes(MANYLINUX, &wheel.bytes(), &Default::default()).unwrap();
    assert_eq!(
        judge(&inspection, &Wishes::default()).platform.unwrap().tag,
        "manylinux_2_5_x86_64"
    );
}

#[test]
fn requirements_of_another_cuda_release_are_an_error() {
    let metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.10\n\
                    Requires-Dist: nvidia-cuda-runtime-cu12\n";
    let wheel = Wheel::default()
        .info("METADATA", metadata)
        .file(&module("_C"), Elf::default().needed("libcudart.so.13").init("_C").write());
    let inspection = inspect_bytes(NAME, &wheel.bytes(), &Default::default()).unwrap();
    let verdict = judge(&inspection, &Wishes::default());
    assert_eq!(codes(&verdict.findings), ["elf.other-cuda-release"]);
    let line = &verdict.findings[0].evidence[0];
    assert!(
        line.contains("libcudart.so.13") && line.contains("nvidia-cuda-runtime-cu12"),
        "{line}"
    );
}

#[test]
fn a_glibc_can_be_wished_for() {
    let inspection = inspection(NAME, &Elf::default().version("libc.so.6", "GLIBC_2.29"));
    let wish = |minor| Wishes { glibc: Some(minor), ..Wishes::default() };
    assert_eq!(codes(&judge(&inspection, &wish(28)).findings), ["wanted.glibc"]);
    assert!(judge(&inspection, &wish(29)).passed);
}

#[test]
fn a_wheel_goes_with_the_toolchain_that_it_says() {
    let name = "demo-1.0+cu130torch2.11-cp311-cp311-linux_x86_64.whl";
    let wheel = Wheel::of_version("1.0+cu130torch2.11")
        .file(&module("_C"), Elf::default().needed("libcudart.so.13").init("_C").write());
    let inspection = inspect_bytes(name, &wheel.bytes(), &Default::default()).unwrap();
    let found = |cuda: &str, torch: &str| {
        let wishes = Wishes {
            cuda: Some(cuda.parse().unwrap()),
            torch: Some(torch.parse().unwrap()),
            ..Wishes::default()
        };
        codes(&judge(&inspection, &wishes).findings)
    };
    assert_eq!(found("13.0", "2.11"), [""; 0]);
    assert_eq!(found("13.0", "2.11.1"), [""; 0]);
    assert_eq!(found("12.8", "2.11"), ["wanted.cuda"]);
    assert_eq!(found("13.0", "2.10"), ["wanted.torch"]);
}

#[test]
fn what_requires_another_torch_is_not_what_was_wanted() {
    // It requires torch>=2.9.
    let inspection = inspection(NAME, &Elf::default());
    let found = |torch: &str| {
        let wishes = Wishes { torch: Some(torch.parse().unwrap()), ..Wishes::default() };
        codes(&judge(&inspection, &wishes).findings)
    };
    assert_eq!(found("2.8"), ["wanted.torch"]);
    assert_eq!(found("2.9"), [""; 0]);
    assert_eq!(found("2.11.0"), [""; 0]);
}

#[test]
fn what_loaders_refuse_is_found() {
    let plain = || Elf::default().load(5).stack(6);
    assert_eq!(found(NAME, &plain()), [""; 0]);
    assert_eq!(found(NAME, &plain().load(7)), ["elf.writable-code"]);
    assert_eq!(found(NAME, &Elf::default().load(5).stack(7)), ["elf.executable-stack"]);
    // On x86, who says nothing wants it executable; on other machines not.
    assert_eq!(found(NAME, &Elf::default().load(5)), ["elf.executable-stack"]);
    let arm = "demo-1.0-cp311-cp311-linux_aarch64.whl";
    assert_eq!(found(arm, &Elf::default().machine(183).load(5)), [""; 0]);
    assert_eq!(found(NAME, &plain().text_relocations()), ["elf.text-relocations"]);
    assert_eq!(
        found(NAME, &plain().runpath("$ORIGIN/../lib:/usr/local/cuda/lib64")),
        ["elf.rpath"]
    );
    assert_eq!(found(NAME, &plain().runpath("$ORIGIN/../nvidia/cublas/lib")), [""; 0]);
}

#[test]
fn processors_that_a_module_needs_are_told() {
    assert_eq!(found(MANYLINUX, &Elf::default().isa(1)), [""; 0]);
    assert_eq!(found(MANYLINUX, &Elf::default().isa(1 | 2 | 4)), ["tag.processor"]);
    let inspection = inspection(NAME, &Elf::default().isa(1 | 2 | 4));
    let level = inspection.modules[0].properties.isa_level.unwrap();
    assert_eq!(level.to_string(), "x86-64-v3");
}

/// The drivers that a wheel needs, as `version/for PTX`.
fn drivers(verdict: &Verdict) -> Vec<String> {
    let text = |floor: &wheelmill_wheel::DriverFloor| match &floor.for_ptx {
        Some(ptx) => format!("{}/{ptx}", floor.version),
        None => floor.version.to_string(),
    };
    verdict.drivers.iter().map(text).collect()
}

#[test]
fn the_oldest_driver_is_that_of_the_toolkit_and_of_the_newest_function() {
    let code = Fatbin::default().cubin("sm_90").write();
    let with_code = || Elf::default().section(".nv_fatbin", &code);
    let of = |elf: &Elf| drivers(&verdict(NAME, elf));
    assert_eq!(of(&Elf::default()), [""; 0]);
    assert_eq!(of(&with_code().needed("libcudart.so.12")), ["525.60.13"]);
    assert_eq!(of(&with_code().needed("libcudart.so.13")), ["580.65.06"]);
    let calls = |function: &str| {
        with_code().needed("libcudart.so.12").needed("libcuda.so.1").undefined(function)
    };
    assert_eq!(of(&calls("cuMemAlloc_v2")), ["525.60.13"]);
    assert_eq!(of(&calls("cuGreenCtxDestroy")), ["550.54.14"]);
    // A name of the module's own is no function of the driver.
    let own = Elf::default().section(".nv_fatbin", &code).needed("libcudart.so.12");
    assert_eq!(of(&own.undefined("cuGreenCtxDestroy")), ["525.60.13"]);
    // PTX 9.0 is of CUDA 13.0.
    let ptx = Fatbin::default().ptx("sm_90").write();
    assert_eq!(of(&Elf::default().section(".nv_fatbin", &ptx)), ["580.65.06"]);
}

#[test]
fn machine_code_of_an_unknown_toolkit_is_not_judged_by_a_guess() {
    let code = Fatbin::default().cubin("sm_90").write();
    let verdict = verdict(NAME, &Elf::default().section(".nv_fatbin", &code));
    assert_eq!(drivers(&verdict), [""; 0]);
    assert!(verdict.not_checked.iter().any(|check| check.what.contains("driver")));
    let labelled = "demo-1.0+cu128torch2.9-cp311-cp311-linux_x86_64.whl";
    let wheel = Wheel::of_version("1.0+cu128torch2.9")
        .file(&module("_C"), Elf::default().section(".nv_fatbin", &code).init("_C").write());
    let inspection = inspect_bytes(labelled, &wheel.bytes(), &Default::default()).unwrap();
    assert_eq!(drivers(&judge(&inspection, &Wishes::default())), ["525.60.13"]);
}

#[test]
fn modules_for_several_releases_are_told_apart() {
    let code = Fatbin::default().cubin("sm_90").write();
    let library = |major: u16| {
        let runtime = format!("libcudart.so.{major}");
        Elf::default().needed(&runtime).section(".nv_fatbin", &code).write()
    };
    let wheel =
        Wheel::default().file("demo/libcu12.so", library(12)).file("demo/libcu13.so", library(13));
    let inspection = inspect_bytes(NAME, &wheel.bytes(), &Default::default()).unwrap();
    let verdict = judge(&inspection, &Wishes::default());
    assert_eq!(drivers(&verdict), ["525.60.13", "580.65.06"]);
    assert!(
        verdict
            .summary
            .ends_with("needs driver 525.60.13 for CUDA 12, 580.65.06 for CUDA 13 or newer"),
        "{}",
        verdict.summary
    );
}

#[test]
fn cubins_of_cuda_13_name_their_toolkit() {
    let wheel = Wheel::default().extension(&crate::build::fixture("none.fatbin"));
    let inspection = inspect_bytes(NAME, &wheel.bytes(), &Default::default()).unwrap();
    let images = inspection.modules[0].device_code.iter().flat_map(|one| &one.images);
    let toolkits: Vec<String> =
        images.filter_map(|image| image.toolkit).map(|release| release.to_string()).collect();
    assert_eq!(toolkits, ["13.0", "13.0"]);
    // Not every cubin does.
    let old =
        Fatbin::default().image(2, "sm_90", crate::build::Packing::Plain, &cubin("sm_90", &["k"]));
    let wheel = Wheel::default().extension(&old.write());
    let inspection = inspect_bytes(NAME, &wheel.bytes(), &Default::default()).unwrap();
    assert_eq!(inspection.modules[0].device_code[0].images[0].toolkit, None);
}

#[test]
fn a_module_that_is_no_native_code_is_an_error() {
    let found = |name: &str, content: &str| {
        let wheel = Wheel::default().file(name, content);
        let inspection = inspect_bytes(NAME, &wheel.bytes(), &Default::default()).unwrap();
        codes(&inspection.findings)
    };
    let pointer = "version https://git-lfs.github.com/spec/v1\n";
    assert_eq!(found(&module("_C"), pointer), ["elf.none"]);
    assert_eq!(found("demo/_C.abi3.so", ""), ["elf.none"]);
    // Linker scripts are text of right.
    assert_eq!(found("demo/lib/libdemo.so", "INPUT(libdemo.so.1)"), [""; 0]);
    assert_eq!(found("demo/notes.txt", pointer), [""; 0]);
}

#[test]
fn modules_for_another_python_than_the_tags_are_an_error() {
    let of_312 = "demo-1.0-cp312-cp312-linux_x86_64.whl";
    assert_eq!(found(of_312, &Elf::default()), ["tag.module-python"]);
    let verdict = |file_name: &str, python: &str| {
        let wishes = Wishes {
            python: Some(python.parse().unwrap()),
            modules: vec!["demo._C".to_owned()],
            ..Wishes::default()
        };
        judge(&inspection(file_name, &Elf::default()), &wishes)
    };
    assert!(codes(&verdict(of_312, "3.12").findings).contains(&"module.missing"));
    assert!(verdict(NAME, "3.11").passed);
    // Tags for every Python promise nothing of single modules.
    assert_eq!(found("demo-1.0-py3-none-linux_x86_64.whl", &Elf::default()), [""; 0]);
}

#[test]
fn code_for_another_system_than_the_tags_is_an_error() {
    let of =
        |platform: &str, elf: &Elf| found(&format!("demo-1.0-cp311-cp311-{platform}.whl"), elf);
    assert_eq!(of("win_amd64", &Elf::default()), ["tag.wrong-system"]);
    assert_eq!(of("baz", &Elf::default()), ["tag.wrong-system"]);
    assert_eq!(of("musllinux_1_2_x86_64", &Elf::default()), ["tag.wrong-system"]);
    assert_eq!(of("manylinux_2_28_x86_64.musllinux_1_2_x86_64", &Elf::default()), [""; 0]);
}

#[test]
fn wheels_for_other_systems_are_not_called_checked() {
    let wheel = Wheel::default().file("demo/_C.cp311-win_amd64.pyd", "MZ").bytes();
    let name = "demo-1.0-cp311-cp311-win_amd64.whl";
    let inspection = inspect_bytes(name, &wheel, &Default::default()).unwrap();
    let verdict = judge(&inspection, &Wishes::default());
    assert!(verdict.not_checked.iter().any(|check| check.what.contains("other systems")));
}
