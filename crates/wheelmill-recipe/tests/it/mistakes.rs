//! How mistakes are reported: the place, what is wrong there, and what to write instead.

use camino::Utf8Path;
use insta::assert_snapshot;
use miette::Diagnostic;
use wheelmill_recipe::{Project, Recipe, RecipeError};

/// The report in the form that compilers made familiar.
fn report(error: &RecipeError, text: &str) -> String {
    let Some(mistake) = error.mistake() else {
        return format!("{error}: {}", std::error::Error::source(error).unwrap());
    };
    let label = error.labels().unwrap().next().unwrap();
    let line = text.lines().nth(mistake.line - 1).unwrap_or_default();
    let rest = line.len() + 1 - mistake.column;
    let mut report = format!(
        "{:?}: {error}\n  {}:{}:{}\n  | {line}\n  | {}{} {}",
        mistake.kind,
        mistake.file,
        mistake.line,
        mistake.column,
        " ".repeat(mistake.column - 1),
        "^".repeat(label.len().min(rest).max(1)),
        label.label().unwrap(),
    );
    if let Some(help) = error.help() {
        report.extend(["\n  help: ", &help.to_string()]);
    }
    report
}

fn recipe(text: &str) -> String {
    report(&Recipe::parse(text, Utf8Path::new("x.toml")).unwrap_err(), text)
}

pub(crate) fn project(text: &str) -> String {
    report(&Project::parse(text, Utf8Path::new("wheelmill.toml")).unwrap_err(), text)
}

