//! Machines that allow less than containers with layers still build, and say what is missing.

use crate::place::Place;

/// Tells what a build can reach, then builds.
const LOOK: &str = "import os, pathlib, socket
def tried(what, function):
    try:
        function()
        print('REACHED', what)
    except OSError as error:
        print('KEPT FROM', what, error)
tried('network', lambda: socket.create_connection(('192.0.2.1', 80), timeout=2))
tried('home', lambda: open(os.environ['SECRET']).read())
tried('system', lambda: open('/usr/wheelmill-was-here', 'w'))
tried('environment', lambda: open(os.environ['VIRTUAL_ENV'] + '/was-here', 'w'))
";

fn look_around(isolation: &str) -> String {
    let place = Place::with(
        "command = [\"sh\", \"-euc\", \"python look.py; \
         uv build --wheel --no-build-isolation --no-cache --out-dir {out} .\"]\n\
         environment = { SECRET = \"/home-of-ann/secret\" }",
    );
    let secret = place.path().join("home/secret");
    fs_err::write(&secret, "secret").unwrap();
    let file = place.path().join("wheelmill.toml");
    let recipe = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, recipe.replace("/home-of-ann/secret", secret.as_str())).unwrap();
    fs_err::write(place.path().join("tinycuda/look.py"), LOOK).unwrap();

    let ended = place.build(&format!("--isolation {isolation}")).expect(0);
    let cell = ended.cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    assert!(cell["verdict"].as_str().unwrap().contains("sm_90"), "{cell}");
    assert!(
        ended.stderr.contains(&format!("the isolation `{isolation}` was chosen")),
        "what is missing is not said:\n{}",
        ended.stderr
    );
    fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap()
}

#[track_caller]
fn assert_kept(log: &str, from: &[&str]) {
    for what in from {
        assert!(log.contains(&format!("KEPT FROM {what}")), "the build reached {what}:\n{log}");
    }
}

#[test]
fn without_overlays_a_build_is_kept_from_everything_as_with_them() {
    assert_kept(&look_around("read-only"), &["network", "home", "system", "environment"]);
}

#[test]
fn without_namespaces_landlock_keeps_a_build_to_its_own_files() {
    assert_kept(&look_around("landlock"), &["network", "home", "system", "environment"]);
}

#[test]
fn what_cannot_be_installed_is_named_before_a_build_begins() {
    let place = Place::with("system-packages = { debian = [\"no-such-package-here\"] }");
    let ended = place.build("--isolation landlock").expect(3);
    assert!(ended.stderr.contains("no-such-package-here"), "{}", ended.stderr);
    let checked = place.run("plan tinycuda --cuda 13.0 --arch 9.0 --check --isolation landlock");
    assert_eq!(checked.code, Some(3), "as a build ends:\n{}", checked.stdout);
    assert!(checked.stdout.contains("no-such-package-here"), "{}", checked.stdout);
}
