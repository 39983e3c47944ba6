//! `gate --behind FOLDER [--cuda TOOLKIT] -- COMMAND ARGUMENT…`: runs a build with the gate before
//! its compilers.
//!
//! It runs where the build runs, since only there can be seen which compilers there are. A name for
//! which there is none must not appear on `PATH`, or the build would choose another way. And only
//! there can be seen whether the server is within reach: a daemon in another machine, or in another
//! user namespace, may show its containers the socket and let none of them in.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::call::DEFAULT_PATH;
use crate::connection::connect;
use crate::environment::Environment;
use crate::protocol::{SOCKET_VARIABLE, UNREACHABLE};
use crate::{path, sys, work};

/// Variables that lead build systems to a CUDA toolkit or its compiler.
const TOOLKIT_VARIABLES: [&str; 5] =
    ["CUDA_HOME", "CUDA_PATH", "CUDAToolkit_ROOT", "CUDACXX", "PYTORCH_NVCC"];
/// Variables that lead build systems to other compilers.
const COMPILER_VARIABLES: [&str; 6] = ["CC", "CXX", "FC", "LD", "HOSTCC", "HOSTCXX"];

/// What a shell returns for a wrong call.
const WRONG_CALL: i32 = 2;

pub(crate) fn run(arguments: &[&CStr]) -> i32 {
    let (options, command) = match arguments.iter().position(|word| word.to_bytes() == b"--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, [].as_slice()),
    };
    let (folder, toolkit) = match options {
        [folder] => (path(folder), None),
        [folder, option, toolkit] if option.to_bytes() == b"--cuda" => {
            (path(folder), Some(path(toolkit)))
        }
        _ => return usage(),
    };
    let [program, ..] = command else { return usage() };
    let mut environment = Environment::of_this_process();
    let socket = environment.get(SOCKET_VARIABLE).filter(|socket| !socket.is_empty());
    if let Some(socket) = socket.map(OsStr::from_bytes)
        && let Err(error) = connect(Path::new(socket))
    {
        sys::say(&format!("gate: nobody is at {}: {error}\n", socket.display()));
        return UNREACHABLE;
    }
    let made = fs::canonicalize("/proc/self/exe").and_then(|own| {
        if let Some(toolkit) = toolkit {
            let shadow = folder.join("cuda");
            shadow_toolkit(&own, toolkit, &shadow)?;
            lead_to_shadow(&mut environment, toolkit, &shadow);
        }
        stand_before_compilers(&own, folder, &mut environment)
    });
    if let Err(error) = made {
        // The build is worth more than the gate.
        sys::say(&format!("gate: there is none in {}: {error}\n", folder.display()));
    }
    let Some(found) = environment.find(program.to_bytes()) else {
        sys::say(&format!("gate: {}: not found\n", program.to_string_lossy()));
        return crate::NOT_FOUND;
    };
    sys::exec(&crate::text(found.as_os_str().as_bytes()), command, environment.texts())
}

fn usage() -> i32 {
    sys::say("usage: gate --behind FOLDER [--cuda TOOLKIT] -- COMMAND ARGUMENT…\n");
    WRONG_CALL
}

/// Makes a folder that looks like a CUDA toolkit, in which nvcc is the gate: build systems call it
/// by its path, so that `PATH` does not help.
fn shadow_toolkit(own: &Path, toolkit: &Path, shadow: &Path) -> io::Result<()> {
    let toolkit = fs::canonicalize(toolkit)?;
    let programs = shadow.join("bin");
    fs::create_dir_all(&programs)?;
    for (from, to, hidden) in
        [(toolkit.clone(), shadow, "bin"), (toolkit.join("bin"), &programs, "nvcc")]
    {
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name();
            if name != hidden {
                link(&from.join(&name), &to.join(&name))?;
            }
        }
    }
    link(own, &programs.join("nvcc"))?;
    link(&toolkit.join("bin").join("nvcc"), &programs.join(".nvcc.behind"))
}

fn lead_to_shadow(environment: &mut Environment, toolkit: &Path, shadow: &Path) {
    for name in TOOLKIT_VARIABLES {
        let value = environment.get(name).map(|value| PathBuf::from(OsStr::from_bytes(value)));
        if let Some(below) = value.as_deref().and_then(|value| value.strip_prefix(toolkit).ok()) {
            let place =
                if below.as_os_str().is_empty() { shadow.to_owned() } else { shadow.join(below) };
            environment.set(name, place.as_os_str().as_bytes());
        }
    }
}

/// Makes a folder of links with the names of all compilers on `PATH`, and puts it first there.
fn stand_before_compilers(
    own: &Path,
    folder: &Path,
    environment: &mut Environment,
) -> io::Result<()> {
    let links = folder.join("bin");
    fs::create_dir_all(&links)?;
    let search = environment.get("PATH").unwrap_or(DEFAULT_PATH).to_vec();
    for directory in search.split(|&byte| byte == b':').filter(|directory| !directory.is_empty()) {
        // What is on PATH need not be there.
        for entry in fs::read_dir(OsStr::from_bytes(directory)).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if work::is_compiler(name.as_bytes()) {
                link(own, &links.join(&name))?;
            }
        }
    }
    // By this the folder is known as the gate's; and launchers can be named in a word.
    link(own, &links.join("gate"))?;
    for variable in COMPILER_VARIABLES {
        let Some(value) = environment.get(variable) else { continue };
        let compiler = Path::new(OsStr::from_bytes(value));
        let Some(name) = compiler.file_name().filter(|_| compiler.is_absolute()) else { continue };
        // One that is found by its name can be stood before by its name.
        let found = environment.find(name.as_bytes());
        if work::is_compiler(name.as_bytes())
            && found.and_then(|found| fs::canonicalize(found).ok())
                == fs::canonicalize(compiler).ok()
        {
            let place = links.join(name);
            environment.set(variable, place.as_os_str().as_bytes());
        }
    }
    let path = [links.as_os_str().as_bytes(), b":", &search].concat();
    environment.set("PATH", &path);
    Ok(())
}

/// Makes a link, in the place of one that an earlier build left.
fn link(target: &Path, place: &Path) -> io::Result<()> {
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(target, place)
}
