//! Whatever happens to the bytes of a wheel, reading it gives an answer: never a panic, never
//! without end.

use proptest::prelude::*;
use wheelmill_wheel::{Environment, InspectOptions, Wishes, judge, read_module};

use crate::build::{Elf, Wheel, ZipEntry, fixture, read};

/// A change to some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Fill(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<prop::sample::Index>;
    let edge = prop_oneof![
        Just(vec![0xff; 4]),
        Just(vec![0xff; 8]),
        Just(vec![0; 8]),
        Just(vec![0xff, 0xff, 0xff, 0x7f]),
        prop::collection::vec(any::<u8>(), 1..9),
    ];
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, value)| Change::Set(at, value)),
        (place(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (place(), edge.clone()).prop_map(|(at, bytes)| Change::Fill(at, bytes)),
        place().prop_map(Change::Cut),
        (place(), edge).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), 1..64_usize).prop_map(|(at, count)| Change::Remove(at, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match change {
        Change::Set(at, value) => bytes[at.index(length)] = *value,
        Change::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Change::Fill(at, with) => {
            let at = at.index(length);
            let end = length.min(at + with.len());
            bytes[at..end].copy_from_slice(&with[..end - at]);
        }
        Change::Cut(at) => bytes.truncate(at.index(length)),
        Change::Insert(at, with) => {
            let at = at.index(length);
            bytes.splice(at..at, with.iter().copied());
        }
        Change::Remove(at, count) => {
            let at = at.index(length);
            bytes.drain(at..length.min(at + count));
        }
    }
}

fn wheel() -> Vec<u8> {
    Wheel::default()
        .extension(&fixture("stub.section"))
        .info("entry_points.txt", "[console_scripts]\ndemo = demo:main\n")
        .entry(ZipEntry { deflate: false, ..ZipEntry::new("demo/data.bin", vec![7; 100]) })
        .entry(ZipEntry { descriptor: true, ..ZipEntry::new("demo/more.py", "more = 1\n") })
        .bytes()
}

fn modules() -> Vec<Vec<u8>> {
    let names = ["size.fatbin", "speed.fatbin", "letters.fatbin", "group.fatbin", "lto.fatbin"];
    let mut modules: Vec<Vec<u8>> = names
        .iter()
        .map(|name| Elf::default().init("_C").section(".nv_fatbin", &fixture(name)).write())
        .collect();
    let versions =
        Elf::default().version("libc.so.6", "GLIBC_2.17").version("libm.so.6", "GLIBC_2.29");
    modules.push(versions.section("__nv_relfatbin", &fixture("relocatable.section")).write());
    modules.push(linked().write());
    modules
}

/// A module with symbols and versions of all kinds.
fn linked() -> Elf {
    Elf::default()
        .init("_C")
        .needed("libc10.so")
        .runpath("$ORIGIN/../torch/lib")
        .undefined("_ZN3c106SymInt4initEv")
        .undefined_weakly("nobody_has_this")
        .undefined_version("c10_one", "libc10.so", "C10_1")
        .defines_version("own", "DEMO_1", true)
}

proptest! {
    // More where the environment asks for more.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(400)))]

    #[test]
    fn a_changed_wheel_gets_an_answer(changes in prop::collection::vec(change(), 1..4)) {
        let mut bytes = wheel();
        for change in &changes {
            apply(&mut bytes, change);
        }
        if let Ok(inspection) = read(&bytes) {
            let verdict = judge(&inspection, &Wishes::default());
            // What is left unchanged by all changes may pass; what was changed must not be hidden.
            prop_assert!(!verdict.passed || bytes == wheel() || same_contents(&bytes));
        }
    }

    #[test]
    fn a_changed_module_gets_an_answer(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let modules = modules();
        let mut bytes = modules[which.index(modules.len())].clone();
        for change in &changes {
            apply(&mut bytes, change);
        }
        let options = InspectOptions { deep: true, ..InspectOptions::default() };
        drop(read_module("demo/_C.so", &bytes, &options));
    }

    #[test]
    fn a_changed_environment_gets_an_answer(
        in_wheel in any::<bool>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let library = Elf::default()
            .soname("libc10.so")
            .needed("libcudart.so.13")
            .rpath("$ORIGIN:$ORIGIN/../../../../..")
            .defines("_ZN3c106SymInt4initEv")
            .defines_version("c10_one", "C10_1", false);
        let (mut module, mut library) = (linked().write(), library.write());
        for change in &changes {
            apply(if in_wheel { &mut module } else { &mut library }, change);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(path.join("torch/lib")).unwrap();
        fs_err::create_dir_all(path.join("torch-2.11.0.dist-info")).unwrap();
        fs_err::write(path.join("torch/lib/libc10.so"), library).unwrap();
        let environment = Some(Environment::read(path).unwrap());
        let wheel = Wheel::default().file("demo/_C.so", module).bytes();
        let wishes = Wishes { environment, ..Wishes::default() };
        drop(judge(&read(&wheel).unwrap(), &wishes));
    }
}

/// Whether another reader unpacks exactly the files of the unchanged wheel: then only what
/// installers overlook was changed, such as a time.
fn same_contents(bytes: &[u8]) -> bool {
    let files = |bytes: &[u8]| -> Option<Vec<(String, Vec<u8>)>> {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes.to_vec())).ok()?;
        (0..archive.len())
            .map(|index| {
                let mut file = archive.by_index(index).ok()?;
                let mut bytes = Vec::new();
                std::io::copy(&mut file, &mut bytes).ok()?;
                Some((file.name().ok()?.into_owned(), bytes))
            })
            .collect()
    };
    files(bytes) == files(&wheel())
}
