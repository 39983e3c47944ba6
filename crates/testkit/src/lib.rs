//! Fixtures and fakes shared by wheelmill's tests.

mod index;
mod package;

pub use index::PackageIndex;
pub use package::{source_archive, write_tiny_package};
