//! Device code: what nvcc wrote is read as its own tools read it, and what is broken is told.

use wheelmill_wheel::{Container, ImageKind, InspectOptions, read_module};

use crate::build::{Elf, Fatbin, Packing, cubin, fixture, ptx};

fn options(deep: bool) -> InspectOptions {
    InspectOptions { deep, ..InspectOptions::default() }
}

fn containers(section: &str, bytes: &[u8]) -> Vec<Container> {
    let file = Elf::default().section(section, bytes).write();
    let (module, findings) = read_module("demo/_C.so", &file, &options(true));
    assert_eq!(findings, []);
    module.unwrap().device_code
}

/// One line a container: each image's kind, architecture, packing and number of functions.
fn lines(containers: &[Container]) -> Vec<String> {
    let image = |image: &wheelmill_wheel::Image| {
        let functions = image.functions.map_or("?".to_owned(), |count| count.to_string());
        format!("{} {} {:?} {functions}", image.kind, image.arch, image.compression)
    };
    containers
        .iter()
        .map(|container| container.images.iter().map(image).collect::<Vec<_>>().join(", "))
        .collect()
}

#[test]
fn what_nvcc_writes_is_read_in_each_of_its_forms() {
    for (name, wanted) in [
        ("none.fatbin", "cubin sm_80 None 1, cubin sm_90 None 1, ptx sm_90 None 1"),
        ("speed.fatbin", "cubin sm_80 None 1, cubin sm_90 None 1, ptx sm_90 Lz4 1"),
        ("size.fatbin", "cubin sm_80 Zstd 1, cubin sm_90 Zstd 1, ptx sm_90 Zstd 1"),
        ("group.fatbin", "ptx sm_90 Zstd 1, cubin sm_80 Zstd 1, cubin sm_90 Zstd 1"),
        (
            "letters.fatbin",
            "cubin sm_90a Zstd 1, cubin sm_100f Zstd 1, cubin sm_120a Zstd 1, ptx sm_120a Zstd 1",
        ),
        ("lto.fatbin", "lto-ir sm_90 Zstd ?"),
        ("empty.fatbin", "cubin sm_80 Zstd 0, cubin sm_90 Zstd 0, ptx sm_90 Zstd 0"),
    ] {
        assert_eq!(lines(&containers(".nv_fatbin", &fixture(name))), [wanted], "{name}");
    }
}

#[test]
fn containers_without_functions_are_stubs() {
    let found = containers(".nv_fatbin", &fixture("stub.section"));
    let stubs: Vec<bool> = found.iter().map(Container::is_stub).collect();
    assert_eq!(stubs, [true, false]);
    // A plain inspection sees it too.
    let file = Elf::default().section(".nv_fatbin", &fixture("stub.section")).write();
    let (module, _) = read_module("demo/_C.so", &file, &options(false));
    assert_eq!(module.unwrap().executable_containers().count(), 1);
}

#[test]
fn relocatable_code_is_told_apart() {
    let file = Elf::default()
        .section(".nv_fatbin", &fixture("linked.section"))
        .section("__nv_relfatbin", &fixture("relocatable.section"))
        .write();
    let (module, findings) = read_module("demo/_C.so", &file, &options(true));
    assert_eq!(findings, []);
    let module = module.unwrap();
    let runs: Vec<&Container> = module.executable_containers().collect();
    assert_eq!(lines(&[runs[0].clone()]), ["cubin sm_80 Zstd 1, cubin sm_90 Zstd 1"]);
    let awaits: Vec<&Container> =
        module.device_code.iter().filter(|container| container.relocatable).collect();
    assert_eq!(runs.len() + awaits.len(), 2);
    assert!(awaits[0].images.iter().any(|image| image.kind == ImageKind::Ptx));
}

#[test]
fn each_packing_is_unpacked() {
    for packing in [Packing::Plain, Packing::Lz4, Packing::Zstd] {
        let code = cubin("sm_86", &["one", "two"]);
        let text = ptx("sm_86");
        let container = Fatbin::default()
            .image(2, "sm_86", packing, &code)
            .image(1, "sm_86", packing, text.as_bytes())
            .write();
        let found = containers(".nv_fatbin", &container);
        let functions: Vec<Option<u32>> =
            found[0].images.iter().map(|image| image.functions).collect();
        assert_eq!(functions, [Some(2), Some(1)], "{packing:?}");
    }
}

fn findings(section: &[u8], deep: bool) -> (usize, Vec<(&'static str, String)>) {
    let file = Elf::default().section(".nv_fatbin", section).write();
    let (module, findings) = read_module("demo/_C.so", &file, &options(deep));
    let found = findings.into_iter().map(|finding| (finding.code, finding.evidence.join("\n")));
    (module.unwrap().device_code.len(), found.collect())
}

#[test]
fn lengths_beyond_their_room_are_told_and_what_stands_before_is_kept() {
    let good = Fatbin::default().cubin("sm_90").write();
    let two = [good.clone(), good.clone()].concat();
    let second = good.len();
    for (offset, bytes, reason) in [
        (0, &[0x51][..], "no container starts here"),
        (4, &[2], "unknown version"),
        (8, &[0xff; 8], "longer than its section"),
        (20, &[0xff, 0xff], "longer than its container"),
        (20, &[63, 0], "too short"),
        (24, &[0xff; 8], "longer than its container"),
        (8, &[32, 0], "cut off"),
    ] {
        let mut broken = two.clone();
        broken[second + offset..second + offset + bytes.len()].copy_from_slice(bytes);
        let (kept, found) = findings(&broken, true);
        assert_eq!(kept, 1, "{reason}");
        let [("device-code.damaged", evidence)] = &found[..] else { panic!("{reason}: {found:?}") };
        assert!(evidence.contains(reason), "{evidence}");
    }
}

#[test]
fn payloads_that_are_not_what_their_header_says_are_told() {
    let code = cubin("sm_90", &["kernel"]);
    let text = ptx("sm_90");
    let image = |kind, arch, packing, code: &[u8]| {
        Fatbin::default().image(kind, arch, packing, code).write()
    };
    let mut broken_zstd = image(2, "sm_90", Packing::Zstd, &code);
    broken_zstd[80..90].fill(0xff);
    let mut wrong_size = image(2, "sm_90", Packing::Lz4, &code);
    wrong_size[16 + 56] ^= 1;
    let mut huge = image(2, "sm_90", Packing::Zstd, &code);
    huge[16 + 56..16 + 64].copy_from_slice(&u64::MAX.to_le_bytes());
    for (section, reason) in [
        (image(2, "sm_80", Packing::Plain, &code), "another architecture"),
        (image(2, "sm_90", Packing::Plain, b"not a cubin at all, no"), "no ELF file"),
        (image(2, "sm_90", Packing::Plain, &Elf::default().write()), "not for an NVIDIA GPU"),
        (image(1, "sm_80", Packing::Plain, text.as_bytes()), "another than its header"),
        (image(1, "sm_90", Packing::Plain, b".version 9.0"), "no target"),
        (broken_zstd, "Zstandard data is broken"),
        (wrong_size, "another size"),
        (huge, "more than is allowed"),
    ] {
        let (_, found) = findings(&section, true);
        let [("device-code.bad-payload", evidence)] = &found[..] else {
            panic!("{reason}: {found:?}")
        };
        assert!(evidence.contains(reason), "{evidence}");
    }
    let unknown = image(77, "sm_90", Packing::Plain, b"who knows");
    assert_eq!(findings(&unknown, true).1[0].0, "device-code.unknown-kind");
}
