//! What a recipe file becomes.

use camino::Utf8Path;
use proptest::prelude::*;
use wheelmill_recipe::{Cell, Origin, Recipe, Source, Spelling};

fn recipe(text: &str) -> Recipe {
    Recipe::parse(text, Utf8Path::new("folder/recipe.toml")).unwrap()
}

fn cell() -> Cell {
    Cell {
        package: "x".parse().unwrap(),
        version: Some("0.1.10".parse().unwrap()),
        cuda: "13.0".parse().unwrap(),
        torch: Some("2.11".parse().unwrap()),
        python: "3.11".parse().unwrap(),
        architectures: "8.0;9.0+PTX".parse().unwrap(),
    }
}

#[test]
fn the_shortest_recipe_is_a_standard_build_from_the_index() {
    let recipe = recipe("name = \"Some_Package\"");
    assert_eq!(recipe.source, Source::Pypi { name: "some-package".parse().unwrap() });
    assert!(recipe.build.cuda && !recipe.build.torch && !recipe.build.network);
    assert_eq!(recipe.jobs.variables, ["MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL"]);
    assert_eq!(recipe.architectures, []);
    assert_eq!(recipe.build.command, None);
}

#[test]
fn a_torch_extension_is_told_its_architectures_without_being_asked() {
    let recipe = recipe("name = \"x\"\nbuild.torch = true");
    assert_eq!(recipe.architectures[0].variable, "TORCH_CUDA_ARCH_LIST");
    assert_eq!(recipe.architectures[0].spelling, Spelling::Torch);
}

#[test]
fn variables_reach_the_build_with_their_values() {
    let recipe = recipe(
        r#"
        name = "x"
        [build]
        environment = { LABEL = "cu{cuda_major}{cuda_minor}-{torch}-{python}", JOBS = "{jobs}" }
        requires = ["cuda-python-cu{cuda_major}"]
        command = ["python", "build.py", "--to={out}", "--release={version}"]
        [[architectures]]
        variable = "ARCHS"
        spelling = "digits"
        separator = ","
        [[architectures]]
        variable = "CMAKE_ARGS"
        spelling = "cmake"
        template = "-DCMAKE_CUDA_ARCHITECTURES={archs}"
        [jobs]
        variables = ["MAX_JOBS"]
        nvcc-threads = "NVCC_THREADS"
        "#,
    );
    let variables: Vec<String> = recipe
        .environment(&cell(), 6)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        variables,
        [
            "ARCHS=80,90",
            "CMAKE_ARGS=-DCMAKE_CUDA_ARCHITECTURES=80-real;90",
            "JOBS=6",
            "LABEL=cu130-2.11-3.11",
            "MAX_JOBS=6",
            "NVCC_THREADS=1",
        ]
    );
    assert_eq!(recipe.requirements(&cell()), ["cuda-python-cu13"]);
    assert_eq!(
        recipe.command(&cell(), 6, Utf8Path::new("/out")).unwrap(),
        ["python", "build.py", "--to=/out", "--release=0.1.10"]
    );
}

#[test]
fn no_build_is_told_to_run_zero_compilers() {
    let variables = recipe("name = \"x\"").environment(&cell(), 0);
    assert!(variables.iter().all(|(_, value)| value == "1"), "{variables:?}");
}

#[test]
fn a_versioned_source_is_named_once_the_version_is_known() {
    let source = recipe(
        "name = \"x\"\n[source]\ngit = \"https://example.org/x\"\nrevision = \"v{version}\"",
    )
    .source;
    assert!(source.needs_version());
    let Source::Git { revision, submodules, .. } = source.at(&"1.2".parse().unwrap()) else {
        panic!("{source:?}")
    };
    assert_eq!((revision.as_str(), submodules), ("v1.2", false));
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    fs_err::write(folder.join("fix.patch"), "--- a\n+++ b\n").unwrap();
    let file = folder.join("recipe.toml");
    fs_err::write(&file, "name = \"x\"\n[source]\npath = \"../x\"\npatches = [\"fix.patch\"]\n")
        .unwrap();
    let recipe = Recipe::load(&file).unwrap();
    assert_eq!(recipe.source, Source::Path(folder.parent().unwrap().join("x")));
    assert_eq!(recipe.patches[0].text, "--- a\n+++ b\n");
    assert_eq!(recipe.origin, Origin::File(file));
}

