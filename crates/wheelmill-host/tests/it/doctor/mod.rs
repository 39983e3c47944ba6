//! What doctors say of machines.

mod checks;
mod daemons;
mod fixture;
mod replies;
