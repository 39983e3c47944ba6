//! What a wheel's modules are loaded with: scopes, searches and versions as the loader has them.

use std::cell::RefCell;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_wheel::{Environment, EnvironmentError, Links, Verdict, Wishes, judge};

use crate::build::{Elf, Wheel, codes, module, read, read_as};

/// A virtual environment with a Python, and a torch of one library that needs CUDA's.
struct Folder {
    folder: tempfile::TempDir,
    /// What the wheel that is judged is called.
    name: RefCell<String>,
}

/// What the modules' tables tell without an environment.
const OTHERS: [&str; 4] =
    ["elf.outside-library", "elf.rpath", "elf.undeclared-library", "tag.library"];

const SITE: &str = "lib/python3.11/site-packages";

impl Folder {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let python = Elf::default().defines("Py_IncRef").defines("PyModule_Create2");
        let name = RefCell::new(crate::build::NAME.to_owned());
        Self { folder, name }.at("bin/python3.11", &python).package("pip", "25.0")
    }

    fn with_torch() -> Self {
        let global = Elf::default()
            .soname("libtorch_global_deps.so")
            .needed("libcudart.so.13")
            .rpath("$ORIGIN/../../nvidia/cu13/lib");
        let c10 = Elf::default()
            .soname("libc10.so")
            .defines("_ZNK3c106SymInt22maybe_as_int_slow_pathEv")
            .defines("_ZN3c105ErrorC1ENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE");
        let python = Elf::default().soname("libtorch_python.so").defines("THPVariable_Wrap");
        Self::empty()
            .library("torch/lib/libtorch_global_deps.so", &global)
            .library("torch/lib/libc10.so", &c10)
            .library("torch/lib/libtorch_python.so", &python.needed("libc10.so").rpath("$ORIGIN"))
            .library(
                "torch/_C.cpython-311-x86_64-linux-gnu.so",
                &Elf::default().init("_C").needed("libtorch_python.so").rpath("$ORIGIN/lib"),
            )
            .library(
                "nvidia/cu13/lib/libcudart.so.13",
                &Elf::default().soname("libcudart.so.13").defines("cudaMalloc"),
            )
            .package("torch", "2.11.0")
            .text("torch/version.py", "cuda: Optional[str] = '13.0'\n")
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path: Utf8PathBuf = self.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    fn at(self, path: &str, elf: &Elf) -> Self {
        self.write(path, &elf.write());
        self
    }

    fn library(self, path: &str, elf: &Elf) -> Self {
        self.at(&format!("{SITE}/{path}"), elf)
    }

    fn text(self, path: &str, text: &str) -> Self {
        self.write(&format!("{SITE}/{path}"), text.as_bytes());
        self
    }

    fn package(self, name: &str, version: &str) -> Self {
        let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        self.text(&format!("{name}-{version}.dist-info/METADATA"), &text)
    }

    fn verdict(&self, wheel: &Wheel) -> Verdict {
        let environment = Environment::read(self.path()).unwrap();
        let wishes = Wishes { environment: Some(environment), ..Wishes::default() };
        let inspection = read_as(&self.name.borrow(), &wheel.bytes()).unwrap();
        assert!(!codes(&inspection.findings).contains(&"elf.damaged"));
        let mut verdict = judge(&inspection, &wishes);
        verdict.findings.retain(|finding| !OTHERS.contains(&finding.code));
        verdict
    }

    fn codes(&self, wheel: &Wheel) -> Vec<&'static str> {
        codes(&self.verdict(wheel).findings)
    }
}

/// The module `demo._C` and what goes with it.
fn extension(elf: Elf) -> Wheel {
    Wheel::default().file(&module("_C"), elf.init("_C").write())
}

/// The evidence of the only finding.
fn evidence(verdict: &Verdict, code: &str) -> Vec<String> {
    let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
    assert_eq!(finding.code, code);
    finding.evidence.clone()
}

#[test]
fn without_an_environment_symbols_are_not_checked() {
    let wheel = extension(Elf::default().undefined("nobody_has_this"));
    let verdict = judge(&read(&wheel.bytes()).unwrap(), &Wishes::default());
    assert_eq!(codes(&verdict.findings), Vec::<&str>::new());
    assert!(verdict.not_checked.iter().any(|check| check.what.contains("every symbol")));
}

