//! Compilers are admitted by the gate: what they took is known, and they do not exceed the memory.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::interruptions::expect_gone;
use crate::place::{Place, walk};

/// The compiles of the newest run, as its trace has them.
pub(crate) fn traced(place: &Place) -> Vec<Value> {
    let file = place.path().join("trace.json");
    place.run(&format!("runs show last --trace {file}")).expect(0);
    let trace: Value = serde_json::from_str(&fs_err::read_to_string(file).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    events.iter().filter(|event| event["ph"] == "X").map(|event| event["args"].clone()).collect()
}

pub(crate) fn sources(compiles: &[Value]) -> Vec<&str> {
    compiles.iter().map(|compile| compile["source"].as_str().unwrap()).collect()
}

#[test]
fn what_each_compile_took_is_known_afterwards() {
    let place = Place::with("");
    let cell = place.build("").expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    let compiles = traced(&place);
    assert_eq!(sources(&compiles), ["/build/src/tiny.cu"], "{compiles:?}");
    assert_eq!(compiles[0]["compiler"], "nvcc");
    assert!(compiles[0]["peak-memory-bytes"].as_u64().unwrap() > 10 << 20, "{compiles:?}");
    let run = place.run("runs show last --json").expect(0).json();
    let dearest = &run["run"]["attempts"][0]["dearest-compiles"];
    assert_eq!(dearest[0]["source"], "/build/src/tiny.cu", "{run}");
    let shown = place.run("runs show last").expect(0).stdout;
    assert!(shown.contains("the longest") && shown.contains("tiny.cu"), "{shown}");
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("1 compiles; these took the longest:"), "{log}");

    // What it took is what the next one is charged.
    let source = place.path().join("tinycuda/tiny.cu");
    let text = fs_err::read_to_string(&source).unwrap();
    fs_err::write(&source, text.replace("*= 2", "*= 3")).unwrap();
    assert_eq!(place.build("").expect(0).cell()["outcome"], "built");
    let (before, now) = (&compiles[0], &traced(&place)[0]);
    assert_ne!(before["estimate-bytes"], now["estimate-bytes"]);
    let peak = before["peak-memory-bytes"].as_u64().unwrap();
    let estimate = now["estimate-bytes"].as_u64().unwrap();
    assert!((peak..peak + peak / 8).contains(&estimate), "{estimate} after {peak}");
}

#[test]
fn compilers_come_to_the_gate_where_there_are_no_namespaces() {
    let place = Place::with("");
    place.build("--isolation landlock").expect(0);
    let compiles = traced(&place);
    assert!(sources(&compiles)[0].ends_with("/src/tiny.cu"), "{compiles:?}");
    assert!(compiles[0]["peak-memory-bytes"].as_u64().unwrap() > 10 << 20, "{compiles:?}");
}

#[test]
fn compiles_that_do_not_fit_together_run_one_after_the_other() {
    let generate = "print('int a[] = {' + '1,' * 2000000 + '};')";
    let place = Place::with(&format!(
        "command = [\"sh\", \"-euc\", \"python -c \\\"{generate}\\\" >a.c; cp a.c b.c; \
         gcc -c a.c & first=$!; gcc -c b.c; wait $first; \
         uv build --wheel --no-build-isolation --no-cache --out-dir {{out}} .\"]"
    ));
    let cell = place.build("--memory 480MiB --cpus 4").expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    let compiles = traced(&place);
    let large = |compile: &&Value| compile["source"].as_str().unwrap().ends_with(".c");
    let mut ended: Option<f64> = None;
    let mut count = 0;
    for compile in compiles.iter().filter(large) {
        count += 1;
        assert_eq!(compile["outcome"]["how"], "success", "{compiles:?}");
        assert!(compile["peak-memory-bytes"].as_u64().unwrap() > 240 << 20, "{compiles:?}");
        let begin: jiff::Timestamp = compile["started"].as_str().unwrap().parse().unwrap();
        let begin = begin.as_microsecond() as f64 / 1e6;
        // The clock of the record stops a moment after the place is free.
        assert!(ended.is_none_or(|ended| ended < begin + 0.1), "they overlap: {compiles:?}");
        ended = Some(begin + compile["wall-seconds"].as_f64().unwrap());
    }
    assert_eq!(count, 2, "{compiles:?}");
}

#[test]
fn a_build_that_cannot_reach_the_gate_runs_fewer_compilers() {
    // What stands for a daemon in another machine: it takes the socket away before the build.
    let place = Place::with(
        "conda-env = \"any\"\n\
         environment = { CONDA_FOLDER = \"/build/src\", OWN_JOBS = \"{jobs}\" }\n\
         command = [\"sh\", \"-euc\", \"echo jobs: $OWN_JOBS; \
         uv build --wheel --no-build-isolation --no-cache --out-dir {out} .\"]",
    );
    let conda = place.path().join("tinycuda/etc/profile.d/conda.sh");
    fs_err::create_dir_all(conda.parent().unwrap()).unwrap();
    fs_err::write(conda, "conda() { rm -f /build/gate/socket; }\n").unwrap();
    let ended = place.build("--memory 2GiB --cpus 8").expect(0);
    let cell = ended.cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    assert!(ended.stderr.contains("compilers run without the gate"), "{}", ended.stderr);
    let log = fs_err::read_to_string(cell["log"].as_str().unwrap()).unwrap();
    let jobs: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("jobs: ")).collect();
    assert_eq!(jobs, ["1"], "{log}");
}

#[test]
fn a_killed_build_leaves_nothing_of_the_gate_behind() {
    let place = Place::with(
        "command = [\"sh\", \"-euc\", \"echo 'int a;' >a.c; echo the-compile-begins; \
         while :; do gcc -c a.c -o 86397-7.o; done\"]",
    );
    let mut child = place.start("the-compile-begins");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    expect_gone("86397-7.o");
    let sockets = || -> Vec<_> {
        walk(&place.store()).into_iter().filter(|path| path.file_name() == Some("socket")).collect()
    };
    for socket in sockets() {
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_err(), "{socket} is alive");
    }
    let recipe = place.path().join("wheelmill.toml");
    let text = fs_err::read_to_string(&recipe).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("command")).collect();
    fs_err::write(&recipe, kept.join("\n")).unwrap();
    assert_eq!(place.build("").expect(0).cell()["outcome"], "built");
}
