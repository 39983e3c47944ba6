//! Checks that every crate that is compiled has a permissive licence.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::command::{cargo, output};
use crate::spdx;

/// Reads licences from the crates' own manifests, for this machine's target.
pub(crate) fn check() -> Result<()> {
    let tree = output(&mut cargo(&[
        "tree",
        "--locked",
        "--workspace",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}|",
    ]))?;
    let crates: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('|');
            Some((parts.next()?, parts.next()?))
        })
        .collect();
    let refused: Vec<String> = crates
        .iter()
        .filter(|(_, licence)| !spdx::is_permissive(licence))
        .map(|(name, licence)| match *licence {
            "" => format!("{name}: no licence is named"),
            licence => format!("{name}: {licence}"),
        })
        .collect();
    if !refused.is_empty() {
        bail!("these are not known to be permissive:\n  {}", refused.join("\n  "));
    }
    println!("    {} crates, all permissive", crates.len());
    Ok(())
}
