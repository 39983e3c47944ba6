//! The store: opening it, and where its things lie.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::File;
use wheelmill_model::{CellKey, RunId};

use crate::database::Database;
use crate::layout::Layout;
use crate::{StoreError, files};

/// Wheels, history and locks below one folder. One process needs one `Store`, which its threads
/// share; any number of processes may have one on the same folder.
#[derive(Debug)]
pub struct Store {
    pub(crate) layout: Layout,
    pub(crate) database: Database,
    /// The locks that tell other processes which runs of this one are alive.
    pub(crate) alive: Mutex<HashMap<RunId, File>>,
}

impl Store {
    /// Opens the store below `home`, creates what is missing, and removes what dead processes left
    /// half-written.
    ///
    /// # Errors
    /// `home` is a file, cannot be written, is on a full disk, or holds the database of a newer
    /// wheelmill, of another program, or a damaged one.
    pub fn open(home: &Utf8Path) -> Result<Self, StoreError> {
        let layout = layout(home)?;
        match layout.home().metadata() {
            Ok(found) if !found.is_dir() => {
                return Err(StoreError::NotAFolder { path: layout.home().to_owned() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(StoreError::NotAFolder { path: layout.home().to_owned() });
            }
            _ => {}
        }
        files::create_folder(&layout.temporary())?;
        let database = Database::open(&layout.database())?;
        files::sweep(&layout.temporary());
        Ok(Self { layout, database, alive: Mutex::default() })
    }

    /// Opens the store below `home` where there is one, for commands that only look.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_existing(home: &Utf8Path) -> Result<Option<Self>, StoreError> {
        let database = layout(home)?.database();
        match database.symlink_metadata() {
            Ok(_) => Self::open(home).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Anything else is said best by what `open` finds.
            Err(_) => Self::open(home).map(Some),
        }
    }

    /// The store's folder, absolute.
    #[must_use]
    pub fn home(&self) -> &Utf8Path {
        self.layout.home()
    }

    /// Where the output of an attempt goes. The folder exists once the attempt has begun.
    #[must_use]
    pub fn log_path(&self, run: &RunId, cell: &str, attempt: u32) -> Utf8PathBuf {
        self.layout.log(run, cell, attempt)
    }

    /// Where a cell is built. The store neither creates nor removes it.
    #[must_use]
    pub fn work_folder(&self, key: &CellKey) -> Utf8PathBuf {
        self.layout.work(key)
    }
}

fn layout(home: &Utf8Path) -> Result<Layout, StoreError> {
    camino::absolute_utf8(home)
        .map(Layout::new)
        .map_err(|source| StoreError::NoAbsolutePath { path: home.to_owned(), source })
}
