//! What was called, and which program is meant by it.

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::environment::{Environment, in_folder, is_program};
use crate::{sys, text};

/// Where programs are when there is no `PATH`.
pub(crate) const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// An entry of `PATH` that leads to a gate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GateFolder {
    /// As it stands there.
    pub(crate) entry: Vec<u8>,
    /// What stood there without the gate, where it stands for another folder.
    pub(crate) instead: Option<Vec<u8>>,
}

/// A call of a compiler.
pub(crate) struct Call {
    /// The name by which it was called, without folders: `x86_64-linux-gnu-g++-12`.
    pub(crate) name: Vec<u8>,
    /// The program behind the gate.
    pub(crate) program: CString,
    /// Its arguments, its own name first.
    pub(crate) arguments: Vec<CString>,
    /// The entries of `PATH` that lead to a gate.
    pub(crate) gates: Vec<GateFolder>,
}

impl Call {
    /// Finds the program that is meant: for `gate COMPILER…` the one that is named, else what the
    /// gate's own name leads to without the gate.
    pub(crate) fn find(arguments: &[&CStr], environment: &Environment) -> Option<Self> {
        let (own, rest) = arguments.split_first()?;
        let launched = base_name(own.to_bytes()) == b"gate";
        let (called, rest) = if launched { rest.split_first()? } else { (own, rest) };
        let called = called.to_bytes();
        let name = base_name(called).to_vec();
        let path = environment.get("PATH").unwrap_or(DEFAULT_PATH);
        let own_identity = Identity::of(Path::new("/proc/self/exe"))
            .or_else(|| Identity::of(Path::new(OsStr::from_bytes(sys::own_path()?))))?;
        let found = search(path, &name, &own_identity);
        let with_folder = called.contains(&b'/');
        let program = if !with_folder {
            found.program?
        } else if is_same(&own_identity, Path::new(OsStr::from_bytes(called))) {
            behind(Path::new(OsStr::from_bytes(called))).or(found.program)?
        } else {
            called.to_vec()
        };
        // A name without a folder stays one: compilers look for their parts by it.
        let first = if with_folder { &program } else { called };
        let mut list = vec![text(first)];
        list.extend(rest.iter().map(|&argument| argument.to_owned()));
        Some(Self { name, program: text(&program), arguments: list, gates: found.gates })
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// The program that a link of the gate was put in front of, as a link beside it says: `.NAME.behind`.
fn behind(link: &Path) -> Option<Vec<u8>> {
    let mut name = OsStr::from_bytes(b".").to_owned();
    name.push(link.file_name()?);
    name.push(".behind");
    fs::read_link(link.with_file_name(name)).ok().map(|path| path.into_os_string().into_vec())
}

fn folder_of(program: &[u8]) -> Option<Vec<u8>> {
    Path::new(OsStr::from_bytes(program))
        .parent()
        .map(|folder| folder.as_os_str().as_bytes().to_vec())
}

/// Which file this program is. Links to it are told by that, wherever they are mounted.
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

struct Found {
    program: Option<Vec<u8>>,
    gates: Vec<GateFolder>,
}

fn is_same(own: &Identity, path: &Path) -> bool {
    Identity::of(path).is_some_and(|it| it.device == own.device && it.inode == own.inode)
}

/// Looks for a program on `PATH`, and for the folders there that belong to the gate.
fn search(path: &[u8], name: &[u8], own: &Identity) -> Found {
    let mut found = Found { program: None, gates: Vec::new() };
    for folder in path.split(|&byte| byte == b':') {
        let candidate = in_folder(folder, Path::new(OsStr::from_bytes(name)));
        if is_same(own, &candidate) || is_same(own, &candidate.with_file_name("gate")) {
            let behind = behind(&candidate);
            let instead = behind.as_deref().and_then(folder_of);
            found.gates.push(GateFolder { entry: folder.to_vec(), instead });
            found.program = found.program.or(behind);
        } else if found.program.is_none() && is_program(&candidate) {
            found.program = Some(candidate.into_os_string().into_vec());
        }
    }
    found
}
