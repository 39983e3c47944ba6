//! The operations of wheelmill: plan, build and clean. Owns the run and emits events.
//!
//! [`Mill::plan`] turns a wish into cells and says of each where it stands, from the store alone.
//! [`Mill::build`] takes the wanted ones on their way: fetch, environment, compile, repair,
//! verify, store.
//! [`Cleaner`] tells what all that takes of the disk, and removes what a budget lets go.
//! What happens is told as [`Event`]s; how a cell ended is a [`CellResult`]; why it failed is a
//! [`Failure`] with a [`Cause`].

mod build;
mod cache_use;
mod cancellation;
mod clean;
mod defaults;
mod diagnose;
mod dockerfile;
mod environment;
mod error;
mod event;
mod fetch;
mod host;
mod layout;
mod lock;
mod mill;
mod plan;
mod planner;
mod preflight;
mod repair;
mod settings;
mod tree;
mod unchecked;
mod warning;
mod words;

pub use build::{CacheCount, RunResult, Shell, ShellError, ShellPlace, dearest};
pub use cancellation::Cancellation;
pub use clean::{
    CleanItem, CleanKind, CleanSettings, CleanState, Cleaner, DaemonPlace, NotLookedAt, Survey,
};
pub use diagnose::{Cause, Failure};
pub use error::{ErrorKind, MillError};
pub use event::{CellOutcome, CellResult, Compiles, Event, Progress, Reporter};
pub use fetch::{FetchError, IndexError, PinError};
pub use layout::ImageCell;
pub use mill::Mill;
pub use plan::{CellKind, CellState, Plan, PlannedCell, RecipeCell};
pub use preflight::Check;
pub use settings::{Bases, MillSettings};
pub use unchecked::not_checked;
pub use warning::PlanWarning;
pub use words::quoted;
