//! A step of an environment as a Dockerfile, and the files that it copies.
//!
//! It uses nothing that the classic builder of Docker 20.10 and Podman's do not know: scripts are
//! files, caches are removed by the step that filled them, and what differs between machines
//! (proxies, indexes) comes in build arguments.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{EngineError, Step};

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
#[derive(Debug, Default)]
pub(in crate::daemon) struct Dockerfile {
    pub(in crate::daemon) text: String,
    /// Paths in the context, and what they hold.
    pub(in crate::daemon) files: Vec<(String, Content)>,
    /// Values of build arguments.
    pub(in crate::daemon) arguments: Vec<(String, String)>,
    /// How many instructions there are; the last runs the step.
    pub(in crate::daemon) instructions: usize,
    /// Whether it is to be built without being told the values of arguments.
    written_out: bool,
}

/// What a file of the context holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Content {
    Text(String),
    /// A file of this machine.
    File(Utf8PathBuf),
}

impl Dockerfile {
    /// Writes a step down, on top of the image of this name. All that is made on the way bears the
    /// labels.
    ///
    /// # Errors
    /// The step needs a password, which would stay in the image's history.
    pub(in crate::daemon) fn new(
        step: &Step,
        from: &str,
        labels: &[(&str, String)],
    ) -> Result<Self, EngineError> {
        let mut file = Self::default();
        let _ = writeln!(file.text, "# {}", step.title);
        file.instruction(&format!("FROM {from}"));
        for (name, value) in labels {
            file.instruction(&format!("LABEL {name}=\"{value}\""));
        }
        // Images may end with another user, who may install nothing.
        file.instruction("USER root");
        file.add(step)?;
        Ok(file)
    }

    /// Writes all steps down, for people and for `docker build`. Values of arguments stand in it.
    ///
    /// # Errors
    /// As `new`.
    pub(in crate::daemon) fn whole(
        steps: &[Step],
        from: &str,
        about: &str,
    ) -> Result<Self, EngineError> {
        let mut file = Self { written_out: true, ..Self::default() };
        for line in about.lines() {
            let _ = writeln!(file.text, "# {line}");
        }
        file.instruction(&format!("FROM {from}"));
        file.instruction("USER root");
        for step in steps {
            let _ = writeln!(file.text, "\n# {}", step.title);
            file.add(step)?;
        }
        Ok(file)
    }

    fn add(&mut self, step: &Step) -> Result<(), EngineError> {
        for (name, value) in &step.ambient {
            self.argument(name, value)?;
        }
        let inputs = step.inputs.iter().map(|input| (&input.target, &input.source));
        let files = step.mounts.iter().filter(|mount| mount.source.is_file());
        let files = files.map(|mount| (&mount.target, &mount.source));
        for (target, source) in inputs.chain(files) {
            self.copy(target, Content::File(source.clone()));
        }
        let mut run = String::from("RUN ");
        for (name, value) in &step.environment {
            let _ = write!(run, "{name}={} \\\n    ", quoted(value));
        }
        run.push_str(&self.command(step));
        let caches = step.mounts.iter().filter(|mount| mount.writable);
        for cache in caches {
            let _ = write!(run, " \\\n    && rm -rf {}", quoted(cache.target.as_str()));
        }
        self.instruction(&run);
        Ok(())
    }

    fn instruction(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.instructions += 1;
    }

    fn copy(&mut self, target: &Utf8Path, content: Content) {
        let name = target.file_name().unwrap_or("file").to_owned();
        // Steps share files: what an earlier one has copied is there.
        if self.files.contains(&(name.clone(), content.clone())) {
            return;
        }
        self.instruction(&format!("COPY {name} {target}"));
        self.files.push((name, content));
    }

