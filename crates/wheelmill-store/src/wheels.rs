//! Adding wheels and finding them again.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Params, Transaction, params};
use serde_json::Value;
use wheelmill_model::{CellKey, Digest, PackageName, WheelFilename};

use crate::columns::{Bytes, Moment, Text};
use crate::database::{Durability, Stop};
use crate::files::{self, TemporaryFile};
use crate::{AddedWheel, Adding, NewWheel, Store, StoreError, StoredWheel};

/// Wheels are content: nobody changes one in place.
const READ_ONLY: u32 = 0o444;

/// A copy is the user's own.
const WRITABLE: u32 = 0o644;

/// Shorter texts are taken for names only, not for the beginning of a digest.
const SHORTEST_DIGEST_PREFIX: usize = 4;

impl Store {
    /// Copies a wheel into the store: all of it, or nothing. Several processes may add for one key
    /// at once; the first good wheel stays, and the others are told so.
    ///
    /// # Errors
    /// The file is no wheel by its name, or cannot be read; the store cannot be written or is full.
    pub fn add_wheel(&self, file: &Utf8Path, wheel: &NewWheel) -> Result<AddedWheel, StoreError> {
        let file_name: WheelFilename = file
            .file_name()
            .unwrap_or_default()
            .parse()
            .map_err(|source| StoreError::NotAWheel { path: file.to_owned(), source })?;
        // The slow part comes first, while other processes may still write.
        let mut temporary = TemporaryFile::create(&self.layout.temporary())?;
        let (digest, size) = temporary.fill(file)?;
        temporary.seal(READ_ONLY)?;
        self.database.write("store a wheel", Durability::Power, |transaction| {
            let held = self.wheel_of(transaction, &wheel.key)?;
            let usable = |held: &StoredWheel| held.passed && held.present;
            let (adding, replaced) = match held {
                None => (Adding::New, None),
                Some(held) if usable(&held) => {
                    let adding =
                        if held.digest == digest { Adding::Same } else { Adding::FirstKept };
                    return Ok(AddedWheel { wheel: held, adding });
                }
                Some(held) => (Adding::Replaced, Some(held.digest)),
            };
            let folder = self.layout.wheel_folder(&digest);
            files::create_folder(&folder)?;
            // In place of a file that a crash left without a row, or that was damaged since.
            temporary.publish(&folder.join(file_name.as_str()))?;
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO wheels (key, digest, size, file_name, cell, package,
                         spec, verdict, passed, built_at, run)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                )?
                .execute(params![
                    Text(wheel.key),
                    Text(digest),
                    Bytes(size),
                    Text(&file_name),
                    wheel.cell,
                    Text(&file_name.name),
                    wheel.spec.to_string(),
                    wheel.verdict.to_string(),
                    wheel.passed,
                    Moment(Timestamp::now()),
                    wheel.run.as_str(),
                ])?;
            if let Some(replaced) = replaced {
                self.remove_unlisted(transaction, &replaced)?;
            }
            let wheel = self
                .wheel_of(transaction, &wheel.key)?
                .ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            Ok(AddedWheel { wheel, adding })
        })
    }

    /// The wheel for a key, when it was judged good and its file is there.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn wheel_for(&self, key: &CellKey) -> Result<Option<StoredWheel>, StoreError> {
        self.database.read("look up a wheel", |transaction| {
            let held = self.wheel_of(transaction, key)?;
            Ok(held.filter(|wheel| wheel.passed && wheel.present))
        })
    }

    /// Keeps a new verdict on a stored wheel, found good again by other tests.
    ///
    /// # Errors
    /// There is no such wheel, or the database cannot be written.
    pub fn set_verdict(&self, key: &CellKey, verdict: &Value) -> Result<StoredWheel, StoreError> {
        self.database.write("keep a verdict", Durability::Power, |transaction| {
            transaction
                .prepare_cached("UPDATE wheels SET verdict = ?2 WHERE key = ?1")?
                .execute(params![Text(key), verdict.to_string()])?;
            Ok(self.wheel_of(transaction, key)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
        })
    }

    /// Every wheel, by package, newest first; also those that were not judged good and those whose
    /// files are gone.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn wheels(&self) -> Result<Vec<StoredWheel>, StoreError> {
        self.database.read("list the wheels", |transaction| self.wheels_where(transaction, "1", []))
    }

    /// The wheels that a text names: a package (`flash-attn`), a package and its version
    /// (`flash-attn==2.8.3`, with or without the local label), a file name, a cell, or the
    /// beginning of a digest. Names go before digests.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn find_wheels(&self, text: &str) -> Result<Vec<StoredWheel>, StoreError> {
        self.database.read("look for wheels", |transaction| {
            let (name, version) = match text.split_once("==") {
                Some((name, version)) => (name.trim(), Some(version.trim())),
                None => (text, None),
            };
            // A text that is no package name fits no package.
            let package =
                name.parse().map(|name: PackageName| name.to_string()).unwrap_or_default();
            let mut named = self.wheels_where(
                transaction,
                "package = ?1 OR file_name = ?2 OR cell = ?2",
                [&*package, text],
            )?;
            if let Some(version) = version {
                named.retain(|wheel| wheel.cell == text || has_version(wheel, version));
            }
            let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if named.is_empty() && digits && text.len() >= SHORTEST_DIGEST_PREFIX {
                let prefix = text.to_ascii_lowercase();
                named = self.wheels_where(transaction, "digest GLOB ?1 || '*'", [prefix])?;
            }
            Ok(named)
        })
    }

    /// Copies a wheel out, under its own name, into a folder that is created where it is missing.
    /// Returns the path of the copy, which holds what was stored: the content is compared.
    ///
    /// # Errors
    /// The wheel is not in the store or damaged, the copy exists and may not be replaced, or the
    /// folder cannot be written.
    pub fn export_wheel(
        &self,
        digest: &Digest,
        folder: &Utf8Path,
        overwrite: bool,
    ) -> Result<Utf8PathBuf, StoreError> {
        let wheel = self.wheel_with(digest)?;
        if !wheel.path.exists() {
            return Err(StoreError::WheelGone { path: wheel.path });
        }
        let target = folder.join(wheel.file_name.as_str());
        if !overwrite && target.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path: target });
        }
        fs_err::create_dir_all(folder)
            .map_err(|source| StoreError::file("create", folder, source))?;
        let mut copy = TemporaryFile::create_hidden(folder)?;
        let (found, _) = copy.fill(&wheel.path)?;
        if found != *digest {
            return Err(StoreError::WheelDamaged { path: wheel.path, found });
        }
        copy.seal(WRITABLE)?;
        copy.publish(&target)?;
        Ok(target)
    }

    /// Reads a wheel again and compares its content with what was stored.
    ///
    /// # Errors
    /// The wheel is not in the store, its file is gone, or its content has changed.
    pub fn check_wheel(&self, digest: &Digest) -> Result<(), StoreError> {
        let wheel = self.wheel_with(digest)?;
        if !wheel.path.exists() {
            return Err(StoreError::WheelGone { path: wheel.path });
        }
        let found = files::hash(&wheel.path)?;
        if found == *digest {
            Ok(())
        } else {
            Err(StoreError::WheelDamaged { path: wheel.path, found })
        }
    }

    fn wheel_with(&self, digest: &Digest) -> Result<StoredWheel, StoreError> {
        self.database.read("look up a wheel", |transaction| {
            let wheels = self.wheels_where(transaction, "digest = ?1", [Text(digest)])?;
            Ok(wheels.into_iter().next().ok_or(StoreError::NoSuchWheel { digest: *digest })?)
        })
    }

    fn wheel_of(
        &self,
        transaction: &Transaction<'_>,
        key: &CellKey,
    ) -> rusqlite::Result<Option<StoredWheel>> {
        let columns = StoredWheel::COLUMNS;
        transaction
            .prepare_cached(&format!("SELECT {columns} FROM wheels WHERE key = ?1"))?
            .query_row([Text(key)], |row| StoredWheel::from_row(row, &self.layout))
            .optional()
    }

    pub(crate) fn wheels_where(
        &self,
        transaction: &Transaction<'_>,
        condition: &str,
        parameters: impl Params,
    ) -> Result<Vec<StoredWheel>, Stop> {
        let columns = StoredWheel::COLUMNS;
        let mut statement = transaction.prepare_cached(&format!(
            "SELECT {columns} FROM wheels WHERE {condition}
             ORDER BY package, built_at DESC, key"
        ))?;
        let wheels = statement
            .query_map(parameters, |row| StoredWheel::from_row(row, &self.layout))?
            .collect::<Result<_, _>>()?;
        Ok(wheels)
    }
}

/// Whether a wheel is of a version as a person writes it: without a local label any label fits.
fn has_version(wheel: &StoredWheel, text: &str) -> bool {
    let Ok(wanted) = text.parse::<wheelmill_model::Version>() else { return false };
    wheel.version == wanted
        || (!wanted.is_local() && wheel.version.clone().without_local() == wanted)
}
