//! The compiles of a run, as `runs show` tells them.

use std::collections::HashMap;
use std::io::BufWriter;

use camino::Utf8Path;
use serde::Deserialize as _;
use wheelmill_gate::{CompileRecord, write_trace};
use wheelmill_mill::CacheCount;
use wheelmill_store::{AttemptDetail, AttemptId, RunDetail, Store};

use crate::error::{CliError, Ending};

/// What is kept of the compiles of a run.
pub(super) struct RunCompiles(HashMap<AttemptId, Vec<CompileRecord>>);

impl RunCompiles {
    /// Reads them. What another version wrote in another way is left out.
    pub(super) fn read(store: &Store, run: &RunDetail) -> Result<Self, CliError> {
        let kept = store.compiles_in(&run.summary.id)?;
        let compiles = kept.into_iter().map(|(attempt, records)| {
            let records = records.into_iter().filter_map(|it| CompileRecord::deserialize(it).ok());
            (attempt, records.collect())
        });
        Ok(Self(compiles.collect()))
    }

    /// The dearest of an attempt, the longest first.
    pub(super) fn dearest(&self, attempt: &AttemptDetail) -> Vec<&CompileRecord> {
        self.0.get(&attempt.id).map(|records| wheelmill_mill::dearest(records)).unwrap_or_default()
    }

    /// What the compile cache did for an attempt, where it was asked.
    pub(super) fn cache(&self, attempt: &AttemptDetail) -> Option<CacheCount> {
        CacheCount::of(self.0.get(&attempt.id)?)
    }

    /// Writes all of them as a trace.
    pub(super) fn write_trace(&self, path: &Utf8Path) -> Result<(), CliError> {
        let records: Vec<CompileRecord> = self.0.values().flatten().cloned().collect();
        if records.is_empty() {
            return Err(CliError::usage("no compiles of this run are kept, so there is no trace")
                .hint("only those of the newest builds of each package are kept, and only where builds ran behind the gate"));
        }
        let mut file = BufWriter::new(fs_err::File::create(path)?);
        write_trace(&records, &mut file).map_err(|error| CliError::new(Ending::NotReady, error))
    }
}
