//! What a built wheel becomes before it is kept: repaired, labelled, pinned, and tried where its
//! users will.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use testkit::{Daemon, DaemonProgram, PackageIndex};

use crate::daemons::debian;
use crate::place::{Ended, Place};

/// Runs the machine's own Python, which shares no code with us.
#[track_caller]
fn python(arguments: &[&str]) -> String {
    let output = Command::new("python3").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names in a wheel.
fn names(wheel: &Utf8Path) -> Vec<String> {
    let script = "import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep='\\n')";
    python(&["-c", script, wheel.as_str()]).lines().map(str::to_owned).collect()
}

/// METADATA of a wheel.
fn metadata(wheel: &Utf8Path) -> String {
    let script = "import sys, zipfile; wheel = zipfile.ZipFile(sys.argv[1]); \
                  name, = (it for it in wheel.namelist() if it.endswith('.dist-info/METADATA')); \
                  print(wheel.read(name).decode())";
    python(&["-c", script, wheel.as_str()])
}

fn wheel_of(cell: &Value) -> Utf8PathBuf {
    assert_eq!(cell["outcome"], "built", "{cell}");
    cell["wheel"]["path"].as_str().unwrap().into()
}

fn edit(place: &Place, file: &str, changes: &[(&str, &str)]) {
    let path = place.path().join(file);
    let mut text = fs_err::read_to_string(&path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in {file}");
        text = text.replace(from, to);
    }
    fs_err::write(path, text).unwrap();
}

/// Adds a `[recipes.tinycuda.wheel]` table.
fn wheel_table(place: &Place, lines: &str) {
    let path = place.path().join("wheelmill.toml");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(path, format!("{text}[recipes.tinycuda.wheel]\n{lines}\n")).unwrap();
}

/// An index with a torch that is a few bytes large and otherwise what builds take it for.
fn index_with_torch(folder: &Utf8Path) -> PackageIndex {
    let script = "
import sys, zipfile
info = 'torch-2.11.0.dist-info/'
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('torch/__init__.py', '__version__ = \"2.11.0\"\\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: torch\\nVersion: 2.11.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', ''.join(f'{name},,\\n' for name in wheel.namelist()))
";
    let wheel = folder.join("torch-2.11.0-py3-none-any.whl");
    python(&["-c", script, wheel.as_str()]);
    PackageIndex::serve(&[("torch", &wheel)])
}

fn build_with(place: &Place, index: &PackageIndex) -> Ended {
    let mut command = place.command("build tinycuda --cuda 13.0 --torch 2.11 --arch 9.0 --json");
    Ended::of(command.env("UV_DEFAULT_INDEX", index.address()).output().unwrap())
}

#[test]
fn a_wheel_that_belongs_to_a_torch_is_labelled_and_pinned_wherever_it_goes() {
    let place = Place::with("");
    edit(&place, "wheelmill.toml", &[("torch = false", "torch = true")]);
    let index = index_with_torch(place.path());
    let wheel = wheel_of(&build_with(&place, &index).expect(0).cell());
    let name = wheel.file_name().unwrap();
    assert!(name.starts_with("tinycuda-1.0+cu130torch2.11-cp311-cp311-manylinux_"), "{name}");
    assert!(metadata(&wheel).contains("\nVersion: 1.0+cu130torch2.11\n"), "{}", metadata(&wheel));
    assert!(metadata(&wheel).contains("\nRequires-Dist: torch==2.11.*\n"), "{}", metadata(&wheel));

    place.run("wheels export tinycuda --to exported").expect(0);
    let exported = place.path().join("exported").join(name);
    assert_eq!(fs_err::read(&exported).unwrap(), fs_err::read(&wheel).unwrap());
    assert_eq!(place.run(&format!("verify {exported} --arch 9.0")).code, Some(0));
    python(&["-m", "zipfile", "-t", exported.as_str()]);
    let target = place.path().join("installed");
    let arguments = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"];
    python(&[&arguments[..], &[target.as_str(), exported.as_str()]].concat());
    let check = format!("import sys; sys.path.insert(0, {:?}); import tinycuda", target.as_str());
    python(&["-c", &check]);

    // It says which torch it wants: with both there is nothing to be labelled or pinned.
    wheel_table(&place, "local-label = false\npin-torch = false\nrepair = false");
    let plain = wheel_of(&build_with(&place, &index).expect(0).cell());
    assert_eq!(plain.file_name(), Some("tinycuda-1.0-cp311-cp311-linux_x86_64.whl"));
    assert!(!metadata(&plain).contains("Requires-Dist"), "{}", metadata(&plain));
}

#[test]
fn a_torch_that_the_package_does_not_want_is_told_with_both() {
    let place = Place::with("");
    edit(&place, "wheelmill.toml", &[("torch = false", "torch = true")]);
    edit(
        &place,
        "tinycuda/pyproject.toml",
        &[("version = \"1.0\"", "version = \"1.0\"\ndependencies = [\"torch<2.9\"]")],
    );
    let index = index_with_torch(place.path());
    let cell = build_with(&place, &index).expect(1).cell();
    let failure = &cell["failure"];
    assert_eq!((&failure["cause"], &failure["phase"]), (&"repair-failed".into(), &"repair".into()));
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("torch<2.9") && message.contains("torch 2.11"), "{message}");
    assert!(failure["fixes"].to_string().contains("pin-torch = false"), "{failure}");
}

