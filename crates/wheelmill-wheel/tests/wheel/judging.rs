//! Verdicts: what a wheel must hold to be what was wanted.

use wheelmill_wheel::{Finding, Severity, Support, Verdict, Wishes, judge};

use crate::build::{Elf, Fatbin, Wheel, codes, cubin, fixture, module, ptx, read, read_as};

fn wishes(architectures: &str) -> Wishes {
    Wishes {
        name: Some("demo".parse().unwrap()),
        version: Some("1.0".parse().unwrap()),
        python: Some("3.11".parse().unwrap()),
        device_code: true,
        architectures: Some(architectures.parse().unwrap()),
        modules: vec!["demo".to_owned(), "demo._C".to_owned()],
        ..Wishes::default()
    }
}

fn verdict(wheel: &Wheel, architectures: &str) -> Verdict {
    judge(&read(&wheel.bytes()).unwrap(), &wishes(architectures))
}

fn errors(verdict: &Verdict) -> Vec<&Finding> {
    let errors = verdict.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<&Finding> = errors.collect();
    assert_eq!(verdict.passed, errors.is_empty());
    errors
}

fn section(containers: &[Fatbin]) -> Vec<u8> {
    containers.iter().map(Fatbin::write).collect::<Vec<_>>().concat()
}

#[test]
fn a_good_wheel_passes() {
    let both = || Fatbin::default().cubin("sm_80").cubin("sm_90").ptx("sm_90");
    let wheel = Wheel::default().extension(&section(&[both(), both()]));
    let verdict = verdict(&wheel, "8.0;9.0+PTX");
    assert_eq!(errors(&verdict), Vec::<&Finding>::new());
    assert_eq!(
        verdict.summary,
        "sm_80, sm_86, sm_89, sm_90 natively; newer GPUs through PTX; needs driver 580.65.06 or newer"
    );
}

#[test]
fn what_nvcc_links_passes() {
    let wheel = Wheel::default().extension(&fixture("stub.section"));
    let verdict = verdict(&wheel, "8.0;9.0+PTX");
    assert_eq!(errors(&verdict), Vec::<&Finding>::new());
    assert_eq!(
        verdict.summary,
        "sm_80, sm_86, sm_89, sm_90 natively; newer GPUs through PTX; needs driver 580.65.06 or newer"
    );
}

#[test]
fn a_wheel_that_fell_back_to_the_cpu_fails() {
    let cpu = Wheel::default().file(&module("_C"), Elf::default().init("_C").write());
    let stub_only = Wheel::default().extension(&fixture("empty.fatbin"));
    for wheel in [cpu, stub_only] {
        let verdict = verdict(&wheel, "9.0");
        let [finding] = errors(&verdict)[..] else { panic!("{:?}", verdict.findings) };
        assert_eq!(finding.code, "device-code.none");
        assert_eq!(verdict.summary, "no GPU code");
    }
}

#[test]
fn gpu_code_in_files_of_its_own_counts_as_gpu_code() {
    let cubin = cubin("sm_90", &["kernel"]);
    for (name, bytes) in [
        ("demo/kernels.fatbin", fixture("size.fatbin")),
        ("demo/kernels.cubin", cubin.clone()),
        ("demo/kernels.ptx", ptx("sm_90").into_bytes()),
    ] {
        let wheel = Wheel::default().file(name, bytes).file("demo/_C.py", "");
        let inspection = read(&wheel.bytes()).unwrap();
        assert_eq!(inspection.findings, [], "{name}");
        let file = &inspection.device_files[0];
        assert!(file.images.iter().any(|image| image.arch.number == 90), "{file:?}");
        let verdict = judge(&inspection, &wishes("9.0"));
        assert!(verdict.passed, "{name}: {:?}", verdict.findings);
        assert!(
            verdict.summary.starts_with("GPU code in a file of its own"),
            "{}",
            verdict.summary
        );
    }
    let ptx = Wheel::default().file("demo/kernels.ptx", ptx("sm_90")).file("demo/_C.py", "");
    assert_eq!(read(&ptx.bytes()).unwrap().device_files[0].images[0].version, (9, 0));
    let broken = Wheel::default().file("demo/kernels.cubin", &cubin[..200]);
    assert_eq!(codes(&read(&broken.bytes()).unwrap().findings), ["device-code.bad-payload"]);
}

