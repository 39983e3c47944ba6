//! Folders of images with installers: found by their names, planned without a daemon.

use insta::assert_snapshot;

use crate::fixture::Place;

/// A folder of the old layout. Docker is chosen and not there: a plan asks nobody.
fn folder(files: &[&str]) -> Place {
    let place = Place::new();
    for file in files {
        let path = place.path().join("project").join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        place.write(file, "FROM debian\n");
    }
    place
}

const FILES: [&str; 5] = [
    "configs/PyTorch/Dockerfile_cuda90_builder",
    "configs/PyTorch/Dockerfile_cuda101_builder",
    "configs/apex/Dockerfile_cuda130_builder",
    "build_contexts/pytorch/installer.sh",
    "build_contexts/other/installer.sh",
];

#[test]
fn every_image_of_the_folder_is_planned() {
    let place = folder(&FILES);
    assert_snapshot!(place.run("plan --engine docker"), @r"
    exit: 0
    ----- stdout
    CELL           STATE       DETAILS
    apex-cu130     impossible  context-missing
    PyTorch-cu90   to build    image pytorch90builder; compiles with network
    PyTorch-cu101  to build    image pytorch101builder; compiles with network

    impossible: `configs/apex/Dockerfile_cuda130_builder` has no folder to copy from: there is no `build_contexts/apex` (context-missing)
      cells: apex-cu130
      hint: make that folder; it may be empty
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    3 cells: 2 to build, 1 impossible
    ");
    assert_snapshot!(place.run("plan pytorch --cuda 9.0 --engine docker --json"), @r#"
    exit: 0
    ----- stdout
    {
      "schema": 1,
      "cells": [
        {
          "id": "PyTorch-cu90",
          "kind": "image",
          "cell": {
            "name": "PyTorch",
            "package": "pytorch",
            "cuda": "9.0",
            "dockerfile": "[HERE]/project/configs/PyTorch/Dockerfile_cuda90_builder",
            "context": "[HERE]/project/build_contexts/pytorch",
            "image": "pytorch90builder",
            "volume": "build-vol",
            "conda-env": "build",
            "script": null,
            "network": true
          },
          "state": "to-build",
          "toolchain": "image pytorch90builder",
          "steps": [
            "build the image pytorch90builder from [HERE]/project/configs/PyTorch/Dockerfile_cuda90_builder and [HERE]/project/build_contexts/pytorch",
            "run the installer, by the label `dev.wheelmill.installer` or the only /opt/**/installer.sh, in the conda environment `build` where the image has conda, with the volume build-vol at /builds, network on",
            "verify every new wheel in the volume and store it"
          ],
          "warnings": [],
          "network-while-compiling": true,
          "expected-seconds": null
        }
      ]
    }
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    "#);
    let below = place.path().join("project/configs");
    let output = place.command("plan --quiet --engine docker").current_dir(below).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("PyTorch-cu90\n"));
    let mut elsewhere = place.command("plan --quiet --engine docker --project project");
    let output = elsewhere.current_dir(place.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("PyTorch-cu90\n"));
}

#[test]
fn a_project_file_that_says_only_how_leaves_the_folder_as_it_is() {
    let place = folder(&FILES);
    let plan = |more: &str| place.run(&format!("plan --quiet --engine docker {more}"));
    let before = plan("");
    assert!(before.contains("PyTorch-cu90"), "{before}");
    let file = place.write("wheelmill.toml", "[build]\nmemory = \"4GiB\" # enough");
    assert_eq!(plan(""), before);
    assert!(
        plan("pytroch").contains("there is no Dockerfile for `pytroch`"),
        "{}",
        plan("pytroch")
    );

    // A recipe is for a package, and says not that it is to be built.
    place.write("wheelmill.toml", "[recipes.torchsort.jobs]\nmemory = \"4GiB\"");
    assert_eq!(plan(""), before);
    let package = "torchsort==0.1.10 --torch 2.11 --python 3.11 --arch 9.0 --cuda 13.0";
    assert!(plan(package).contains("torchsort-0.1.10-cu130"), "{}", plan(package));

    // A matrix does, and the Dockerfiles are then named by init.
    let matrix = "[matrix]\npackage = [\"torchsort==0.1.10\"] # mine";
    place.write("wheelmill.toml", matrix);
    let axes = "--torch 2.11 --python 3.11 --arch 9.0 --cuda 13.0";
    assert_snapshot!(plan(axes), @r"
    exit: 0
    ----- stdout
    torchsort-0.1.10-cu130-torch2.11-cp311-sm90
    ");
    assert_snapshot!(plan(&format!("apex==0.1 {axes}")), @r"
    exit: 0
    ----- stdout
    apex-0.1-cu130-torch2.11-cp311-sm90
    ----- stderr
    warning: the package `apex` is meant, not the Dockerfiles of that name: wheelmill.toml has a `[matrix]` and no `[layout]`
      hint: `wheelmill init` adds the Dockerfiles to that file
    ");
    assert_snapshot!(place.run("init"), @r"
    exit: 0
    ----- stdout
    [HERE]/project/wheelmill.toml
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    `[layout]` is new at its end, the rest is as it was; see `wheelmill plan`
    ");
    let text = fs_err::read_to_string(file).unwrap();
    assert!(text.starts_with(&format!("{matrix}\n\n[layout.PyTorch]\n")), "{text}");
    assert!(plan(axes).contains("apex-cu130"), "{}", plan(axes));
    assert!(place.run("init").contains("already"));
}

#[test]
fn the_dockerfile_of_an_image_is_the_users_own() {
    let place = folder(&FILES);
    let said = |cells: &str| place.run(&format!("images dockerfile {cells} --engine docker"));
    assert_snapshot!(said("PyTorch --cuda 9.0"), @r"
    exit: 2
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    error: `PyTorch-cu90` is built by a Dockerfile of your own: `[HERE]/project/configs/PyTorch/Dockerfile_cuda90_builder`
      hint: read that file; this command writes one for a package that has a recipe
    ");
    assert_snapshot!(said("PyTorch"), @r"
    exit: 2
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    error: these cells are built by Dockerfiles of your own:
        `PyTorch-cu90`: `[HERE]/project/configs/PyTorch/Dockerfile_cuda90_builder`
        `PyTorch-cu101`: `[HERE]/project/configs/PyTorch/Dockerfile_cuda101_builder`
      hint: read that file; this command writes one for a package that has a recipe
    ");
}

#[test]
fn init_says_that_a_folder_cannot_be_written() {
    // Nobody can make files there, root neither.
    let text = Place::new().run("init --project /sys");
    for part in
        ["exit: 3", "error: `/sys/wheelmill.toml` cannot be written: it is read-only", "hint: "]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_is_not_in_the_folder_is_refused_with_what_is() {
    let place = folder(&FILES);
    let said = |arguments: &str| {
        let text = place.run(&format!("{arguments} --quiet"));
        assert!(text.starts_with("exit: 2"), "{text}");
        text.split_once("----- stderr\n").unwrap().1.to_owned()
    };
    assert_snapshot!(said("plan PyTroch --engine docker"), @r"
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    error: there is no Dockerfile for `pytroch` in this folder
      hint: there is `PyTorch`
    ");
    assert_snapshot!(said("plan PyTorch --cuda 10.0 --engine docker"), @r"
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    error: there is no Dockerfile of PyTorch for CUDA 10.0
      hint: there is one for CUDA 9.0 and 10.1
    ");
    assert_snapshot!(said("build pytorch==1.0 --engine docker"), @r"
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    error: `pytorch==1.0` names a version, and which one is built is decided by the image's installer
      hint: leave it out
    ");
    assert_snapshot!(said("plan --torch 2.9 --engine docker"), @r"
    error: `--torch` has no say here: the Dockerfiles of the images do
      hint: leave it out
    ");
    assert_snapshot!(said("build --engine embedded"), @r"
    error: the embedded engine builds no images from Dockerfiles, as are meant here
      hint: let Docker or Podman do it: leave `--engine` and WHEELMILL_ENGINE out, or name one of the two
    ");

    let both =
        folder(&["configs/A/Dockerfile_cuda90_builder", "configs/a/Dockerfile_cuda90_builder"]);
    let text = both.run("plan --engine docker");
    assert!(
        text.contains("project/configs/A` and `[HERE]/project/configs/a` are one name"),
        "{text}"
    );
    assert!(both.run("wheels ls").starts_with("exit: 0"), "other commands need no layout");
}

#[test]
fn what_its_names_do_not_say_is_told_before_that_nothing_is_found() {
    let place = folder(&["configs/Tiny/Dockerfile_cuda12_builder", "build_contexts/tiny/x"]);
    assert_snapshot!(place.run("plan Tiny --cuda 12.0 --engine docker"), @r"
    exit: 2
    ----- stderr
    warning: `configs/Tiny/Dockerfile_cuda12_builder` names no CUDA release: `Dockerfile_cuda120_builder` is one for 12.0
    error: there is no Dockerfile for `tiny` in this folder
    ");
    let text = place.run("plan --engine docker");
    assert!(text.contains("warning: `configs/Tiny/Dockerfile_cuda12_builder` names no"), "{text}");
    assert!(text.contains("error: no package is named"), "{text}");
}

#[test]
fn a_context_that_cannot_be_read_is_the_matter_of_its_own_cells() {
    let place = folder(&[
        "configs/A/Dockerfile_cuda90_builder",
        "configs/B/Dockerfile_cuda90_builder",
        "build_contexts/a/x",
        "build_contexts/b/x",
    ]);
    place.write("build_contexts/b/.dockerignore", "data[\n");
    assert_snapshot!(place.run("plan --engine docker"), @r"
    exit: 0
    ----- stdout
    CELL    STATE       DETAILS
    A-cu90  to build    image a90builder; compiles with network
    B-cu90  impossible  context-unreadable

    impossible: could not read `[HERE]/project/build_contexts/b/.dockerignore`: `data[` is not a pattern: its `[` has no `]` (context-unreadable)
      cells: B-cu90
      hint: correct that file
    ----- stderr
    2 cells: 1 to build, 1 impossible
    ");
}

#[test]
fn a_daemon_that_is_not_there_ends_with_3() {
    let place = folder(&FILES);
    let build = |engine: &str| {
        let mut command = place.command(&format!("build pytorch --quiet --engine {engine}"));
        for variable in ["DOCKER_HOST", "CONTAINER_HOST"] {
            command.env(variable, format!("unix://{}/none.sock", place.path()));
        }
        place.show(&command.output().unwrap())
    };
    assert_snapshot!(build("auto"), @r"
    exit: 3
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    error: this machine is not ready: the embedded engine builds no images from Dockerfiles, and no daemon that does answers this user
      hint: start a daemon (`sudo systemctl start docker`, or `systemctl --user start podman.socket`), or see why one does not answer: `--engine docker`
    ");
    assert_snapshot!(build("podman"), @r"
    exit: 3
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    error: this machine is not ready: a container of podman cannot be had on this machine: the daemon does not answer at `[HERE]/none.sock`: Socket not found: [HERE]/none.sock
      hint: start it and run the command again: `systemctl --user start podman.socket`
    ");
}

#[test]
fn the_project_file_that_init_writes_means_the_same() {
    let place = folder(&FILES);
    let plan = |place: &Place| -> serde_json::Value {
        let output = place.command("plan --engine docker --json").output().unwrap();
        let mut document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let cells = document["cells"].as_array_mut().unwrap();
        cells.sort_by_key(|cell| cell["id"].as_str().unwrap().to_owned());
        document
    };
    let before = plan(&place);
    assert_snapshot!(place.run("init --quiet"), @r"
    exit: 0
    ----- stdout
    [HERE]/project/wheelmill.toml
    ----- stderr
    warning: `build_contexts/other` has no Dockerfile: none matches `configs/other/Dockerfile_cuda*_builder`
    ");
    let file = place.path().join("project/wheelmill.toml");
    assert_snapshot!(fs_err::read_to_string(&file).unwrap(), @r#"
    [layout.PyTorch]
    context = "build_contexts/pytorch"
    volume = "build-vol"
    conda-env = "build"
    network = true

    [layout.PyTorch.dockerfile]
    "9.0" = "configs/PyTorch/Dockerfile_cuda90_builder"
    "10.1" = "configs/PyTorch/Dockerfile_cuda101_builder"

    [layout.PyTorch.image]
    "9.0" = "pytorch90builder"
    "10.1" = "pytorch101builder"

    [layout.apex]
    context = "build_contexts/apex"
    volume = "build-vol"
    conda-env = "build"
    network = true

    [layout.apex.dockerfile]
    "13.0" = "configs/apex/Dockerfile_cuda130_builder"

    [layout.apex.image]
    "13.0" = "apex130builder"
    "#);
    assert_eq!(plan(&place), before);
    assert_snapshot!(place.run("init"), @r"
    exit: 2
    ----- stderr
    error: there is a `wheelmill.toml` in `[HERE]/project` already
      hint: change that one, or name another folder with `--project`
    ");

    // Beside images a project has packages, each with its own options.
    let text = fs_err::read_to_string(&file).unwrap();
    place
        .write("wheelmill.toml", &format!("{text}\n[matrix]\npackage = [\"torchsort==0.1.10\"]\n"));
    let both = "plan --quiet --engine docker --torch 2.11 --python 3.11 --arch 9.0 --cuda 13.0";
    assert_snapshot!(place.run(both), @r"
    exit: 0
    ----- stdout
    torchsort-0.1.10-cu130-torch2.11-cp311-sm90
    apex-cu130
    ");
    assert_snapshot!(place.run("plan --quiet --engine docker pytorch --cuda 9.0"), @r"
    exit: 0
    ----- stdout
    PyTorch-cu90
    ");
}

#[test]
fn init_begins_a_project_in_an_empty_folder() {
    let place = Place::new();
    assert!(place.run("init --quiet").starts_with("exit: 0"));
    assert!(place.run("plan").contains("no package is named"));
}
