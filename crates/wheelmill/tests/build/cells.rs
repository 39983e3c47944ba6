//! Several cells of one run at work at once.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testkit::PackageIndex;

use crate::interruptions::expect_gone;
use crate::place::{Ended, Place, recipe, source, walk};

/// Waits until the test lets the build go on.
const HELD: &str = "echo it-has-begun; until test -e /build/home/go; do sleep 0.02; done";
const BUILD: &str = "uv build --wheel --no-build-isolation --no-cache --out-dir {out} .";

/// A place with a copy of the package for each name, which is built by a command of its own.
fn place(packages: &[(&str, String)]) -> Place {
    let place = Place::empty();
    let write = |(name, command): &(&str, String)| {
        let folder = place.path().join(name);
        testkit::write_tiny_package(&folder);
        let project = folder.join("pyproject.toml");
        let text = fs_err::read_to_string(&project).unwrap();
        fs_err::write(project, text.replace("\"tinycuda\"", &format!("\"{name}\""))).unwrap();
        let command = format!("command = [\"sh\", \"-euc\", \"{command}\"]");
        source(name) + &recipe(name, &command, "tinycuda")
    };
    let recipes: String = packages.iter().map(write).collect();
    fs_err::write(place.path().join("wheelmill.toml"), recipes).unwrap();
    place
}

