//! The texts of a `.dist-info` folder.

mod core;
mod headers;
mod requirement;
mod wheel_file;

pub use self::core::Metadata;
pub(crate) use self::core::read as read_metadata;
pub use requirement::{Requirement, RequirementError};
pub(crate) use wheel_file::WheelFile;
