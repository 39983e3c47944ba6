//! Programs of the machine that are asked something quick.

use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Where programs lie, and how long one may take to answer.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The folders, the first first: those of `PATH`.
    pub folders: Vec<Utf8PathBuf>,
    /// A program that takes longer is ended: one that asks a broken driver may never end by itself.
    pub limit: Duration,
}

/// A program that did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is in none of the folders.
    #[error("`{0}` is not installed")]
    Missing(String),
    /// It could not be started, or did not end in time.
    #[error("could not run `{program}`")]
    Run {
        /// Its file.
        program: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It failed.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// What was typed.
        command: String,
        /// The first line that it printed.
        said: String,
    },
}

impl Programs {
    /// The file of a program.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Utf8PathBuf> {
        let files = self.folders.iter().map(|folder| folder.join(name));
        files.into_iter().find(|file| is_executable(file))
    }

    /// What a program prints to stdout.
    ///
    /// # Errors
    /// It is not there, does not end in time, or fails.
    pub fn ask(&self, name: &str, arguments: &[&str]) -> Result<String, ProgramError> {
        let program = self.find(name).ok_or_else(|| ProgramError::Missing(name.to_owned()))?;
        let mut command = Command::new(&program);
        // Its words are read by us, not by the user.
        command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
        let output = match output(&mut command, self.limit) {
            Ok(output) => output,
            Err(source) => return Err(ProgramError::Run { program, source }),
        };
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let said = stderr.lines().chain(stdout.lines()).find(|line| !line.trim().is_empty());
        let said = said.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned());
        let command = [&[name], arguments].concat().join(" ");
        Err(ProgramError::Failed { command, said })
    }
}

/// The whole output of a command that ends within a limit.
fn output(command: &mut Command, limit: Duration) -> io::Result<Output> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    // Who waits no longer is told nothing.
    thread::spawn(move || drop(sender.send(child.wait_with_output())));
    receiver.recv_timeout(limit).unwrap_or_else(|_| {
        if let Ok(id) = i32::try_from(id) {
            // It may end just now.
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
        let why = format!("it did not end within {} s", limit.as_secs_f32());
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}

fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(scripts: &[(&str, &str)], limit: Duration) -> (tempfile::TempDir, Programs) {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        for (name, text) in scripts {
            fs_err::write(path.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(path.join(name), mode).unwrap();
        }
        (folder, Programs { folders: vec!["/no/such/folder".into(), path], limit })
    }

    #[test]
    fn answers_and_failures_are_told_apart() {
        let scripts = [("good", "echo $1; echo noise >&2"), ("bad", "echo why >&2; exit 3")];
        let (_folder, programs) = programs(&scripts, Duration::from_secs(60));
        assert_eq!(programs.ask("good", &["x"]).unwrap(), "x\n");
        let failed = programs.ask("bad", &["--version"]).unwrap_err().to_string();
        assert_eq!(failed, "`bad --version` failed: why");
        let missing = programs.ask("none", &[]).unwrap_err().to_string();
        assert_eq!(missing, "`none` is not installed");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let (_folder, programs) =
            programs(&[("stuck", "exec sleep 600")], Duration::from_millis(50));
        let error = programs.ask("stuck", &[]).unwrap_err();
        let ProgramError::Run { source, .. } = error else { panic!("{error:?}") };
        assert_eq!(source.kind(), io::ErrorKind::TimedOut);
    }
}
