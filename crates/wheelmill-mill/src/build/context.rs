//! What all attempts of a run share.

use wheelmill_engine::Cancel;
use wheelmill_model::ByteSize;
use wheelmill_store::Store;

use super::gate::Gate;
use crate::event::Reporter;
use crate::fetch::{Client, Index};
use crate::mill::Mill;
use crate::preflight::Check;

/// What an attempt works with.
#[derive(Clone, Copy)]
pub(super) struct AttemptContext<'a> {
    pub(super) mill: &'a Mill,
    pub(super) store: &'a Store,
    pub(super) client: &'a Client,
    pub(super) index: &'a Index<'a>,
    pub(super) reporter: &'a dyn Reporter,
    pub(super) cancel: &'a Cancel,
    pub(super) checks: &'a [Check],
    /// Admits compilers; without it a build divides the machine by itself.
    pub(super) gate: Option<&'a Gate>,
    /// The memory that could be had when no other cell of this run was at work: a cell is not given
    /// less because another one, whose compilers the gate holds in bounds, runs beside it.
    pub(super) free: Option<ByteSize>,
}
