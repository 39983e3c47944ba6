//! Stores in folders that vanish, and things to put into them.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use tempfile::TempDir;
use wheelmill_model::{CellKey, Digest, RunId};
use wheelmill_store::{NewCell, NewRun, NewWheel, Owner, Store};

pub(crate) const WHEEL: &str = "torchsort-0.1.10+cu130torch2.11-cp311-cp311-linux_x86_64.whl";
pub(crate) const CELL: &str = "torchsort-0.1.10-cu130-torch2.11-cp311";

/// A folder that holds a store and the files that are put into it.
pub(crate) struct Folder {
    _temporary: TempDir,
    path: Utf8PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// In memory where there is such a file system: for tests that sync a thousand times.
    pub(crate) fn in_memory() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        if memory.is_dir() { Self::within(memory) } else { Self::new() }
    }

    fn within(parent: &std::path::Path) -> Self {
        let temporary = tempfile::tempdir_in(parent).unwrap();
        let path = Utf8PathBuf::try_from(temporary.path().to_path_buf()).unwrap();
        Self { _temporary: temporary, path }
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    pub(crate) fn home(&self) -> Utf8PathBuf {
        self.path.join("home")
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.home()).unwrap()
    }

    /// Writes a file with the name of a wheel.
    pub(crate) fn wheel(&self, content: &[u8]) -> Utf8PathBuf {
        self.file(WHEEL, content)
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> Utf8PathBuf {
        let folder = self.path.join("built").join(Digest::of(content).short());
        fs_err::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs_err::write(&path, content).unwrap();
        path
    }
}

pub(crate) fn key(name: &str) -> CellKey {
    CellKey(Digest::of(name.as_bytes()))
}

pub(crate) fn good(key: CellKey) -> NewWheel {
    NewWheel {
        key,
        cell: CELL.to_owned(),
        spec: json!({"cuda": "13.0", "torch": "2.11", "python": "3.11", "architectures": "9.0"}),
        verdict: json!({"findings": []}),
        passed: true,
        run: RunId::from_text("20261122-104637-003f"),
    }
}

pub(crate) fn bad(key: CellKey) -> NewWheel {
    NewWheel { passed: false, verdict: json!({"findings": ["no-device-code"]}), ..good(key) }
}

pub(crate) fn new_run() -> NewRun {
    NewRun {
        command_line: vec!["wheelmill".to_owned(), "build".to_owned(), "torchsort".to_owned()],
        project: None,
        version: "0.1.0".to_owned(),
        owner: Owner::current().unwrap(),
    }
}

pub(crate) fn new_cell(id: &str) -> NewCell {
    NewCell {
        id: id.to_owned(),
        key: None,
        package: "torchsort".parse().unwrap(),
        spec: json!({"cuda": "13.0", "torch": "2.11"}),
    }
}

/// Every file below a folder, with its content.
pub(crate) fn files_below(folder: &Utf8Path) -> Vec<(Utf8PathBuf, Vec<u8>)> {
    let Ok(entries) = folder.read_dir_utf8() else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries.map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(entry.path()));
        } else {
            files.push((entry.path().to_owned(), fs_err::read(entry.path()).unwrap()));
        }
    }
    files
}

/// Says why a test cannot run on this machine; fails where everything must run.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("WHEELMILL_CI").is_none(), "cannot run here: {why}");
    eprintln!("SKIPPED: {why}");
}