    fn argument(&mut self, name: &str, value: &str) -> Result<(), EngineError> {
        if self.arguments.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        if !PREDEFINED.contains(&name) {
            if is_secret(name, value) {
                return Err(EngineError::Unable {
                    what: format!("an image that is built with the password in `{name}`"),
                    why: "this builder keeps build arguments in the history of the image"
                        .to_owned(),
                    fix: "reach the index without a password, or build without a daemon: \
                          `--engine embedded`"
                        .to_owned(),
                });
            }
            let value = self.written_out.then(|| format!("={}", quoted(value)));
            self.instruction(&format!("ARG {name}{}", value.unwrap_or_default()));
        }
        self.arguments.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// The command of a step: a shell script goes into a file of its own.
    fn command(&mut self, step: &Step) -> String {
        let words: Vec<&str> = step.command.iter().map(String::as_str).collect();
        let [shell, flags @ ("-euc" | "-c"), script] = words[..] else {
            return words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        };
        let place = Utf8Path::new(SCRIPTS).join(format!("{}.sh", slug(&step.title)));
        self.copy(&place, Content::Text(script.trim_start_matches('\n').to_owned()));
        let flags = if flags == "-euc" { " -eu" } else { "" };
        format!("{shell}{flags} {place}")
    }
}

/// Whether a setting holds a password: by its name, or in an address.
fn is_secret(name: &str, value: &str) -> bool {
    let in_address = value.split_whitespace().any(|word| {
        word.split_once("://")
            .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
    });
    in_address || name.ends_with("_PASSWORD") || name.ends_with("_TOKEN")
}

/// A word that a shell, and the parser of Dockerfiles, take as it is.
fn quoted(text: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "/_-.+:=@%,".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A title as the name of a file.
fn slug(title: &str) -> String {
    let words =
        title.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    let name = words.filter(|word| !word.is_empty()).take(6).collect::<Vec<_>>().join("-");
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use wheelmill_model::Digest;

    use super::*;
    use crate::{Mount, StepInput};

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

    #[test]
    fn a_person_can_read_it() {
        let step = Step {
            environment: vec![("PACKAGES".to_owned(), "g++ git".to_owned())],
            ambient: vec![
                ("https_proxy".to_owned(), "http://ann:secret@proxy".to_owned()),
                ("UV_DEFAULT_INDEX".to_owned(), "https://index/simple".to_owned()),
            ],
            inputs: vec![StepInput {
                source: "/cache/uv".into(),
                target: "/build/tools/uv".into(),
                digest: Digest::of(b"uv"),
            }],
            mounts: vec![Mount {
                source: "/cache/packages".into(),
                target: "/build/cache".into(),
                writable: true,
            }],
            ..step("CUDA 13.0 and torch 2.11", "uv venv")
        };
        let labels = [("dev.wheelmill.step", "ab".to_owned())];
        let file = Dockerfile::new(&step, "debian@sha256:ab", &labels).unwrap();
        assert_eq!(
            file.text,
            "# CUDA 13.0 and torch 2.11\n\
             FROM debian@sha256:ab\n\
             LABEL dev.wheelmill.step=\"ab\"\n\
             USER root\n\
             ARG UV_DEFAULT_INDEX\n\
             COPY uv /build/tools/uv\n\
             COPY cuda-13.0-and-torch-2.11.sh /build/steps/cuda-13.0-and-torch-2.11.sh\n\
             RUN PACKAGES='g++ git' \\\n    \
             /bin/sh -eu /build/steps/cuda-13.0-and-torch-2.11.sh \\\n    && rm -rf /build/cache\n"
        );
        assert_eq!((file.instructions, file.arguments.len(), file.files.len()), (7, 2, 2));
    }

    #[test]
    fn a_password_does_not_get_into_an_image() {
        for (name, value) in [
            ("UV_INDEX_PRIVATE_PASSWORD", "secret"),
            ("PIP_INDEX_URL", "https://ann:secret@index/simple"),
        ] {
            let ambient = vec![(name.to_owned(), value.to_owned())];
            let step = Step { ambient, ..step("fetch", "true") };
            let error = Dockerfile::new(&step, "debian", &[]).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("secret"), "{error}");
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
