//! File names with `*` in them.

use camino::{Utf8Path, Utf8PathBuf};

/// Whether a name fits a pattern in which `*` stands for any text.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(head) else { return false };
    let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.into_iter().any(|at| fits(tail, &rest[at..]))
}

/// The files that a path means, sorted: itself, or those in its folder that its last part fits;
/// none where there are none.
pub(crate) fn files(path: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let pattern = path.file_name().unwrap_or_default();
    if !pattern.contains('*') {
        return Ok(if path.is_file() { vec![path.to_owned()] } else { Vec::new() });
    }
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let listed = if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder };
    let mut found = Vec::new();
    if !listed.is_dir() {
        return Ok(found);
    }
    for entry in fs_err::read_dir(listed)? {
        let name = entry?.file_name();
        if let Some(name) = name.to_str().filter(|name| fits(pattern, name)) {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("*.toml", "x.toml") && fits("*.toml", ".toml"));
        assert!(fits("a*b*c", "aXbbYc") && fits("x", "x"));
        assert!(!fits("*.toml", "x.toml.orig") && !fits("a*b", "ab!") && !fits("x", "xx"));
    }
}
