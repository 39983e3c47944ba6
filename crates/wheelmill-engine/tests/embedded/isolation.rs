//! What a container must not see, reach or change.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;

use wheelmill_engine::{Container, Mount};

use crate::support::{Machine, engine_that_hides, everywhere, shell, step};

#[test]
fn nothing_of_the_host_but_its_system_is_visible() {
    everywhere("isolation::nothing_of_the_host_but_its_system_is_visible", |machine| {
        let secret = machine.folder("secret");
        fs::write(secret.join("key"), "hush").unwrap();
        let script = format!("ls -A /root /home /mnt /media /srv /boot; test ! -e {secret}");
        let seen = machine.says(&script);
        let seen: Vec<_> = seen.lines().filter(|line| !line.is_empty()).collect();
        assert!(seen.iter().all(|line| line.starts_with('/')), "{seen:?}");
        let secrets = "cat /etc/shadow /etc/gshadow /etc/ssh/* /etc/ssl/private/* 2>&- || true";
        assert_eq!(machine.says(secrets), "");
        // The host has far more processes than these.
        let processes = machine.says("ls -d /proc/[0-9]* | wc -l");
        assert!(processes.trim().parse::<u32>().unwrap() <= 4, "{processes}");
        // Of the mounts of the host, those that are not shown are gone, not only covered.
        let mounts = machine.says("cat /proc/self/mountinfo");
        assert!(mounts.lines().count() < 80, "{mounts}");
        assert!(!mounts.contains(" /sys/fs/cgroup/"), "{mounts}");
    });
}

#[test]
fn what_the_caller_hides_is_hidden_wherever_it_lies() {
    everywhere("isolation::what_the_caller_hides_is_hidden_wherever_it_lies", |machine| {
        let hidden = vec!["/usr/include".into(), "/var/no/such".into(), machine.state.clone()];
        let engine = engine_that_hides(&machine.state, hidden);
        let other = Machine { engine, state: machine.state.clone(), isolation: None };
        assert_eq!(other.says("ls -A /usr/include; ! touch /usr/include/x 2>&-"), "");
    });
}

#[test]
fn a_container_has_few_rights_and_gains_none() {
    everywhere("isolation::a_container_has_few_rights_and_gains_none", |machine| {
        let status = machine.says("cat /proc/self/status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        // Docker's default set without MKNOD.
        for name in ["CapPrm:", "CapEff:", "CapBnd:"] {
            assert_eq!(field(name), "00000000a00425fb", "{name}");
        }
        assert_eq!(field("CapInh:"), "0000000000000000");
        assert_eq!(field("NoNewPrivs:"), "1");
        assert_eq!(field("Seccomp:"), "2");
        for forbidden in [
            "mount -t tmpfs none /mnt",
            "umount /proc/sys",
            "unshare --user true",
            "mknod /dev/disk b 8 0",
            "chroot /proc/1/root true",
            "echo 1 > /proc/sys/kernel/core_uses_pid",
            "echo b > /proc/sysrq-trigger",
            "mkdir /sys/fs/cgroup/mine",
            "hostname other",
            "test -s /proc/kcore",
            "test -n \"$(cat /proc/keys)\"",
        ] {
            let ran = machine.run(&shell(forbidden));
            assert!(!ran.exit.success(), "{forbidden}: {ran:?}");
        }
    });
}

#[test]
fn the_first_process_gives_nothing_away() {
    everywhere("isolation::the_first_process_gives_nothing_away", |machine| {
        for forbidden in [
            "cat /proc/1/environ",
            "readlink /proc/1/exe",
            "head -c1 /proc/1/mem",
            "ls /proc/1/root/",
        ] {
            let ran = machine.run(&shell(forbidden));
            assert!(!ran.exit.success(), "{forbidden}: {ran:?}");
        }
        // A command that is the helper's own program cannot change that program on the host.
        let ran = machine.run(&shell("exec 9>>/proc/1/exe"));
        assert!(!ran.exit.success(), "{ran:?}");
    });
}

#[test]
fn without_network_not_even_the_host_can_be_reached() {
    everywhere("isolation::without_network_not_even_the_host_can_be_reached", |machine| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        let mut container = Container {
            command: vec!["bash".to_owned(), "-c".to_owned(), script],
            directory: "/".into(),
            ..Container::default()
        };
        assert_ne!(machine.run(&container).exit.code, 0);
        container.network = true;
        assert_eq!(machine.run(&container).exit.code, 0);
        // But there is a loopback device, which many test suites need.
        let devices = machine.says("tail -n +3 /proc/net/dev | cut -d: -f1; cat /etc/resolv.conf");
        assert_eq!(devices.trim(), "lo");
        let script = "import socket; s = socket.create_server(('127.0.0.1', 0)); \
                      socket.create_connection(s.getsockname())";
        machine.says(&format!("command -v python3 > /dev/null || exit 0; python3 -c \"{script}\""));
    });
}

