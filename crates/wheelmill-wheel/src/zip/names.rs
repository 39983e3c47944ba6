//! Which names an entry may bear.

/// Why a name is unsafe or means nothing, if so.
pub(super) fn objection(raw: &[u8]) -> Option<&'static str> {
    let Ok(name) = std::str::from_utf8(raw) else { return Some("it is not UTF-8") };
    let path = name.strip_suffix('/').unwrap_or(name);
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.starts_with('/') {
        return Some("it starts at the root of the file system");
    }
    if name.contains('\\') {
        return Some("it holds a backslash");
    }
    if name.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    if path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic() {
        return Some("it starts with a drive letter");
    }
    path.split('/').find_map(|segment| match segment {
        "" => Some("it has an empty part"),
        "." | ".." => Some("it has a part `.` or `..`"),
        _ if segment.len() > 255 => Some("it has a part over 255 bytes"),
        _ if segment.ends_with(['.', ' ']) => Some("it has a part that ends in a dot or a space"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_seen() {
        for wrong in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "./a",
            "C:/x",
            "a\\..\\b",
            "a\0b",
            "a\nb",
            "",
            "/",
            "a./b",
            "a ",
        ] {
            assert!(objection(wrong.as_bytes()).is_some(), "{wrong:?}");
        }
        assert!(objection(&[b'a'; 256]).is_some());
        assert!(objection(b"\xff").is_some());
        for good in ["a/b.py", "a/", "pkg-1.0.dist-info/METADATA", "a/.hidden", "a/é.py", "..a/b"]
        {
            assert_eq!(objection(good.as_bytes()), None, "{good:?}");
        }
    }
}
