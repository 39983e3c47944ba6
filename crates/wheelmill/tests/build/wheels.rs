//! Good wheels: made, judged, kept, and not made twice.

use camino::Utf8Path;

use crate::place::Place;

#[test]
fn a_wheel_is_built_from_a_folder_and_the_second_run_finds_it() {
    let place = Place::with("");
    let first = place.build("").expect(0).cell();
    assert_eq!(first["outcome"], "built", "{first}");
    let path = Utf8Path::new(first["wheel"]["path"].as_str().unwrap());
    assert!(path.starts_with(place.store()) && path.is_file());
    let name = path.file_name().unwrap();
    assert!(name.starts_with("tinycuda-1.0-cp311-cp311-manylinux_"), "{name}");
    assert!(first["verdict"].as_str().unwrap().contains("sm_90"), "{first}");

    // Offline, so that a second run which asks anybody for anything fails.
    let second = place.build("--offline").expect(0).cell();
    assert_eq!(second["outcome"], "stored");
    assert_eq!(second["wheel"]["digest"], first["wheel"]["digest"]);

    let inspected = place.run(&format!("inspect {path}")).expect(0);
    assert!(inspected.stdout.contains("sm_90"), "{}", inspected.stdout);
    assert!(!place.has_work());
}

#[test]
fn a_verbose_build_shows_its_log_as_it_grows() {
    let place = Place::with("");
    let built = place.build("--verbose").expect(0);
    let log = fs_err::read_to_string(built.cell()["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("wheelmill: imported tinycuda"), "{log}");
    for line in log.lines().filter(|line| !line.contains('\r')) {
        assert!(built.stderr.lines().any(|shown| shown == line), "{line}\n{}", built.stderr);
    }
}

#[test]
fn a_changed_source_or_another_architecture_is_another_wheel() {
    let place = Place::with("");
    let first = place.build("").expect(0).cell();
    let source = place.path().join("tinycuda/tiny.cu");
    let text = fs_err::read_to_string(&source).unwrap();
    fs_err::write(&source, text.replace("*= 2", "*= 3")).unwrap();
    let changed = place.build("").expect(0).cell();
    assert_eq!(changed["outcome"], "built");
    assert_ne!(changed["wheel"]["digest"], first["wheel"]["digest"]);

    let wider = place.run("build tinycuda --cuda 13.0 --arch 9.0;10.0 --json").expect(0).cell();
    assert_eq!(wider["outcome"], "built");
    let path = wider["wheel"]["path"].as_str().unwrap();
    let inspected = place.run(&format!("inspect {path}")).expect(0).stdout;
    let place_of = |arch: &str| inspected.find(arch).unwrap_or_else(|| panic!("{inspected}"));
    assert!(place_of("sm_90") < place_of("sm_100"), "{inspected}");
}

#[test]
fn the_plan_shows_what_is_there_and_what_would_be_done() {
    let place = Place::with("");
    let plan = "plan tinycuda --cuda 13.0,12.8 --arch 9.0 --json";
    let states = |document: serde_json::Value| -> Vec<String> {
        let cells = document["cells"].as_array().unwrap().iter();
        cells.map(|cell| cell["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(place.run(plan).expect(0).json()), ["to-build", "impossible"]);
    assert!(!place.store().exists(), "a plan writes nothing");
    place.build("").expect(0);
    assert_eq!(states(place.run(plan).expect(0).json()), ["stored", "impossible"]);
    let check = place.run("plan tinycuda --cuda 13.0 --arch 9.0 --check").expect(0);
    assert!(!check.stdout.contains("CHECK"), "{}", check.stdout);
    assert!(check.stderr.contains("nothing is to be built"), "{}", check.stderr);
}

#[test]
fn a_stored_wheel_is_judged_again_when_the_recipes_tests_change() {
    let place = Place::with("");
    assert_eq!(place.build("").expect(0).cell()["outcome"], "built");
    let file = place.path().join("wheelmill.toml");
    let recipe = fs_err::read_to_string(&file).unwrap();
    let change = |from: &str, to: &str| fs_err::write(&file, recipe.replace(from, to)).unwrap();

    change("modules = [\"tinycuda\"]", "modules = [\"tinycuda._other\"]");
    let failed = place.build("").expect(1).cell();
    assert_eq!(failed["failure"]["cause"], "verdict-failed", "{failed}");

    change("imports = [\"tinycuda\"]", "imports = [\"tinycuda\", \"json\"]");
    let cell = place.build("").expect(0).cell();
    assert_eq!(cell["outcome"], "stored", "nothing is compiled again: {cell}");
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("imported json") && !log.contains("compile of"), "{log}");
    // From now on the new tests are those that it was judged by.
    assert!(place.build("").expect(0).cell()["log"].is_null());
}

#[test]
fn of_several_wheels_of_one_cell_the_newest_is_meant() {
    let place = Place::with("");
    place.build("").expect(0);
    let code = place.path().join("tinycuda/tiny.cu");
    let text = fs_err::read_to_string(&code).unwrap();
    fs_err::write(&code, text + "\n__global__ void another(float *x) { x[0] = 2; }\n").unwrap();
    let second = place.build("").expect(0).cell();
    assert_eq!(second["outcome"], "built", "{second}");
    let path = place.run("wheels where tinycuda").expect(0).stdout;
    assert_eq!(path.trim(), second["wheel"]["path"].as_str().unwrap());
}
