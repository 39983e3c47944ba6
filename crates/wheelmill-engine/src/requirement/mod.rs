//! The conditions that an image puts on the machine's driver: `NVIDIA_REQUIRE_CUDA=cuda>=12.8`.
//!
//! NVIDIA's runtime checks them in its legacy mode alone, which is no longer the default; see
//! <https://github.com/NVIDIA/nvidia-container-toolkit/issues/1470>. So they are evaluated here,
//! before a container starts, by the grammar of `libnvidia-container` (`src/cli/dsl.c`): a space
//! stands for "or", a comma for "and" and binds tighter, and there are no spaces around operators.
//! `cuda>=11.0 driver>=450`, an example in NVIDIA's own documentation, is therefore met by either.

mod condition;
mod driver;
mod evaluate;
mod expression;
mod image;
mod version;

pub use condition::{Condition, Operator, Property};
pub use driver::{Driver, Gpu};
pub use evaluate::Fit;
pub use expression::{Expression, ExpressionError};
pub use image::{ImageRequirements, Requirement, RequirementError, RequirementFit};
pub use version::Dotted;
