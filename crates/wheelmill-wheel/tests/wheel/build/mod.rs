//! Builders of small wheels, shared objects and containers of device code.

mod elf;
mod fatbin;
mod wheel;
mod zip;

pub(crate) use elf::Elf;
pub(crate) use fatbin::{Fatbin, Packing, cubin, fixture, ptx};
pub(crate) use wheel::{NAME, Wheel, base64, module};
pub(crate) use zip::{Zip, ZipEntry};

use wheelmill_wheel::{Finding, InspectOptions, Inspection, WheelError, inspect_bytes};

/// Inspects a wheel in memory, deeply.
pub(crate) fn read(bytes: &[u8]) -> Result<Inspection, WheelError> {
    read_as(NAME, bytes)
}

/// As [`read`], under another file name.
pub(crate) fn read_as(name: &str, bytes: &[u8]) -> Result<Inspection, WheelError> {
    inspect_bytes(name, bytes, &InspectOptions { deep: true, ..InspectOptions::default() })
}

/// The codes of findings.
pub(crate) fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}
