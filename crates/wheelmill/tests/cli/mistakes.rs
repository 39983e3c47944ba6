//! What is typed, set or written in a wrong way.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use crate::fixture::Place;

#[test]
fn wrong_arguments_are_named_with_a_good_spelling() {
    let place = Place::new();
    assert_snapshot!(place.run("plan torchsort>=0.1"), @r"
    exit: 2
    ----- stderr
    error: invalid value 'torchsort>=0.1' for '[PKG[==VER]]...': `torchsort>=0.1` does not name one version: write it as `torchsort==1.2.3`, or `torchsort` for the newest

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("plan ./torchsort"), @r#"
    exit: 2
    ----- stderr
    error: invalid value './torchsort' for '[PKG[==VER]]...': `./torchsort` is a path, and packages are called by their names: give the folder in a recipe, with `path = "./torchsort"` in `[recipes.NAME.source]` of wheelmill.toml

    For more information, try '--help'.
    "#);
    assert_snapshot!(place.run("verify torchsort.whl --arch 12"), @r"
    exit: 2
    ----- stderr
    error: invalid value '12' for '--arch <LIST>': `12` is not a GPU architecture: did you mean `12.0`?

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("inspect torchsort==0.1"), @r#"
    exit: 2
    ----- stderr
    error: no wheel in the store is called `torchsort==0.1`
      hint: see what there is: `wheelmill wheels ls`
      hint: nor is there a file `torchsort==0.1` here
    "#);
    assert_snapshot!(place.run("plan torchsort --cuda thirteen"), @r"
    exit: 2
    ----- stderr
    error: invalid value 'thirteen' for '--cuda <V>': `thirteen` is not a CUDA version: write it as `13.0`

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("build torchsort --arch all"), @r"
    exit: 2
    ----- stderr
    error: invalid value 'all' for '--arch <LIST>': `all` names no GPU architecture here: write `all-major` for one of every generation, or a list as `8.0,9.0+PTX`

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("build torchsort --cells 0"), @r"
    exit: 2
    ----- stderr
    error: invalid value '0' for '--cells <N>': `0` is not a number of cells: write it as `4`

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("verify x.whl --glibc 28"), @r"
    exit: 2
    ----- stderr
    error: invalid value '28' for '--glibc <V>': write it as `2.28`; `ldd --version` tells a machine's own

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("verify x.whl --env nowhere"), @r"
    exit: 2
    ----- stderr
    error: cannot look into the environment `nowhere`
      cause: No such file or directory (os error 2)
    ");
    assert_snapshot!(place.run("verify x.whl --env ."), @r"
    exit: 2
    ----- stderr
    error: `.` is neither a virtual environment nor a folder of Python packages
      hint: name a folder that holds `lib/python3.X/site-packages`, or that `pip install --target DIR torch …` filled
    ");
    assert_snapshot!(place.run("verify x.whl --against x-scatter-cu130"), @r"
    exit: 2
    ----- stderr
    error: invalid value 'x-scatter-cu130' for '--against <CELL>': `scatter` of `x-scatter-cu130` is no part of a cell's name: write it as `wheelmill plan` does, as in `torchsort-0.1.10-cu130-torch2.11-cp311-sm90`, or parts of it, as in `cu130-torch2.11`

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("verify x.whl --arch native"), @r"
    exit: 2
    ----- stderr
    error: invalid value 'native' for '--arch <LIST>': `native` names no GPU architecture here: list what the wheel is to serve, as `8.0,9.0+PTX`; this machine's GPUs are told by `nvidia-smi --query-gpu=compute_cap --format=csv`

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("verify x.whl --arch all"), @r"
    exit: 2
    ----- stderr
    error: invalid value 'all' for '--arch <LIST>': `all` names no GPU architecture here: list what the wheel is to serve, as `8.0,9.0+PTX`; without `--arch` each generation is judged and none is demanded

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("plan torchsort --python 3.11.4"), @r"
    exit: 2
    ----- stderr
    error: invalid value '3.11.4' for '--python <V>': `3.11.4` names a patch release, and builds are for all of Python 3.11: write `3.11`

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("build torchsort --arch hopper"), @r"
    exit: 2
    ----- stderr
    error: invalid value 'hopper' for '--arch <LIST>': `hopper` is not a GPU architecture: write it as `9.0`, `9.0a` or `sm_90`, with `+PTX` to add PTX

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("build torchsort --memory 8XB"), @r"
    exit: 2
    ----- stderr
    error: invalid value '8XB' for '--memory <SIZE>': `8XB` is not a size: write a number and a unit, as in `8GB` (10^9) or `8GiB` (2^30)

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("bild torchsort"), @r"
    exit: 2
    ----- stderr
    error: unrecognized subcommand 'bild'

      tip: a similar subcommand exists: 'build'

    Usage: wheelmill [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(place.run("plan"), @r"
    exit: 2
    ----- stderr
    error: no package is named
      hint: name one, as in `wheelmill build torchsort --cuda 13.0`
      hint: see the known packages with `wheelmill recipes`
    ");
}

#[test]
fn a_wrong_variable_is_named() {
    let place = Place::new();
    let with = |name: &str, value: &str| {
        place.show(&place.command("plan torchsort").env(name, value).output().unwrap())
    };
    assert_snapshot!(with("WHEELMILL_MEMORY", "lots"), @r"
    exit: 2
    ----- stderr
    error: the environment variable `WHEELMILL_MEMORY` has a value that cannot be used
      cause: `lots` is not a size: write a number and a unit, as in `8GB` (10^9) or `8GiB` (2^30)
    ");
    assert_snapshot!(with("WHEELMILL_OFFLINE", "maybe"), @r"
    exit: 2
    ----- stderr
    error: the environment variable `WHEELMILL_OFFLINE` has a value that cannot be used
      cause: write `1` or `0`
    ");
    assert_snapshot!(with("WHEELMILL_ENGINE", "lxc"), @r"
    exit: 2
    ----- stderr
    error: the environment variable `WHEELMILL_ENGINE` has a value that cannot be used
      cause: `lxc` is not an engine: write `auto`, `embedded`, `docker` or `podman`
    ");
    let far = || {
        let mut command = place.command("plan torchsort --engine docker");
        place.show(&command.env("DOCKER_HOST", "tcp://192.0.2.1:2375").output().unwrap())
    };
    assert_snapshot!(far(), @r"
    exit: 2
    ----- stderr
    error: DOCKER_HOST names `tcp://192.0.2.1:2375`, and only sockets are driven
      hint: run wheelmill on the machine of the daemon, or unset it
    ");
    assert_snapshot!(with("WHEELMILL_LOG", "wheelmill=chatty"), @r#"
    exit: 2
    ----- stderr
    error: `WHEELMILL_LOG` cannot be understood: `wheelmill=chatty`
      cause: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
      hint: write it as `debug`, or as `info,wheelmill_engine=trace`
    "#);
}

#[test]
fn a_base_that_is_no_image_is_refused_before_it_is_used() {
    let place = Place::new();
    place.write("notes.tar", &"no tar\n".repeat(100));
    place.write("empty.tar", "");
    fs_err::create_dir(place.path().join("project/folder")).unwrap();
    let plan = |base: &str| place.run(&format!("plan torchsort==0.1.10 --base {base}"));
    assert_snapshot!(plan("./notes.tar"), @r"
    exit: 2
    ----- stderr
    error: the base `./notes.tar` is neither a tar nor a tar compressed by gzip or zstd
      hint: name the file of an image, as `docker save` writes it, or an image of a registry
    ");
    assert_snapshot!(plan("./empty.tar"), @r"
    exit: 2
    ----- stderr
    error: the base `./empty.tar` is empty
      hint: name the file of an image, as `docker save` writes it, or an image of a registry
    ");
    assert_snapshot!(plan("./folder"), @r"
    exit: 2
    ----- stderr
    error: the base `./folder` is a folder and no OCI layout
      hint: name the file of an image, as `docker save` writes it, or an image of a registry
    ");
}

#[test]
fn a_typo_in_the_project_file_is_pointed_at() {
    let place = Place::new();
    place.write("wheelmill.toml", "[recipes.torchsort.build]\nenvrionment = { A = \"1\" }\n");
    assert_snapshot!(place.run("plan torchsort"), @r#"
    exit: 2
    ----- stderr
    error: `envrionment` is not a key that this table knows
       ╭─[[HERE]/project/wheelmill.toml:2:1]
     1 │ [recipes.torchsort.build]
     2 │ envrionment = { A = "1" }
       · ─────┬─────
       ·      ╰── unknown key
       ╰────
      help: did you mean `environment`?
    "#);
    // Commands that do not need the file work.
    assert!(place.command("completions bash").output().unwrap().status.success());
}

#[test]
fn a_project_that_is_not_there_or_cannot_be_read_is_named() {
    let place = Place::new();
    assert_snapshot!(place.run("plan --project nowhere"), @r"
    exit: 2
    ----- stderr
    error: there is no `wheelmill.toml` in `[HERE]/project/nowhere`
      hint: `--project` takes the folder that holds the file, or Dockerfiles as `configs/PyTorch/Dockerfile_cuda90_builder`
    ");
    fs_err::create_dir(place.path().join("project/wheelmill.toml")).unwrap();
    // A folder of that name is none of ours.
    assert!(
        place
            .run("plan torchsort==0.1.10 --cuda 13.0 --torch 2.11 --python 3.11")
            .starts_with("exit: 0")
    );
}

#[test]
fn the_users_configuration_holds_below_the_project() {
    let place = Place::new();
    let folder = place.path().join("home/.config/wheelmill");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("config.toml"), "[build]\nengine = \"docker\"\n").unwrap();
    let plan = || {
        let plan = "plan torchsort==0.1.10 --cuda 13.0 --torch 2.11 --python 3.11 --arch 9.0";
        place.show(&place.command(plan).env_remove("WHEELMILL_ENGINE").output().unwrap())
    };
    // Docker builds in an image, with its compiler.
    assert!(plan().contains("g++ of the base"), "{}", plan());
    place.write("wheelmill.toml", "[build]\nengine = \"embedded\"\n");
    assert!(!plan().contains("g++ of the base"), "{}", plan());
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let place = Place::new();
    let file = place.write("file", "");
    let with = |home: &str| {
        place.show(&place.command("wheels ls").env("WHEELMILL_HOME", home).output().unwrap())
    };
    assert_snapshot!(with(file.as_str()), @r"
    exit: 2
    ----- stderr
    error: the store `[HERE]/project/file` is not a folder
      hint: choose another folder: set `WHEELMILL_HOME`
    ");

    // The same for every command, and for the cache.
    let plan = |variable: &str| {
        let mut command = place.command("plan torchsort==0.1.10 --cuda 13.0 --torch 2.11");
        place.show(&command.env(variable, file.join("below")).output().unwrap())
    };
    assert_snapshot!(plan("WHEELMILL_HOME"), @r"
    exit: 2
    ----- stderr
    error: the store `[HERE]/project/file/below` is not a folder
      hint: choose another folder: set `WHEELMILL_HOME`
    ");
    assert_snapshot!(plan("WHEELMILL_CACHE"), @r"
    exit: 2
    ----- stderr
    error: the cache `[HERE]/project/file/below` is not a folder
      hint: choose another folder: set `WHEELMILL_CACHE`
    ");

    let store = place.path().join("store");
    fs_err::create_dir(&store).unwrap();
    fs_err::write(store.join("store.sqlite3"), "this is no database, whatever its name says")
        .unwrap();
    assert_snapshot!(with(store.as_str()), @r"
    exit: 3
    ----- stderr
    error: the store's database `[HERE]/store/store.sqlite3` is damaged; nothing was changed: move it away to start a new history, the wheels below `wheels/` stay usable
      cause: file is not a database
    ");
}

#[test]
fn an_index_that_cannot_be_asked_is_named_and_none_of_its_pages() {
    let place = Place::new();
    let offline = place.run("build torchsort==0.1.10 --cuda 13.0 --torch 2.11 --python 3.11");
    assert!(offline.starts_with("exit: 3"), "{offline}");
    assert!(
        offline
            .contains("the package index https://pypi.org/simple is needed, and fetching is off")
            && offline.contains("hint: run it again without `--offline`"),
        "{offline}"
    );
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for wish in ["torchsort", "torchsort==0.1.10"] {
        let mut command =
            place.command(&format!("build {wish} --cuda 13.0 --torch 2.11 --python 3.11"));
        let index = format!("http://127.0.0.1:{port}/simple");
        command.env("UV_DEFAULT_INDEX", &index).env("WHEELMILL_OFFLINE", "0");
        let said = place.show(&command.output().unwrap());
        assert!(said.starts_with("exit: 3"), "{said}");
        assert!(said.contains(&format!("the package index {index} cannot be reached")), "{said}");
        assert!(said.contains("Connection refused") && said.contains("hint: check the network"));
        assert!(!said.contains("packaging"), "{said}");
    }
}

#[test]
fn an_error_is_a_document_too() {
    let place = Place::new();
    assert_snapshot!(place.run("runs show nothing --json"), @r#"
    exit: 2
    ----- stdout
    {
      "schema": 1,
      "error": {
        "ending": "usage",
        "exit-code": 2,
        "message": "nothing was built yet, so there are no runs",
        "causes": [],
        "hints": [
          "build something: `wheelmill build torchsort --cuda 13.0`"
        ]
      }
    }
    ----- stderr
    error: nothing was built yet, so there are no runs
      hint: build something: `wheelmill build torchsort --cuda 13.0`
    "#);
}

#[test]
fn every_error_is_a_document() {
    let place = Place::new();
    place.write("x-1-py3-none-any.whl", "not a zip");
    let error = |arguments: &str| {
        let output = place.command(&format!("{arguments} --json")).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], 1, "{arguments}");
        assert_eq!(document["error"]["exit-code"], output.status.code().unwrap(), "{arguments}");
        document["error"].clone()
    };
    for arguments in
        ["plan", "build", "runs show x", "wheels where x", "inspect x-1-py3-none-any.whl"]
    {
        assert!(!error(arguments)["message"].as_str().unwrap().is_empty(), "{arguments}");
    }
    // Also what the command line itself gets wrong, and what was told before the error.
    let wrong = error("plan torchsort --arch hopper");
    assert!(wrong["message"].as_str().unwrap().contains("`hopper` is not a GPU"), "{wrong}");
    assert!(error("plan --nonsense")["message"].to_string().contains("--nonsense"));
    let similar = error("bild torchsort");
    assert!(similar["hints"][0].as_str().unwrap().contains("'build'"), "{similar}");
    let impossible = error("build torchsort==0.1.10 --cuda 9.0 --torch 2.11 --python 3.11");
    assert_eq!(impossible["reasons"][0]["code"], "torch-has-no-build-for-cuda", "{impossible}");
}

#[test]
fn a_file_that_is_no_wheel_is_refused() {
    let place = Place::new();
    place.write("x-1-py3-none-any.whl", "not a zip");
    place.write("empty-1-py3-none-any.whl", "");
    assert_snapshot!(place.run("inspect x-1-py3-none-any.whl"), @r"
    exit: 2
    ----- stderr
    error: `x-1-py3-none-any.whl` is not a wheel: it is not a zip archive
    ");
    assert_snapshot!(place.run("verify empty-1-py3-none-any.whl x-1-py3-none-any.whl nowhere.whl"), @r"
    exit: 2
    ----- stderr
    error: `empty-1-py3-none-any.whl` is empty
    error: `x-1-py3-none-any.whl` is not a wheel: it is not a zip archive
    error: cannot open `nowhere.whl`
      cause: No such file or directory (os error 2)
    ");
}

#[test]
fn an_unreadable_project_file_is_named() {
    let place = Place::new();
    let file = place.write("wheelmill.toml", "");
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    if fs_err::read(&file).is_ok() {
        // Root reads everything; a file that is not UTF-8 is as unreadable to it.
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        fs_err::write(&file, [0xff, 0xfe]).unwrap();
    }
    let output = place.command("plan").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("could not read") && said.contains("wheelmill.toml"), "{said}");
}

#[test]
fn a_folder_that_is_not_there_is_told_by_its_short_path() {
    let place = Place::new();
    place.write(
        "wheelmill.toml",
        "recipe-files = [\"recipes/*.toml\"]\n[recipes.tinyscal.build]\ntorch = false\n",
    );
    fs_err::create_dir_all(place.path().join("project/recipes")).unwrap();
    place.write("recipes/t.toml", "name = \"tinyscale\"\n[source]\npath = \"../../tinyscale\"\n");
    assert_snapshot!(place.run("plan tinyscale --cuda 13.0 --python 3.11 --arch 9.0"), @r"
    exit: 2
    ----- stderr
    warning: `[recipes.tinyscal]` in wheelmill.toml is of no package that is built here or has a recipe
      hint: did you mean `tinyscale`?
    error: the source of `tinyscale` was not found
      cause: could not read the source folder `[HERE]/tinyscale`
      cause: No such file or directory (os error 2)
      hint: `path` under `[source]` is relative to the file that it is written in, and came to `[HERE]/tinyscale`
    ");
}
