//! Paths that a file names, relative to itself.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// A path that is relative to a folder, without the `..` that lead out of it where that is the same
/// folder: behind a link, `..` leads elsewhere.
pub(super) fn anchored(folder: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    let joined = folder.join(path);
    let short = without_parents(&joined);
    let same = match (joined.canonicalize_utf8(), short.canonicalize_utf8()) {
        (Ok(joined), Ok(short)) => joined == short,
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    };
    if same { short } else { joined }
}

fn without_parents(path: &Utf8Path) -> Utf8PathBuf {
    let mut parts: Vec<Utf8Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Utf8Component::ParentDir, Some(Utf8Component::Normal(_))) => drop(parts.pop()),
            (Utf8Component::CurDir, Some(_)) => {}
            _ => parts.push(part),
        }
    }
    parts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_short_and_stays_the_same_folder() {
        let gone = anchored(Utf8Path::new("/x/proj/recipes"), Utf8Path::new("../../tinyscale"));
        assert_eq!(gone, "/x/tinyscale");
        assert_eq!(anchored(Utf8Path::new(""), Utf8Path::new("../up")), "../up");

        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(root.join("a/b")).unwrap();
        std::os::unix::fs::symlink(root.join("a/b"), root.join("link")).unwrap();
        let linked = anchored(&root.join("link"), Utf8Path::new("../b"));
        assert_eq!(
            linked.canonicalize_utf8().unwrap(),
            root.join("a/b").canonicalize_utf8().unwrap()
        );
        assert_eq!(anchored(&root.join("a/b"), Utf8Path::new("../b")), root.join("a/b"));
    }
}