#[test]
fn where_a_recipe_was_written_does_not_change_its_json() {
    let json = |file: &str| {
        let recipe = Recipe::parse("name = \"x\"", Utf8Path::new(file)).unwrap();
        serde_json::to_string(&recipe).unwrap()
    };
    assert_eq!(json("a/x.toml"), json("b/x.toml"));
}

fn variable_name() -> impl Strategy<Value = String> {
    "[A-Z][A-Z0-9_]{0,8}"
}

prop_compose! {
    fn any_recipe()(
        summary in "\\PC{0,30}",
        torch: bool,
        network: bool,
        requires in prop::collection::vec("[a-z]{1,8}(>=[0-9]{1,2})?", 0..3),
        environment in prop::collection::btree_map(variable_name(), "[ -~&&[^{}]]{0,20}", 0..4),
        command in prop::option::of(prop::collection::vec("[ -~&&[^{}]]{1,12}", 1..4)),
        spelling in prop::sample::select(vec![Spelling::Torch, Spelling::Cmake, Spelling::Gencode]),
        gpu in prop::option::of("[ -~\n\t]{0,60}"),
        minimum in prop::option::of(30_u16..=120),
    ) -> Recipe {
        let mut recipe = recipe("name = \"x\"\n[[architectures]]\nvariable = \"archs\"\nspelling = \"sm\"\n[jobs]\nvariables = []");
        recipe.summary = summary;
        recipe.build.torch = torch;
        recipe.build.network = network;
        recipe.build.requires = requires;
        recipe.build.environment = environment;
        recipe.build.command = command;
        recipe.architectures[0].spelling = spelling;
        recipe.test.gpu = gpu;
        recipe.limits.minimum_architecture = minimum.map(wheelmill_model::CudaArch::new);
        recipe
    }
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_as_the_same_recipe(written in any_recipe()) {
        let shown = written.to_toml();
        let read = Recipe::parse(&shown, Utf8Path::new("folder/recipe.toml"));
        prop_assert_eq!(read.map_err(|error| format!("{error}\n{shown}")), Ok(written));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", key in "(name|source|build|limits)") {
        // Only mistakes come out of nonsense, each with a place in the text.
        for text in [text.clone(), format!("{key} = {text}"), format!("[{key}]\n{text}")] {
            if let Err(error) = Recipe::parse(&text, Utf8Path::new("x.toml")) {
                let mistake = error.mistake().unwrap();
                prop_assert!(mistake.line <= text.lines().count().max(1) + 1);
            }
        }
    }
}

#[test]
fn what_belongs_to_a_torch_says_so_in_its_version_and_its_requirements() {
    let of = |text: &str| {
        let recipe = recipe(text);
        let wheel = &recipe.wheel;
        (recipe.local_label(&cell()), wheel.pin_torch, recipe.wheel_requirements(&cell()))
    };
    let (label, none) = (|text: &str| Some(text.to_owned()), Vec::<String>::new());
    let torch = "name = \"x\"\nbuild.torch = true\n";
    assert_eq!(of(torch), (label("cu130torch2.11"), true, none.clone()));
    assert_eq!(of("name = \"x\""), (None, false, none.clone()));
    assert_eq!(of("name = \"x\"\nwheel.local-label = true"), (label("cu130"), false, none));
    let own = "[wheel]\nlocal-label = \"cu{cuda_major}.mine\"\npin-torch = false\nrequires = [\"a=={version}\"]";
    assert_eq!(
        of(&format!("{torch}{own}")),
        (label("cu13.mine"), false, vec!["a==0.1.10".to_owned()])
    );
    let off =
        format!("{torch}[wheel]\nrepair = false\nlocal-label = false\nexclude = [\"libx.so.*\"]");
    assert!(recipe(&off).local_label(&cell()).is_none() && !recipe(&off).wheel.repair);
    assert_eq!(recipe(&off).wheel.exclude, ["libx.so.*"]);
}