#[test]
fn a_module_whose_symbols_are_all_there_passes() {
    let wheel = extension(
        Elf::default()
            .needed("libc10.so")
            .needed("libcudart.so.13")
            .needed("libcuda.so.1")
            .needed("libz.so.1")
            .undefined("PyModule_Create2")
            .undefined("_ZNK3c106SymInt22maybe_as_int_slow_pathEv")
            .undefined("cudaMalloc")
            .undefined("cuCtxGetDevice")
            .undefined("inflateInit2_")
            .undefined_version("memcpy", "libc.so.6", "GLIBC_2.14")
            .undefined_weakly("__pthread_key_create")
            .undefined_weakly("nobody_has_this")
            .undefined("_ITM_deregisterTMCloneTable"),
    );
    let verdict = Folder::with_torch().verdict(&wheel);
    assert_eq!(codes(&verdict.findings), Vec::<&str>::new());
    assert!(!verdict.not_checked.iter().any(|check| check.what.contains("symbol")));
}

#[test]
fn a_symbol_of_another_torch_is_named_as_a_person_would_write_it() {
    let wheel = extension(Elf::default().needed("libc10.so").undefined("_ZN3c103newEi"));
    let verdict = Folder::with_torch().verdict(&wheel);
    assert_eq!(
        evidence(&verdict, "elf.undefined-symbol"),
        [format!("{}: c10::new(int), of torch [_ZN3c103newEi]", module("_C"))]
    );
    assert!(!verdict.passed);
    // What every release of torch has had since some release is told with it.
    let wheel = extension(Elf::default().needed("libc10.so").undefined("torch_list_push_back"));
    let verdict = Folder::with_torch().verdict(&wheel);
    let lines = verdict.findings.iter().flat_map(|finding| &finding.evidence);
    assert!(lines.clone().any(|line| line.contains("of torch 2.10 and later")), "{lines:?}");
}

#[test]
fn missing_functions_of_the_other_abi_are_told_in_one_sentence() {
    let old = "_ZN3c105ErrorC1ENS_14SourceLocationESs";
    let wheel = extension(Elf::default().needed("libc10.so").undefined(old));
    let verdict = Folder::with_torch().verdict(&wheel);
    assert_eq!(codes(&verdict.findings), ["torch.abi", "elf.undefined-symbol"]);
    assert!(verdict.findings[0].evidence[0].contains("_GLIBCXX_USE_CXX11_ABI=0"));
}

#[test]
fn what_is_loaded_for_others_is_out_of_scope() {
    // torch's own libraries are in the process, and not searched unless they are named.
    let elf = || Elf::default().needed("libc10.so").undefined("THPVariable_Wrap");
    let verdict = Folder::with_torch().verdict(&extension(elf()));
    let lines = evidence(&verdict, "elf.symbol-scope");
    assert!(lines[0].contains("THPVariable_Wrap, in libtorch_python.so"), "{lines:?}");
    let named = elf().needed("libtorch_python.so");
    assert_eq!(Folder::with_torch().codes(&extension(named)), Vec::<&str>::new());
    // What libtorch_global_deps needs is searched for everyone.
    let cuda = Elf::default().needed("libc10.so").undefined("cudaMalloc");
    assert_eq!(Folder::with_torch().codes(&extension(cuda)), Vec::<&str>::new());
}

#[test]
fn libraries_are_found_where_the_loader_looks() {
    let helper = || Elf::default().soname("libhelper.so.1").defines("help").write();
    let with = |elf: Elf| {
        extension(elf.needed("libhelper.so.1").undefined("help"))
            .file("demo.libs/libhelper.so.1", helper())
    };
    let folder = Folder::with_torch();
    for elf in [
        Elf::default().runpath("$ORIGIN/../demo.libs"),
        Elf::default().rpath("/usr/local/lib:${ORIGIN}/../demo.libs"),
    ] {
        assert_eq!(folder.codes(&with(elf)), Vec::<&str>::new());
    }
    // A DT_RPATH beside a DT_RUNPATH is not looked at.
    for elf in [
        Elf::default(),
        Elf::default().runpath("/nowhere").rpath("$ORIGIN/../demo.libs"),
        Elf::default().rpath("$ORIGIN/elsewhere"),
    ] {
        let verdict = folder.verdict(&with(elf));
        assert_eq!(codes(&verdict.findings), ["elf.library-path"]);
        assert!(verdict.findings[0].evidence[0].contains("demo.libs/libhelper.so.1"));
    }
    let wheel = extension(Elf::default().needed("libhelper.so.1").undefined("help"));
    assert_eq!(folder.codes(&wheel), Vec::<&str>::new());
    let wheel = extension(Elf::default().needed("libcufft.so.12").undefined("cufftExecC2C"));
    assert_eq!(folder.codes(&wheel), ["elf.library-missing"]);
}