#[test]
fn names_are_resolved_as_on_the_host_when_there_is_network() {
    everywhere("isolation::names_are_resolved_as_on_the_host_when_there_is_network", |machine| {
        let files = "cat /etc/resolv.conf; grep -q wheelmill /etc/hosts";
        let ran = machine.run(&Container { network: true, ..shell(files) });
        assert_eq!(ran.text(), fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
        // In an image, and on many hosts, it is a link to where nothing is yet.
        let link = step("ln -sf /run/systemd/resolve/stub.conf /etc/resolv.conf || true");
        let prepared = machine.prepare(vec![link]).unwrap();
        let ran = machine.run_in(&prepared, &Container { network: true, ..shell(files) });
        assert_eq!(ran.text(), fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    });
}

#[test]
fn the_host_stays_as_it_was() {
    everywhere("isolation::the_host_stays_as_it_was", |machine| {
        let before = fs::metadata("/usr/bin/env").unwrap();
        // What is allowed depends on the rights; what it does to the host must not.
        machine.run(&shell(
            "set +e; echo x >> /usr/bin/env; rm -f /usr/bin/env; rm -rf /etc /opt; echo > /wheelmill-x; \
             echo > /tmp/wheelmill-x; echo > /root/wheelmill-x; echo > /usr/wheelmill-x; true",
        ));
        let after = fs::metadata("/usr/bin/env").unwrap();
        assert_eq!(
            (before.len(), before.modified().unwrap()),
            (after.len(), after.modified().unwrap())
        );
        assert!(fs::metadata("/etc/passwd").is_ok());
        for folder in ["/", "/tmp", "/root", "/usr"] {
            assert!(!fs::exists(format!("{folder}/wheelmill-x")).unwrap_or(false), "{folder}");
        }
    });
}

#[test]
fn only_writable_mounts_can_be_written() {
    everywhere("isolation::only_writable_mounts_can_be_written", |machine| {
        let (inputs, outputs) = (machine.folder("inputs"), machine.folder("outputs"));
        fs::write(inputs.join("file"), "input").unwrap();
        let mount = |source: &camino::Utf8Path, target: &str, writable| Mount {
            source: source.to_owned(),
            target: target.into(),
            writable,
        };
        let mounts = vec![
            mount(&outputs, "/opt/deep/down/out", true),
            mount(&inputs, "/opt/deep", false),
            mount(&inputs.join("file"), "/etc/wheelmill/file", false),
        ];
        // A child of a read-only mount needs a place there.
        fs::create_dir_all(inputs.join("down/out")).unwrap();
        let script = "cat /opt/deep/file /etc/wheelmill/file; echo done > /opt/deep/down/out/result; \
                      ! echo x > /opt/deep/file; ! touch /opt/deep/new; ! echo x > /etc/wheelmill/file";
        let ran = machine.run(&Container { mounts, ..shell(&format!("{{ {script}; }} 2>&-")) });
        assert_eq!(ran.text(), "inputinput");
        assert_eq!(fs::read_to_string(outputs.join("result")).unwrap(), "done\n");
        assert_eq!(fs::read_to_string(inputs.join("file")).unwrap(), "input");
        // The result belongs to whoever runs the engine.
        fs::remove_file(outputs.join("result")).unwrap();
    });
}

#[test]
fn devices_and_libraries_can_be_shown() {
    everywhere("isolation::devices_and_libraries_can_be_shown", |machine| {
        let folder = machine.folder("driver");
        fs::write(folder.join("lib.so"), "library").unwrap();
        let mount = |source: &str, target: &str, writable| Mount {
            source: source.into(),
            target: target.into(),
            writable,
        };
        let library = folder.join("lib.so");
        let mounts = vec![
            mount("/dev/zero", "/dev/nvidia0", true),
            mount(library.as_str(), "/usr/lib/wheelmill-test/lib.so.1", false),
            mount(library.as_str(), "/usr/bin/wheelmill-test", false),
        ];
        let script = "head -c1 /dev/nvidia0 | wc -c; echo > /dev/nvidia0; \
                      cat /usr/lib/wheelmill-test/lib.so.1 /usr/bin/wheelmill-test";
        let ran = machine.run(&Container { mounts, ..shell(script) });
        assert_eq!(ran.text(), "1\nlibrarylibrary");
    });
}

#[test]
fn links_in_a_layer_do_not_lead_mounts_out_of_the_container() {
    everywhere("isolation::links_in_a_layer_do_not_lead_mounts_out_of_the_container", |machine| {
        let outside = machine.folder("outside");
        let inside = machine.folder("inside");
        let prepared = machine
            .prepare(vec![step(&format!(
                "ln -s {outside} /absolute; ln -s ../../../../../../../..{outside} /upwards; \
                 ln -s /proc/self/cwd{outside} /magic; ln -s /proc/1/root{outside} /root-link"
            ))])
            .unwrap();
        for link in ["absolute", "upwards", "magic", "root-link"] {
            let mount = Mount {
                source: inside.clone(),
                target: format!("/{link}/new/place").into(),
                writable: true,
            };
            let container = Container { mounts: vec![mount], ..shell("true") };
            // Refused, or made inside; the host's folder stays empty.
            let mut output = |_, _: &[u8]| {};
            let cancel = wheelmill_engine::Cancel::new();
            drop(wheelmill_engine::Engine::run(
                &machine.engine,
                &prepared,
                &container,
                &mut output,
                &cancel,
            ));
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{link}");
        }
    });
}

#[test]
fn a_writable_mount_is_not_a_way_to_the_host() {
    everywhere("isolation::a_writable_mount_is_not_a_way_to_the_host", |machine| {
        let shared = machine.folder("shared");
        let mount = Mount { source: shared.clone(), target: "/shared".into(), writable: true };
        let script = "ln -s /etc/passwd /shared/link; cp /bin/sh /shared/sh; chmod u+s /shared/sh; \
                      ! mknod /shared/disk b 8 0";
        let ran = machine.run(&Container { mounts: vec![mount.clone()], ..shell(script) });
        assert!(ran.exit.success(), "{ran:?}");
        // The engine follows a link only in what it is told to show: here, the container's own file.
        symlink("/no/such/place", shared.join("dangling")).unwrap();
        let ran = machine.run(&Container { mounts: vec![mount], ..shell("cat /shared/link") });
        assert!(ran.text().contains("root"));
    });
}

#[test]
fn open_files_of_the_program_do_not_leak() {
    everywhere("isolation::open_files_of_the_program_do_not_leak", |machine| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"secret").unwrap();
        // As a careless library would: a descriptor that every child inherits.
        let none = nix::fcntl::FdFlag::empty();
        nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFD(none)).unwrap();
        assert!(file.as_raw_fd() > 2);
        // `ls` itself opens one, the folder.
        assert_eq!(machine.says("ls /proc/self/fd"), "0\n1\n2\n3\n");
        assert_eq!(machine.says("readlink /proc/self/fd/0"), "/dev/null\n");
    });
}
