//! The operations of wheelmill: plan and build. Owns the run and emits events.
//!
//! [`Mill::plan`] turns a wish into cells and says of each where it stands, from the store alone.
//! [`Mill::build`] takes the wanted ones on their way: fetch, environment, compile, verify, store.
//! What happens is told as [`Event`]s; how a cell ended is a [`CellResult`]; why it failed is a
//! [`Failure`] with a [`Cause`].

mod build;
mod cancellation;
mod defaults;
mod diagnose;
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
mod settings;
mod unchecked;
mod warning;

pub use build::RunResult;
pub use cancellation::Cancellation;
pub use diagnose::{Cause, Failure};
pub use error::{ErrorKind, MillError};
pub use event::{CellOutcome, CellResult, Event, Progress, Reporter};
pub use fetch::{FetchError, IndexError, PinError};
pub use layout::ImageCell;
pub use mill::Mill;
pub use plan::{CellKind, CellState, Plan, PlannedCell, RecipeCell};
pub use preflight::{Check, CheckState};
pub use settings::{Bases, MillSettings};
pub use unchecked::not_checked;
pub use warning::PlanWarning;