#[test]
fn only_tags_that_promise_more_make_a_missing_library_an_error() {
    let folder = Folder::with_torch();
    let wheel = extension(Elf::default().needed("libnuma.so.1").undefined("numa_bind"));
    // The default wheel promises no more than the system it was built on.
    assert_eq!(folder.codes(&wheel), Vec::<&str>::new());
    let tag = "cp311-cp311-manylinux_2_28_x86_64";
    let info = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n");
    *folder.name.borrow_mut() = format!("demo-1.0-{tag}.whl");
    assert_eq!(folder.codes(&wheel.info("WHEEL", &info)), ["elf.library-missing"]);
}

#[test]
fn a_module_among_many_may_lack_a_library_unless_it_is_asked_for() {
    let good = |name: &str| Elf::default().init(name).write();
    let wheel = extension(Elf::default().needed("libcutensor.so.2"))
        .file(&module("a"), good("a"))
        .file(&module("b"), good("b"));
    let folder = Folder::with_torch();
    assert_eq!(folder.codes(&wheel), ["elf.optional-library"]);
    let wishes = Wishes {
        environment: Some(Environment::read(folder.path()).unwrap()),
        modules: vec!["demo._C".to_owned()],
        ..Wishes::default()
    };
    let verdict = judge(&read(&wheel.bytes()).unwrap(), &wishes);
    assert!(codes(&verdict.findings).contains(&"elf.library-missing"));
    // A library that nothing imports is loaded by whoever wants it.
    let lone = Elf::default().needed("libcutensor.so.2").write();
    let wheel = extension(Elf::default()).file("demo/libother.so", lone);
    assert_eq!(folder.codes(&wheel), ["elf.optional-library"]);
}

#[test]
fn versions_are_matched_as_the_loader_does() {
    let library = |elf: Elf| elf.soname("libfoo.so.1").write();
    let loaded = |wanting: Elf, foo: Elf| {
        let wheel = extension(wanting.needed("libfoo.so.1").runpath("$ORIGIN"))
            .file("demo/libfoo.so.1", library(foo));
        Folder::with_torch().codes(&wheel)
    };
    let plain = || Elf::default().undefined("foo");
    let of = |version: &str| Elf::default().undefined_version("foo", "libfoo.so.1", version);
    let ok = Vec::<&str>::new();
    let one = |hidden| Elf::default().defines_version("foo", "FOO_1", hidden);
    let two = || one(false).defines_version("bar", "FOO_2", false);
    let three = || {
        let first = Elf::default().defines_version("bar", "FOO_1", false);
        first.defines_version("foo", "FOO_2", true)
    };
    assert_eq!(loaded(of("FOO_1"), one(false)), ok);
    assert_eq!(loaded(of("FOO_1"), one(true)), ok);
    assert_eq!(loaded(of("FOO_2"), two()), ["elf.undefined-symbol"]);
    assert_eq!(loaded(of("FOO_3"), two()), ["elf.version-missing", "elf.undefined-symbol"]);
    // Without a version, the first one or the default does.
    assert_eq!(loaded(plain(), two()), ok);
    assert_eq!(loaded(plain(), one(true)), ok);
    assert_eq!(loaded(plain(), three()), ["elf.undefined-symbol"]);
    // A library without versions serves those who were linked with one that had them.
    assert_eq!(loaded(of("FOO_1"), Elf::default().defines("foo")), ok);
}

#[test]
fn an_environment_that_lacks_packages_is_not_held_against_the_wheel() {
    let wheel = extension(Elf::default().needed("libtorch.so").undefined("_ZN2at4onesEv"));
    let verdict = Folder::empty().verdict(&wheel);
    assert_eq!(codes(&verdict.findings), Vec::<&str>::new());
    let check = verdict.not_checked.iter().find(|check| check.what.contains("libtorch.so"));
    assert!(check.unwrap().why.contains("lacks what the wheel or torch requires: torch"));
}

#[test]
fn beside_a_missing_library_only_what_torch_would_have_is_judged() {
    let elf = |symbol: &str| {
        extension(
            Elf::default()
                .needed("libc10.so")
                .needed("libcufft.so.12")
                .needed("libcuda.so.1")
                .undefined(symbol),
        )
    };
    let folder = Folder::with_torch();
    let verdict = folder.verdict(&elf("cufftExecC2C"));
    assert_eq!(codes(&verdict.findings), ["elf.library-missing"]);
    assert!(verdict.not_checked.iter().any(|check| check.what.contains("some symbols")));
    assert_eq!(
        folder.codes(&elf("_ZN3c103newEi")),
        ["elf.library-missing", "elf.undefined-symbol"]
    );
}