#[test]
fn one_container_without_an_architecture_is_one_too_many() {
    let full = Fatbin::default().cubin("sm_80").cubin("sm_90").ptx("sm_90");
    let wheel = Wheel::default().extension(&section(&[full, Fatbin::default().cubin("sm_80")]));
    let verdict = verdict(&wheel, "8.0;9.0+PTX");
    let found = errors(&verdict);
    assert_eq!(found.len(), 2);
    assert!(found[0].message.contains("machine code for sm_90"), "{}", found[0].message);
    assert!(found[1].message.contains("PTX"), "{}", found[1].message);
    assert_eq!(
        found[0].evidence,
        [format!("{}: 1 of 2 containers, such as one with sm_80 cubin", module("_C"))]
    );
    assert_eq!(
        verdict.summary,
        "sm_80, sm_86, sm_89 natively; sm_90, sm_100, sm_103, sm_120, sm_121 in part; PTX for newer GPUs in part; needs driver 580.65.06 or newer"
    );
}

#[test]
fn kernels_for_other_chips_may_stand_beside_those_for_all() {
    let general = Fatbin::default().cubin("sm_80").cubin("sm_90");
    let hopper = Fatbin::default().cubin("sm_90a");
    let wheel = Wheel::default().extension(&section(&[general, hopper.clone()]));
    let verdict_of = |wish| verdict(&wheel, wish);
    assert!(verdict_of("8.0;9.0").passed);
    assert_eq!(
        verdict_of("8.0").summary,
        "sm_80, sm_86, sm_89, sm_90 natively; no PTX for newer GPUs"
    );
    // Alone they are no answer to a wish for another chip.
    let wheel = Wheel::default().extension(&section(&[hopper]));
    assert!(!verdict(&wheel, "8.0").passed);
}

#[test]
fn code_left_to_the_driver_is_a_warning_beside_machine_code_and_an_error_alone() {
    let native = || Fatbin::default().cubin("sm_80").cubin("sm_90").ptx("sm_80");
    let compiled = || Fatbin::default().cubin("sm_80").ptx("sm_80");
    let some = Wheel::default().extension(&section(&[native(), compiled()]));
    let some = verdict(&some, "9.0+PTX");
    assert_eq!(codes(&some.findings), ["device-code.arch-jit"]);
    assert!(some.passed);
    let all = Wheel::default().extension(&section(&[compiled(), compiled()]));
    assert_eq!(errors(&verdict(&all, "9.0+PTX"))[0].code, "device-code.arch-missing");
}

#[test]
fn letters_bind_code_to_chips_and_families() {
    for (has, wish, passes) in [
        ("sm_80", "8.6", true),
        ("sm_86", "8.0", false),
        ("sm_90a", "9.0a", true),
        ("sm_90a", "9.0", true),
        ("sm_100a", "10.3", false),
        ("sm_100f", "10.3", true),
        ("sm_90", "10.0", false),
    ] {
        let wheel = Wheel::default().extension(&section(&[Fatbin::default().cubin(has)]));
        assert_eq!(verdict(&wheel, wish).passed, passes, "{has} for {wish}");
    }
    for (has, wish, passes) in [
        ("sm_90", "9.0+PTX", true),
        ("sm_80", "9.0+PTX", true),
        ("sm_90a", "9.0+PTX", false),
        ("sm_100", "9.0+PTX", false),
    ] {
        let container = Fatbin::default().cubin("sm_90").ptx(has);
        let wheel = Wheel::default().extension(&section(&[container]));
        assert_eq!(verdict(&wheel, wish).passed, passes, "PTX of {has} for {wish}");
    }
}

