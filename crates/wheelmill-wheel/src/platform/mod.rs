//! What native code needs of the system around it: symbol versions, libraries, processors; the
//! platform tag that this earns, and whether the wheel's own tags and requirements say so.

mod earned;
mod libraries;
mod policy;
mod promise;

use crate::finding::Findings;
use crate::inspection::Inspection;

pub use earned::{EarnedPlatform, PlatformError, earned};
pub(crate) use promise::check_wanted;

/// Judges libraries and tags. `earned` is what the wheel earns, where that could be told.
pub(crate) fn check(
    inspection: &Inspection,
    earned: Option<&EarnedPlatform>,
    findings: &mut Findings,
) {
    libraries::check(inspection, findings);
    if let Some(earned) = earned {
        promise::check(inspection, earned, findings);
    }
}

/// Who has a library, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Every system of the manylinux policies.
    System,
    /// NVIDIA's driver.
    Driver,
    /// A distribution that Python's installers bring.
    Distribution,
}

/// Who has a library; `None` where that is not known.
pub(crate) fn origin(library: &str) -> Option<Origin> {
    libraries::provider(library).map(|provider| match provider {
        libraries::Provider::System(_) => Origin::System,
        libraries::Provider::Driver => Origin::Driver,
        libraries::Provider::Distribution(_) => Origin::Distribution,
    })
}