#[test]
fn without_a_python_its_symbols_are_not_checked() {
    let folder = Folder::with_torch();
    fs_err::remove_file(folder.path().join("bin/python3.11")).unwrap();
    let wheel = extension(Elf::default().needed("libc10.so").undefined("PyModule_Create2"));
    let verdict = folder.verdict(&wheel);
    assert_eq!(codes(&verdict.findings), Vec::<&str>::new());
    assert!(verdict.not_checked.iter().any(|check| check.what.contains("symbols of Python")));
}

#[test]
fn a_wheel_is_held_against_the_torch_that_is_there() {
    let metadata = |version: &str, requires: &str| {
        format!(
            "Metadata-Version: 2.1\nName: demo\nVersion: {version}\nRequires-Dist: {requires}\n"
        )
    };
    let elf = || {
        Elf::default()
            .init("_C")
            .needed("libc10.so")
            .undefined("_ZNK3c106SymInt22maybe_as_int_slow_pathEv")
    };
    let folder = Folder::with_torch();
    let found = |version: &str, requires: &str| {
        *folder.name.borrow_mut() = format!("demo-{version}-cp311-cp311-linux_x86_64.whl");
        let wheel = Wheel::of_version(version).info("METADATA", &metadata(version, requires));
        let verdict = folder.verdict(&wheel.file(&module("_C"), elf().write()));
        let unsure = |what: &str| what.contains("compiled for torch 2.11");
        let unsure = verdict.not_checked.iter().any(|check| unsure(&check.what));
        (codes(&verdict.findings), unsure)
    };
    assert_eq!(found("1.0", "torch==2.11.*"), (vec![], false));
    assert_eq!(found("1.0", "torch==2.9.1"), (vec!["torch.version"], false));
    assert_eq!(found("1.0", "torch>=2.9"), (vec![], true));
    assert_eq!(found("1.0+cu130torch2.11", "torch"), (vec![], false));
    assert_eq!(found("1.0+cu130torch2.10", "torch"), (vec!["torch.version"], false));
    assert_eq!(found("1.0+cu128torch2.11", "torch"), (vec!["torch.version"], false));
}

#[test]
fn the_requirement_must_keep_out_a_torch_without_the_functions() {
    let metadata = |requires: &str| {
        format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: {requires}\n")
    };
    let found = |requires: &str| {
        let wheel = extension(Elf::default().undefined("torch_list_push_back"));
        let inspection = read(&wheel.info("METADATA", &metadata(requires)).bytes()).unwrap();
        codes(&judge(&inspection, &Wishes::default()).findings)
    };
    assert_eq!(found("torch>=2.9"), ["torch.floor"]);
    assert_eq!(found("torch>=2.10"), Vec::<&str>::new());
}

#[test]
fn wheels_for_many_pythons_keep_to_the_stable_abi() {
    let found = |tags: &str, path: &str, symbol: &str| {
        let info = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tags}\n");
        let elf = Elf::default().init("_C").undefined(symbol).write();
        let wheel = Wheel::default().info("WHEEL", &info).file(path, elf);
        let inspection = read_as(&format!("demo-1.0-{tags}.whl"), &wheel.bytes()).unwrap();
        let verdict = judge(&inspection, &Wishes::default());
        (codes(&verdict.findings), verdict.passed)
    };
    let old = "cp38-abi3-linux_x86_64";
    let new = "cp312-abi3-linux_x86_64";
    let path = "demo/_C.abi3.so";
    assert_eq!(found(old, path, "PyArg_ParseTuple"), (vec![], true));
    // In no Python of the floor.
    assert_eq!(found(old, path, "PyType_GetName"), (vec!["abi3.too-new"], false));
    // There, but promised later.
    assert_eq!(found(old, path, "PyObject_GetBuffer"), (vec!["abi3.symbol"], true));
    assert_eq!(found(new, path, "PyObject_GetBuffer"), (vec![], true));
    assert_eq!(found(new, path, "_PyObject_GetDictPtr"), (vec!["abi3.symbol"], true));
    assert_eq!(found(new, &module("_C"), "PyArg_ParseTuple"), (vec!["abi3.module"], true));
    let exact = "cp311-cp311-linux_x86_64";
    assert_eq!(found(exact, &module("_C"), "_PyObject_GetDictPtr"), (vec![], true));
}

