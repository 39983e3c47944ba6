//! What wheelmill keeps: content-addressed wheels, the build history and what cells resolved to.
//!
//! Everything lies below one folder:
//!
//! ```text
//! store.sqlite3                            rows: wheels, locks, runs, attempts, phases, events, compiles
//! wheels/sha256/ab/<digest>/<name>.whl     whole wheels only, under the names that pip wants
//! logs/<run>/<cell>/<attempt>.log          output of the builds, written by the callers
//! logs/<run>/.owner                        locked for as long as the run's process lives
//! work/<cell key>/                         build folders, the callers' business
//! tmp/                                     everything that a crash can leave half-written
//! ```
//!
//! A file becomes visible before the row that names it: it is written below `tmp/`, synced, renamed
//! to its place, the folder is synced, and then the row is committed. So a crash leaves a file
//! without a row (adopted when the same content comes again), or something below `tmp/` (removed
//! when the store is next opened), and never a row that promises half a wheel. Removing goes the
//! same way round, the file first: on a full disk that gives back the space which the row needs.
//!
//! Any number of processes may use one store at once. Who lives is told by `flock`, which the
//! kernel releases with the process, whatever killed it and whichever container it was in.

mod columns;
mod database;
mod error;
mod expectation;
mod files;
mod history;
mod layout;
mod locks;
mod owner;
mod removal;
mod schema;
mod store;
mod wheel;
mod wheels;

pub use error::StoreError;
pub use expectation::{Expectation, Expectations};
pub use history::{
    Attempt, AttemptDetail, AttemptEnd, AttemptId, CancelledBy, CellCounts, Event, NewCell, NewRun,
    Outcome, PhaseSpan, RunDetail, RunOutcome, RunSummary,
};
pub use locks::StoredLock;
pub use owner::Owner;
pub use store::Store;
pub use wheel::{AddedWheel, Adding, NewWheel, StoredWheel};