/// Builds that could be many at a time; one that nobody lets go on ends some day.
fn command(place: &Place, packages: &str) -> Command {
    place.command(&format!(
        "build {packages} --cuda 13.0 --arch 9.0 --cpus 2 --timeout 3m --json --verbose"
    ))
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The log of a package's cell, when a line of it begins so; the build must go on until then.
#[track_caller]
fn wait_for(place: &Place, child: &mut Child, package: &str, line: &str) -> Utf8PathBuf {
    loop {
        let logs = walk(&place.store().join("logs"));
        let cell = |log: &Utf8PathBuf| log.parent().unwrap().file_name().unwrap().to_owned();
        let log = logs.into_iter().find(|log| cell(log).starts_with(package));
        if let Some(log) = log
            && fs_err::read_to_string(&log).unwrap().lines().any(|it| it.starts_with(line))
        {
            return log;
        }
        assert!(child.try_wait().unwrap().is_none(), "the build ended before {package}: {line}");
        // The file grows; there is nothing to be notified by that works in every container.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets the build of a cell go on that is held; its folder is told by the package in its source.
fn release(place: &Place, package: &str) {
    let is_source = |file: &Utf8PathBuf| {
        file.ends_with("src/pyproject.toml")
            && fs_err::read_to_string(file).unwrap().contains(&format!("\"{package}\""))
    };
    let source = walk(&place.store().join("work")).into_iter().find(is_source).unwrap();
    let folder = source.parent().unwrap().parent().unwrap();
    fs_err::write(folder.join("home/go"), "").unwrap();
}

fn end(child: Child) -> Ended {
    Ended::of(child.wait_with_output().unwrap())
}

fn outcomes(document: &Value) -> Vec<&str> {
    let cells = document["cells"].as_array().unwrap();
    cells.iter().map(|cell| cell["outcome"].as_str().unwrap()).collect()
}

/// When an attempt of the newest run began and ended.
fn spans(place: &Place) -> Vec<(Timestamp, Timestamp)> {
    let run = place.run("runs show last --json").expect(0).json();
    let moment = |attempt: &Value, name: &str| attempt[name].as_str().unwrap().parse().unwrap();
    let attempts = run["run"]["attempts"].as_array().unwrap().iter();
    attempts.map(|it| (moment(it, "started-at"), moment(it, "ended-at"))).collect()
}

/// An index with a wheel that no other test, and no run of this one, has: what needs it is made anew.
fn index_with_something_new(place: &Place) -> PackageIndex {
    let script = "
import sys, uuid, zipfile
info = 'onlyhere-1.0.dist-info/'
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('onlyhere.py', f'identity = \"{uuid.uuid4()}\"\\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: onlyhere\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', ''.join(f'{name},,\\n' for name in wheel.namelist()))
";
    let wheel = place.path().join("onlyhere-1.0-py3-none-any.whl");
    let made = Command::new("python3").args(["-c", script, wheel.as_str()]).status().unwrap();
    assert!(made.success());
    PackageIndex::serve(&[("onlyhere", &wheel)])
}

#[test]
fn two_cells_are_built_at_once_in_an_environment_that_is_made_once() {
    let place = place(&["alpha", "beta"].map(|name| (name, format!("{HELD}; {BUILD}"))));
    for name in ["alpha", "beta"] {
        let project = place.path().join(name).join("pyproject.toml");
        let text = fs_err::read_to_string(&project).unwrap();
        fs_err::write(project, text.replace("\"wheel\"]", "\"wheel\", \"onlyhere\"]")).unwrap();
    }
    let index = index_with_something_new(&place);
    let mut command = command(&place, "alpha beta");
    command.env("UV_DEFAULT_INDEX", index.address());
    let mut child = start(command);
    let logs = ["alpha", "beta"].map(|name| wait_for(&place, &mut child, name, "it-has-begun"));
    for name in ["beta", "alpha"] {
        release(&place, name);
    }
    let ended = end(child).expect(0);
    let document = ended.json();
    assert_eq!(outcomes(&document), ["built", "built"], "{document}");
    assert!(document["cells"][0]["cell"].as_str().unwrap().starts_with("alpha-"), "{document}");
    for cell in document["cells"].as_array().unwrap() {
        assert!(cell["peak-memory-bytes"].as_u64().unwrap() > 10 << 20, "{cell}");
    }

    let texts = logs.map(|log| fs_err::read_to_string(log).unwrap());
    let made =
        |text: &String| text.lines().any(|line| line == "wheelmill: [2/3] build requirements");
    assert_eq!(texts.iter().filter(|text| made(text)).count(), 1, "{texts:?}");
    for text in &texts {
        assert!(text.contains("1 compiles; these took the longest:"), "not its own: {text}");
    }
    assert!(
        ended.stderr.contains("alpha-latest-cu130-cp311-sm90: it-has-begun"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_cell_that_fails_leaves_the_other_one_at_its_work() {
    let commands = [("alpha", format!("{HELD}; exit 7")), ("beta", format!("{HELD}; {BUILD}"))];
    let place = place(&commands);
    let mut child = start(command(&place, "alpha beta"));
    for name in ["alpha", "beta"] {
        wait_for(&place, &mut child, name, "it-has-begun");
    }
    release(&place, "alpha");
    wait_for(&place, &mut child, "alpha", "wheelmill: failed, ");
    release(&place, "beta");
    let document = end(child).expect(1).json();
    assert_eq!(outcomes(&document), ["failed", "built"], "{document}");
    let [alpha, beta] = spans(&place)[..] else { panic!("there are two attempts") };
    assert!(beta.0 < alpha.1 && alpha.1 < beta.1, "{alpha:?}, {beta:?}");
}

#[test]
fn ctrl_c_stops_all_that_are_at_work_and_begins_no_more() {
    let sleeps = |name: &str| format!("setsid sleep {name} & echo it-has-begun; wait");
    let names = [("alpha", "86399.201"), ("beta", "86399.202"), ("gamma", "86399.203")];
    let place = place(&names.map(|(name, time)| (name, sleeps(time))));
    let mut child = start(command(&place, "alpha beta gamma"));
    for name in ["alpha", "beta"] {
        wait_for(&place, &mut child, name, "it-has-begun");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let document = end(child).expect(130).json();
    assert_eq!(outcomes(&document), ["cancelled"; 3], "{document}");
    for (_, time) in names {
        expect_gone(time);
    }
    let run = place.run("runs show last --json").expect(0).json()["run"].clone();
    assert_eq!(run["outcome"], "cancelled", "{run}");
    let attempts = run["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{run}");
    assert!(attempts.iter().all(|attempt| attempt["outcome"] == "cancelled"), "{run}");
}

#[test]
fn cells_follow_each_other_where_the_user_wants_it() {
    let place = place(&["alpha", "beta"].map(|name| (name, "sleep 2; exit 7".to_owned())));
    let ended = Ended::of(command(&place, "alpha beta").args(["--cells", "1"]).output().unwrap());
    assert_eq!(outcomes(&ended.expect(1).json()), ["failed", "failed"]);
    let [alpha, beta] = spans(&place)[..] else { panic!("there are two attempts") };
    assert!(alpha.1 <= beta.0, "{alpha:?}, {beta:?}");
}
