//! Memory: what is measured, what is stopped, what the kernel kills.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_gate::policy::{Failure, PolicySettings};
use wheelmill_gate::{GateEvent, Learned, Outcome, ServerSettings};
use wheelmill_model::ByteSize;

use crate::cache::{cached_call, ccache};
use crate::setup::{Serving, Setup, most_at_a_time, records, write_script};

const MIB: u64 = 1 << 20;

/// A compiler that takes as many MiB as its source's name says, slowly, in a child.
const HOG: &str = r#"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    const char *name = strrchr(arguments[count - 1], '-');
    long pieces = name ? atol(name + 1) / 10 : 1;
    pid_t child = fork();
    if (child == 0) {
        struct timespec pause = {0, 20000000};
        for (long piece = 0; piece < pieces; piece++) {
            memset(malloc(10 << 20), 1, 10 << 20);
            nanosleep(&pause, 0);
        }
        struct timespec hold = {0, 400000000};
        nanosleep(&hold, 0);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return status == 0 ? 0 : 1;
}
"#;

fn with_hog() -> Setup {
    let setup = Setup::new();
    setup.compiler("gcc", "");
    let (source, program) = (setup.path.join("hog.c"), setup.path.join("real/gcc"));
    fs::write(&source, HOG).unwrap();
    fs::remove_file(&program).unwrap();
    let made = Command::new("gcc").args(["-O0", source.as_str(), "-o", program.as_str()]).status();
    assert!(made.unwrap().success());
    setup
}

fn settings(estimate: u64) -> ServerSettings {
    let settings = ServerSettings::with_cpus(4);
    let policy = PolicySettings { other: ByteSize(estimate), ..settings.policy };
    ServerSettings { policy, interval: std::time::Duration::from_millis(20), ..settings }
}

#[test]
fn what_children_hold_is_measured() {
    let setup = with_hog();
    let serving = Serving::start(settings(MIB), Learned::default());
    let cell = serving.open(&setup);
    let mut call = setup.call("gcc", &["-c", "source-100.c"]).spawn().unwrap();
    let mut most = 0;
    while call.try_wait().unwrap().is_none() {
        let snapshot = serving.server.snapshot().unwrap();
        let running = snapshot.cells[0].running.iter().map(|compile| compile.memory_bytes);
        most = most.max(running.max().unwrap_or(0));
    }
    drop(cell);
    assert!((95 * MIB..130 * MIB).contains(&most), "{most}");
    let records = records(&serving.told());
    assert!((100 * MIB..130 * MIB).contains(&records[0].peak_memory.0), "{records:?}");
}

