//! Removing wheels.

use std::io;

use fs_err as fs;
use rusqlite::Transaction;
use wheelmill_model::Digest;

use crate::columns::Text;
use crate::database::{Durability, Stop};
use crate::{Store, StoreError, StoredWheel, files};

impl Store {
    /// Removes a content from the store: its files, and the rows of every cell that gave it.
    /// Returns what it was.
    ///
    /// # Errors
    /// The wheel is not in the store, or the store cannot be written.
    pub fn remove_wheel(&self, digest: &Digest) -> Result<StoredWheel, StoreError> {
        // First the files, in a change of their own: on a full disk even the removal of a row needs
        // space, and this is what gives it back. A crash in between leaves a row that says its file
        // is gone, and that can be removed again.
        let removed = self.database.read("look up a wheel", |transaction| {
            let wheels = self.wheels_where(transaction, "digest = ?1", [Text(digest)])?;
            Ok(wheels.into_iter().next().ok_or(StoreError::NoSuchWheel { digest: *digest })?)
        })?;
        self.remove_files(digest)?;
        self.database.write("remove a wheel", Durability::Power, |transaction| {
            // Somebody may have added the same content again; whoever removes, removes that, too.
            self.remove_files(digest)?;
            transaction
                .prepare_cached("DELETE FROM wheels WHERE digest = ?1")?
                .execute([Text(digest)])?;
            Ok(())
        })?;
        Ok(removed)
    }

    /// Removes the files of a content that no row names any more.
    pub(crate) fn remove_unlisted(
        &self,
        transaction: &Transaction<'_>,
        digest: &Digest,
    ) -> Result<(), Stop> {
        let rows: u32 = transaction
            .prepare_cached("SELECT count(*) FROM wheels WHERE digest = ?1")?
            .query_row([Text(digest)], |row| row.get(0))?;
        if rows == 0 {
            self.remove_files(digest)?;
        }
        Ok(())
    }

    fn remove_files(&self, digest: &Digest) -> Result<(), StoreError> {
        let folder = self.layout.wheel_folder(digest);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|source| StoreError::file("remove", &folder, source))?,
        }
        folder.parent().map_or(Ok(()), files::sync_folder)
    }
}
