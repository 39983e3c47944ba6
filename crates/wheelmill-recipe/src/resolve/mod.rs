//! From a recipe as written to a resolved one.

mod check;
mod draft;

pub(crate) use draft::{Draft, Files};
