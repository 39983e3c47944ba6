//! What a wheel asks of NVIDIA's driver.

mod floor;
mod functions;

pub(crate) use floor::runtime;
pub use floor::{DriverFloor, DriverFloorError, driver_floors};