#[test]
fn one_is_stopped_and_run_again_when_all_grow_too_large() {
    let setup = with_hog();
    let settings = ServerSettings { memory: Some(ByteSize(264 * MIB)), ..settings(MIB) };
    let serving = Serving::start(settings, Learned::default());
    let cell = serving.open(&setup);
    let calls: Vec<_> = ["old-150.c", "young-150.c"]
        .into_iter()
        .map(|source| {
            let call = setup.call("gcc", &["-c", source]).spawn().unwrap();
            assert!(serving.wait_for_start().ends_with(source));
            call
        })
        .collect();
    for mut call in calls {
        assert!(call.wait().unwrap().success());
    }
    drop(cell);
    let outcomes: Vec<(bool, Outcome)> = records(&serving.told())
        .into_iter()
        .map(|record| (record.source.contains("young"), record.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [(true, Outcome::Stopped), (false, Outcome::Success), (true, Outcome::Success)]
    );
}

/// A memory control group with a limit, or nothing where none can be made.
struct Group(Utf8PathBuf);

impl Group {
    fn new(name: &str, limit: u64) -> Option<Self> {
        let name = format!("wheelmill-gate-{name}-{}", std::process::id());
        let old = Utf8Path::new("/sys/fs/cgroup/memory");
        let (folder, files) = if old.exists() {
            let files: &[_] = &["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];
            (old.join(name), files)
        } else {
            let files: &[_] = &["memory.max"];
            (Utf8Path::new("/sys/fs/cgroup").join(name), files)
        };
        let made = fs::create_dir(&folder).and_then(|()| {
            let group = Self(folder.clone());
            fs::write(folder.join(files[0]), limit.to_string())?;
            // Without accounting of swap there is no such file.
            drop(
                files[1..]
                    .iter()
                    .try_for_each(|file| fs::write(folder.join(file), limit.to_string())),
            );
            drop(fs::write(folder.join("memory.swap.max"), "0"));
            Ok(group)
        });
        if let Err(error) = &made {
            eprintln!("not tested: no control group can be made: {error}");
            assert!(std::env::var_os("WHEELMILL_CI").is_none(), "no control group can be made");
        }
        made.ok()
    }

    /// Runs a call in the group, to its end.
    fn spawn(&self, call: &mut Command) -> std::process::Child {
        let processes = std::ffi::CString::new(self.0.join("cgroup.procs").as_str()).unwrap();
        let enter = move || {
            use std::io::Write as _;
            let path = processes.to_str().map_err(std::io::Error::other)?;
            fs::OpenOptions::new().write(true).open(path)?.write_all(b"0")
        };
        // SAFETY: the child only opens and writes a file.
        #[expect(unsafe_code, reason = "a process enters a group by itself")]
        unsafe {
            call.pre_exec(enter);
        }
        call.stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

#[test]
fn what_the_kernel_kills_is_run_again() {
    let Some(group) = Group::new("again", 256 * MIB) else { return };
    let setup = with_hog();
    let serving = Serving::start(settings(MIB), Learned::default());
    let cell = serving.open(&setup);
    // Three fit, as far as is known; they do not. The server looks too rarely to stop one in time.
    let outputs: Vec<Output> = ["a-120.c", "b-120.c", "c-120.c"]
        .map(|source| group.spawn(&mut setup.call("gcc", &["-c", source])))
        .map(|call| call.wait_with_output().unwrap())
        .into();
    for output in &outputs {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    drop(cell);
    let events = serving.told();
    let records = records(&events);
    let count = |wanted: fn(Outcome) -> bool| {
        records.iter().filter(|record| wanted(record.outcome)).count()
    };
    assert_eq!(count(Outcome::is_success), 3);
    let lost = count(|outcome| matches!(outcome, Outcome::OutOfMemory | Outcome::Stopped));
    assert!(lost >= 1, "{records:?}");
    assert!(most_at_a_time(&events) >= 2);
}

#[test]
fn a_limit_counts_from_the_first_compile_on() {
    let Some(group) = Group::new("first", 256 * MIB) else { return };
    let setup = with_hog();
    // Nothing is measured before the end.
    let interval = std::time::Duration::from_secs(60);
    let settings = ServerSettings { interval, ..settings(160 * MIB) };
    let serving = Serving::start(settings, Learned::default());
    let cell = serving.open(&setup);
    // As whoever starts a build sees whether the server is there: from outside of its group.
    drop(std::os::unix::net::UnixStream::connect(setup.socket()).unwrap());
    let calls =
        ["a-150.c", "b-150.c"].map(|source| group.spawn(&mut setup.call("gcc", &["-c", source])));
    for call in calls {
        assert!(call.wait_with_output().unwrap().status.success());
    }
    drop(cell);
    let events = serving.told();
    assert_eq!(most_at_a_time(&events), 1, "{events:?}");
}

#[test]
fn what_does_not_fit_alone_is_named() {
    let Some(group) = Group::new("alone", 128 * MIB) else { return };
    let setup = with_hog();
    let serving = Serving::start(settings(MIB), Learned::default());
    let cell = serving.open(&setup);
    let call = group.spawn(&mut setup.call("gcc", &["-c", "large-300.c"]));
    let output = call.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("/large-300.c needs more memory than there is"), "{text}");
    drop(cell);
    let events = serving.told();
    let failures: Vec<Failure> = events
        .iter()
        .filter_map(|event| match event {
            GateEvent::Failed { failure, .. } => Some(*failure),
            _ => None,
        })
        .collect();
    let [Failure::TooLarge { peak, budget: Some(budget) }] = failures[..] else {
        panic!("{failures:?}")
    };
    assert!((90 * MIB..130 * MIB).contains(&peak), "{peak}");
    assert!(budget < 128 * MIB, "{budget}");
    assert_eq!(records(&events).len(), 1);
}

#[test]
fn what_the_kernel_kills_below_the_cache_is_known_and_not_run_by_the_cache_again() {
    let Some(group) = Group::new("cache", 128 * MIB) else { return };
    let Some(ccache) = ccache() else { return };
    let setup = with_hog();
    fs::rename(setup.path.join("real/gcc"), setup.path.join("real/hog")).unwrap();
    write_script(
        &setup.path.join("real/gcc"),
        "case \" $* \" in *' -E '*) exec /usr/bin/gcc \"$@\";; esac\necho ran >>runs\nexec hog \"$@\"",
    );
    fs::write(setup.path.join("work/large-300.c"), "int value;\n").unwrap();
    let serving = Serving::start(settings(MIB), Learned::default());
    let cell = serving.open(&setup);
    let mut call = cached_call(&setup, &ccache, "gcc", &["-c", "large-300.c"]);
    let output = group.spawn(&mut call).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("/large-300.c needs more memory than there is"), "{text}");
    drop(cell);
    let outcomes: Vec<Outcome> =
        records(&serving.told()).iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::OutOfMemory]);
    assert_eq!(fs::read_to_string(setup.path.join("work/runs")).unwrap(), "ran\n");
}
