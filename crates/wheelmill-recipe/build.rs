//! Lists the catalogue: every `recipes/*.toml`, and every `recipes/*.patch` that they may name, as
//! tables of `include_str!` that the crate embeds.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let crate_folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let folder = crate_folder.join("recipes");
    // Cargo follows a folder into its files, so that additions and edits both count.
    println!("cargo::rerun-if-changed={}", folder.display());
    let table = format!(
        "const RECIPES: &[(&str, &str)] = &[\n{}];\nconst PATCHES: &[(&str, &str)] = &[\n{}];\n",
        rows(&folder, "toml")?,
        rows(&folder, "patch")?,
    );
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    fs::write(out.join("catalogue.rs"), table)
}

/// One line `("file name", include_str!("path"))` for each file with the extension, in order.
fn rows(folder: &Path, extension: &str) -> io::Result<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files
        .iter()
        .filter_map(|path| Some((path.file_name()?.to_str()?, path)))
        .map(|(name, path)| format!("    ({name:?}, include_str!({path:?})),\n"))
        .collect())
}
