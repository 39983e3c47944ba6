//! What a machine must be for containers with GPUs, and how it is made so without losing anything.
//!
//! [`requirement`] holds the conditions that images put on the driver; [`machine`] reads what is
//! there, and [`service`] starts and stops it; [`json`] changes a daemon's settings where asked, and
//! nowhere else.

pub mod apply;
pub mod json;
pub mod machine;
pub mod plan;
pub mod requirement;
pub mod service;
