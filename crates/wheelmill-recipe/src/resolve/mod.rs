//! From a recipe as written to a resolved one.

mod check;
mod draft;
mod path;

pub(crate) use draft::{Draft, Files};