#[test]
fn a_library_of_the_distribution_comes_with_the_wheel_and_every_build_gives_the_same() {
    let build = || {
        let place = Place::with("");
        let link = [("\"-ldl\"]", "\"-ldl\", \"-l:liblzma.so.5\", \"-s\"]")];
        edit(&place, "tinycuda/setup.py", &link);
        let version =
            "extern \"C\" unsigned lzma_version_number(void);\n#ifndef CPU_ONLY\n__global__";
        let call = "{ if (!lzma_version_number()) return nullptr; return PyModule_Create";
        let changes =
            [("#ifndef CPU_ONLY\n__global__", version), ("{ return PyModule_Create", call)];
        edit(&place, "tinycuda/tiny.cu", &changes);
        let wheel = wheel_of(&place.build("").expect(0).cell());
        (place, wheel)
    };
    let (_first, wheel) = build();
    let names = names(&wheel);
    assert!(names.iter().any(|name| name.starts_with("tinycuda.libs/liblzma-")), "{names:?}");
    assert!(names.last().unwrap().ends_with(".dist-info/RECORD"), "{names:?}");
    let (_second, same) = build();
    assert_eq!(fs_err::read(wheel).unwrap(), fs_err::read(same).unwrap());
}

#[test]
fn a_wheel_that_no_policy_fits_keeps_its_tag_and_says_so() {
    let place = Place::with("");
    let gone = "subprocess.check_call([\"g++\", \"-shared\", \"-o\", \"libgone.so.1\", \"-Wl,-soname,libgone.so.1\", \"-xc++\", \"/dev/null\"])\n        link = [";
    let link = [
        ("link = [", gone),
        ("\"-ldl\"]", "\"-ldl\", \"-Wl,--no-as-needed\", \"./libgone.so.1\"]"),
    ];
    edit(&place, "tinycuda/setup.py", &link);
    edit(&place, "wheelmill.toml", &[("imports = [\"tinycuda\"]", "imports = []")]);
    let wheel = wheel_of(&place.build("").expect(0).cell());
    assert_eq!(wheel.file_name(), Some("tinycuda-1.0-cp311-cp311-linux_x86_64.whl"));
    let shown = place.run("wheels show tinycuda --json").expect(0).json().to_string();
    assert!(shown.contains("repair.no-policy") && shown.contains("libgone.so.1"), "{shown}");

    // Whoever says that another package brings it gets the tag.
    wheel_table(&place, "exclude = [\"libgone.so.*\"]");
    let wheel = wheel_of(&place.build("").expect(0).cell());
    assert!(wheel.file_name().unwrap().contains("-manylinux_"), "{wheel}");
}

#[test]
fn a_module_that_no_recipe_imports_is_held_against_what_it_is_loaded_with() {
    let place = Place::with("");
    let link = [("\"-ldl\"]", "\"-ldl\", \"-Wl,--unresolved-symbols=ignore-all\"]")];
    edit(&place, "tinycuda/setup.py", &link);
    let version = "extern \"C\" int nobody_has_this(int);\n#ifndef CPU_ONLY\n__global__";
    let call = "{ if (nobody_has_this(1)) return nullptr; return PyModule_Create";
    let changes = [("#ifndef CPU_ONLY\n__global__", version), ("{ return PyModule_Create", call)];
    edit(&place, "tinycuda/tiny.cu", &changes);
    edit(&place, "wheelmill.toml", &[("imports = [\"tinycuda\"]", "imports = []")]);
    let failure = place.build("").expect(1).cell()["failure"].clone();
    assert_eq!(failure["cause"], "verdict-failed", "{failure}");
    assert!(failure["lines"].to_string().contains("nobody_has_this"), "{failure}");
}

#[test]
fn what_the_metadata_does_not_require_is_not_there_when_the_wheel_is_tried() {
    let place = Place::with("requires = [\"six\"]");
    let import = "{ if (!PyImport_ImportModule(\"six\")) return nullptr; return PyModule_Create";
    edit(&place, "tinycuda/tiny.cu", &[("{ return PyModule_Create", import)]);
    let failure = place.build("").expect(1).cell()["failure"].clone();
    assert_eq!(
        (&failure["cause"], &failure["phase"]),
        (&"verdict-failed".into(), &"verify".into())
    );
    assert!(failure["message"].as_str().unwrap().contains("Requires-Dist"), "{failure}");
    assert!(failure["lines"].to_string().contains("importing `tinycuda` needs `six`"), "{failure}");
    assert!(failure["fixes"].to_string().contains("requires = ["), "{failure}");

    wheel_table(&place, "requires = [\"six>=1.16\"]");
    let wheel = wheel_of(&place.build("").expect(0).cell());
    assert!(metadata(&wheel).contains("\nRequires-Dist: six>=1.16\n"), "{}", metadata(&wheel));
}

