//! An environment as a Dockerfile, and the files that it copies.
//!
//! It uses nothing that the classic builder of Docker 20.10 and Podman's do not know: scripts are
//! files, caches are removed by the step that filled them, and what differs between machines
//! (proxies, indexes) comes in build arguments.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::Digest;

use crate::{EngineError, Environment, Step};

/// Where steps' scripts lie in the image.
const SCRIPTS: &str = "/build/steps";

/// Build arguments that every builder knows, hands to commands and keeps out of the image.
const PREDEFINED: [&str; 8] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// A Dockerfile with its context.
#[derive(Debug)]
pub(super) struct Dockerfile {
    pub(super) text: String,
    /// Paths in the context, and what they hold.
    pub(super) files: Vec<(String, Content)>,
    /// Values of build arguments.
    pub(super) arguments: Vec<(String, String)>,
    /// For each instruction, the step that it runs.
    pub(super) runs: Vec<Option<usize>>,
}

/// What a file of the context holds.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    /// A file of this machine.
    File(Utf8PathBuf),
}

impl Dockerfile {
    /// Writes an environment down, on a base of this name.
    ///
    /// # Errors
    /// A step needs a password, which would stay in the image's history.
    pub(super) fn new(environment: &Environment, base: &str) -> Result<Self, EngineError> {
        let mut writer = Writer {
            file: Self {
                text: String::new(),
                files: Vec::new(),
                arguments: Vec::new(),
                runs: Vec::new(),
            },
            copied: BTreeSet::new(),
        };
        writer.instruction(&format!("FROM {base}"), None);
        // Images may end with another user, who may install nothing.
        writer.instruction("USER root", None);
        for (index, step) in environment.steps.iter().enumerate() {
            writer.step(index, step)?;
        }
        Ok(writer.file)
    }
}

struct Writer {
    file: Dockerfile,
    /// Contents that are in the image, with their places.
    copied: BTreeSet<(Utf8PathBuf, Digest)>,
}

impl Writer {
    fn instruction(&mut self, text: &str, step: Option<usize>) {
        self.file.text.push_str(text);
        self.file.text.push('\n');
        self.file.runs.push(step);
    }

    fn step(&mut self, index: usize, step: &Step) -> Result<(), EngineError> {
        let number = index + 1;
        let _ = writeln!(self.file.text, "\n# {number}. {}", step.title);
        for input in &step.inputs {
            if self.copied.insert((input.target.clone(), input.digest)) {
                self.copy(number, &input.target, Content::File(input.source.clone()));
            }
        }
        for mount in step.mounts.iter().filter(|mount| mount.source.is_file()) {
            let content = Content::File(mount.source.clone());
            let key = (mount.target.clone(), Digest::of(mount.source.as_str().as_bytes()));
            if self.copied.insert(key) {
                self.copy(number, &mount.target, content);
            }
        }
        for (name, value) in &step.ambient {
            self.argument(name, value)?;
        }
        let mut run = String::from("RUN ");
        for (name, value) in &step.environment {
            let _ = write!(run, "{name}={} \\\n    ", quoted(value));
        }
        run.push_str(&self.command(number, step));
        for cache in step.mounts.iter().filter(|mount| mount.writable) {
            let _ = write!(run, " \\\n    && rm -rf {}", quoted(cache.target.as_str()));
        }
        self.instruction(&run, Some(index));
        Ok(())
    }

    fn copy(&mut self, number: usize, target: &Utf8Path, content: Content) {
        let name = format!("{number}/{}", target.file_name().unwrap_or("file"));
        self.instruction(&format!("COPY {name} {target}"), None);
        self.file.files.push((name, content));
    }

