//! Paths where a command has no root of its own.
//!
//! A container without namespaces sees the host's paths. So what its caller names as it would be
//! seen in a container is translated to where it lies, in every variable and argument.

use std::os::unix::fs::symlink;

use camino::{Utf8Path, Utf8PathBuf};

use super::engine::with_defaults;
use super::spec::RunRequest;
use crate::{EngineError, Mount};

/// Names everything in a request as it is found on the host.
pub(super) fn translate(request: &mut RunRequest) -> Result<(), EngineError> {
    let [temporary, long_lived] = &request.temporary;
    let own = [("/tmp", temporary), ("/var/tmp", long_lived), ("/root", &request.root.upper)];
    let own = own.map(|(seen, host)| (Utf8PathBuf::from(seen), host.clone()));
    let mounts = request.mounts.iter().map(|mount| (mount.target.clone(), mount.source.clone()));
    let folders = folders_of_files(&request.mounts, &request.stage)?;
    let translation = Translation::new(mounts.chain(folders).chain(own))?;
    let defaults = [("HOME", "/root"), ("TMPDIR", "/tmp")];
    let defaults = defaults.map(|(name, value)| (name.to_owned(), value.to_owned()));
    request.environment = with_defaults(&request.environment, &defaults);
    for (_, value) in &mut request.environment {
        *value = translation.text(value);
    }
    for argument in &mut request.command {
        *argument = translation.text(argument);
    }
    request.directory = translation.path(&request.directory);
    Ok(())
}

/// Folders that are there only because a file is mounted in them, such as one of programs that
/// `PATH` names: made below `stage`, with links to the files.
fn folders_of_files(
    mounts: &[Mount],
    stage: &Utf8Path,
) -> Result<Vec<(Utf8PathBuf, Utf8PathBuf)>, EngineError> {
    let mut folders = Vec::new();
    for mount in mounts.iter().filter(|mount| mount.source.is_file()) {
        let (Some(seen), Some(name)) = (mount.target.parent(), mount.target.file_name()) else {
            continue;
        };
        if seen.exists() || mounts.iter().any(|mount| mount.target == seen) {
            continue;
        }
        let folder = stage.join(seen.as_str().trim_start_matches('/'));
        fs_err::create_dir_all(&folder)
            .and_then(|()| symlink(&mount.source, folder.join(name)))
            .map_err(|source| EngineError::Files {
                action: "make links in",
                path: folder.clone(),
                source,
            })?;
        folders.push((seen.to_owned(), folder));
    }
    Ok(folders)
}

/// Where on the host the places of a container lie.
#[derive(Debug, Default)]
pub(super) struct Translation {
    /// As seen in a container, and on the host; longest first.
    places: Vec<(Utf8PathBuf, Utf8PathBuf)>,
}

impl Translation {
    /// A translation of some places.
    ///
    /// # Errors
    /// A path of the host has characters that end a word in a script or a variable.
    pub(super) fn new(
        places: impl IntoIterator<Item = (Utf8PathBuf, Utf8PathBuf)>,
    ) -> Result<Self, EngineError> {
        let mut places: Vec<_> = places.into_iter().collect();
        places.sort_by_key(|(seen, _)| std::cmp::Reverse(seen.as_str().len()));
        if let Some((_, host)) = places.iter().find(|(_, host)| !host.as_str().chars().all(plain)) {
            return Err(EngineError::Unable {
                what: format!("a build with `{host}`"),
                why:
                    "without containers this path is written into scripts and lists of paths, and \
                      it has characters that have a meaning there"
                        .to_owned(),
                fix: "choose folders without blanks and special characters in their paths"
                    .to_owned(),
            });
        }
        Ok(Self { places })
    }

    /// A path on the host.
    pub(super) fn path(&self, path: &Utf8Path) -> Utf8PathBuf {
        self.text(path.as_str()).into()
    }

    /// A text with every path in it as on the host.
    pub(super) fn text(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('/') {
            result.push_str(&rest[..at]);
            rest = &rest[at..];
            let found = may_begin(&result).then(|| self.place(rest)).flatten();
            let (seen, written) =
                found.map_or(("/", "/"), |(seen, host)| (seen.as_str(), host.as_str()));
            result.push_str(written);
            rest = &rest[seen.len()..];
        }
        result + rest
    }

    /// The place that a text begins with.
    fn place(&self, text: &str) -> Option<&(Utf8PathBuf, Utf8PathBuf)> {
        self.places.iter().find(|(seen, _)| {
            text.strip_prefix(seen.as_str()).is_some_and(|rest| !rest.starts_with(in_name))
        })
    }
}

/// Whether a path that follows on this text is a path of its own: not a part of a longer one, but
/// perhaps the argument of a short option, as in `-I/opt/wheelmill`.
fn may_begin(before: &str) -> bool {
    let mut before = before.chars().rev();
    match before.next() {
        None => true,
        Some(letter) if letter.is_ascii_alphabetic() => {
            before.next() == Some('-') && !before.next().is_some_and(in_name)
        }
        Some(last) => !in_name(last) && !"/}".contains(last),
    }
}

/// Whether a character can go on with the name of a file.
fn in_name(character: char) -> bool {
    character.is_alphanumeric() || "_-.+~".contains(character)
}

/// Whether a character means nothing but itself to shells and in lists of paths.
fn plain(character: char) -> bool {
    character.is_alphanumeric() || "/_-.+@%^=,~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translation() -> Translation {
        let places = [("/tmp", "/s/t"), ("/build/src", "/h/a"), ("/build", "/h/b")];
        Translation::new(places.map(|(seen, host)| (seen.into(), host.into()))).unwrap()
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("/build/src", "/h/a"),
            ("/build/src/x.cu", "/h/a/x.cu"),
            ("/build/out", "/h/b/out"),
            ("cp a /build/out/ && cd /tmp", "cp a /h/b/out/ && cd /s/t"),
            ("PATH=/usr/bin:/build/bin", "PATH=/usr/bin:/h/b/bin"),
            (
                "-I/build/src/include -ffile-prefix-map=/build/src=.",
                "-I/h/a/include -ffile-prefix-map=/h/a=.",
            ),
            ("exists(f\"/tmp/{top}\")", "exists(f\"/s/t/{top}\")"),
            ("</build/patch >/build/log", "</h/b/patch >/h/b/log"),
        ] {
            assert_eq!(translation().text(text), expected);
        }
    }

    #[test]
    fn other_paths_stay() {
        for text in [
            "/buildings",
            "/build-2/x",
            "/var/tmp",
            "$folder/tmp",
            "${folder}/tmp",
            "a/build/src",
            "https://host/build/src",
            "--option/build",
            "./build",
        ] {
            assert_eq!(translation().text(text), text);
        }
    }

    #[test]
    fn a_path_that_a_shell_would_take_apart_is_refused() {
        let places = [("/build".into(), "/home/ann/my builds".into())];
        let error = Translation::new(places).unwrap_err();
        assert!(error.to_string().contains("my builds"), "{error}");
    }
}
