//! Names that Docker and Podman take, checked while they are read.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::values::{checked_text, wrong};

checked_text!(
    /// The name of a volume: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, as daemons check it.
    VolumeName,
    |text| {
        if is_volume_name(text) {
            return Ok(());
        }
        Err(wrong(
            format!("`{text}` is not the name of a volume"),
            "use two or more ASCII letters, digits, `_`, `.` and `-`, with a letter or digit in \
             front: `build-vol`; a folder of this machine cannot stand here",
        ))
    }
);

checked_text!(
    /// The name of an image that is to be made: `registry.example:5000/name/part:tag`.
    ImageName,
    |text| {
        if is_image_name(text) {
            return Ok(());
        }
        Err(wrong(
            format!("`{text}` is not a name that an image can get"),
            "use lower case letters and digits, with single `.`, `_`, `-` or `/` between them, and \
             a tag behind `:` if one is wanted: `pytorch90builder:latest`",
        ))
    }
);

checked_text!(
    /// A path in an image.
    ImagePath,
    |text| {
        if Utf8Path::new(text).is_absolute() {
            return Ok(());
        }
        Err(wrong(
            format!("`{text}` is not a whole path in the image"),
            "begin it with `/`: `/opt/some/path/installer.sh`",
        ))
    }
);

/// Whether daemons take this as the name of a volume.
pub(crate) fn is_volume_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    begins_well && text.len() >= 2 && text.bytes().all(legal)
}

/// Whether this is a name with, maybe, a registry and a tag, as Docker's reference grammar has it.
fn is_image_name(text: &str) -> bool {
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    };
    let path = match name.split_once('/') {
        Some((host, path)) if host == "localhost" || host.contains(['.', ':']) => {
            if !is_host(host) {
                return false;
            }
            path
        }
        _ => name,
    };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.is_none_or(|tag| {
        tag.len() <= 128
            && tag.bytes().next().is_some_and(word)
            && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
    }) && path.split('/').all(is_component)
}

fn is_host(host: &str) -> bool {
    let (host, port) = host.split_once(':').unwrap_or((host, "0"));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    !host.is_empty() && host.bytes().all(legal) && is_port
}

/// Lower case letters and digits, parted by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_letter = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let mut separators = text.split(is_letter).filter(|between| !between.is_empty());
    text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && separators
            .all(|it| matches!(it, "." | "_" | "__") || it.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_those_that_docker_takes() {
        for good in [
            "pytorch90builder",
            "a__b--c.d",
            "team/tool:1.0_x",
            "localhost/x",
            "registry.Example:5000/team/tool:latest",
        ] {
            assert!(is_image_name(good), "{good}");
        }
        for bad in [
            "",
            "PyTorch",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a//b",
            "a:",
            "a:b c",
            "a b",
            "x.y:z/a",
            "a@sha256:0",
            "http://a",
            "ä",
        ] {
            assert!(!is_image_name(bad), "{bad}");
        }
    }
}
