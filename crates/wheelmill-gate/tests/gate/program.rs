//! The program by itself: it changes nothing about a compiler.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wheelmill_gate::protocol::{Language, Reply, Request, SILENCE, SOCKET_VARIABLE, UNREACHABLE};

use crate::setup::{Setup, Talk, write_script};

/// Tells everything that a compiler can see.
const TELLTALE: &str = r#"
echo "name: $(tr '\0' '|' < /proc/$$/cmdline)"
for argument in "$@"; do echo "argument: $argument"; done
echo "folder: $(pwd)"
env | sort
echo "signals: $(grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status | tr -d '\n')"
ls -l /proc/self/fd | wc -l
cat
echo complaint >&2
exit 3
"#;

fn output_with_input(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Answers one call in the background with these words, and returns what it said.
fn answer(listener: UnixListener, replies: Vec<Reply>) -> std::thread::JoinHandle<Vec<Request>> {
    std::thread::spawn(move || {
        let (mut talk, ask) = Talk::accept(&listener);
        let mut heard = vec![Request::Ask(ask)];
        let mut replies = replies.into_iter();
        // The first word is the answer to the question; each other one follows an ending.
        replies.next().into_iter().for_each(|reply| talk.say(&reply));
        while let Some(request) = talk.hear() {
            heard.push(request);
            replies.next().into_iter().for_each(|reply| talk.say(&reply));
        }
        heard
    })
}

#[test]
fn the_compiler_sees_no_difference() {
    let setup = Setup::new();
    setup.compiler("g++", TELLTALE);
    let arguments = ["-c", "a file.cpp", "-DX=\"y z\"", "-o", "a.o"];
    let bare = output_with_input(setup.bare("g++", &arguments), "the input");
    assert_eq!(bare.status.code(), Some(3));
    // Admitted by a server, without any, and with one that is gone.
    let server = answer(setup.listen(), vec![Reply::Go { threads: 1 }, Reply::Done]);
    let admitted = output_with_input(setup.call("g++", &arguments), "the input");
    let heard = server.join().unwrap();
    let mut alone = setup.call("g++", &arguments);
    alone.env_remove(SOCKET_VARIABLE);
    let alone = output_with_input(alone, "the input");
    let lost = output_with_input(setup.call("g++", &arguments), "the input");
    for gated in [&admitted, &alone, &lost] {
        assert_eq!(String::from_utf8_lossy(&gated.stdout), String::from_utf8_lossy(&bare.stdout));
        assert_eq!(gated.stderr, bare.stderr);
        assert_eq!(gated.status, bare.status);
    }
    let [Request::Ask(ask), Request::Finished(ending)] = heard.as_slice() else {
        panic!("{heard:?}")
    };
    assert_eq!((ask.language, ask.compiler.as_str()), (Language::Cxx, "g++"));
    assert_eq!(ask.source, setup.path.join("work/a file.cpp"));
    assert_eq!(ending.status, 3 << 8);
    assert!(ending.largest_process > 100_000, "{ending:?}");
}

#[test]
fn death_by_a_signal_is_passed_on() {
    let setup = Setup::new();
    setup.compiler("gcc", "kill -$SIGNAL $$");
    let listener = setup.listen();
    let server = std::thread::spawn(move || {
        for _ in 0..3 {
            let mut talk = Talk::admit(&listener);
            talk.finished();
            talk.say(&Reply::Done);
        }
    });
    for (name, signal) in [("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
        let status = setup.call("gcc", &["-c", "a.c"]).env("SIGNAL", name).status().unwrap();
        assert_eq!(status.signal(), Some(signal));
    }
    server.join().unwrap();
}

#[test]
fn signals_reach_the_compiler() {
    let setup = Setup::new();
    setup.compiler(
        "gcc",
        "trap 'echo heard; exit 9' TERM\necho ready\nwhile :; do sleep 0.01; done",
    );
    let server = answer(setup.listen(), vec![Reply::Go { threads: 1 }, Reply::Done]);
    let mut gate = setup.call("gcc", &["-c", "a.c"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(gate.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    kill(Pid::from_raw(gate.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "heard");
    assert_eq!(gate.wait().unwrap().code(), Some(9));
    server.join().unwrap();
}

#[test]
fn a_signal_ends_a_call_that_waits() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo never");
    let listener = setup.listen();
    let mut gate = setup.call("gcc", &["-c", "a.c"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut talk, _) = Talk::accept(&listener);
    talk.say(&Reply::Wait);
    kill(Pid::from_raw(gate.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(gate.wait().unwrap().signal(), Some(2));
    assert_eq!(talk.hear(), None);
}

#[test]
fn the_compiler_dies_with_the_gate() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo $$; exec sleep 60");
    let listener = setup.listen();
    let mut gate = setup.call("gcc", &["-c", "a.c"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut talk = Talk::admit(&listener);
    let mut lines = BufReader::new(gate.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    gate.kill().unwrap();
    gate.wait().unwrap();
    assert_eq!(talk.hear(), None);
    // The stream ends when its last holder is gone.
    assert!(lines.next().is_none());
}

#[test]
fn what_does_not_compile_does_not_ask() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo \"$@\"");
    let listener = setup.listen();
    listener.set_nonblocking(true).unwrap();
    for arguments in [&["--version"][..], &["-E", "a.c"], &["-M", "a.c"], &["a.o", "-o", "a"]] {
        let output = setup.call("gcc", arguments).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), arguments.join(" "));
        assert!(listener.accept().is_err(), "{arguments:?}");
    }
}

#[test]
fn what_a_compiler_calls_is_not_asked_about() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo inner; command -v gcc");
    setup.compiler("nvcc", "gcc -c inner.c; echo outer");
    let server = answer(setup.listen(), vec![Reply::Go { threads: 1 }]);
    let output = setup.call("nvcc", &["-c", "a.cu"]).output().unwrap();
    let real = setup.path.join("real/gcc");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("inner\n{real}\nouter\n"));
    assert_eq!(server.join().unwrap().len(), 2);
}

#[test]
fn a_launcher_names_the_compiler() {
    let setup = Setup::new();
    write_script(&setup.path.join("elsewhere"), "echo \"$@\"");
    write_script(&setup.path.join("real/c++"), "echo \"$@\"");
    let listener = setup.listen();
    let launch = |compiler: &str| {
        let mut command = Command::new(setup.path.join("gate"));
        command.args([compiler, "-c", "a.cc"]).env(SOCKET_VARIABLE, setup.socket());
        command.env("PATH", format!("{}/real:/usr/bin:/bin", setup.path));
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let gate = launch("c++");
    let (mut talk, ask) = Talk::accept(&listener);
    assert_eq!(ask.compiler, "c++");
    talk.say(&Reply::Go { threads: 1 });
    assert_eq!(gate.wait_with_output().unwrap().stdout, b"-c a.cc\n");
    // What is not known as a compiler is run all the same.
    let path = setup.path.join("elsewhere");
    assert_eq!(launch(path.as_str()).wait_with_output().unwrap().stdout, b"-c a.cc\n");
}

#[test]
fn a_missing_compiler_is_missing() {
    let setup = Setup::new();
    setup.compiler("nvcc", "");
    std::fs::remove_file(setup.path.join("real/nvcc")).unwrap();
    let output = setup.call("nvcc", &["-c", "a.cu"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "gate: there is no `nvcc` behind the gate on PATH\n"
    );
}

#[test]
fn a_server_that_dies_or_is_silent_keeps_nobody() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo built");
    let listener = setup.listen();
    let spawn = || setup.call("gcc", &["-c", "a.c"]).stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let gate = spawn();
    let (mut talk, _) = Talk::accept(&listener);
    talk.say(&Reply::Wait);
    drop(talk);
    assert_eq!(gate.wait_with_output().unwrap().stdout, b"built\n");
    assert!(start.elapsed() < SILENCE, "a closed connection is noticed at once");
    // Nonsense is as good as nothing.
    let gate = spawn();
    let (stream, _) = listener.accept().unwrap();
    (&stream).write_all(&[0xff; 64]).unwrap();
    assert_eq!(gate.wait_with_output().unwrap().stdout, b"built\n");
    // This one listens, and says nothing.
    let start = Instant::now();
    let gate = spawn();
    assert_eq!(gate.wait_with_output().unwrap().stdout, b"built\n");
    assert!(start.elapsed() >= SILENCE && start.elapsed() < SILENCE + Duration::from_secs(5));
}

#[test]
fn a_stopped_compiler_dies_with_all_that_is_below_it() {
    let setup = Setup::new();
    // The first time it hangs in a grandchild that has left its session; then it succeeds.
    setup.compiler(
        "nvcc",
        "[ ! -e again ] || { echo built; exit 0; }\ntouch again\nsh -c 'setsid sh -c \"echo deep; exec sleep 60\" & wait'",
    );
    let listener = setup.listen();
    let mut gate = setup.call("nvcc", &["-c", "a.cu"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut talk = Talk::admit(&listener);
    let mut lines = BufReader::new(gate.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "deep");
    talk.say(&Reply::Stop);
    assert!(matches!(talk.hear(), Some(Request::Stopped(ending)) if ending.status & 0x7f == 9));
    talk.say(&Reply::Go { threads: 1 });
    assert_eq!(lines.next().unwrap().unwrap(), "built");
    assert_eq!(talk.finished().status, 0);
    // Nobody else holds the stream.
    assert!(lines.next().is_none());
    assert_eq!(gate.wait().unwrap().code(), Some(0));
}

#[test]
fn a_failed_compiler_is_run_again_or_explained() {
    let setup = Setup::new();
    setup.compiler("gcc", "[ ! -e again ] || { cat; exit 5; }\ntouch again\nexit 1");
    let words = vec![Reply::Go { threads: 1 }, Reply::Again, Reply::Fail("too large\n".to_owned())];
    let listener = setup.listen();
    let server = std::thread::spawn(move || {
        let (mut talk, _) = Talk::accept(&listener);
        let mut words = words.into_iter();
        talk.say(&words.next().unwrap());
        assert_eq!(talk.finished().status, 1 << 8);
        talk.say(&words.next().unwrap());
        talk.say(&Reply::Wait);
        talk.say(&Reply::Go { threads: 1 });
        assert_eq!(talk.finished().status, 5 << 8);
        talk.say(&words.next().unwrap());
    });
    let output = output_with_input(setup.call("gcc", &["-c", "a.c"]), "untouched");
    server.join().unwrap();
    assert_eq!(output.stdout, b"untouched");
    assert_eq!(output.stderr, b"too large\n");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn nvcc_is_told_to_use_fewer_threads() {
    let setup = Setup::new();
    setup.compiler("nvcc", "echo \"$NVCC_APPEND_FLAGS\"");
    let listener = setup.listen();
    for (granted, flags) in [(4, "-lineinfo\n"), (2, "-lineinfo --threads 2\n")] {
        let arguments = ["-arch=all", "--threads", "4", "-c", "a.cu"];
        let mut call = setup.call("nvcc", &arguments);
        let gate =
            call.env("NVCC_APPEND_FLAGS", "-lineinfo").stdout(Stdio::piped()).spawn().unwrap();
        let (mut talk, ask) = Talk::accept(&listener);
        assert_eq!((ask.threads, ask.fewer_threads), (4, true));
        talk.say(&Reply::Go { threads: granted });
        assert_eq!(String::from_utf8(gate.wait_with_output().unwrap().stdout).unwrap(), flags);
    }
}

#[test]
fn a_build_is_put_behind_the_gate() {
    let setup = Setup::new();
    for name in ["real/gcc", "real/x86_64-linux-gnu-g++-12", "real/gcc-ar", "cuda/bin/nvcc"] {
        let path = setup.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_script(&path, "echo \"$0 of $(command -v gcc)\"");
    }
    std::fs::create_dir(setup.path.join("cuda/include")).unwrap();
    let run = |script: &str| {
        let mut command = Command::new(setup.path.join("gate"));
        let folder = setup.path.join("made");
        command.args(["--behind", folder.as_str(), "--cuda", setup.path.join("cuda").as_str()]);
        command.args(["--", "sh", "-euc", script]).env_clear();
        command.env("PATH", format!("{}/real:/usr/bin:/bin", setup.path));
        command.env("CUDA_HOME", setup.path.join("cuda"));
        command.env("CUDACXX", setup.path.join("cuda/bin/nvcc"));
        command.env("CC", setup.path.join("real/gcc"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().replace(setup.path.as_str(), "")
    };
    for _ in 0..2 {
        assert_eq!(
            run("command -v gcc; command -v x86_64-linux-gnu-g++-12; echo $CUDA_HOME $CUDACXX $CC"),
            "\
/made/bin/gcc
/made/bin/x86_64-linux-gnu-g++-12
/made/cuda /made/cuda/bin/nvcc /made/bin/gcc
"
        );
    }
    // There was none of these, so there is none now; and what is no compiler is left alone.
    assert_eq!(run("command -v clang || true; command -v gcc-ar"), "/real/gcc-ar\n");
    assert_eq!(run("test -d $CUDA_HOME/include"), "");
    assert_eq!(run("$CUDA_HOME/bin/nvcc --version"), "/cuda/bin/nvcc of /real/gcc\n");
    // nvcc looks for its parts by its name on PATH.
    let by_name = "PATH=$CUDA_HOME/bin:$PATH; nvcc --version";
    assert_eq!(run(by_name), "/cuda/bin/nvcc of /real/gcc\n");
    std::fs::write(setup.path.join("cuda/bin/nvcc"), "#!/bin/sh\ncommand -v nvcc\n").unwrap();
    assert_eq!(run(by_name), "/cuda/bin/nvcc\n");
    assert_eq!(run("gcc --version; $CC --version"), "/real/gcc of /real/gcc\n".repeat(2));
}

#[test]
fn a_build_whose_server_is_out_of_reach_is_not_begun() {
    let setup = Setup::new();
    let mut command = Command::new(setup.path.join("gate"));
    command.args(["--behind", setup.path.join("made").as_str(), "--", "echo", "begun"]);
    let output = command.env(SOCKET_VARIABLE, setup.socket()).output().unwrap();
    assert_eq!(output.status.code(), Some(UNREACHABLE));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.starts_with(&format!("gate: nobody is at {}: ", setup.socket())));
}

#[test]
fn where_no_process_can_be_made_the_gate_becomes_the_compiler() {
    let setup = Setup::new();
    // No shell, which would need processes of its own.
    setup.compiler("gcc", "");
    let real = setup.path.join("real/gcc");
    std::fs::remove_file(&real).unwrap();
    std::fs::copy("/usr/bin/env", &real).unwrap();
    let server = answer(setup.listen(), vec![Reply::Go { threads: 1 }]);
    let mut call = setup.call("gcc", &["A=a.c", "cat", "/proc/self/status"]);
    let limit = || nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NPROC, 0, 0);
    // SAFETY: the child only makes system calls.
    #[expect(unsafe_code, reason = "a limit is set by the process itself")]
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut call, move || Ok(limit()?));
    }
    if nix::unistd::geteuid().is_root() {
        // Root is not held by that limit.
        std::os::unix::process::CommandExt::uid(&mut call, 65_534);
        std::fs::set_permissions(&setup.path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
        for path in ["socket", "work", "links", "real"] {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(setup.path.join(path), mode).unwrap();
        }
    }
    let output = call.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace('\t', " ");
    assert!(text.contains("SigBlk: 0000000000000000"), "{text} {output:?}");
    assert_eq!(server.join().unwrap().len(), 1, "it asked, and said nothing more");
}
