//! What a machine must be for containers with GPUs, and how it is made so without losing anything.
//!
//! [`machine`] reads what is there, and [`service`] starts and stops it; [`json`] changes a daemon's
//! settings where asked, and nowhere else. [`plan`] says what a wish changes, and [`apply`] does it
//! and takes it back. [`dropin`] explains what others did before, and [`doctor`] says whether all of it
//! is as builds need it.

pub mod apply;
pub mod doctor;
pub mod dropin;
pub mod json;
pub mod machine;
pub mod plan;
pub mod service;
