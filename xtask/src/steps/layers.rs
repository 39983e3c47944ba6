//! Checks that crates know only the layers below them, and that what only some crates may know
//! stays there.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::command::{cargo, output};

/// The layer of each crate. A crate may know those of lower layers, and none of its own.
const LAYERS: &[(&str, u8)] = &[
    ("wheelmill-model", 0),
    ("wheelmill-recipe", 1),
    ("wheelmill-wheel", 1),
    ("wheelmill-engine", 2),
    ("wheelmill-gate", 2),
    ("wheelmill-store", 2),
    ("wheelmill-host", 3),
    ("wheelmill-mill", 3),
    ("wheelmill", 4),
];

/// Crates beside the layers: no crate may need them outside its tests.
const BESIDE: &[&str] = &["testkit", "xtask"];

/// What only the named crates may depend on.
const RESERVED: &[(&str, &[&str])] = &[
    ("anstream", &["wheelmill"]),
    ("anyhow", &["xtask"]),
    ("axum", &["wheelmill-serve"]),
    ("bollard", &["wheelmill-engine"]),
    ("clap", &["wheelmill"]),
    ("clap_complete", &["wheelmill"]),
    ("clap_mangen", &["wheelmill"]),
    ("indicatif", &["wheelmill"]),
    ("oci-client", &["wheelmill-engine"]),
    ("owo-colors", &["wheelmill"]),
    ("reqwest", &["wheelmill-engine", "wheelmill-mill"]),
    ("rusqlite", &["wheelmill-store"]),
    ("tokio", &["wheelmill-engine"]),
];

/// Fails with every breach at once.
pub(crate) fn check() -> Result<()> {
    let tree = output(&mut cargo(&[
        "tree",
        "--locked",
        "--workspace",
        "--depth",
        "1",
        "--edges",
        "normal,build",
        "--prefix",
        "depth",
        "--format",
        " {p}",
        "--no-dedupe",
    ]))?;
    let dependencies = read(&tree);
    let breaches = breaches(&dependencies);
    if !breaches.is_empty() {
        bail!("the layers are breached:\n  {}", breaches.join("\n  "));
    }
    println!("    {} crates keep to their layers", dependencies.len());
    Ok(())
}

/// Direct dependencies of each crate of the workspace, from lines such as `1 clap v4.6.7`.
fn read(tree: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut dependencies: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = "";
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("0"), Some(name)) => {
                current = name;
                dependencies.entry(name).or_default();
            }
            (Some("1"), Some(name)) => dependencies.entry(current).or_default().push(name),
            _ => {}
        }
    }
    dependencies
}

fn breaches(dependencies: &BTreeMap<&str, Vec<&str>>) -> Vec<String> {
    let layer = |name: &str| LAYERS.iter().find(|(known, _)| *known == name).map(|(_, at)| *at);
    let mut breaches = Vec::new();
    for (name, needs) in dependencies {
        let own = layer(name);
        if own.is_none() && !BESIDE.contains(name) {
            breaches.push(format!("{name} has no layer: give it one in xtask/src/steps/layers.rs"));
        }
        for need in needs {
            if BESIDE.contains(need) {
                breaches.push(format!("{name} needs {need} outside its tests"));
            }
            if let (Some(own), Some(other)) = (own, layer(need))
                && other >= own
            {
                breaches.push(format!("{name} (layer {own}) needs {need} (layer {other})"));
            }
            if let Some((_, allowed)) = RESERVED.iter().find(|(reserved, _)| reserved == need)
                && !allowed.contains(name)
            {
                breaches.push(format!("{name} needs {need}, which is for {}", allowed.join(", ")));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_breach_is_named() {
        let tree = "\
0 wheelmill-model v0.1.0 (/w)
1 wheelmill-store v0.1.0 (/w)
0 wheelmill-store v0.1.0 (/w)
1 rusqlite v0.41.0
1 wheelmill-engine v0.1.0 (/w)
1 testkit v0.1.0 (/w)
0 wheelmill-new v0.1.0 (/w)
1 clap v4.6.7
";
        assert_eq!(
            breaches(&read(tree)),
            [
                "wheelmill-model (layer 0) needs wheelmill-store (layer 2)",
                "wheelmill-new has no layer: give it one in xtask/src/steps/layers.rs",
                "wheelmill-new needs clap, which is for wheelmill",
                "wheelmill-store (layer 2) needs wheelmill-engine (layer 2)",
                "wheelmill-store needs testkit outside its tests",
            ]
        );
    }
}
