//! The generated pages in `docs/reference`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};

use crate::command::{cargo, root, run, target};

/// Writes the pages.
pub(crate) fn write() -> Result<()> {
    let folder = pages();
    generate(&folder)?;
    println!("wrote {folder}");
    Ok(())
}

/// Fails when the pages are not what the program would write now.
pub(crate) fn check() -> Result<()> {
    let fresh = target().join("xtask").join("reference");
    if fresh.exists() {
        fs_err::remove_dir_all(&fresh)?;
    }
    generate(&fresh)?;
    let committed = pages();
    let names: BTreeSet<String> = names(&fresh)?.into_iter().chain(names(&committed)?).collect();
    let stale: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| {
            let read = |folder: &Utf8Path| fs_err::read(folder.join(name)).ok();
            read(&fresh) != read(&committed)
        })
        .collect();
    if !stale.is_empty() {
        bail!("stale in docs/reference: {}\n  run `cargo xtask docs`", stale.join(", "));
    }
    println!("    {} pages are fresh", names.len());
    Ok(())
}

fn pages() -> Utf8PathBuf {
    root().join("docs").join("reference")
}

fn generate(folder: &Utf8Path) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    run(&mut cargo(&[
        "run",
        "--quiet",
        "--locked",
        "--package",
        "wheelmill",
        "--",
        "generate-docs",
        folder.as_str(),
    ]))
}

fn names(folder: &Utf8Path) -> Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    fs_err::read_dir(folder)?
        .map(|entry| {
            let name = entry?.file_name();
            name.into_string().ok().context("a page's name is not UTF-8")
        })
        .collect()
}
