//! What a machine must be for containers with GPUs, and how it is made so without losing anything.
//!
//! [`requirement`] holds the conditions that images put on the driver.

pub mod requirement;
