//! What both daemons must do. Each has one test, since starting a daemon takes longer than most
//! checks; what is checked is printed, so that a failure has a name.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::thread;

use camino::Utf8PathBuf;
use wheelmill_engine::{
    Base, Cancel, Container, Engine as _, EngineError, Keeper as _, KeptKind, Limits, Mount,
    Removal, StepInput,
};
use wheelmill_model::{ByteSize, Digest};

use crate::support::{CancelOnOutput, base, engine, prepare, run, shell, step};
use testkit::{Daemon, DaemonProgram};

#[test]
fn docker_does_what_builds_need() {
    all(DaemonProgram::Docker);
}

#[test]
fn podman_does_what_builds_need() {
    all(DaemonProgram::Podman);
}

/// Fails when the daemon does not do what it must, with this base.
type Check = fn(&Daemon, &Base);

fn all(program: DaemonProgram) {
    let Some(daemon) = Daemon::start(program) else { return };
    let base = base(&engine(&daemon), &daemon);
    let checks: [(&str, Check); 11] = [
        ("steps become an image", steps),
        ("two threads that want one step make it once", shared_step),
        ("a step that fails says so", failing_step),
        ("a command runs as it was asked", command),
        ("what is written belongs to the caller", ownership),
        ("there is little to reach and few rights", isolation),
        ("memory is limited and measured", memory),
        ("a cancelled container is gone", cancel),
        ("a base that the daemon has is pinned", local_base),
        ("what is kept is told, and removed unless it is used", kept),
        ("a Dockerfile becomes an image whose containers keep a volume", crate::images::images),
    ];
    for (name, check) in checks {
        eprintln!("{program:?}: {name}");
        check(&daemon, &base);
        assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), [""; 0], "containers are left");
        assert_eq!(daemon.says(&["volume", "ls", "--quiet"]), [""; 0], "volumes are left");
    }
}

fn kept(daemon: &Daemon, base: &Base) {
    let steps = vec![
        step("a large file", "head -c 5000000 /dev/urandom > /large"),
        step("a small one", "echo > /small"),
    ];
    let (prepared, _) = prepare(&engine(daemon), base, steps);
    let prepared = prepared.unwrap();
    let other = engine(daemon);
    let find = |title: &str| {
        let kept = other.kept().unwrap();
        kept.into_iter().find(|kept| kept.title.as_deref() == Some(title))
    };
    let (large, small) = (find("a large file").unwrap(), find("a small one").unwrap());
    assert!((5_000_000..6_000_000).contains(&large.size.bytes), "{large:?}");
    assert!(small.size.bytes < 100_000, "{small:?}");
    assert_eq!(small.below.as_ref(), Some(&large.id));
    let bases = other.kept().unwrap();
    let of_base = bases.iter().find(|kept| kept.kind == KeptKind::BaseImage).unwrap();
    assert_eq!(large.below.as_ref(), Some(&of_base.id));
    assert_eq!(other.remove(&small).unwrap(), Removal::InUse, "it is held");
    drop(prepared);
    drop(daemon.says(&["create", "--name", "user", &small.id, "true"]));
    assert!(find("a small one").unwrap().in_use, "a container stands on it");
    assert_eq!(other.remove(&small).unwrap(), Removal::InUse, "nothing is forced");
    drop(daemon.says(&["rm", "user"]));
    for kept in [&small, &large] {
        assert_eq!(other.remove(kept).unwrap(), Removal::Removed);
    }
    assert_eq!((find("a large file"), find("a small one")), (None, None));
}

fn steps(daemon: &Daemon, base: &Base) {
    let tool = daemon.path().join("tool");
    std::fs::write(&tool, "the tool\n").unwrap();
    let mut first = step("a tool's words", "mkdir -p /opt/x; cat /build/tools/tool > /opt/x/words");
    first.inputs = vec![StepInput {
        source: tool,
        target: "/build/tools/tool".into(),
        digest: Digest::of(b"the tool\n"),
    }];
    let mut second = step("it's a greeting", "echo \"$GREETING\" >> /opt/x/words");
    second.environment = vec![("GREETING".to_owned(), "it's \"me\" & $HOME".to_owned())];
    let steps = || vec![first.clone(), second.clone()];

    let (prepared, cached) = prepare(&engine(daemon), base, steps());
    assert_eq!(cached, [false, false]);
    let said = run(&engine(daemon), &prepared.unwrap(), &shell("cat /opt/x/words"));
    assert_eq!(said.stdout, "the tool\nit's \"me\" & $HOME\n");

    let (_, again) = prepare(&engine(daemon), base, steps());
    assert_eq!(again, [true, true], "the image is found again");
    let mut more = steps();
    more.push(step("one more", "echo more >> /opt/x/words"));
    let (_, shared) = prepare(&engine(daemon), base, more);
    assert_eq!(shared, [true, true, false], "what is the same is not done again");
}

fn shared_step(daemon: &Daemon, base: &Base) {
    let engine = engine(daemon);
    let once = || vec![step("an identity", "cat /proc/sys/kernel/random/uuid > /identity")];
    let mut made = thread::scope(|scope| {
        let both = [(), ()].map(|()| scope.spawn(|| prepare(&engine, base, once())));
        both.map(|thread| {
            let (prepared, cached) = thread.join().unwrap();
            (cached, run(&engine, &prepared.unwrap(), &shell("cat /identity")).stdout)
        })
    });
    made.sort();
    let [(first, one), (second, other)] = &made;
    assert_eq!((&first[..], &second[..]), (&[false][..], &[true][..]), "{made:?}");
    assert_eq!(one, other);
}

