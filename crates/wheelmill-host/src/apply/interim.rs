//! Settings that the daemon reads for a moment on its way back, because it would keep what they do
//! not name.

use serde_json::{Value, json};

use super::change::HostChange;
use super::error::HostError;
use super::journal::Journal;
use super::write;
use crate::json::JsonText;
use crate::plan::{Expectation, FileState};

/// A key with its value for a moment, and the place of its file in the journal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interim {
    file: usize,
    key: &'static str,
    value: Value,
}

impl Interim {
    /// For a reload. A daemon that reads settings without `runtimes` keeps those that it has, and
    /// Docker 20.10 crashes over `null`; an empty object takes them away.
    pub(super) fn of_reload(journal: &Journal) -> Option<Self> {
        let file = changed(journal, "runtimes")?;
        is_unset(journal, file, "runtimes").then(|| Self {
            file,
            key: "runtimes",
            value: json!({}),
        })
    }

    /// For a start. A daemon that is told no address for its bridge takes the one that the bridge
    /// has, or that it remembers.
    pub(super) fn of_start(journal: &Journal) -> Option<Self> {
        let pools = || changed(journal, "default-address-pools");
        let file = changed(journal, "bip").or_else(pools)?;
        let was = journal.expectations_before().into_iter().find_map(|before| match before {
            Expectation::BridgeAddress(address) => Some(address),
            _ => None,
        })?;
        let is_free = is_unset(journal, file, "bip") && is_unset(journal, file, "bridge");
        is_free.then(|| Self { file, key: "bip", value: json!(was) })
    }
}

/// The file of which a change has changed a key, as it is now.
fn changed(journal: &Journal, key: &str) -> Option<usize> {
    journal.files.iter().position(|file| {
        file.leaves.iter().any(|leaf| leaf.path.first().is_some_and(|first| first == key))
    })
}

fn is_unset(journal: &Journal, file: usize, key: &str) -> bool {
    let state = FileState::read(&journal.files[file].real).ok().flatten();
    let bytes = state.map(|state| state.bytes).unwrap_or_default();
    JsonText::parse(&bytes).is_ok_and(|text| text.get(&[key]).unwrap_or_default().is_null())
}

impl HostChange<'_> {
    /// Does something while the daemon's settings have one more key. The journal knows of it before
    /// the file does, so that a crash leaves nothing of it.
    pub(super) fn with_interim(
        &self,
        journal: &Journal,
        interim: &Interim,
        act: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        let real = &journal.files[interim.file].real;
        let state = FileState::read(real)?;
        let bytes = state.as_ref().map_or(&[][..], |state| &state.bytes);
        let wrong = |source| HostError::Settings { path: real.clone(), source };
        let mut text = JsonText::parse(bytes).map_err(wrong)?;
        text.set(&[interim.key], &interim.value).map_err(wrong)?;

        let mut noted = journal.clone();
        let file = &mut noted.files[interim.file];
        file.before = journal.keep_state(real, state.as_ref())?;
        file.after = wheelmill_model::Digest::of(&text.bytes());
        noted.write()?;
        let owner = state.as_ref().map_or_else(|| write::own(0o644), |state| state.owner);
        write::replace(real, &text.bytes(), owner, None)?;
        let acted = act();
        match &state {
            Some(state) => write::replace(real, &state.bytes, state.owner, None)?,
            None => write::remove(real)?,
        }
        acted
    }
}
