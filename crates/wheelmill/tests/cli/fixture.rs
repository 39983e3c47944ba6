//! A user with an empty folder, an empty home and a clean environment.

use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use wheelmill_store::Store;

/// A place to run the program in; gone with its folder when dropped.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let place = Self { folder: TempDir::new().unwrap() };
        for folder in ["home", "project"] {
            fs_err::create_dir(place.path().join(folder)).unwrap();
        }
        place
    }

    /// The folder that holds all of it.
    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    /// Writes a file into the folder that commands run in.
    pub(crate) fn write(&self, name: &str, text: &str) -> Utf8PathBuf {
        let file = self.path().join("project").join(name);
        fs_err::write(&file, text).unwrap();
        file
    }

    /// The program's store.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path().join("store")).unwrap()
    }

    /// The program with its arguments, parted by blanks. Offline: whatever a test forgets to keep
    /// from the network fails.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelmill"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path().join("project"))
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            // Also where a daemon would answer.
            .env("WHEELMILL_ENGINE", "embedded")
            .env("WHEELMILL_HOME", self.path().join("store"))
            .env("WHEELMILL_CACHE", self.path().join("cache"))
            .env("WHEELMILL_OFFLINE", "1");
        command
    }

    /// Runs the program and gives its ending and both streams in one text.
    pub(crate) fn run(&self, arguments: &str) -> String {
        self.show(&self.command(arguments).output().unwrap())
    }

    /// An ending and both streams in one text, with the parts that differ between machines and
    /// days replaced.
    pub(crate) fn show(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).unwrap().replace(self.path().as_str(), "[HERE]")
        };
        let mut shown = format!("exit: {}\n", output.status.code().unwrap());
        for (name, text) in [("stdout", text(&output.stdout)), ("stderr", text(&output.stderr))] {
            if !text.is_empty() {
                shown = format!("{shown}----- {name}\n{text}");
            }
        }
        shown
    }
}
