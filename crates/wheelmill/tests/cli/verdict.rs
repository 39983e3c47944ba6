//! `wheelmill inspect` and `wheelmill verify`, on a wheel with native code and GPU code.

use std::collections::BTreeSet;
use std::process::Command;

use camino::Utf8Path;
use serde_json::Value;

use crate::fixture::Place;

const NAME: &str = "demo-1.0+cu130torch2.11-cp311-cp311-manylinux_2_28_x86_64.whl";

/// Puts a wheel into the project's folder: a library of this machine with GPU code that nvcc made,
/// and the same in a file of its own.
fn wheel(place: &Place) {
    let script = r#"
import glob, hashlib, base64, subprocess, sys, zipfile
name, fatbin = sys.argv[1:]
library = glob.glob("/lib/*/libz.so.1") + glob.glob("/usr/lib*/libz.so.1")
subprocess.check_call(["objcopy", "--add-section", f".nv_fatbin={fatbin}", library[0], "made.so"])
info = "demo-1.0+cu130torch2.11.dist-info/"
files = {
    "demo/__init__.py": b"",
    "demo/libdemo.so": open("made.so", "rb").read(),
    "demo/kernels.fatbin": open(fatbin, "rb").read(),
    info + "METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0+cu130torch2.11\nRequires-Dist: torch==2.11.*\n",
    info + "WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n",
}
record = ""
for path, content in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    record += f"{path},sha256={digest},{len(content)}\n"
files[info + "RECORD"] = f"{record}{info}RECORD,,\n".encode()
with zipfile.ZipFile(name, "w") as archive:
    for path, content in files.items():
        archive.writestr(path, content)
"#;
    let fatbin =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../wheelmill-wheel/tests/fixtures/none.fatbin");
    let mut command = Command::new("python3");
    command.args(["-c", script, NAME, fatbin]).current_dir(place.path().join("project"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn json(place: &Place, arguments: &str) -> Value {
    let output = place.command(&format!("{arguments} --json")).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The names of all fields; those of maps by libraries' names are none.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| fields(one, names)),
        Value::Object(object) => {
            for (name, inner) in object {
                names.insert(name.clone());
                if name != "symbol-versions" {
                    fields(inner, names);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_is_on_the_page_of_verdicts() {
    let place = Place::new();
    wheel(&place);
    let page = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verdict.md");
    let page = fs_err::read_to_string(page).unwrap();
    let mut names = BTreeSet::new();
    fields(&json(&place, &format!("verify {NAME} --arch 10.0")), &mut names);
    fields(&json(&place, &format!("inspect {NAME}")), &mut names);
    assert!(names.contains("specialised") && names.contains("isa-level"), "{names:?}");
    let missing: Vec<&String> =
        names.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in docs/verdict.md: {missing:?}");
}

#[test]
fn a_wheel_is_held_against_a_cell() {
    let place = Place::new();
    wheel(&place);
    let codes = |more: &str| -> Vec<String> {
        let document = json(&place, &format!("verify {NAME} {more}"));
        let findings = document["wheels"][0]["findings"].as_array().unwrap().clone();
        let errors = findings.iter().filter(|finding| finding["severity"] == "error");
        errors.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes("--against cu130-torch2.11-cp311"), [""; 0]);
    assert_eq!(codes("--against cu128-torch2.11-cp311"), ["wanted.cuda"]);
    assert_eq!(codes("--against torch2.10"), ["wanted.torch"]);
    assert_eq!(codes("--against other-1.0-cu130-torch2.11"), ["wanted.name"]);
    assert_eq!(codes("--against cp312"), ["wanted.python"]);
    assert_eq!(codes("--against sm100"), ["device-code.arch-missing"]);
}
