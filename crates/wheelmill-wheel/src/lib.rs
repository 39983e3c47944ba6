//! Opens, describes and judges a wheel: zip, metadata, tags, ELF and device code; no async, no
//! network.
//!
//! [`inspect`] reads a wheel once, strictly, and says what it is: every file is inflated and hashed,
//! every native module is taken apart down to the GPU code in it. [`judge`] holds what was found
//! against what was wanted and gives a [`Verdict`]. [`finish`] writes a wheel anew, under a version
//! with a label and with its torch pinned. Nothing from a wheel is ever executed, written
//! under a name of the wheel's choosing, or trusted to be well formed.

mod architectures;
mod contents;
mod device;
mod driver;
mod elf;
mod error;
mod finding;
mod finish;
mod inspect;
mod inspection;
mod judge;
mod label;
mod layout;
mod limits;
mod link;
mod metadata;
mod names;
mod native;
mod platform;
mod python;
mod record;
mod rules;
mod summary;
mod toolchain;
mod verdict;
mod zip;

pub use device::{
    Compression, Container, Containers, Coverage, DeviceFile, DeviceFormat, GpuGeneration, Image,
    ImageKind, ModuleCoverage, Support, coverage,
};
pub use driver::{DriverFloor, DriverFloorError, driver_floors};
pub use elf::{IsaLevel, LoadProperties, Machine, read_module};
pub use error::WheelError;
pub use finding::{Finding, Severity};
pub use finish::{
    Finish, FinishError, Finished, LabelError, Pin, RequirementConflict, finish, labelled,
};
pub use inspect::{InspectOptions, inspect, inspect_bytes};
pub use inspection::{Inspection, NativeModule};
pub use judge::judge;
pub use limits::Limits;
pub use link::{Environment, EnvironmentError, Links};
pub use metadata::{Metadata, Requirement, RequirementError};
pub use platform::{EarnedPlatform, PlatformError, earned};
pub use rules::{Rule, rules};
pub use verdict::{NotChecked, Verdict, Wishes};