fn failing_step(daemon: &Daemon, base: &Base) {
    let (result, _) =
        prepare(&engine(daemon), base, vec![step("fails", "echo the last words; exit 7")]);
    match result.unwrap_err() {
        EngineError::Step { title, exit, tail } => {
            assert_eq!((title.as_str(), exit.code), ("fails", 7));
            assert!(tail.contains("the last words"), "{tail}");
        }
        other => panic!("{other:?}"),
    }
    let nameless = daemon.says(&["images", "--quiet", "--filter", "dangling=true"]);
    assert_eq!(nameless, [""; 0], "images without a name are left");
}

fn command(daemon: &Daemon, base: &Base) {
    let engine = engine(daemon);
    let prepared = prepare(&engine, base, Vec::new()).0.unwrap();
    let environment = vec![("X".to_owned(), "a\nb=c".to_owned())];
    let script = "echo \"$X\"; pwd; echo to stderr >&2; exit 7";
    let container = Container { environment, directory: "/usr".into(), ..shell(script) };
    let ran = run(&engine, &prepared, &container);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("a\nb=c\n/usr\n", "to stderr\n"));
    assert_eq!(ran.exit.code, 7);
    let ran = run(&engine, &prepared, &shell("head -c 3000000 /dev/zero"));
    assert_eq!(ran.stdout.len(), 3_000_000, "much output arrives whole");
}

fn ownership(daemon: &Daemon, base: &Base) {
    let engine = engine(daemon);
    let prepared = prepare(&engine, base, Vec::new()).0.unwrap();
    let (own, other) = (folder(daemon, "own"), folder(daemon, "other"));
    std::fs::write(other.join("text"), "read me\n").unwrap();
    let mount = |source: &Utf8PathBuf, target: &str, writable| Mount {
        source: source.clone(),
        target: target.into(),
        writable,
    };
    let mounts = vec![mount(&own, "/build/own", true), mount(&other, "/build/other", false)];
    let script = "cat /build/other/text; echo made > /build/own/file; \
                  echo no > /build/other/new || echo refused";
    let ran = run(&engine, &prepared, &Container { mounts, ..shell(script) });
    assert_eq!(ran.stdout, "read me\nrefused\n", "{ran:?}");
    assert_eq!(own.join("file").metadata().unwrap().uid(), nix::unistd::geteuid().as_raw());
}

fn isolation(daemon: &Daemon, base: &Base) {
    let engine = engine(daemon);
    let prepared = prepare(&engine, base, Vec::new()).0.unwrap();
    let script = "cat /proc/self/status /proc/net/dev; ls /var/run /run 2>/dev/null || true";
    let said = run(&engine, &prepared, &shell(script)).stdout;
    assert!(said.contains("NoNewPrivs:\t1"), "{said}");
    let bounding = said.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    // What unpacking files as root takes, of linux/capability.h: CHOWN, DAC_OVERRIDE, FOWNER, KILL,
    // SETGID, SETUID.
    let kept = [0, 1, 3, 5, 6, 7].iter().fold(0, |bits, number| bits | 1_u64 << number);
    assert_eq!(u64::from_str_radix(bounding, 16).unwrap() & !kept, 0, "{said}");
    assert!(!said.contains("eth0") && !said.contains(".sock"), "{said}");
}

fn memory(daemon: &Daemon, base: &Base) {
    let engine = engine(daemon);
    let prepared = prepare(&engine, base, Vec::new()).0.unwrap();
    // `tail` keeps what it may have to print.
    let hold = "{ head -c 60000000 /dev/zero; sleep 2; } | tail -c 60000000 > /dev/null";
    let ran = run(&engine, &prepared, &shell(hold));
    assert!(ran.exit.peak_memory.unwrap() > ByteSize(60_000_000), "{ran:?}");
    let limits = Limits { memory: Some(ByteSize(30 << 20)), ..Limits::default() };
    // As a build does: it goes on for a while after one of its compilers was killed.
    let goes_on = format!("{{ {hold}; }} || {{ sleep 1; exit 3; }}");
    let ran = run(&engine, &prepared, &Container { limits, ..shell(&goes_on) });
    assert!(ran.exit.oom_kills > 0, "{ran:?}");
    assert!(ran.exit.peak_memory.is_none_or(|peak| peak <= ByteSize(30 << 20)), "{ran:?}");
}

fn cancel(daemon: &Daemon, base: &Base) {
    let engine = engine(daemon);
    let prepared = prepare(&engine, base, Vec::new()).0.unwrap();
    let cancel = Cancel::new();
    let mut sink = CancelOnOutput(cancel.clone());
    let stubborn = shell("trap '' TERM INT; echo ready; sleep 600");
    let exit = engine.run(&prepared, &stubborn, &mut sink, &cancel).unwrap();
    assert!(exit.cancelled && !exit.success());
}

fn local_base(daemon: &Daemon, _: &Base) {
    let name = daemon.says(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    let name = name.iter().find(|name| name.contains("wheelmill/base")).unwrap();
    let pinned = engine(daemon).pin(&Base::Image(name.clone())).unwrap();
    assert!(pinned.to_string().contains("sha256:"), "{pinned}");
    let ran = prepare(&engine(daemon), &pinned, vec![step("on it", "touch /made")]).0.unwrap();
    assert!(run(&engine(daemon), &ran, &shell("test -e /made")).exit.success());
}

fn folder(daemon: &Daemon, name: &str) -> Utf8PathBuf {
    let folder = daemon.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    chown(&folder, Some(user.as_raw()), Some(group.as_raw())).unwrap();
    folder
}