#[test]
fn relocatable_code_serves_nobody() {
    let object = Elf::default().section("__nv_relfatbin", &fixture("relocatable.section"));
    let wheel = Wheel::default().file(&module("_C"), object.init("_C").write());
    let verdict = verdict(&wheel, "9.0");
    assert_eq!(codes(&verdict.findings), ["device-code.none", "device-code.not-linked"]);
    assert_eq!(verdict.summary, "no linked GPU code");
    assert_eq!(verdict.coverage, []);
}

#[test]
fn each_generation_is_told_apart() {
    let other = Elf::default().section(".nv_fatbin", &section(&[Fatbin::default().cubin("sm_90")]));
    let wheel = Wheel::default()
        .extension(&section(&[Fatbin::default().cubin("sm_80").ptx("sm_80")]))
        .file("demo/libother.so", other.write());
    let verdict = judge(&read(&wheel.bytes()).unwrap(), &Wishes::default());
    let support = |number: u16| {
        let row = verdict.coverage.iter().find(|row| row.gpu.arch.number == number).unwrap();
        let modules: Vec<Support> = row.modules.iter().map(|module| module.support).collect();
        (row.support, modules)
    };
    assert_eq!(support(75), (Support::None, vec![Support::None, Support::None]));
    assert_eq!(support(86), (Support::Partial, vec![Support::Native, Support::None]));
    assert_eq!(support(90), (Support::Jit, vec![Support::Jit, Support::Native]));
    assert_eq!(support(120), (Support::Partial, vec![Support::Jit, Support::None]));
    assert_eq!(codes(&verdict.findings), ["device-code.uneven"]);
    assert!(verdict.passed);
    assert_eq!(
        verdict.summary,
        "no GPU natively; sm_90 through PTX; sm_80, sm_86, sm_89, sm_100, sm_103, sm_120, sm_121 in part; \
         PTX for newer GPUs in part; needs driver 580.65.06 or newer"
    );
}

#[test]
fn modules_are_found_by_the_names_they_are_imported_under() {
    let wheel = Wheel::default().extension(&section(&[Fatbin::default().cubin("sm_90")]));
    let inspection = read(&wheel.file("demo/sub/tool.py", "").bytes()).unwrap();
    let names: Vec<_> = inspection.modules.iter().map(|module| &module.import_name).collect();
    assert_eq!(names, [&Some("demo._C".to_owned())]);
    let wishes = |module: &str| Wishes { modules: vec![module.to_owned()], ..Wishes::default() };
    for module in ["demo", "demo._C", "demo.sub", "demo.sub.tool"] {
        assert!(judge(&inspection, &wishes(module)).passed, "{module}");
    }
    for module in ["demo._D", "_C", "tool", "demo.sub._C"] {
        let verdict = judge(&inspection, &wishes(module));
        assert_eq!(codes(&verdict.findings), ["module.missing"], "{module}");
        assert_eq!(verdict.findings[0].evidence, [module]);
    }
}

#[test]
fn another_package_version_or_python_is_not_what_was_wanted() {
    let inspection = read(&Wheel::default().bytes()).unwrap();
    let found = |wishes: &Wishes| codes(&judge(&inspection, wishes).findings);
    let name = |name: &str| Wishes { name: Some(name.parse().unwrap()), ..Wishes::default() };
    let version = |text: &str| Wishes { version: Some(text.parse().unwrap()), ..Wishes::default() };
    let python = |text: &str| Wishes { python: Some(text.parse().unwrap()), ..Wishes::default() };
    assert_eq!(found(&name("other")), ["wanted.name"]);
    assert_eq!(found(&version("1.1")), ["wanted.version"]);
    assert_eq!(found(&version("1.0+cu130")), ["wanted.version"]);
    assert_eq!(found(&python("3.12")), ["wanted.python"]);
    for wishes in [name("Demo"), version("1.0.0"), python("3.11")] {
        assert_eq!(found(&wishes), Vec::<&str>::new());
    }
}