    fn argument(&mut self, name: &str, value: &str) -> Result<(), EngineError> {
        if self.file.arguments.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        if !PREDEFINED.contains(&name) {
            if is_secret(name, value) {
                return Err(EngineError::Unable {
                    what: format!("an image that is built with the password in `{name}`"),
                    why: "this builder keeps build arguments in the history of the image".to_owned(),
                    fix: "reach the index without a password, or build without a daemon: \
                          `--engine embedded`"
                        .to_owned(),
                });
            }
            self.instruction(&format!("ARG {name}"), None);
        }
        self.file.arguments.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// The command of a step: a shell script goes into a file of its own.
    fn command(&mut self, number: usize, step: &Step) -> String {
        let words: Vec<&str> = step.command.iter().map(String::as_str).collect();
        let ([shell, "-euc", script] | [shell, "-c", script]) = words[..] else {
            return words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        };
        let name = format!("{number}/{}.sh", slug(&step.title));
        let place = format!("{SCRIPTS}/{number}-{}.sh", slug(&step.title));
        self.instruction(&format!("COPY {name} {place}"), None);
        self.file.files.push((name, Content::Text(script.trim_start_matches('\n').to_owned())));
        let flags = if words[1] == "-euc" { " -eu" } else { "" };
        format!("{shell}{flags} {place}")
    }
}

/// Whether a setting holds a password: by its name, or in an address.
fn is_secret(name: &str, value: &str) -> bool {
    let in_address = value.split_whitespace().any(|word| {
        word.split_once("://").is_some_and(|(_, rest)| {
            rest.split('/').next().is_some_and(|host| host.contains('@'))
        })
    });
    in_address || name.ends_with("_PASSWORD") || name.ends_with("_TOKEN")
}

/// A word that a shell, and the parser of Dockerfiles, take as it is.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/_-.+:=@%,".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A title as the name of a file.
fn slug(title: &str) -> String {
    let words = title.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    let name = words.filter(|word| !word.is_empty()).take(6).collect::<Vec<_>>().join("-");
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Base, Mount, StepInput};

    fn step(title: &str, script: &str) -> Step {
        Step {
            title: title.to_owned(),
            command: ["/bin/sh", "-euc", script].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            ambient: Vec::new(),
            inputs: Vec::new(),
            mounts: Vec::new(),
            network: true,
            system: false,
        }
    }

    fn environment(steps: Vec<Step>) -> Environment {
        Environment { base: Base::Image("a".to_owned()), steps, folder: "/opt/x".into() }
    }

    #[test]
    fn a_person_can_read_it() {
        let input = StepInput {
            source: "/cache/uv".into(),
            target: "/build/tools/uv".into(),
            digest: Digest::of(b"uv"),
        };
        let cache = Mount {
            source: "/cache/packages".into(),
            target: "/build/cache".into(),
            writable: true,
        };
        let packages = Step {
            environment: vec![("PACKAGES".to_owned(), "g++ git".to_owned())],
            ambient: vec![
                ("https_proxy".to_owned(), "http://ann:secret@proxy".to_owned()),
                ("UV_DEFAULT_INDEX".to_owned(), "https://index/simple".to_owned()),
            ],
            ..step("system packages: g++, git", "apt-get install $PACKAGES")
        };
        let toolchain = |title: &str| Step {
            inputs: vec![input.clone()],
            mounts: vec![cache.clone()],
            ..step(title, "uv venv")
        };
        let file = Dockerfile::new(
            &environment(vec![packages, toolchain("CUDA 13.0"), toolchain("requirements")]),
            "debian@sha256:ab",
        )
        .unwrap();
        assert_eq!(
            file.text,
            "FROM debian@sha256:ab\n\
             USER root\n\
             \n# 1. system packages: g++, git\n\
             ARG UV_DEFAULT_INDEX\n\
             COPY 1/system-packages-g-git.sh /build/steps/1-system-packages-g-git.sh\n\
             RUN PACKAGES='g++ git' \\\n    /bin/sh -eu /build/steps/1-system-packages-g-git.sh\n\
             \n# 2. CUDA 13.0\n\
             COPY 2/uv /build/tools/uv\n\
             COPY 2/cuda-13.0.sh /build/steps/2-cuda-13.0.sh\n\
             RUN /bin/sh -eu /build/steps/2-cuda-13.0.sh \\\n    && rm -rf /build/cache\n\
             \n# 3. requirements\n\
             COPY 3/requirements.sh /build/steps/3-requirements.sh\n\
             RUN /bin/sh -eu /build/steps/3-requirements.sh \\\n    && rm -rf /build/cache\n"
        );
        assert_eq!(file.runs.iter().flatten().collect::<Vec<_>>(), [&0, &1, &2]);
        assert_eq!(file.runs.len(), file.text.lines().filter(|line| {
            line.starts_with(|first: char| first.is_ascii_uppercase())
        }).count());
        assert_eq!(file.arguments.len(), 2);
    }

    #[test]
    fn a_password_does_not_get_into_an_image() {
        for (name, value) in [
            ("UV_INDEX_PRIVATE_PASSWORD", "secret"),
            ("PIP_INDEX_URL", "https://ann:secret@index/simple"),
        ] {
            let ambient = vec![(name.to_owned(), value.to_owned())];
            let error = Dockerfile::new(
                &environment(vec![Step { ambient, ..step("fetch", "true") }]),
                "debian",
            )
            .unwrap_err();
            assert!(error.to_string().contains(name) && !error.to_string().contains("secret"));
        }
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("/opt/a-1.0"), "/opt/a-1.0");
    }
}
