//! `wheelmill plan` and the face of `wheelmill recipes`.

use std::io::Read as _;
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::json;
use testkit::PackageIndex;
use wheelmill_model::Digest;

use crate::fixture::Place;

#[test]
fn impossible_cells_say_why_and_end_with_2() {
    let place = Place::new();
    assert_snapshot!(place.run("plan torchsort==0.1.10 --cuda 9.0,13.0 --torch 2.11 --python 3.11 --arch 9.0,2.0"), @r"
    exit: 2
    ----- stdout
    CELL                                            STATE       DETAILS
    torchsort-0.1.10-cu90-torch2.11-cp311-sm20-90   impossible  arch-dropped-by-cuda, arch-unknown-to-cuda, torch-has-no-build-for-cuda
    torchsort-0.1.10-cu130-torch2.11-cp311-sm20-90  impossible  arch-dropped-by-cuda

    impossible: CUDA 9.0 dropped sm_20; its oldest is sm_30 (arch-dropped-by-cuda)
      cells: torchsort-0.1.10-cu90-torch2.11-cp311-sm20-90
      hint: take sm_30 or newer
    impossible: CUDA 9.0 makes no code for sm_90 (arch-unknown-to-cuda)
      cells: torchsort-0.1.10-cu90-torch2.11-cp311-sm20-90
      hint: sm_90 came with CUDA 11.8
    impossible: torch 2.11 has no official build for CUDA 9.0 (torch-has-no-build-for-cuda)
      cells: torchsort-0.1.10-cu90-torch2.11-cp311-sm20-90
      hint: torch 2.11 has builds for CUDA 12.6, 12.8 and 13.0; the newest for CUDA 9.0 is torch 1.1
    impossible: CUDA 13.0 dropped sm_20; its oldest is sm_75 (arch-dropped-by-cuda)
      cells: torchsort-0.1.10-cu130-torch2.11-cp311-sm20-90
      hint: take sm_75 or newer
    ----- stderr
    2 cells: 2 impossible
    ");
    let build =
        place.run("build torchsort==0.1.10 --cuda 9.0 --torch 2.11 --python 3.11 --arch 9.0");
    assert_snapshot!(build, @r"
    exit: 2
    ----- stderr
    impossible: CUDA 9.0 makes no code for sm_90 (arch-unknown-to-cuda)
      hint: sm_90 came with CUDA 11.8
    impossible: torch 2.11 has no official build for CUDA 9.0 (torch-has-no-build-for-cuda)
      hint: torch 2.11 has builds for CUDA 12.6, 12.8 and 13.0; the newest for CUDA 9.0 is torch 1.1
    error: no cell can be built, for the reasons above
    ");
}

#[test]
fn a_matrix_of_the_project_file_is_planned_without_arguments() {
    let place = Place::new();
    place.write(
        "wheelmill.toml",
        r#"
[matrix]
package = ["torchsort==0.1.10"]
cuda = ["12.8", "13.0"]
torch = ["2.9", "2.11"]
python = ["3.11"]
together = [{ cuda = "12.8", torch = "2.9" }, { cuda = "13.0", torch = "2.11" }]
architectures = "9.0"

[build]
base = "root.tar"
"#,
    );
    let missing = place.run("plan --quiet");
    assert!(
        missing.starts_with("exit: 2") && missing.contains("root.tar` does not exist"),
        "{missing}"
    );
    place.write("root.tar", &tar_of_a_folder());
    assert_snapshot!(place.run("plan --quiet"), @r"
    exit: 0
    ----- stdout
    torchsort-0.1.10-cu128-torch2.9-cp311-sm90
    torchsort-0.1.10-cu130-torch2.11-cp311-sm90
    ");
}

#[test]
fn a_check_asks_for_what_the_cells_need() {
    let place = Place::new();
    let archive = place.write("tinycuda-0.1.tar.gz", "");
    // Any page of the index will do to see that it answers; that of `packaging` is asked.
    let index = PackageIndex::serve(&[("tinycuda", &archive), ("packaging", &archive)]);
    // Nobody listens on a port that was just given back.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let checks = |arguments: &str| -> Vec<serde_json::Value> {
        let mut command =
            place.command(&format!("plan --torch 2.11 --cuda 13.0 --check --json {arguments}"));
        command
            .env("WHEELMILL_OFFLINE", "0")
            .env("UV_DEFAULT_INDEX", index.address())
            .env("UV_PYTHON_INSTALL_MIRROR", format!("http://{nobody}/pythons"));
        let output = command.output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        document["checks"].as_array().unwrap().clone()
    };
    let found = |checks: &[serde_json::Value], code: &str| {
        let check = checks.iter().find(|check| check["code"] == code).unwrap().clone();
        (check["state"].as_str().unwrap().to_owned(), check["message"].to_string())
    };
    let (state, message) = found(&checks("tinycuda==0.1"), "source");
    assert!(state == "ok" && message.contains("tinycuda 0.1 is on "), "{message}");
    let (state, message) = found(&checks("tinycuda==0.2"), "source");
    assert!(state == "problem" && message.contains("version 0.2; next to it is 0.1"), "{message}");

    let with_base = checks(&format!("tinycuda==0.1 --base {nobody}/cuda:13.0"));
    let (state, message) = found(&with_base, "base");
    assert!(state == "problem" && message.contains("cannot be reached"), "{message}");
    let (state, message) = found(&with_base, "python");
    assert!(state == "warning" && message.contains("/pythons"), "{message}");

    // Each toolchain that is to be made takes its room.
    let (_, message) = found(&checks("tinycuda==0.1 --python 3.11,3.12 --arch 9.0"), "disk");
    assert!(message.contains("for 2 environments"), "{message}");
    let (_, message) = found(&checks("tinycuda==0.1 --python 3.11 --memory 900TB"), "memory");
    assert!(message.contains("this machine has"), "{message}");
}

#[test]
fn a_base_that_tells_of_another_cuda_is_found_by_a_check() {
    let place = Place::new();
    let folder = place.path().join("project/layout");
    let blobs = folder.join("blobs/sha256");
    fs_err::create_dir_all(&blobs).unwrap();
    let blob = |document: serde_json::Value, media_type: &str| {
        let text = document.to_string();
        let digest = Digest::of(text.as_bytes());
        fs_err::write(blobs.join(digest.to_string()), &text).unwrap();
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": text.len()})
    };
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": machine, "os": "linux", "config": {"Env": ["CUDA_VERSION=12.6.3"]},
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    let config = blob(config, "application/vnd.oci.image.config.v1+json");
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    let manifest = blob(
        json!({"schemaVersion": 2, "mediaType": manifest, "config": config, "layers": []}),
        manifest,
    );
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs_err::write(folder.join("index.json"), index.to_string()).unwrap();

    let base = |cuda: &str| {
        let plan =
            "plan torchsort==0.1.10 --torch 2.9 --python 3.11 --base ./layout --check --json";
        let output = place.command(&format!("{plan} --cuda {cuda}")).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = document["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["code"] == "base").unwrap()
    };
    assert_eq!(base("12.6")["state"], "ok");
    let other = base("12.8");
    assert_eq!(other["state"], "problem");
    assert!(other["message"].as_str().unwrap().contains("holds CUDA 12.6"), "{other}");
}

#[test]
fn a_default_that_does_not_work_is_explained_by_what_was_named() {
    let place = Place::new();
    let reason = |arguments: &str| {
        let text = place.run(&format!("plan torchsort==0.1.10 --arch 8.0 {arguments}"));
        text.split_once("\n\n").unwrap().1.split_once("-----").unwrap().0.to_owned()
    };
    assert_snapshot!(reason("--python 3.7"), @r"
    impossible: the newest torch with a build for Python 3.7 is 1.13, whose newest CUDA release is 11.7, and there is no compiler of that on the package index or this machine (python-too-old)
      hint: take Python 3.10 or newer, or an image that has CUDA 11.7 with `--base`
    ");
    assert_snapshot!(reason("--python 3.11 --torch 2.3"), @r"
    impossible: the newest CUDA release that torch 2.3 has a build for is 12.1, and there is no compiler of that on the package index or this machine (no-toolkit)
      hint: take torch 2.9 or newer, or an image that has CUDA 12.1, as in `--base docker.io/nvidia/cuda:12.1.1-devel-ubuntu22.04`
    ");
    // Who names the CUDA release hears of that.
    assert_snapshot!(reason("--python 3.7 --cuda 11.7"), @r"
    impossible: CUDA 11.7 has no compiler on the package index, and this machine has no /usr/local/cuda-11.7 (no-toolkit)
      hint: take an image that has CUDA 11.7 with `--base`
    ");
}

#[test]
fn another_cuda_is_named_only_where_the_cell_is_possible_with_it() {
    let place = Place::new();
    assert_snapshot!(place.run("plan torchsort==0.1.10 --cuda 12.8 --torch 2.8 --python 3.11 --arch 9.0 --quiet"), @r"
    exit: 2
    ----- stdout
    torchsort-0.1.10-cu128-torch2.8-cp311-sm90
    ----- stderr
    impossible: CUDA 12.8 has no compiler on the package index, and this machine has no /usr/local/cuda-12.8 (no-toolkit)
      hint: take an image that has CUDA 12.8, as in `--base docker.io/nvidia/cuda:12.8.1-devel-ubuntu22.04`
    ");
    assert_snapshot!(place.run("plan torchsort==0.1.10 --cuda 12.8 --torch 2.9 --python 3.11 --arch 9.0 --quiet"), @r"
    exit: 2
    ----- stdout
    torchsort-0.1.10-cu128-torch2.9-cp311-sm90
    ----- stderr
    impossible: CUDA 12.8 has no compiler on the package index, and this machine has no /usr/local/cuda-12.8 (no-toolkit)
      hint: take an image that has CUDA 12.8, as in `--base docker.io/nvidia/cuda:12.8.1-devel-ubuntu22.04`, or `--cuda 13.0`
    ");
}

#[test]
fn the_isolation_of_the_project_file_holds() {
    let place = Place::new();
    place.write("wheelmill.toml", "[build]\nisolation = \"process\"\n");
    let plan = "plan torchsort==0.1.10 --cuda 13.0 --torch 2.11 --check --json";
    let output = place.command(plan).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["checks"].to_string().contains("`process` was chosen"), "{document}");
}

#[test]
fn reasons_fit_a_narrow_terminal() {
    let place = Place::new();
    let mut command =
        place.command("plan torchsort==0.1.10 --cuda 9.0 --torch 2.11 --python 3.11 --arch 9.0");
    let output = command.env("COLUMNS", "60").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, reasons) = text.split_once("\n\n").unwrap();
    assert!(reasons.lines().all(|line| line.chars().count() <= 60), "{reasons}");
}

#[test]
fn what_may_be_wrong_is_a_warning() {
    let place = Place::new();
    let said = |arguments: &str| {
        let text = place.run(&format!("plan torchsort==0.1.10 --python 3.11 --quiet {arguments}"));
        text.split_once("----- stderr\n").unwrap().1.to_owned()
    };
    // What keeps a plan from being built is told with --quiet, too.
    let not_ready = said("--torch 2.11 --cuda 13.0 --check");
    assert!(not_ready.contains("warning: the package index"), "{not_ready}");
    assert_snapshot!(said("--torch 2.99 --cuda 13.0"), @r"
    warning: torch 2.99 is newer than all that this wheelmill knows of (2.15): whether it exists, and for which CUDA and Python, is not known
      hint: ask the index: `wheelmill plan torchsort==0.1.10 --cuda 13.0 --torch 2.99 --python 3.11 --check`
    ");
    assert_snapshot!(said("--torch 2.9 --cuda 12.8 --base nvidia/cuda:12.6.3-devel-ubuntu22.04"), @r"
    warning: the base `nvidia/cuda:12.6.3-devel-ubuntu22.04` seems to hold CUDA 12.6, and CUDA 12.8 is wanted: the build will fail if it does
      hint: use `--cuda 12.6`, or an image of CUDA 12.8
    ");
}

/// A tar that holds one empty folder.
fn tar_of_a_folder() -> String {
    let mut header =
        format!("{:\0<100}{:\0<8}{:\0<8}{:\0<8}{:0>11}\0{:0>11}\0", "etc/", "755", "0", "0", 0, 0);
    header.push_str("        5");
    let header = format!("{header:\0<512}");
    let sum: u64 = header.bytes().map(u64::from).sum();
    let header = header.replacen("        ", &format!("{sum:06o}\0 "), 1);
    format!("{header:\0<2048}")
}

#[test]
fn a_cell_that_is_wished_for_twice_is_one() {
    let place = Place::new();
    let plan = "plan torchsort==0.1.10 Torchsort==0.1.10 --cuda 13.0,cu130 --torch 2.11 --python 3.11 \
                --arch 9.0 --quiet";
    assert_snapshot!(place.run(plan), @r"
    exit: 0
    ----- stdout
    torchsort-0.1.10-cu130-torch2.11-cp311-sm90
    ");
}

#[test]
fn ten_thousand_cells_are_planned() {
    let place = Place::new();
    let versions: Vec<String> = (0..625).map(|number| format!("0.{number}")).collect();
    let matrix = format!(
        r#"
[matrix]
package = ["torchsort"]
version = {versions:?}
cuda = ["13.0"]
torch = ["2.9", "2.10", "2.11", "2.12"]
python = ["3.10", "3.11", "3.12", "3.13"]
architectures = "9.0"
"#
    );
    place.write("wheelmill.toml", &matrix);
    let output = place.command("plan").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "10000 cells: 10000 to build\n");
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 10_001);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let mut child = place
        .command("recipes ls --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    let place = Place::new();
    let colored = |arguments: &str, variables: &[(&str, &str)]| {
        let output = place.command(arguments).envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success());
        output.stdout.contains(&0x1b)
    };
    assert!(!colored("recipes ls", &[]));
    assert!(colored("recipes ls --color always", &[]));
    assert!(colored("recipes ls", &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored("recipes ls --color never", &[("CLICOLOR_FORCE", "1")]));
    assert!(colored("recipes ls --color always", &[("NO_COLOR", "1")]));
}

#[test]
fn a_recipe_is_shown_as_a_file_that_can_be_used() {
    let place = Place::new();
    let output = place.command("recipes show torchsort").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty());
    place.write("mine.toml", &text);
    place.write("wheelmill.toml", "recipe-files = [\"mine.toml\"]\n");
    let again = place.command("recipes show torchsort").output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);

    assert_snapshot!(place.run("recipes show torchsrt"), @r#"
    exit: 0
    ----- stdout
    name = "torchsrt"
    summary = ""

    [source]
    pypi = "torchsrt"

    [build]
    torch = true
    cuda = true
    requires = [
        "ninja",
        "packaging",
        "setuptools",
        "wheel",
    ]
    cuda-libraries = []
    network = false
    system-packages = []

    [build.environment]
    FORCE_CUDA = "1"

    [[architectures]]
    variable = "TORCH_CUDA_ARCH_LIST"
    spelling = "torch"
    separator = ";"

    [jobs]
    variables = [
        "MAX_JOBS",
        "CMAKE_BUILD_PARALLEL_LEVEL",
    ]

    [wheel]
    repair = true
    exclude = []
    local-label = "cu{cuda_major}{cuda_minor}torch{torch}"
    pin-torch = true
    requires = []

    [test]
    imports = []
    modules = []
    requires = []

    [limits]
    ----- stderr
    warning: `torchsrt` has no recipe of its own; it would be built with the default one
      hint: did you mean `torchsort`?
    "#);
}

#[test]
fn every_document_names_its_schema() {
    let place = Place::new();
    for command in [
        "recipes ls",
        "recipes show torchsort",
        "plan torchsort==0.1.10 --cuda 13.0 --torch 2.11 --python 3.11 --arch 9.0",
        "runs ls",
        "wheels ls",
        "wheels where",
        "wheels show none-such",
    ] {
        let output = place.command(&format!("{command} --json")).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], 1, "{command}");
    }
}
