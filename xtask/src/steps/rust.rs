//! The checks that the Rust toolchain itself does.

use anyhow::Result;

use crate::command::{cargo, run, works};

/// Every file is as rustfmt writes it.
pub(crate) fn format() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

/// No warning, of the compiler or of clippy.
pub(crate) fn lint() -> Result<()> {
    run(&mut cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

/// All tests; `WHEELMILL_CI` turns a test that would be skipped for want of something into a
/// failure.
pub(crate) fn test() -> Result<()> {
    let arguments: &[&str] = if works("cargo", &["nextest", "--version"]) {
        &["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]
    } else {
        &["test", "--locked", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]
    };
    run(cargo(arguments).env("WHEELMILL_CI", "1"))
}

/// Examples in the documentation work, and its links lead somewhere.
pub(crate) fn documentation() -> Result<()> {
    run(&mut cargo(&["test", "--locked", "--workspace", "--doc", "--quiet"]))?;
    run(cargo(&["doc", "--locked", "--workspace", "--no-deps", "--quiet"])
        .env("RUSTDOCFLAGS", "--deny warnings"))
}
