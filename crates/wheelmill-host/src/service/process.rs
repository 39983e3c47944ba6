//! A daemon that somebody started by hand: it is ended by a signal, and started again as it was.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ServiceError;
use super::manager::{MOST, ServiceManager};
use crate::machine::{DaemonOptions, DaemonProcess};

/// How long a daemon may take to end: it gives each container 15 s by default.
const END: Duration = Duration::from_secs(60);

/// Where a `dockerd` writes its number when it is told nothing.
const NUMBER: &str = "/var/run/docker.pid";

/// How often its end is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// A process that nobody else looks after.
#[derive(Debug)]
pub struct ProcessService {
    process: DaemonProcess,
    /// The process that is the daemon now.
    id: Cell<i32>,
    /// How much of the log is from before.
    known: Cell<u64>,
}

impl ProcessService {
    /// The service of a process, which may have ended.
    #[must_use]
    pub fn new(process: DaemonProcess) -> Self {
        let known = Cell::new(length(&process));
        Self { id: Cell::new(process.id), known, process }
    }

    fn now(&self) -> DaemonProcess {
        DaemonProcess { id: self.id.get(), ..self.process.clone() }
    }

    fn signal(&self, signal: Signal) -> Result<(), ServiceError> {
        let id = self.id.get();
        kill(Pid::from_raw(id), signal).map_err(|source| ServiceError::Signal {
            signal: signal.as_str(),
            id,
            source,
        })
    }

    /// Where the new process prints to: where the old one did, if that was a file.
    fn output(&self) -> std::io::Result<[Stdio; 2]> {
        match &self.process.log {
            Some(log) => {
                let file = File::options().append(true).open(log)?;
                Ok([file.try_clone()?.into(), file.into()])
            }
            None => Ok([Stdio::null(), Stdio::null()]),
        }
    }

    /// A `dockerd` that crashed leaves its file with its number, and no other one starts as long as
    /// somebody has that number: also a zombie, of which nobody asks how it ended.
    fn forget_process(&self) {
        let process = &self.process;
        let options = DaemonOptions::read(&process.arguments);
        let file = process.folder.join(options.value("pidfile").unwrap_or(NUMBER));
        let named = fs_err::read_to_string(&file).unwrap_or_default();
        if named.trim() == self.id.get().to_string()
            && let Err(error) = fs_err::remove_file(&file)
        {
            tracing::debug!(%error, "the number of a process that has ended stays");
        }
    }

    fn start(&self) -> Result<(), ServiceError> {
        let DaemonProcess { program, arguments, folder, environment, .. } = &self.process;
        let failed = |source| ServiceError::Start { program: program.clone(), source };
        let [stdout, stderr] = self.output().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env_clear();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        // A Ctrl-C that is meant for us is not meant for it.
        command.process_group(0).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        // What the old one said of its end is not about the new one.
        self.known.set(length(&self.process));
        let mut child = command.spawn().map_err(failed)?;
        self.id.set(i32::try_from(child.id()).expect("process numbers fit 32 bits"));
        // It outlives us; should it not, it shall not stay as a zombie.
        thread::spawn(move || child.wait());
        Ok(())
    }
}

/// How long the log of a process is.
fn length(process: &DaemonProcess) -> u64 {
    let log = process.log.as_ref().and_then(|log| log.metadata().ok());
    log.map_or(0, |log| log.len())
}

impl ServiceManager for ProcessService {
    fn reload(&self) -> Result<(), ServiceError> {
        self.signal(Signal::SIGHUP)
    }

    fn restart(&self) -> Result<(), ServiceError> {
        let process = self.now();
        if process.is_alive() {
            match self.signal(Signal::SIGTERM) {
                // It was about to end.
                Err(ServiceError::Signal { source: Errno::ESRCH, .. }) => {}
                told => told?,
            }
        }
        let start = Instant::now();
        while process.is_alive() {
            if start.elapsed() > END {
                return Err(ServiceError::Stuck { id: process.id, seconds: END.as_secs() });
            }
            thread::sleep(LOOK);
        }
        self.forget_process();
        self.start()
    }

    fn reload_units(&self) -> Result<(), ServiceError> {
        Ok(())
    }

    fn is_down(&self) -> bool {
        !self.now().is_alive()
    }

    fn log(&self) -> Vec<String> {
        let read = || {
            let mut file = File::open(self.process.log.as_ref()?).ok()?;
            file.seek(SeekFrom::Start(self.known.get())).ok()?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[lines.len().saturating_sub(MOST)..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    #[test]
    fn a_process_is_started_again_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let log = folder.join("log");
        fs_err::write(&log, "before\n").unwrap();
        let output = || File::options().append(true).open(&log).unwrap();
        let text = "echo $WHO in $PWD; trap 'echo hup' HUP; trap 'exit 0' TERM; \
                    while :; do sleep 0.02; done";
        let mut child = Command::new("/bin/sh")
            .args(["-c", text])
            .env("WHO", "me")
            .current_dir(folder)
            .stdout(output())
            .stderr(output())
            .spawn()
            .unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let soon = |what: &dyn Fn() -> bool| {
            let start = Instant::now();
            while !what() {
                assert!(start.elapsed() < Duration::from_secs(20), "it does not come");
                thread::sleep(LOOK);
            }
        };
        let said =
            |count: usize| fs_err::read_to_string(&log).unwrap().matches("me in").count() == count;
        soon(&|| said(1));
        let service = ProcessService::new(DaemonProcess::read(id).unwrap());
        service.reload().unwrap();
        soon(&|| service.log() == ["hup"]);
        // Whoever started it asks how it ended.
        let waiter = thread::spawn(move || child.wait());
        service.restart().unwrap();
        assert!(waiter.join().unwrap().unwrap().success());
        soon(&|| said(2));
        // What the old one said is not about it.
        assert_eq!(service.log(), [format!("me in {folder}")]);
        assert!(!service.is_down());
        service.signal(Signal::SIGTERM).unwrap();
        soon(&|| service.is_down());
    }
}