#[test]
fn a_wheel_must_fit_the_wanted_python_by_its_tags_and_by_requires_python() {
    let metadata = |python: &str| {
        format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: {python}\n")
    };
    let found = |tags: &str, requires: &str, python: Option<&str>| {
        let name = format!("demo-1.0-{tags}.whl");
        let wheel_file =
            format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tags}\n");
        let wheel =
            Wheel::default().info("METADATA", &metadata(requires)).info("WHEEL", &wheel_file);
        let inspection = read_as(&name, &wheel.bytes()).unwrap();
        let python = python.map(|text| text.parse().unwrap());
        codes(&judge(&inspection, &Wishes { python, ..Wishes::default() }).findings)
    };
    let abi3 = "cp39-abi3-linux_x86_64";
    assert_eq!(found(abi3, ">=3.12", Some("3.11")), ["wanted.requires-python"]);
    assert_eq!(found(abi3, "!=3.11.*", Some("3.11")), ["wanted.requires-python"]);
    // Who asks for 3.11 has, or can have, its newest patch.
    assert_eq!(found(abi3, ">=3.11.4", Some("3.11")), Vec::<&str>::new());
    assert_eq!(found(abi3, ">=3.12", None), Vec::<&str>::new());
    // The two claims of one wheel must leave a Python.
    assert_eq!(found("cp311-cp311-linux_x86_64", ">=3.12", None), ["tag.vs-requires-python"]);
    assert_eq!(found(abi3, "<3.9", None), ["tag.vs-requires-python"]);
    assert_eq!(found("pp39-pypy39_pp73-linux_x86_64", ">=3.12", None), Vec::<&str>::new());
    assert_eq!(
        found("cp311-cp311-linux_x86_64", ">=3.12", Some("3.11")),
        ["tag.vs-requires-python", "wanted.requires-python"]
    );
}

#[test]
fn native_code_for_other_machines_and_copies_of_the_driver_fail() {
    let with = |path: &str, elf: Elf| {
        let inspection = read(&Wheel::default().file(path, elf.write()).bytes()).unwrap();
        codes(&judge(&inspection, &Wishes::default()).findings)
    };
    assert_eq!(with("demo/_C.so", Elf::default().machine(183)), ["elf.wrong-machine"]);
    assert_eq!(with("demo.libs/libcuda-0a1b2c3d.so.1", Elf::default()), ["elf.bundled-driver"]);
    assert_eq!(with("demo/x.so", Elf::default().soname("libcuda.so.1")), ["elf.bundled-driver"]);
    assert_eq!(with("demo/_C.so", Elf::default().needed("libcuda.so.1")), Vec::<&str>::new());
}

#[test]
fn a_module_that_is_cut_off_fails_but_test_data_does_not() {
    let whole = Elf::default().write();
    let cut = &whole[..whole.len() - 100];
    let found = |path: &str| {
        let inspection = read(&Wheel::default().file(path, cut).bytes()).unwrap();
        codes(&inspection.findings)
    };
    assert_eq!(found("demo/_C.so"), ["elf.damaged"]);
    assert_eq!(found("demo.libs/libdemo.so.1.2"), ["elf.damaged"]);
    assert_eq!(found("demo/tests/broken.elf"), Vec::<&str>::new());
}

#[test]
fn what_the_loader_reads_is_told() {
    let elf = Elf::default()
        .needed("libcudart.so.13")
        .runpath("$ORIGIN/../lib:/usr/local/cuda/lib64")
        .version("libc.so.6", "GLIBC_2.17")
        .version("libcudart.so.13", "libcudart.so.13");
    let inspection = read(&Wheel::default().file("demo/_C.so", elf.write()).bytes()).unwrap();
    let module = &inspection.modules[0];
    assert_eq!(module.needed, ["libc.so.6", "libcudart.so.13"]);
    assert_eq!(module.runpath, ["$ORIGIN/../lib", "/usr/local/cuda/lib64"]);
    assert_eq!(module.symbol_versions["libc.so.6"], ["GLIBC_2.17"]);
    assert_eq!(module.machine.to_string(), "x86_64");
    assert_eq!(module.import_name, None);
}
