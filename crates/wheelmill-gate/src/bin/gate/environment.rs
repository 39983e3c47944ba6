//! The environment of this process, and that of the compiler.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::call::{DEFAULT_PATH, GateFolder};
use crate::protocol::{CACHE_VARIABLE, SOCKET_VARIABLE};
use crate::{sys, text};

/// What nvcc puts before its arguments.
pub(crate) const NVCC_PREPEND: &str = "NVCC_PREPEND_FLAGS";
/// What nvcc adds to the end of its arguments.
pub(crate) const NVCC_APPEND: &str = "NVCC_APPEND_FLAGS";

/// Texts of the form `NAME=value`, in their order.
#[derive(Clone)]
pub(crate) struct Environment(Vec<CString>);

impl Environment {
    pub(crate) fn of_this_process() -> Self {
        Self(sys::environment().into_iter().map(CStr::to_owned).collect())
    }

    #[cfg(test)]
    pub(crate) fn of(texts: &[&str]) -> Self {
        Self(texts.iter().map(|entry| text(entry.as_bytes())).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find_map(|entry| value(entry, name))
    }

    pub(crate) fn set(&mut self, name: &str, new: &[u8]) {
        self.0.retain(|entry| value(entry, name).is_none());
        self.0.push(text(&[name.as_bytes(), b"=", new].concat()));
    }

    /// Finds a program on `PATH`; a path is that program itself.
    pub(crate) fn find(&self, program: &[u8]) -> Option<PathBuf> {
        let name = Path::new(OsStr::from_bytes(program));
        if program.contains(&b'/') {
            return Some(name.to_owned());
        }
        let path = self.get("PATH").unwrap_or(DEFAULT_PATH);
        let folders = path.split(|&byte| byte == b':');
        folders.map(|folder| in_folder(folder, name)).find(|candidate| is_program(candidate))
    }

    /// The same without the variables whose names begin so.
    pub(crate) fn without(&self, start: &str) -> Self {
        let others = self.0.iter().filter(|entry| !entry.to_bytes().starts_with(start.as_bytes()));
        Self(others.cloned().collect())
    }

    pub(crate) fn texts(&self) -> &[CString] {
        &self.0
    }

    /// What the compiler would see if there were no gate: no folder of the gate on `PATH`, and no
    /// way to the server. So what the compiler calls is not stopped by a gate either, and no mark
    /// is needed for that.
    pub(crate) fn without_gate(&self, gates: &[GateFolder]) -> Self {
        let real = |entry| match gates.iter().find(|gate| gate.entry == entry) {
            Some(gate) => gate.instead.as_deref(),
            None => Some(entry),
        };
        let own = [SOCKET_VARIABLE, CACHE_VARIABLE];
        let kept =
            self.0.iter().filter(|entry| own.iter().all(|name| value(entry, name).is_none()));
        let texts = kept.map(|entry| match value(entry, "PATH") {
            Some(path) if !gates.is_empty() => {
                let folders: Vec<&[u8]> =
                    path.split(|&byte| byte == b':').filter_map(real).collect();
                text(&[b"PATH=".as_slice(), &folders.join(&b':')].concat())
            }
            _ => entry.clone(),
        });
        Self(texts.collect())
    }

    /// The same, with nvcc told to use no more threads than these. The last wish is the one that
    /// nvcc follows.
    pub(crate) fn with_nvcc_threads(&self, threads: u16) -> Self {
        let before = self.get(NVCC_APPEND).unwrap_or_default();
        let separator: &[u8] = if before.is_empty() { b"" } else { b" " };
        let wish = format!("--threads {threads}");
        let mut lowered = Self(self.0.clone());
        lowered.set(NVCC_APPEND, &[before, separator, wish.as_bytes()].concat());
        lowered
    }
}

/// A file of a folder on `PATH`, where an empty entry is the working directory.
pub(crate) fn in_folder(folder: &[u8], name: &Path) -> PathBuf {
    let folder: &[u8] = if folder.is_empty() { b"." } else { folder };
    Path::new(OsStr::from_bytes(folder)).join(name)
}

pub(crate) fn is_program(candidate: &Path) -> bool {
    candidate.is_file() && sys::is_executable(&text(candidate.as_os_str().as_bytes()))
}

fn value<'a>(entry: &'a CStr, name: &str) -> Option<&'a [u8]> {
    entry.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_sees_no_gate() {
        let gate = |entry: &str, instead: Option<&str>| GateFolder {
            entry: entry.into(),
            instead: instead.map(Into::into),
        };
        let path = "PATH=/g/bin:/g/cuda/bin:/usr/bin::/g/bin";
        let before = Environment::of(&[
            path,
            "WHEELMILL_GATE=/g/s",
            "WHEELMILL_COMPILE_CACHE=/c",
            "A",
            "B=c=d",
        ]);
        let gates = [gate("/g/bin", None), gate("/g/cuda/bin", Some("/cuda/bin"))];
        let after = before.without_gate(&gates);
        let wanted = Environment::of(&["PATH=/cuda/bin:/usr/bin:", "A", "B=c=d"]);
        assert_eq!(after.texts(), wanted.texts());
    }

    #[test]
    fn the_wish_for_threads_comes_last() {
        let flags = |texts: &[&str]| {
            let environment = Environment::of(texts).with_nvcc_threads(2);
            String::from_utf8(environment.get(NVCC_APPEND).unwrap().to_vec()).unwrap()
        };
        assert_eq!(flags(&[]), "--threads 2");
        assert_eq!(
            flags(&["NVCC_APPEND_FLAGS=--threads 8 -lineinfo"]),
            "--threads 8 -lineinfo --threads 2"
        );
    }
}
