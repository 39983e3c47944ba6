//! The program that stands in for compilers.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use wheelmill_model::ByteSize;

use crate::protocol::{CACHE_VARIABLE, SOCKET_VARIABLE};

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
    /// Answers compiles that were done before.
    pub cache: Option<CompileCache<'a>>,
}

/// A cache of compiles, by ccache.
#[derive(Clone, Copy, Debug)]
pub struct CompileCache<'a> {
    /// The program of ccache, as the build sees it.
    pub program: &'a Utf8Path,
    /// The folder of the cache, as the build sees it, which may write there.
    pub folder: &'a Utf8Path,
    /// What may stay in it.
    pub size: ByteSize,
}

impl CompileCache<'_> {
    /// The words before a compiler, as [`CACHE_VARIABLE`] has them, with a folder for what the gate
    /// itself keeps of a build.
    fn words(&self, state: &Utf8Path) -> String {
        let Self { program, folder, size } = self;
        let kilobytes = (size.0 / 1000).max(1);
        let settings = [
            format!("cache_dir={folder}"),
            // Else it may be a folder of the user that the container happens to run as.
            format!("temporary_dir={folder}/tmp"),
            format!("max_size={kilobytes}kB"),
        ];
        [program.to_string(), state.to_string(), settings.join("\n")].join("\n")
    }
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

    /// The variables that must be set for it.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let socket = (SOCKET_VARIABLE.to_owned(), self.socket.to_string());
        let state = self.folder.join("cache");
        let cache = self.cache.map(|cache| (CACHE_VARIABLE.to_owned(), cache.words(&state)));
        [socket].into_iter().chain(cache).collect()
    }
}
