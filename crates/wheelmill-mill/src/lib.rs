//! The operations of wheelmill: plan and build; owns the run and emits events.
