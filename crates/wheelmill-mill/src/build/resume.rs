//! Goes on from what the last attempt at a cell left in its folder.
//!
//! | in the folder | what it means |
//! | --- | --- |
//! | `resume.json` and `src` | the source of an attempt that began to compile, and did not succeed |
//! | `resume.json` and `last` | the same, put aside while a new source is brought to `src` |
//! | no `resume.json` | nothing of `src` is used: the attempt did not come so far, or a person was in it |
//!
//! Every change from one row to the next is one rename or one removal, so a process that is killed
//! leaves one of them. Nothing waits for the disk: after a crash of the machine, or a loss of power,
//! files can be empty that were written before it. So what another boot has left is not used.

use std::io;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use wheelmill_model::CellKey;

use super::folder::WorkFolder;
use super::ninja::{self, Carried};
use crate::environment::paths;

const MARKER: &str = "resume.json";
const LAST: &str = "last";
const GONE: &str = "gone";
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// What a source was compiled for, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    key: CellKey,
    /// The machine's boot.
    boot: String,
}

/// What a work folder has of an earlier attempt. Its user holds the folder, and nothing of an
/// earlier build runs any more.
pub(super) struct Leftover<'a>(pub(super) &'a WorkFolder);

impl Leftover<'_> {
    /// Puts the source of the last attempt aside, if it can be gone on from. Then there is no `src`.
    pub(super) fn set_aside(&self) -> io::Result<()> {
        self.0.remove(GONE)?;
        if self.marker().is_some_and(|marker| boot().is_some_and(|boot| boot == marker.boot)) {
            // Where there is one aside, the new source was not ready yet.
            if !self.0.path(LAST).exists() && self.0.path("src").exists() {
                return fs_err::rename(self.0.path("src"), self.0.path(LAST));
            }
        } else {
            self.forget()?;
        }
        self.0.remove("src")?;
        Ok(())
    }

    /// Moves the objects of what was put aside to the new source, if they were made for this key,
    /// and writes down that the new source is whole.
    pub(super) fn carry_over(&self, key: &CellKey) -> io::Result<Carried> {
        let (last, source) = (self.0.path(LAST), self.0.path("src"));
        let same = self.marker().is_some_and(|marker| marker.key == *key);
        let mut carried = Carried::default();
        if same && last.exists() {
            // Without namespaces builds see the folder where it is.
            let real = source.canonicalize_utf8()?;
            carried = ninja::carry(&last, &source, &[Utf8Path::new(paths::SOURCE), &source, &real]);
            // From here on the new source is what can be gone on from.
            fs_err::rename(&last, self.0.path(GONE))?;
        } else {
            self.forget()?;
        }
        self.mark(key)?;
        self.0.remove(GONE)?;
        Ok(carried)
    }

    /// Lets nobody go on from what is there.
    pub(super) fn forget(&self) -> io::Result<()> {
        match fs_err::remove_file(self.0.path(MARKER)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.0.remove(LAST)?;
        Ok(())
    }

    /// Gives the source to a person, who may change what he likes: nothing of it is used by builds.
    pub(super) fn give_away(&self) -> io::Result<()> {
        if self.0.path(LAST).exists() {
            // What is in `src` is not whole.
            self.0.remove("src")?;
            fs_err::rename(self.0.path(LAST), self.0.path("src"))?;
        }
        self.forget()
    }

    fn mark(&self, key: &CellKey) -> io::Result<()> {
        // Where nobody knows which boot this is, nothing is gone on from.
        let Some(boot) = boot() else { return Ok(()) };
        let marker = Marker { key: *key, boot };
        let text = serde_json::to_string(&marker).expect("a marker is plain data");
        let temporary = self.0.path("resume.new");
        fs_err::write(&temporary, text)?;
        fs_err::rename(temporary, self.0.path(MARKER))
    }

    fn marker(&self) -> Option<Marker> {
        serde_json::from_str(&fs_err::read_to_string(self.0.path(MARKER)).ok()?).ok()
    }
}

fn boot() -> Option<String> {
    Some(fs_err::read_to_string(BOOT).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use wheelmill_model::Digest;

    use super::*;

    struct Cell {
        _folder: tempfile::TempDir,
        work: WorkFolder,
    }

    impl Cell {
        /// A cell whose attempt for the key `key` has compiled one object.
        fn tried() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = Utf8PathBuf::from_path_buf(folder.path().join("cell")).unwrap();
            let cell = Self { _folder: folder, work: WorkFolder::new(path) };
            cell.bring();
            assert_eq!(cell.left().carry_over(&key("key")).unwrap(), Carried::default());
            cell.compile();
            cell
        }

        fn left(&self) -> Leftover<'_> {
            Leftover(&self.work)
        }

        /// A new source.
        fn bring(&self) {
            self.left().set_aside().unwrap();
            assert!(!self.work.path("src").exists());
            fs_err::create_dir_all(self.work.path("src")).unwrap();
        }

        fn compile(&self) {
            let build = self.work.path("src/build");
            fs_err::create_dir_all(&build).unwrap();
            let object = build.join("a.o");
            fs_err::write(&object, "object").unwrap();
            let changed = object.metadata().unwrap().modified().unwrap();
            let moment = changed.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
            let log = format!("# ninja log v5\n0\t1\t{moment}\ta.o\tabc\n");
            fs_err::write(build.join(".ninja_log"), log).unwrap();
        }

        /// The objects that the next attempt has.
        fn next(&self, key: &CellKey) -> usize {
            self.bring();
            self.left().carry_over(key).unwrap().objects
        }
    }

    fn key(text: &str) -> CellKey {
        CellKey(Digest::of(text.as_bytes()))
    }

    #[test]
    fn the_next_attempt_has_the_objects_and_those_after_it_too() {
        let cell = Cell::tried();
        for _ in 0..3 {
            assert_eq!(cell.next(&key("key")), 1);
            assert!(!cell.work.path(LAST).exists() && !cell.work.path(GONE).exists());
        }
    }

    #[test]
    fn objects_of_another_key_are_never_used() {
        let cell = Cell::tried();
        assert_eq!(cell.next(&key("another")), 0);
        assert!(!cell.work.path(LAST).exists());
        assert_eq!(cell.next(&key("key")), 0);
    }

    #[test]
    fn objects_of_another_boot_are_not_used() {
        let cell = Cell::tried();
        let path = cell.work.path(MARKER);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, text.replace(&boot().unwrap(), "another boot")).unwrap();
        assert_eq!(cell.next(&key("key")), 0);
    }

    #[test]
    fn an_attempt_that_is_killed_while_it_brings_the_source_loses_nothing() {
        let cell = Cell::tried();
        cell.bring();
        // Here it is killed, and the next one, too.
        cell.bring();
        assert_eq!(cell.next(&key("key")), 1);
    }

    #[test]
    fn what_a_person_was_in_is_not_used() {
        let cell = Cell::tried();
        cell.left().give_away().unwrap();
        assert!(cell.work.path("src/build/a.o").exists(), "it is as it was left");
        assert_eq!(cell.next(&key("key")), 0);

        let cell = Cell::tried();
        cell.bring();
        cell.left().give_away().unwrap();
        assert!(cell.work.path("src/build/a.o").exists(), "the whole source is given");
    }
}
