//! Whose a run is, and whether its process still lives.

use std::io;

use camino::Utf8Path;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// The process of a run. A process number alone is used again; with the moment of its start and the
/// boot of the machine it names one process for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Owner {
    /// The process number.
    pub pid: u32,
    /// When the process started, in clock ticks since boot (proc(5), field 22 of `stat`).
    pub process_started: u64,
    /// The kernel's identifier of this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
}

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn current() -> Result<Self, StoreError> {
        let pid = std::process::id();
        let path = Utf8Path::new("/proc/self/stat");
        let process_started = process_started(pid)
            .and_then(|started| started.ok_or_else(|| io::ErrorKind::InvalidData.into()))
            .map_err(|source| StoreError::File { action: "read", path: path.to_owned(), source })?;
        Ok(Self { pid, process_started, boot: boot()? })
    }

    /// Whether the process with this number is still the one that began the run.
    pub(crate) fn is_visible(&self) -> bool {
        boot().is_ok_and(|boot| boot == self.boot)
            && process_started(self.pid).is_ok_and(|started| started == Some(self.process_started))
    }
}

fn boot() -> Result<String, StoreError> {
    let path = Utf8Path::new("/proc/sys/kernel/random/boot_id");
    fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|source| StoreError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

fn process_started(pid: u32) -> io::Result<Option<u64>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in parentheses, which may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    // Behind it stands field 3; the start is field 22.
    Ok(fields.split_ascii_whitespace().nth(22 - 3).and_then(|field| field.parse().ok()))
}
