//! What a project file becomes, and which recipe holds in it.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_recipe::{
    EngineWish, NvidiaRuntime, Origin, PackageWish, Project, Recipe, Recipes, Source,
};

struct Folder {
    _folder: tempfile::TempDir,
    path: Utf8PathBuf,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        for (name, text) in files {
            let file = path.join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(file, text).unwrap();
        }
        Self { _folder: folder, path }
    }

    fn recipes(&self) -> Recipes {
        Recipes::for_project(&Project::load(&self.path.join("wheelmill.toml")).unwrap())
    }
}

fn get(recipes: &Recipes, name: &str) -> Recipe {
    recipes.get(&name.parse().unwrap()).unwrap()
}

#[test]
fn every_section_is_read() {
    let folder = Folder::new(&[(
        "wheelmill.toml",
        r#"
        [matrix]
        package = ["torchsort==0.1.10", "flash-attn"]
        architectures = { "12.8" = "8.0", default = "native" }
        [build]
        engine = "embedded"
        memory = "16GB"
        cpus = 8
        cells = 2
        base = { "12.8" = "quay.io/x:1", default = "quay.io/y:2" }
        [store]
        path = "wheels"
        [host]
        nvidia-runtime = true
        cdi = false
        data-root = "/mnt/disk/docker"
        bridge = "bridge0"
        bridge-address = "192.168.5.1/24"
        address-pools = [{ base = "10.201.0.0/16", size = 24 }]
        build-volume = "build-vol"
        "#,
    )]);
    let project = Project::load(&folder.path.join("wheelmill.toml")).unwrap();
    assert_eq!(project.matrix.packages[0].to_string(), "torchsort==0.1.10");
    assert!(project.matrix.wants_native());
    assert_eq!(project.build.engine, Some(EngineWish::Embedded));
    assert_eq!(project.build.memory.unwrap().0, 16_000_000_000);
    assert_eq!(project.build.cpus.unwrap().get(), 8);
    assert_eq!(project.build.cells.unwrap().get(), 2);
    let base = project.build.base.unwrap();
    assert_eq!(base.get("12.8".parse().unwrap()).unwrap(), "quay.io/x:1");
    assert_eq!(base.get("13.0".parse().unwrap()).unwrap(), "quay.io/y:2");
    assert_eq!(project.store.path, Some(folder.path.join("wheels")));
    let host = project.host;
    let program = NvidiaRuntime::Program("/usr/bin/nvidia-container-runtime".into());
    assert_eq!(host.nvidia_runtime.unwrap(), program);
    assert_eq!(host.cdi, Some(false));
    assert_eq!(host.data_root.unwrap(), "/mnt/disk/docker");
    assert_eq!(host.bridge.unwrap(), "bridge0");
    assert_eq!(host.bridge_address.unwrap().to_string(), "192.168.5.1/24");
    assert_eq!(host.address_pools.unwrap()[0].base.to_string(), "10.201.0.0/16");
    assert_eq!(host.build_volume.unwrap(), "build-vol");
}

#[test]
fn a_runtime_is_the_usual_program_or_one_that_is_named() {
    let runtime = |value: &str| {
        let text = format!("[host]\nnvidia-runtime = {value}\n");
        Project::parse(&text, Utf8Path::new("wheelmill.toml")).unwrap().host.nvidia_runtime
    };
    let program = |path: &str| Some(NvidiaRuntime::Program(path.into()));
    assert_eq!(runtime("true"), program("/usr/bin/nvidia-container-runtime"));
    assert_eq!(runtime("\"/opt/nvidia/runtime\""), program("/opt/nvidia/runtime"));
    assert_eq!(runtime("false"), Some(NvidiaRuntime::Absent));
}

#[test]
fn an_axis_of_one_value_needs_no_list() {
    let read = |text: &str| {
        Project::parse(&format!("[matrix]\n{text}"), Utf8Path::new("wheelmill.toml"))
            .unwrap()
            .matrix
    };
    let texts = "package = \"torchsort\"\nversion = \"0.1.10\"\ncuda = \"13.0\"\ntorch = \"2.11\"\npython = \"3.11\"";
    let lists = "package = [\"torchsort\"]\nversion = [\"0.1.10\"]\ncuda = [\"13.0\"]\ntorch = [\"2.11\"]\npython = [\"3.11\"]";
    assert_eq!(read(texts), read(lists));
}

#[test]
fn an_empty_file_wishes_nothing() {
    let project = Project::parse("", Utf8Path::new("wheelmill.toml")).unwrap();
    assert_eq!(project.matrix, wheelmill_recipe::MatrixSection::default());
    assert!(project.recipes.is_empty());
}

