//! What all tests here share.

use std::error::Error;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use wheelmill_engine::image::{ImageConfig, XattrMode, config, layers};
use wheelmill_engine::{Base, Cancel, EngineError};
use wheelmill_model::NetworkSettings;

/// A folder that goes with the test.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    pub(crate) fn join(&self, name: &str) -> Utf8PathBuf {
        self.path().join(name)
    }

    /// A folder of that name, made when missing.
    pub(crate) fn folder(&self, name: &str) -> Utf8PathBuf {
        let path = self.join(name);
        fs_err::create_dir_all(&path).unwrap();
        path
    }
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Layers hold folders that their owner may not change, unless it is root.
        if !is_root() {
            let chmod = Command::new("chmod").args(["-R", "u+rwX", self.path().as_str()]).status();
            assert!(chmod.is_ok_and(|status| status.success()) || std::thread::panicking());
        }
    }
}

/// The mode that this user can use without a namespace.
pub(crate) fn own_mode() -> XattrMode {
    if is_root() { XattrMode::Trusted } else { XattrMode::User }
}

/// Says that a test cannot run here; where everything has to run, that is a failure.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("WHEELMILL_CI").is_none(), "cannot run: {why}");
    eprintln!("SKIPPED: {why}");
}

pub(crate) fn offline() -> NetworkSettings {
    NetworkSettings { offline: true, ..NetworkSettings::default() }
}

/// The layer folders of a base, as a user of the engine gets them.
pub(crate) fn layers_of(
    base: &Base,
    store: &Utf8Path,
    network: &NetworkSettings,
) -> Result<Vec<Utf8PathBuf>, EngineError> {
    layers(base, store, own_mode(), network, &mut |_, _| {}, &Cancel::new())
}

pub(crate) fn config_of(
    base: &Base,
    store: &Utf8Path,
    network: &NetworkSettings,
) -> Result<ImageConfig, EngineError> {
    config(base, store, network, &Cancel::new())
}

/// An error as a person reads it: with all that is below it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// The output of a shell script; its failure is the test's.
pub(crate) fn shell(script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{out}\n{err}");
    out.into_owned()
}

/// Everything in a folder: its name, and a link's target or a file's content.
pub(crate) fn listing(folder: &Utf8Path) -> Vec<String> {
    let mut lines: Vec<_> = walkdir::WalkDir::new(folder)
        .min_depth(1)
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
            let kind = entry.file_type();
            if kind.is_dir() {
                format!("{name}/")
            } else if kind.is_symlink() {
                format!("{name} -> {}", entry.path().read_link().unwrap().display())
            } else if kind.is_file() {
                format!("{name}: {}", fs_err::read_to_string(entry.path()).unwrap())
            } else {
                format!("{name} (special)")
            }
        })
        .collect();
    lines.sort();
    lines
}
