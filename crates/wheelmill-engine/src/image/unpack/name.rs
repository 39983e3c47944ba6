//! The names of a layer's entries: what they say once they are made harmless.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::UnpackError;

/// What an entry's name means in an overlay. The rules are those of the OCI image specification,
/// "Image Layer Filesystem Changeset", section "Whiteouts".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryName {
    /// A file or folder; no components for the root itself.
    Plain(Vec<OsString>),
    /// `.wh.NAME`: the name is gone from the layers below.
    Whiteout {
        /// The folder that it is in.
        parent: Vec<OsString>,
        /// What is gone.
        name: OsString,
    },
    /// `.wh..wh..opq`: nothing of the layers below is seen in this folder.
    Opaque(Vec<OsString>),
    /// `.wh..wh.…`: book-keeping of a storage driver that some old images hold by mistake.
    Ignored,
}

const WHITEOUT: &[u8] = b".wh.";
const BOOKKEEPING: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

impl EntryName {
    /// Reads an entry's name.
    pub(super) fn parse(raw: &[u8]) -> Result<Self, UnpackError> {
        let mut parent = components(raw)?;
        let Some(last) = parent.pop() else { return Ok(Self::Plain(parent)) };
        let bytes = last.as_encoded_bytes();
        if bytes == OPAQUE {
            return Ok(Self::Opaque(parent));
        }
        if bytes.starts_with(BOOKKEEPING) {
            return Ok(Self::Ignored);
        }
        if let Some(hidden) = bytes.strip_prefix(WHITEOUT) {
            if matches!(hidden, b"" | b"." | b"..") {
                return Err(UnpackError::entry(raw, "would remove the folder that it is in"));
            }
            return Ok(Self::Whiteout { parent, name: OsString::from_vec(hidden.to_vec()) });
        }
        // A folder named like a whiteout would hide what nobody can name.
        if parent.iter().any(|part| part.as_encoded_bytes().starts_with(WHITEOUT)) {
            return Err(UnpackError::entry(raw, "lies below a whiteout"));
        }
        parent.push(last);
        Ok(Self::Plain(parent))
    }
}

/// The parts of a name below the layer's root: absolute names are taken as relative, as everybody
/// does, while `..` is refused, since no tool writes it.
pub(super) fn components(raw: &[u8]) -> Result<Vec<OsString>, UnpackError> {
    let mut parts = Vec::new();
    for part in raw.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(UnpackError::entry(raw, "leads out of the layer")),
            _ if part.contains(&0) => {
                return Err(UnpackError::entry(raw, "holds a zero byte"));
            }
            _ => parts.push(OsString::from_vec(part.to_vec())),
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(names: &[&str]) -> Vec<OsString> {
        names.iter().map(OsString::from).collect()
    }

    #[test]
    fn names_are_taken_below_the_root() {
        for name in ["usr/bin/x", "/usr/bin/x", "./usr//bin/./x/"] {
            assert_eq!(
                EntryName::parse(name.as_bytes()).unwrap(),
                EntryName::Plain(parts(&["usr", "bin", "x"]))
            );
        }
        assert_eq!(EntryName::parse(b"./").unwrap(), EntryName::Plain(vec![]));
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in ["../x", "a/../../x", "a/..", ".wh...", "a/.wh..", ".wh.", "a\0b", ".wh.a/b"] {
            assert!(EntryName::parse(name.as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn whiteouts_are_told_apart() {
        assert_eq!(
            EntryName::parse(b"etc/.wh.motd").unwrap(),
            EntryName::Whiteout { parent: parts(&["etc"]), name: "motd".into() }
        );
        assert_eq!(
            EntryName::parse(b"etc/.wh..wh..opq").unwrap(),
            EntryName::Opaque(parts(&["etc"]))
        );
        assert_eq!(EntryName::parse(b".wh..wh.plnk").unwrap(), EntryName::Ignored);
    }
}
