//! Builds that go wrong end with a cause, a fix, the right exit code, and nothing in the store.

use serde_json::Value;
use testkit::PackageIndex;

use crate::interruptions::expect_gone;
use crate::place::{Place, walk};

/// Builds, expects a failed cell, and gives its failure.
#[track_caller]
fn failure(place: &Place, more: &str) -> Value {
    let cell = place.build(more).expect(1).cell();
    assert_eq!(cell["outcome"], "failed", "{cell}");
    let failure = &cell["failure"];
    assert!(failure["log"].as_str().is_some_and(|log| std::path::Path::new(log).is_file()));
    assert_eq!(walk(&place.store().join("wheels")), Vec::<camino::Utf8PathBuf>::new());
    failure.clone()
}

#[test]
fn a_wheel_without_device_code_is_no_success() {
    let place = Place::with("environment = { TINY_CPU_ONLY = \"1\" }");
    let failure = failure(&place, "");
    assert_eq!(failure["cause"], "verdict-failed", "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("no GPU code"), "{failure}");
}

#[test]
fn a_build_that_reaches_for_the_network_is_told_so() {
    let place = Place::with("environment = { TINY_DOWNLOAD = \"1\" }");
    let failure = failure(&place, "");
    assert_eq!(failure["cause"], "network-while-compiling", "{failure}");
    assert!(failure["fixes"].as_array().is_some_and(|fixes| !fixes.is_empty()), "{failure}");
}

#[test]
fn a_registry_that_is_not_there_is_a_matter_of_the_network() {
    // Nobody listens on a port that was just given back.
    let registry = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = failure(&Place::with(""), &format!("--base {registry}/cuda:13.0"));
    assert_eq!(failure["cause"], "no-network", "{failure}");
    assert!(failure["message"].to_string().contains(&registry.to_string()), "{failure}");
    assert!(failure["fixes"].to_string().contains("HTTPS_PROXY"), "{failure}");
}

#[test]
fn no_wheel_and_two_wheels_are_failures() {
    let none = Place::with("command = [\"true\"]");
    assert_eq!(failure(&none, "")["cause"], "no-wheel");
    let two = Place::with(
        "command = [\"sh\", \"-c\", \"touch {out}/a-1-py3-none-any.whl {out}/b-1-py3-none-any.whl\"]",
    );
    assert_eq!(failure(&two, "")["cause"], "several-wheels");
}

#[test]
fn a_build_that_takes_too_much_memory_is_named_with_its_limit() {
    let place =
        Place::with("command = [\"python\", \"-c\", \"print(len(bytearray(b'x') * (1 << 30)))\"]");
    let failure = failure(&place, "--memory 300MiB");
    assert_eq!(failure["cause"], "out-of-memory", "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("300"), "{failure}");
}

#[test]
fn a_build_that_forks_away_and_hangs_ends_when_its_time_is_over() {
    let hangs = "setsid sleep 86397.5 & echo begun; sleep 86397.5";
    let place = Place::with(&format!("command = [\"sh\", \"-c\", \"{hangs}\"]"));
    let failure = failure(&place, "--timeout 1s");
    assert_eq!(failure["cause"], "timed-out", "{failure}");
    assert!(failure["message"].to_string().contains("not done after 1s"), "{failure}");
    expect_gone("sleep 86397.5");
}

#[test]
fn a_compile_error_shows_its_first_line() {
    let place = Place::with("");
    fs_err::write(place.path().join("tinycuda/tiny.cu"), "int broken = nonsense;\n").unwrap();
    let failure = failure(&place, "");
    assert_eq!(failure["cause"], "compile-error", "{failure}");
    assert!(failure["lines"].to_string().contains("tiny.cu(1)"), "{failure}");
    let file = place.path().join("tinycuda/tiny.cu:1");
    assert!(failure["fixes"][0].as_str().unwrap().contains(file.as_str()), "{failure}");
}

#[test]
fn a_mistake_in_setup_py_is_told_with_its_place() {
    let place = Place::with("");
    fs_err::write(place.path().join("tinycuda/setup.py"), "import sys\n\nsetup(\n").unwrap();
    let failure = failure(&place, "");
    assert!(failure["message"].as_str().unwrap().contains("at `setup.py:3`"), "{failure}");
    let file = place.path().join("tinycuda/setup.py:3");
    assert!(failure["fixes"][0].as_str().unwrap().contains(file.as_str()), "{failure}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let place = Place::with("command = [\"make-it\"]");
    let failure = failure(&place, "");
    assert_eq!(failure["cause"], "missing-tool", "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("`make-it`"), "{failure}");
}

#[test]
fn an_import_that_fails_is_told_with_its_module() {
    let place = Place::with("");
    let source = place.path().join("tinycuda/tiny.cu");
    let text = fs_err::read_to_string(&source).unwrap();
    let (before, _) = text.split_once("PyMODINIT_FUNC").unwrap();
    let raises = "PyMODINIT_FUNC PyInit_tinycuda(void) {\n    \
                  PyErr_SetString(PyExc_RuntimeError, \"bad luck\");\n    return nullptr;\n}\n";
    fs_err::write(&source, format!("{before}{raises}")).unwrap();
    let failure = failure(&place, "");
    assert_eq!(failure["cause"], "verdict-failed", "{failure}");
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("Importing `tinycuda` failed: `RuntimeError: bad luck`"), "{failure}");
}

#[test]
fn a_source_with_another_hash_is_not_kept() {
    let place = Place::on_index();
    let archive = testkit::source_archive(place.path());
    let index = PackageIndex::serve_with_wrong_hashes(&[("tinycuda", &archive)]);
    let output = place
        .command("build tinycuda==1.0 --cuda 13.0 --arch 9.0 --json")
        .env("UV_DEFAULT_INDEX", index.address())
        .output()
        .unwrap();
    let cell = crate::place::Ended::of(output).expect(1).cell();
    assert_eq!(cell["failure"]["cause"], "hash-mismatch", "{cell}");
}

#[test]
fn a_source_from_an_index_is_built_and_the_newest_is_taken() {
    let place = Place::on_index();
    let archive = testkit::source_archive(place.path());
    let index = PackageIndex::serve(&[("tinycuda", &archive)]);
    let build = |arguments: &str| {
        let mut command = place.command(arguments);
        command.env("UV_DEFAULT_INDEX", index.address());
        crate::place::Ended::of(command.output().unwrap())
    };
    let cell = build("build tinycuda --cuda 13.0 --arch 9.0 --json").expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    assert!(cell["cell"].as_str().unwrap().starts_with("tinycuda-1.0-"), "{cell}");

    let unknown = build("build tinycuda==9.9 --cuda 13.0 --arch 9.0").expect(2);
    assert!(unknown.stderr.contains("tinycuda==1.0"), "{}", unknown.stderr);
    assert_eq!(unknown.stdout, "");
}

#[test]
fn a_package_that_does_not_exist_is_wrong_usage() {
    let place = Place::with("");
    let unknown = place.run("build wheelmill-no-such-package --cuda 13.0 --arch 9.0").expect(2);
    assert!(unknown.stderr.contains("wheelmill-no-such-package"), "{}", unknown.stderr);
    assert!(!place.store().exists(), "nothing was begun");
}

#[test]
fn only_impossible_cells_are_wrong_usage_with_each_reason() {
    let place = Place::with("");
    let ended = place.run("build tinycuda --cuda 13.0,11.0 --arch 3.5;12.0").expect(2);
    let text = format!("{}{}", ended.stdout, ended.stderr);
    assert!(text.contains("sm_35") && text.contains("sm_120"), "{text}");
}