#[test]
fn a_wheel_is_tried_without_what_it_was_built_with() {
    let place = Place::with("");
    let look = "{ PyRun_SimpleString(\"import os, shutil, sys; \
                print('FOUND', shutil.which('nvcc'), shutil.which('gcc'), os.environ.get('CUDA_HOME'), \
                sys.prefix, [it for it in sys.path if 'opt/wheelmill/env' in it])\"); return PyModule_Create";
    edit(&place, "tinycuda/tiny.cu", &[("{ return PyModule_Create", look)]);
    let cell = place.build("").expect(0).cell();
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("FOUND None None None /build/trial/env []"), "{log}");
    let unchecked = cell["not-checked"].to_string();
    assert!(unchecked.contains("the recipe has no test for one"), "{cell}");

    let test = "modules = [\"tinycuda\"]";
    edit(&place, "wheelmill.toml", &[(test, &format!("{test}\ngpu = \"import tinycuda\""))]);
    let cell = place.build("").expect(0).cell();
    assert_eq!(cell["outcome"], "stored", "{cell}");
    assert!(cell["not-checked"].to_string().contains("the embedded engine gives"), "{cell}");
}

#[test]
fn the_recipes_test_runs_where_containers_get_a_gpu() {
    let Some(daemon) = Daemon::start_with_gpus(DaemonProgram::Docker) else { return };
    let place = Place::with("");
    let build = |more: &str| {
        let mut command = place.command(&format!(
            "build tinycuda --cuda 13.0 --arch 9.0 --json --engine docker --base {} {more}",
            debian()
        ));
        command.env("DOCKER_HOST", format!("unix://{}", daemon.socket()));
        Ended::of(command.output().unwrap())
    };
    let test = |from: &str, code: &str| {
        edit(
            &place,
            "wheelmill.toml",
            &[(from, &format!("modules = [\"tinycuda\"]\ngpu = {code:?}"))],
        );
    };
    let good = "import os, tinycuda; assert os.path.exists('/dev/nvidia0'); print('SEEN IT')";
    test("modules = [\"tinycuda\"]", good);
    let cell = build("").expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    assert!(!cell["not-checked"].to_string().contains("run on a GPU"), "{cell}");
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("SEEN IT"), "{log}");

    let bad = "import tinycuda; assert tinycuda.run() == 7, 'seven is wanted'";
    test(&format!("modules = [\"tinycuda\"]\ngpu = {good:?}"), bad);
    let none = build("--gpus none").expect(0).cell();
    assert!(none["not-checked"].to_string().contains("`--gpus none`"), "{none}");
    test(&format!("modules = [\"tinycuda\"]\ngpu = {bad:?}"), &format!("{bad} + ', or so'"));
    let failure = build("").expect(1).cell()["failure"].clone();
    assert_eq!(failure["cause"], "verdict-failed", "{failure}");
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("test failed on a GPU: `AssertionError"), "{message}");
}

#[test]
fn a_wheel_without_native_code_is_not_repaired_and_says_so() {
    let place = Place::with("cuda = false");
    fs_err::write(place.path().join("tinycuda/tinycuda.py"), "import six\n").unwrap();
    fs_err::write(
        place.path().join("tinycuda/setup.py"),
        "from setuptools import setup\nsetup(py_modules=[\"tinycuda\"])\n",
    )
    .unwrap();
    // What users choose themselves is there for the test, and no part of the wheel.
    let test = "modules = [\"tinycuda\"]";
    edit(&place, "wheelmill.toml", &[(test, &format!("{test}\nrequires = [\"six\"]"))]);
    wheel_table(&place, "local-label = \"cu{cuda_major}.acme\"");
    // Also where the environment's links must lead out of no container.
    let cell = place.build("--isolation landlock").expect(0).cell();
    let wheel = wheel_of(&cell);
    assert_eq!(wheel.file_name(), Some("tinycuda-1.0+cu13.acme-py3-none-any.whl"));
    assert!(!metadata(&wheel).contains("six"), "{}", metadata(&wheel));
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("nothing to repair: the wheel holds no native code"), "{log}");
    assert!(log.contains("wheelmill: imported tinycuda"), "{log}");
}

#[test]
fn a_wheel_whose_needs_cannot_be_fetched_is_not_checked_and_not_refused() {
    let place = Place::with("");
    place.build("").expect(0);
    // No other test asks for it, so that it is in nobody's cache.
    let test = "modules = [\"tinycuda\"]";
    edit(&place, "wheelmill.toml", &[(test, &format!("{test}\nrequires = [\"iniconfig\"]"))]);
    let cell = place.build("--offline").expect(0).cell();
    assert_eq!(cell["outcome"], "stored", "{cell}");
    let unchecked = cell["not-checked"].to_string();
    assert!(unchecked.contains("could not be fetched"), "{cell}");
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    assert!(!log.contains("wheelmill: imported"), "{log}");
}