#[test]
fn a_slip_in_a_key_is_shown_with_the_key_that_was_meant() {
    assert_snapshot!(recipe("name = \"x\"\n\n[build]\ntorch = true\nenvrionment = { A = \"1\" }\n"), @r#"
    UnknownKey: `envrionment` is not a key that this table knows
      x.toml:5:1
      | envrionment = { A = "1" }
      | ^^^^^^^^^^^ unknown key
      help: did you mean `environment`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[build]\nconda_env = \"build\"\n"), @r#"
    UnknownKey: `conda_env` is not a key that this table knows
      x.toml:3:1
      | conda_env = "build"
      | ^^^^^^^^^ unknown key
      help: did you mean `conda-env`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[[architectures]]\nvariable = \"A\"\nspeling = \"torch\"\n"), @r#"
    UnknownKey: `speling` is not a key that this table knows
      x.toml:4:1
      | speling = "torch"
      | ^^^^^^^ unknown key
      help: did you mean `spelling`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[jobs]\nsubmodules = true\n"), @r"
    UnknownKey: `submodules` is not a key that this table knows
      x.toml:3:1
      | submodules = true
      | ^^^^^^^^^^ unknown key
      help: `submodules` is a key of `[source]`
    ");
    assert_snapshot!(project("[matrx]\ncuda = [\"13.0\"]\n"), @r"
    UnknownKey: `matrx` is not a key that this table knows
      wheelmill.toml:1:2
      | [matrx]
      |  ^^^^^ unknown key
      help: did you mean `matrix`?
    ");
    assert_snapshot!(project("[recipes.torchsort.limits]\nminimum-arch = \"8.0\"\n"), @r#"
    UnknownKey: `minimum-arch` is not a key that this table knows
      wheelmill.toml:2:1
      | minimum-arch = "8.0"
      | ^^^^^^^^^^^^ unknown key
      help: did you mean `minimum-architecture`?
    "#);
}

#[test]
fn text_that_is_not_toml() {
    assert_snapshot!(recipe("name = \"x\nsummary = \"y\"\n"), @r#"
    Syntax: this is not TOML: invalid basic string, expected `"`
      x.toml:1:10
      | name = "x
      |          ^ here
    "#);
    assert_snapshot!(recipe("name = \"x\"\nname = \"y\"\n"), @r#"
    Syntax: this is not TOML: duplicate key
      x.toml:2:1
      | name = "y"
      | ^^^^ here
    "#);
}

#[test]
fn a_value_of_another_type() {
    assert_snapshot!(project("[matrix]\npython = [3.10]\n"), @r#"
    Value: a text is wanted, not a number
      wheelmill.toml:2:11
      | python = [3.10]
      |           ^^^^ this value
      help: put it in quotes: `"3.10"`
    "#);
    assert_snapshot!(recipe("name = \"x\"\nbuild.requires = \"ninja\"\n"), @r#"
    Value: a list is wanted, not a text
      x.toml:2:18
      | build.requires = "ninja"
      |                  ^^^^^^^ this value
      help: write it as a list: `["ninja"]`
    "#);
    assert_snapshot!(project("[matrix]\npython = 3.10\n"), @r#"
    Value: a text, or a list of texts is wanted, not a number
      wheelmill.toml:2:10
      | python = 3.10
      |          ^^^^ this value
      help: put it in quotes: `"3.10"`
    "#);
    assert_snapshot!(project("[matrix]\ncuda = \"13\"\n"), @r#"
    Value: `13` is not a CUDA version: write it as `13.0`
      wheelmill.toml:2:9
      | cuda = "13"
      |         ^^ this value
    "#);
    assert_snapshot!(recipe("name = \"x\"\nbuild.torch = \"yes\"\n"), @r#"
    Value: `true` or `false` is wanted, not a text
      x.toml:2:15
      | build.torch = "yes"
      |               ^^^^^ this value
      help: write `true` or `false`, without quotes
    "#);
    assert_snapshot!(recipe("name = \"x\"\nbuild.system-packages = \"git\"\n"), @r#"
    Value: a list of names, or a table with a list for each family is wanted, not a text
      x.toml:2:25
      | build.system-packages = "git"
      |                         ^^^^^ this value
    "#);
}

#[test]
fn a_value_that_means_nothing() {
    assert_snapshot!(recipe("name = \"x\"\n[[architectures]]\nvariable = \"A\"\nspelling = \"digit\"\n"), @r#"
    Value: `digit` is not a value here
      x.toml:4:12
      | spelling = "digit"
      |            ^^^^^^^ this value
      help: did you mean `digits`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[limits]\ntorch = \"2.2\"\n"), @r#"
    Value: `2.2` is not a set of versions
      x.toml:3:10
      | torch = "2.2"
      |          ^^^ this value
      help: say how to compare: `>=2.2` or `==2.2.*`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[limits]\ncuda = \"> = 12\"\n"), @r#"
    Value: `> = 12` is not a set of versions
      x.toml:3:9
      | cuda = "> = 12"
      |         ^^^^^^ this value
      help: write it as `>=2.2`, `>=2.2,<2.9` or `==2.9.*`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[limits]\nmachines = [\"x86_64\", \"amd64\"]\n"), @r#"
    Value: `amd64` is not a machine
      x.toml:3:24
      | machines = ["x86_64", "amd64"]
      |                        ^^^^^ this value
      help: did you mean `x86_64`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[limits]\narchitectures = [\"8.0\", \"hopper\"]\n"), @r#"
    Value: `hopper` is not a GPU architecture: write it as `9.0`, `9.0a` or `sm_90`, with `+PTX` to add PTX
      x.toml:3:26
      | architectures = ["8.0", "hopper"]
      |                          ^^^^^^ this value
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[jobs]\nmemory = \"4 gigs\"\n"), @r#"
    Value: `4 gigs` is not a size: write a number and a unit, as in `8GB` (10^9) or `8GiB` (2^30)
      x.toml:3:11
      | memory = "4 gigs"
      |           ^^^^^^ this value
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[source]\nsubdirectory = \"../python\"\n"), @r#"
    Value: `../python` does not lie inside the source
      x.toml:3:17
      | subdirectory = "../python"
      |                 ^^^^^^^^^ this value
      help: write a path relative to the source's root, without `..`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[build.system-packages]\nubuntu = [\"libnuma-dev\"]\n"), @r#"
    Value: `ubuntu` is not a distribution family
      x.toml:3:1
      | ubuntu = ["libnuma-dev"]
      | ^^^^^^ this value
      help: did you mean `debian`?
    "#);
    assert_snapshot!(recipe("name = \"-x\"\n"), @r#"
    Value: `-x` is not a package name: use ASCII letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
      x.toml:1:9
      | name = "-x"
      |         ^^ this value
    "#);
    assert_snapshot!(project("[matrix]\narchitectures = \"8.0;9.x+PTX\"\n"), @r#"
    Value: `9.x` is not a GPU architecture: write it as `9.0`, `9.0a` or `sm_90`, with `+PTX` to add PTX
      wheelmill.toml:2:22
      | architectures = "8.0;9.x+PTX"
      |                      ^^^ this value
    "#);
    assert_snapshot!(project("[matrix.architectures]\n12 = \"8.0\"\n"), @r#"
    Value: `12` is neither a CUDA release nor `default`
      wheelmill.toml:2:1
      | 12 = "8.0"
      | ^^ this value
      help: write releases in quotes, as `"12.8" = …`
    "#);
    assert_snapshot!(project("[build]\nengine = \"dokcer\"\n"), @r#"
    Value: `dokcer` is not a value here
      wheelmill.toml:2:10
      | engine = "dokcer"
      |          ^^^^^^^^ this value
      help: did you mean `docker`?
    "#);
    assert_snapshot!(project("[build]\ncpus = 0\n"), @r"
    Value: a number above zero is wanted, not `0`
      wheelmill.toml:2:8
      | cpus = 0
      |        ^ this value
    ");
    assert_snapshot!(project("[matrix]\npackage = [\"torchsort>=0.1\"]\n"), @r#"
    Value: `torchsort>=0.1` does not name one version: write it as `torchsort==1.2.3`, or `torchsort` for the newest
      wheelmill.toml:2:13
      | package = ["torchsort>=0.1"]
      |             ^^^^^^^^^^^^^^ this value
    "#);
}

#[test]
fn an_unknown_placeholder() {
    assert_snapshot!(recipe("name = \"x\"\n[build]\nenvironment = { A = \"1\", B = \"cu{cuda_maj}\" }\n"), @r#"
    Value: `{cuda_maj}` is not a placeholder
      x.toml:3:33
      | environment = { A = "1", B = "cu{cuda_maj}" }
      |                                 ^^^^^^^^^^ this value
      help: did you mean `{cuda_major}`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[build]\nenvironment = { A = \"{out}\" }\n"), @r#"
    Value: `{out}` is not a placeholder
      x.toml:3:22
      | environment = { A = "{out}" }
      |                      ^^^^^ this value
      help: the placeholders here are `{cuda}`, `{cuda_major}`, `{cuda_minor}`, `{torch}`, `{python}`, `{version}` and `{jobs}`; braces that are meant as such are doubled: `{{out}}`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[[architectures]]\nvariable = \"A\"\nspelling = \"cmake\"\ntemplate = \"-DARCHS={arch}\"\n"), @r#"
    Value: `{arch}` is not a placeholder
      x.toml:5:21
      | template = "-DARCHS={arch}"
      |                     ^^^^^^ this value
      help: did you mean `{archs}`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[[architectures]]\nvariable = \"A\"\nspelling = \"cmake\"\ntemplate = \"-DCUDA=ON\"\n"), @r#"
    Value: the template does not hold `{archs}`, so the architectures would not reach the build
      x.toml:5:12
      | template = "-DCUDA=ON"
      |            ^^^^^^^^^^^ this value
      help: write `{archs}` where the list goes: `-DCMAKE_CUDA_ARCHITECTURES={archs}`
    "#);
}

#[test]
fn keys_that_do_not_go_together() {
    assert_snapshot!(recipe("summary = \"nameless\"\n"), @r#"
    Combination: the recipe does not say which package it builds
      x.toml:1:1
      | summary = "nameless"
      | ^ here
      help: write `name = "…"` in the first line
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[source]\npypi = \"x\"\ngit = \"https://example.org\"\n"), @r#"
    Combination: the source is given twice, by `pypi` and by `git`
      x.toml:4:7
      | git = "https://example.org"
      |       ^^^^^^^^^^^^^^^^^^^^^ the second one
      help: keep one of `pypi`, `git`, `url` and `path`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[source]\ngit = \"https://example.org\"\n"), @r#"
    Combination: a git source needs a `revision`
      x.toml:3:7
      | git = "https://example.org"
      |       ^^^^^^^^^^^^^^^^^^^^^ of this repository
      help: add `revision = "v{version}"`, or a branch or commit
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[source]\nurl = \"https://example.org/x.tar.gz\"\n"), @r#"
    Combination: an archive needs its `sha256`, so that it is always the same
      x.toml:3:7
      | url = "https://example.org/x.tar.gz"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this archive
      help: download it once and add `sha256 = "…"` with what `sha256sum` prints
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[source]\nrevision = \"main\"\n"), @r#"
    Combination: `revision` belongs to a source by `git`, which is not given
      x.toml:3:12
      | revision = "main"
      |            ^^^^^^ this value
      help: add `git = "…"`, or remove `revision`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[build]\ncommand = [\"make\"]\nscript = \"make.sh\"\n"), @r#"
    Combination: a build has a `command` or a `script`, not both
      x.toml:4:10
      | script = "make.sh"
      |          ^^^^^^^^^ the second one
      help: call the script from the command, or remove one
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[build.environment]\nCMAKE_ARGS = \"-DCUDA=ON\"\n[[architectures]]\nvariable = \"CMAKE_ARGS\"\nspelling = \"cmake\"\n"), @r#"
    Combination: `CMAKE_ARGS` is set twice, by `build.environment` and `architectures`
      x.toml:5:12
      | variable = "CMAKE_ARGS"
      |            ^^^^^^^^^^^^ one of the two
      help: put the whole value into the `template` of that architecture variable
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[[architectures]]\nvariable = \"A\"\n"), @r"
    Combination: the key `spelling` is missing
      x.toml:2:1
      | [[architectures]]
      | ^^^^^^^^^^^^^^^^^ in this table
      help: add `spelling = …`
    ");
    assert_snapshot!(recipe("name = \"x\"\n[source]\npatches = [\"none.patch\"]\n"), @r#"
    Value: there is no patch `none.patch`
      x.toml:3:12
      | patches = ["none.patch"]
      |            ^^^^^^^^^^^^ this value
      help: patches are named relative to the file that names them
    "#);
}

#[test]
fn a_change_that_does_not_fit_its_recipe_is_shown_in_the_project_file() {
    assert_snapshot!(project("[recipes.torchsort.source]\nrevision = \"main\"\n"), @r#"
    Combination: `revision` belongs to a source by `git`, which is not given
      wheelmill.toml:2:12
      | revision = "main"
      |            ^^^^^^ this value
      help: add `git = "…"`, or remove `revision`
    "#);
    assert_snapshot!(project("[recipes.flash-attn.build]\nenvironment = { MAX_JOBS = \"3\" }\n"), @r#"
    Combination: `MAX_JOBS` is set twice, by `build.environment` and `jobs.variables`
      wheelmill.toml:2:17
      | environment = { MAX_JOBS = "3" }
      |                 ^^^^^^^^ one of the two
      help: remove one of them
    "#);
    assert_snapshot!(project("[recipes.torchsort]\nname = \"torch-sort\"\n"), @r#"
    Combination: the heading says `torchsort`, the name says `torch-sort`
      wheelmill.toml:2:8
      | name = "torch-sort"
      |        ^^^^^^^^^^^^ another name
      help: leave `name` out: the heading has it
    "#);
}

#[test]
fn combinations_of_axes_that_cannot_be_meant() {
    assert_snapshot!(project("[matrix]\ncuda = [\"12.8\"]\ntogether = [{ cuda = \"13.0\", torch = \"2.11\" }]\n"), @r#"
    Combination: `together` names `cuda = "13.0"`, which the axis does not have
      wheelmill.toml:3:13
      | together = [{ cuda = "13.0", torch = "2.11" }]
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this entry
      help: `cuda` has `12.8`; add the value there, or correct it
    "#);
    assert_snapshot!(project("[matrix]\ntogether = [\n  { cuda = \"13.0\", torch = \"2.11\" },\n  { cuda = \"12.8\", python = \"3.11\" },\n]\n"), @r#"
    Combination: every entry of `together` names the same axes, here `cuda` and `torch`
      wheelmill.toml:4:3
      |   { cuda = "12.8", python = "3.11" },
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this names `cuda` and `python`
      help: add what is missing; single combinations go into `include`
    "#);
    assert_snapshot!(project("[matrix]\ntogether = [{ cuda = \"13.0\" }]\n"), @r#"
    Combination: an entry of `together` couples at least two axes
      wheelmill.toml:2:13
      | together = [{ cuda = "13.0" }]
      |             ^^^^^^^^^^^^^^^^^ this names one
      help: add another axis, or list the values of the axis: `cuda = […]`
    "#);
    assert_snapshot!(project("[matrix]\npython = [\"3.11\"]\nexclude = [{ python = \"3.12\" }]\n"), @r#"
    Combination: `exclude` names `python = "3.12"`, which the axis does not have
      wheelmill.toml:3:12
      | exclude = [{ python = "3.12" }]
      |            ^^^^^^^^^^^^^^^^^^^ this entry
      help: `python` has `3.11`; add the value there, or correct it
    "#);
    assert_snapshot!(project("[matrix]\ninclude = [{}]\n"), @r#"
    Combination: an entry of `include` names no axis
      wheelmill.toml:2:12
      | include = [{}]
      |            ^^ this entry
      help: write values of axes: `{ cuda = "13.0", torch = "2.11" }`
    "#);
}

#[test]
fn files_that_are_not_there() {
    assert_snapshot!(project("recipe-files = [\"nowhere/x.toml\"]\n"), @r#"
    Value: there is no recipe file `nowhere/x.toml`
      wheelmill.toml:1:17
      | recipe-files = ["nowhere/x.toml"]
      |                 ^^^^^^^^^^^^^^^^ this value
      help: paths are relative to this file, and `*` stands only in the last part
    "#);
    let missing = Project::load(Utf8Path::new("nowhere/wheelmill.toml")).unwrap_err();
    assert!(matches!(missing, RecipeError::Read { .. }));
    assert_eq!(missing.to_string(), "could not read `nowhere/wheelmill.toml`");
    let folder = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(folder.path()).unwrap().join("wheelmill.toml");
    let text = "recipe-files = [\"*.recipe\"]\n";
    fs_err::write(&file, text).unwrap();
    let shown = report(&Project::load(&file).unwrap_err(), text);
    assert_snapshot!(shown.replace(folder.path().to_str().unwrap(), "FOLDER"), @r#"
    Value: there is no recipe file `*.recipe`
      FOLDER/wheelmill.toml:1:17
      | recipe-files = ["*.recipe"]
      |                 ^^^^^^^^^^ this value
      help: paths are relative to this file, and `*` stands only in the last part
    "#);
}

#[test]
fn a_command_in_one_text_is_taken_to_pieces() {
    assert_snapshot!(recipe("name = \"x\"\n[build]\ncommand = \"python setup.py bdist_wheel\"\n"), @r#"
    Value: a list is wanted, not a text
      x.toml:3:11
      | command = "python setup.py bdist_wheel"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this value
      help: write its words as a list: `["python", "setup.py", "bdist_wheel"]`
    "#);
    assert_snapshot!(recipe("name = \"x\"\nbuild.command = \"make && cp dist/*.whl {out}\"\n"), @r#"
    Value: a list is wanted, not a text
      x.toml:2:17
      | build.command = "make && cp dist/*.whl {out}"
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this value
      help: let a shell read it: `["sh", "-euc", "make && cp dist/*.whl {out}"]`
    "#);
}

#[test]
fn a_list_of_architectures_is_one_text() {
    assert_snapshot!(project("[matrix]\narchitectures = [\"8.0\", \"9.0+PTX\"]\n"), @r#"
    Value: a text, or a table with a text for each CUDA release is wanted, not a list
      wheelmill.toml:2:17
      | architectures = ["8.0", "9.0+PTX"]
      |                 ^^^^^^^^^^^^^^^^^^ this value
      help: write it as one text: `"8.0;9.0+PTX"`
    "#);
    assert_snapshot!(project("[matrix]\narchitectures = 9.0\n"), @r#"
    Value: a text, or a table with a text for each CUDA release is wanted, not a number
      wheelmill.toml:2:17
      | architectures = 9.0
      |                 ^^^ this value
      help: put it in quotes: `"9.0"`
    "#);
}

#[test]
fn a_general_name_of_a_package_is_one_of_a_list() {
    assert_snapshot!(recipe("name = \"x\"\n[build]\nsystem-packages = [\"git\", \"libjpg\"]\n"), @r#"
    Value: `libjpg` is not a general name of a package
      x.toml:3:28
      | system-packages = ["git", "libjpg"]
      |                            ^^^^^^ this value
      help: did you mean `libjpeg`?
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[build]\nsystem-packages = [\"gfoo\"]\n"), @r#"
    Value: `gfoo` is not a general name of a package
      x.toml:3:21
      | system-packages = ["gfoo"]
      |                     ^^^^ this value
      help: give the real names instead: `system-packages = { debian = ["gfoo"], fedora = ["…"] }`
    "#);
}

#[test]
fn a_key_that_is_missing_below_a_package_is_told_with_its_table() {
    assert_snapshot!(project("[matrix]\ncuda = [\"13.0\"]\n\n[[recipes.tinyscale.architectures]]\nvariable = \"A\"\n"), @r"
    Combination: the key `spelling` is missing
      wheelmill.toml:4:1
      | [[recipes.tinyscale.architectures]]
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this table
      help: add `spelling = …`
    ");
    assert_snapshot!(project("[recipes.tinyscale]\narchitectures = [{ spelling = \"torch\" }]\n"), @r#"
    Combination: the key `variable` is missing
      wheelmill.toml:2:18
      | architectures = [{ spelling = "torch" }]
      |                  ^^^^^^^^^^^^^^^^^^^^^^ in this table
      help: add `variable = …`
    "#);
    assert_snapshot!(project("[recipes.tinyscale.source]\nsubmodules = true\n"), @r#"
    Combination: `submodules` belongs to a source by `git`, which is not given
      wheelmill.toml:2:14
      | submodules = true
      |              ^^^^ this value
      help: add `git = "…"`, or remove `submodules`
    "#);
}

#[test]
fn what_a_wheel_cannot_become_is_refused() {
    assert_snapshot!(recipe("name = \"x\"\n[wheel]\nlocal-label = \"cu130+torch\"\n"), @r#"
    Value: `cu130+torch` cannot be the local label of a version
      x.toml:3:16
      | local-label = "cu130+torch"
      |                ^^^^^^^^^^^ this value
      help: use letters and digits, parted by dots: `cu{cuda_major}{cuda_minor}.mine`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[wheel]\nlocal-label = 3\n"), @r#"
    Value: `true`, `false` or a text is wanted, not a number
      x.toml:3:15
      | local-label = 3
      |               ^ this value
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[wheel]\nexclude = [\"lib/libfoo.so\"]\n"), @r#"
    Value: `lib/libfoo.so` is not the file name of a shared library
      x.toml:3:13
      | exclude = ["lib/libfoo.so"]
      |             ^^^^^^^^^^^^^ this value
      help: write it as `ldd` prints it, without folders: `libfoo.so.*`
    "#);
    assert_snapshot!(recipe("name = \"x\"\n[wheel]\npin-torch = true\n"), @r#"
    Combination: the wheel is to require the torch that it was built with, and it is built without
      x.toml:3:13
      | pin-torch = true
      |             ^^^^ which torch
      help: say that it is built against torch, `torch = true` under `[build]`, or remove `pin-torch`
    "#);
}
