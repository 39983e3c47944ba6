//! The program that stands in for compilers.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::protocol::SOCKET_VARIABLE;

/// A static program, made by `build.rs`.
const GATE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gate"));

/// The program's file could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot put the gate's program into `{folder}`")]
pub struct ProgramError {
    folder: Utf8PathBuf,
    #[source]
    source: std::io::Error,
}

/// Writes the program into a folder, as `gate`, and returns its path. It runs in any root of this
/// machine's architecture.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_program(folder: &Utf8Path) -> Result<Utf8PathBuf, ProgramError> {
    let path = folder.join("gate");
    let write = || {
        fs::create_dir_all(folder)?;
        // A program that runs cannot be written to, but another can take its place.
        let new = folder.join(format!("gate.{}.new", std::process::id()));
        fs::write(&new, GATE)?;
        fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))?;
        fs::rename(&new, &path)
    };
    match write() {
        Ok(()) => Ok(path),
        Err(source) => Err(ProgramError { folder: folder.to_owned(), source }),
    }
}

/// How a build is started behind the gate.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// The program, as the build sees it.
    pub program: &'a Utf8Path,
    /// A folder for links, as the build sees it; made when missing, and the build may write there.
    pub folder: &'a Utf8Path,
    /// The CUDA toolkit, as the build sees it.
    pub cuda: Option<&'a Utf8Path>,
    /// The socket of the build's cell, as the build sees it.
    pub socket: &'a Utf8Path,
}

impl Behind<'_> {
    /// The command that runs another one with the gate before all compilers that it can find. Where
    /// that cannot be done, it says so and runs it without.
    #[must_use]
    pub fn command(&self, command: &[String]) -> Vec<String> {
        let mut words =
            vec![self.program.to_string(), "--behind".to_owned(), self.folder.to_string()];
        if let Some(cuda) = self.cuda {
            words.extend(["--cuda".to_owned(), cuda.to_string()]);
        }
        words.push("--".to_owned());
        words.extend_from_slice(command);
        words
    }

    /// The variable that must be set for it.
    #[must_use]
    pub fn variable(&self) -> (String, String) {
        (SOCKET_VARIABLE.to_owned(), self.socket.to_string())
    }
}