#[test]
fn the_nearest_file_above_holds() {
    let folder = Folder::new(&[
        ("wheelmill.toml", ""),
        ("a/wheelmill.toml", ""),
        ("a/b/x", ""),
        ("c/x", ""),
    ]);
    let found = |start: &str| folder.path.join(start).ancestors().find_map(Project::file_in);
    assert_eq!(found("a/b"), Some(folder.path.join("a/wheelmill.toml")));
    assert_eq!(found("c"), Some(folder.path.join("wheelmill.toml")));
}

#[test]
fn a_change_replaces_keys_and_leaves_the_rest_of_the_catalogue_s_recipe() {
    let folder = Folder::new(&[(
        "wheelmill.toml",
        r#"
        [recipes.torch-scatter.build]
        environment = { EXTRA = "1" }
        [recipes.torch-scatter.limits]
        python = ">=3.10"
        "#,
    )]);
    let recipes = folder.recipes();
    let (own, catalogue) =
        (get(&recipes, "torch-scatter"), get(&Recipes::builtin(), "torch-scatter"));
    assert_eq!(own.origin, Origin::Project(folder.path.join("wheelmill.toml")));
    assert_eq!(own.summary, catalogue.summary);
    assert_eq!(own.test, catalogue.test);
    assert_eq!(own.limits.python.unwrap().to_string(), ">=3.10");
    let mut environment = catalogue.build.environment.clone();
    environment.insert("EXTRA".to_owned(), "1".to_owned());
    assert_eq!(own.build.environment, environment);
}

#[test]
fn a_new_source_takes_the_place_of_the_old_one() {
    let folder = Folder::new(&[
        (
            "wheelmill.toml",
            "[recipes.torchsort.source]\npath = \"../mine\"\npatches = [\"a.patch\"]\n",
        ),
        ("a.patch", "text of a patch"),
    ]);
    let recipe = get(&folder.recipes(), "torchsort");
    assert_eq!(recipe.source, Source::Path(folder.path.parent().unwrap().join("mine")));
    assert_eq!(recipe.patches[0].text, "text of a patch");
}

#[test]
fn a_recipe_file_replaces_the_catalogue_s_and_can_itself_be_changed() {
    let folder = Folder::new(&[
        (
            "wheelmill.toml",
            "recipe-files = [\"recipes/*.toml\"]\n[recipes.torchsort]\nsummary = \"changed\"\n",
        ),
        (
            "recipes/torchsort.toml",
            "name = \"torchsort\"\nsummary = \"mine\"\nbuild.cuda = false\n",
        ),
        ("recipes/other.toml", "name = \"other\"\n"),
    ]);
    let recipes = folder.recipes();
    let torchsort = get(&recipes, "torchsort");
    assert_eq!((torchsort.summary.as_str(), torchsort.build.cuda), ("changed", false));
    assert_eq!(torchsort.build.requires, Vec::<String>::new());
    assert_eq!(get(&recipes, "other").origin, Origin::File(folder.path.join("recipes/other.toml")));
}

#[test]
fn a_package_that_nobody_wrote_a_recipe_for_has_the_default_one() {
    let recipes = Recipes::builtin();
    let name = "never-heard-of".parse().unwrap();
    assert!(!recipes.known(&name));
    let recipe = recipes.get(&name).unwrap();
    assert_eq!(recipe.origin, Origin::Default);
    assert!(recipe.build.torch);
    let changed = Project::parse(
        "[recipes.never-heard-of.build]\ntorch = false\n",
        Utf8Path::new("wheelmill.toml"),
    )
    .unwrap();
    assert!(!changed.recipes[&name].build.torch);
    assert_eq!(changed.recipes[&name].build.environment, recipe.build.environment);
}

#[test]
fn a_misspelled_package_is_answered_with_the_near_ones() {
    assert_eq!(Recipes::builtin().suggestions("flash-atn"), ["flash-attn"]);
}

#[test]
fn a_table_of_a_misspelled_package_is_noticed() {
    let text = "[matrix]\npackage = [\"tinyscale\"]\n\
                [recipes.tinyscal.build]\ntorch = false\n\
                [recipes.torchsrot.build]\ntorch = false\n\
                [recipes.unheard-of.build]\ntorch = false\n\
                [recipes.tinyscales.source]\npath = \"tiny\"\n";
    let project = Project::parse(text, Utf8Path::new("wheelmill.toml")).unwrap();
    let found = |wished: &[PackageWish]| {
        let found = project.misspelled(wished);
        found.iter().map(|(name, meant)| format!("{name}: {meant}")).collect::<Vec<_>>()
    };
    assert_eq!(found(&[]), ["tinyscal: tinyscale", "torchsrot: torchsort"]);
    let wished = ["tinyscal".parse().unwrap(), "torchsrot".parse().unwrap()];
    assert_eq!(found(&wished), [""; 0], "what is asked for by its name is meant");
}
