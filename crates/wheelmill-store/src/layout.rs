//! Where things lie below the store's folder.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{CellKey, Digest, RunId};

/// The longest name of one folder or file that every Linux file system takes, in bytes.
const LONGEST_NAME: usize = 255;

/// The paths of a store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    home: Utf8PathBuf,
}

impl Layout {
    pub(crate) const fn new(home: Utf8PathBuf) -> Self {
        Self { home }
    }

    pub(crate) fn home(&self) -> &Utf8Path {
        &self.home
    }

    pub(crate) fn database(&self) -> Utf8PathBuf {
        self.home.join("store.sqlite3")
    }

    pub(crate) fn temporary(&self) -> Utf8PathBuf {
        self.home.join("tmp")
    }

    pub(crate) fn wheels(&self) -> Utf8PathBuf {
        self.home.join("wheels/sha256")
    }

    /// The folder that holds one content, under as many names as it came with.
    pub(crate) fn wheel_folder(&self, digest: &Digest) -> Utf8PathBuf {
        let text = digest.to_string();
        self.wheels().join(&text[..2]).join(text)
    }

    pub(crate) fn all_logs(&self) -> Utf8PathBuf {
        self.home.join("logs")
    }

    pub(crate) fn logs(&self, run: &RunId) -> Utf8PathBuf {
        self.all_logs().join(one_name(run.as_str()))
    }

    pub(crate) fn log(&self, run: &RunId, cell: &str, attempt: u32) -> Utf8PathBuf {
        self.logs(run).join(one_name(cell)).join(format!("{attempt}.log"))
    }

    pub(crate) fn owner(&self, run: &RunId) -> Utf8PathBuf {
        self.logs(run).join(".owner")
    }

    pub(crate) fn work(&self, key: &CellKey) -> Utf8PathBuf {
        self.home.join("work").join(key.to_string())
    }
}

/// One name of a file for any text: what is not plain is written as `%` and its bytes, and what is
/// too long is cut and told apart by its digest. Different texts give different names.
fn one_name(text: &str) -> String {
    use std::fmt::Write as _;

    let plain = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '+' | '=' | '.')
    };
    let mut name = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        // A leading dot would make a hidden name, `..`, or the name of the owner's lock.
        if plain(character) && !(index == 0 && character == '.') {
            name.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            write!(name, "%{byte:02x}").expect("writing to a String cannot fail");
        }
    }
    if name.is_empty() {
        return "%".to_owned();
    }
    if name.len() > LONGEST_NAME {
        // All characters are ASCII here, so any cut is between characters.
        name.truncate(LONGEST_NAME - 66);
        name.push_str("%-");
        name.push_str(&Digest::of(text.as_bytes()).to_string());
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_keep_their_readable_names() {
        let cell = "torchsort-0.1.10+cu130-torch2.11-cp311";
        assert_eq!(one_name(cell), cell);
        assert_eq!(one_name("a/b"), "a%2fb");
        assert_eq!(one_name(".."), "%2e.");
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_folder_or_meets_another(
            first in "\\PC{0,300}", second in "[./%a]{0,4}"
        ) {
            for text in [&first, &second] {
                let name = one_name(text);
                prop_assert!(!name.is_empty() && name.len() <= LONGEST_NAME);
                prop_assert!(!name.starts_with('.') && !name.contains(['/', '\0']));
            }
            prop_assert_eq!(first == second, one_name(&first) == one_name(&second));
        }
    }
}
