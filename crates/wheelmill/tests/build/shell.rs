//! A person in the container of a cell.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::pty::{OpenptyResult, Winsize, openpty};

use crate::place::Place;

/// A program at a terminal, and all that it has written.
pub(crate) struct AtTerminal {
    child: Child,
    master: File,
    seen: String,
}

impl AtTerminal {
    pub(crate) fn start(mut command: Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        let slave = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .env("TERM", "xterm")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        Self { child, master: master.into(), seen: String::new() }
    }

    /// Reads until a text has come; nothing of it is looked at again.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            if let Some(end) = self.seen.find(text).map(|start| start + text.len()) {
                return self.seen.drain(..end).collect();
            }
            match self.master.read(&mut buffer) {
                Ok(count @ 1..) => self.seen += &String::from_utf8_lossy(&buffer[..count]),
                end => panic!("{end:?} before {text:?}:\n{}", self.seen),
            }
        }
    }

    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn end(mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        drop(self.master);
        status
    }
}

#[test]
fn a_shell_has_the_builds_container_a_real_terminal_and_its_exit_code() {
    let place = Place::with("");
    let mut shell = AtTerminal::start(place.command("shell tinycuda --cuda 13.0 --arch 9.0"));
    shell.wait_for("the build runs: ");
    shell.wait_for("# ");
    shell.type_keys("stty size; nvcc --version | tail -n 1; echo $((6 * 7)) done\r");
    let said = shell.wait_for("42 done");
    assert!(said.contains("24 97") && said.contains("cuda_13.0"), "{said}");
    // A command is interrupted, and not the shell or the program. What is waited for is said by
    // the command, once it can be interrupted, and is not what was typed.
    const COMMAND: &str = r#"sh -c 'trap "echo stop""ped; exit" INT; echo under w""ay; while :; do sleep 0.05; done'"#;
    shell.type_keys(&format!("{COMMAND}\r"));
    shell.wait_for("under way");
    shell.type_keys("\u{3}");
    shell.wait_for("stopped");
    shell.wait_for("# ");
    shell.type_keys("exit 7\r");
    assert_eq!(shell.end().code(), Some(7));
    assert!(place.run("runs ls --quiet").expect(0).stdout.is_empty(), "a shell is no build");
}

/// `clean` must not empty the cache that a shell's environment is made from.
#[test]
fn a_shell_that_is_made_ready_keeps_the_cache_in_its_place() {
    // An index that takes its time: the shell waits for it.
    let index = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut place = Place::empty();
    let cache = place.path().join("cache");
    place.set_cache(&cache);
    let mut command = place.command("shell torchsort==0.1.10 --cuda 13.0 --torch 2.11 --arch 9.0");
    command.env("UV_DEFAULT_INDEX", format!("http://{}/simple", index.local_addr().unwrap()));
    command.env("NO_PROXY", "127.0.0.1");
    let mut shell = AtTerminal::start(command);
    let _waits = index.accept().unwrap();
    let lock = File::open(cache.join("builds.lock")).unwrap();
    assert!(lock.try_lock().is_err(), "the cache could be emptied");
    shell.child.kill().unwrap();
    shell.end();
    assert!(lock.try_lock().is_ok());
}

#[test]
fn after_a_failed_build_the_shell_shows_what_it_left() {
    let place = Place::with("command = [\"sh\", \"-c\", \"echo half done > left-behind; exit 1\"]");
    place.build("").expect(1);
    let mut shell = AtTerminal::start(place.command("shell tinycuda --cuda 13.0 --arch 9.0"));
    shell.wait_for("as it was left");
    shell.wait_for("# ");
    shell.type_keys("cat left-behind; exit\r");
    shell.wait_for("half done\r\n");
    assert_eq!(shell.end().code(), Some(0));
    // The next build begins anew.
    place.build("").expect(1);
}

#[test]
fn a_shell_without_a_terminal_is_refused() {
    let place = Place::with("");
    let ended = place.run("shell tinycuda --cuda 13.0 --arch 9.0").expect(2);
    assert!(ended.stderr.contains("terminal"), "{}", ended.stderr);
}
