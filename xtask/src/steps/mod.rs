//! One file for each kind of check.

pub(crate) mod layers;
pub(crate) mod licences;
pub(crate) mod prerequisites;
pub(crate) mod reference;
pub(crate) mod rust;
pub(crate) mod torchsort;