#[test]
fn a_module_for_another_python_is_not_loaded() {
    let path = "demo/_C.cpython-310-x86_64-linux-gnu.so";
    let wheel = Wheel::default().file(path, Elf::default().init("_C").undefined("x").write());
    let verdict = Folder::with_torch().verdict(&wheel);
    assert_eq!(codes(&verdict.findings), ["tag.module-python"]);
    assert!(verdict.not_checked.iter().any(|check| check.what.contains(path)));
}

#[test]
fn a_wheel_must_fit_the_python_of_the_environment() {
    let folder = Folder::with_torch();
    *folder.name.borrow_mut() = "demo-1.0-cp312-cp312-linux_x86_64.whl".to_owned();
    let codes = folder.codes(&Wheel::default());
    assert!(codes.contains(&"wanted.python"), "{codes:?}");
}

#[test]
fn environments_are_folders_of_several_kinds() {
    let folder = Folder::with_torch();
    let whole = Environment::read(folder.path()).unwrap();
    assert_eq!(whole.torch().map(ToString::to_string).as_deref(), Some("2.11.0"));
    assert_eq!(whole.torch_cuda.as_deref(), Some("13.0"));
    assert_eq!(whole.python, Some("3.11".parse().unwrap()));
    let packages = Environment::read(&folder.path().join(SITE)).unwrap();
    assert_eq!(packages, whole);

    let bare = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(bare.path()).unwrap();
    assert!(matches!(Environment::read(path), Err(EnvironmentError::NoPackages { .. })));
    assert!(matches!(Environment::read(&path.join("gone")), Err(EnvironmentError::Open { .. })));
    fs_err::create_dir(path.join("torch-2.11.0.dist-info")).unwrap();
    let target = Environment::read(path).unwrap();
    assert_eq!((target.interpreter, target.packages.len()), (None, 1));
}

#[test]
fn files_that_are_links_into_a_cache_are_read_where_the_cache_is() {
    let folder = Folder::with_torch();
    let cache = tempfile::tempdir().unwrap();
    let cache = Utf8Path::from_path(cache.path()).unwrap();
    // As in a container that knows the cache as `/build/cache`.
    for library in ["torch/lib/libc10.so", "torch-2.11.0.dist-info/METADATA"] {
        let (path, name) = (folder.path().join(SITE).join(library), library.replace('/', "-"));
        fs_err::rename(&path, cache.join(&name)).unwrap();
        fs_err::os::unix::fs::symlink(format!("/build/cache/{name}"), &path).unwrap();
    }
    let verdict = |here: &Utf8Path| {
        let links =
            Links { named: "/build/cache".into(), here: here.to_owned(), shares_system: false };
        let environment = Environment::read_linked(folder.path(), links).unwrap();
        let wishes = Wishes { environment: Some(environment), ..Wishes::default() };
        let symbol = "_ZNK3c106SymInt22maybe_as_int_slow_pathEv";
        let wheel = extension(Elf::default().needed("libc10.so").undefined(symbol));
        let mut verdict = judge(&read(&wheel.bytes()).unwrap(), &wishes);
        verdict.findings.retain(|finding| !OTHERS.contains(&finding.code));
        verdict
    };
    assert_eq!(codes(&verdict(cache).findings), Vec::<&str>::new());
    assert_eq!(codes(&verdict("/nowhere".into()).findings), ["elf.library-missing"]);
}

#[test]
fn a_library_that_comes_from_elsewhere_is_not_missing() {
    let folder = Folder::with_torch();
    let environment = Environment::read(folder.path()).unwrap();
    let name = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl";
    let wheel = extension(Elf::default().needed("libown.so.1").undefined("own_function"));
    let inspection = read_as(name, &wheel.bytes()).unwrap();
    let judged = |elsewhere: &[&str]| {
        let elsewhere = elsewhere.iter().map(|&pattern| pattern.to_owned()).collect();
        let environment = Some(environment.clone());
        judge(&inspection, &Wishes { environment, elsewhere, ..Wishes::default() })
    };
    assert!(codes(&judged(&[]).findings).contains(&"elf.library-missing"));
    let verdict = judged(&["libown.so.*"]);
    assert!(verdict.passed, "{:?}", verdict.findings);
    assert!(verdict.not_checked.iter().any(|check| check.why.contains("elsewhere")));
}
