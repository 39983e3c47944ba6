//! An environment as a Dockerfile that people keep.

use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;

use super::base::archive_name;
use super::dockerfile::{Content, Dockerfile};
use crate::{Base, EngineError, Environment};

/// A Dockerfile and the files that it copies.
#[derive(Debug)]
pub struct WrittenDockerfile(Dockerfile);

impl WrittenDockerfile {
    /// The whole of an environment in one Dockerfile; `about` stands above it.
    ///
    /// # Errors
    /// It starts from this machine's own root, its base is not pinned, or a step needs a password.
    pub fn new(environment: &Environment, about: &str) -> Result<Self, EngineError> {
        let (from, about) = match &environment.base {
            Base::Host { .. } => {
                return Err(EngineError::Unable {
                    what: "a Dockerfile of this environment".to_owned(),
                    why: "it starts from this machine's own root, which is no image".to_owned(),
                    fix: "name an image with `--base`, or let `--engine docker` choose one"
                        .to_owned(),
                });
            }
            Base::Image(name) => (name.clone(), about.to_owned()),
            Base::Archive { path, digest } => {
                let digest =
                    digest.ok_or_else(|| EngineError::NotPinned(environment.base.to_string()))?;
                let name = archive_name(&digest);
                let before = format!("{about}\nBefore: docker import {path} {name}");
                (name, before)
            }
        };
        Ok(Self(Dockerfile::whole(&environment.steps, &from, &about)?))
    }

    /// The Dockerfile itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Writes it and its files into a folder, for `docker build FOLDER`.
    ///
    /// # Errors
    /// The folder holds a Dockerfile already, or a file cannot be read or written.
    pub fn write(&self, folder: &Utf8Path) -> Result<(), EngineError> {
        let write = || {
            fs_err::create_dir_all(folder)?;
            let own = folder.join("Dockerfile");
            if own.exists() {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists));
            }
            for (name, content) in &self.0.files {
                let path = folder.join(name);
                match content {
                    Content::Text(text) => fs_err::write(&path, text)?,
                    Content::File(source) => drop(fs_err::copy(source, &path)?),
                }
                let mode = fs_err::metadata(&path)?.permissions().mode() & 0o755 | 0o644;
                fs_err::set_permissions(&path, PermissionsExt::from_mode(mode))?;
            }
            // Last: where there is one, its files are there.
            fs_err::write(own, &self.0.text)
        };
        write().map_err(|source| EngineError::Files {
            action: "write a Dockerfile to",
            path: folder.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use wheelmill_model::Digest;

    use super::*;
    use crate::{Step, StepInput};

    #[test]
    fn a_whole_environment_is_written_with_its_files_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::write(folder.join("uv"), "uv").unwrap();
        let step = |title: &str| Step {
            title: title.to_owned(),
            command: ["/bin/sh", "-euc", "uv venv\n"].map(str::to_owned).to_vec(),
            environment: vec![("PYTHON".to_owned(), "3.12".to_owned())],
            ambient: vec![("UV_LINK_MODE".to_owned(), "copy".to_owned())],
            inputs: vec![StepInput {
                source: folder.join("uv"),
                target: "/build/tools/uv".into(),
                digest: Digest::of(b"uv"),
            }],
            mounts: Vec::new(),
            network: true,
            system: false,
        };
        let environment = |base| Environment {
            base,
            steps: vec![step("Python 3.12"), step("CUDA 13.0")],
            folder: "/opt/x".into(),
        };
        let image = Base::Image("debian@sha256:ab".to_owned());
        let file = WrittenDockerfile::new(&environment(image), "A cell.").unwrap();
        assert_eq!(
            file.text(),
            "# A cell.\n\
             FROM debian@sha256:ab\n\
             USER root\n\n\
             # Python 3.12\n\
             ARG UV_LINK_MODE=copy\n\
             COPY uv /build/tools/uv\n\
             COPY python-3.12.sh /build/steps/python-3.12.sh\n\
             RUN PYTHON=3.12 \\\n    /bin/sh -eu /build/steps/python-3.12.sh\n\n\
             # CUDA 13.0\n\
             COPY cuda-13.0.sh /build/steps/cuda-13.0.sh\n\
             RUN PYTHON=3.12 \\\n    /bin/sh -eu /build/steps/cuda-13.0.sh\n"
        );
        let out = folder.join("out");
        file.write(&out).unwrap();
        assert_eq!(fs_err::read_to_string(out.join("cuda-13.0.sh")).unwrap(), "uv venv\n");
        assert_eq!(fs_err::read_to_string(out.join("uv")).unwrap(), "uv");
        assert!(file.write(&out).is_err(), "nothing is written over");
        let host = Base::Host { identity: "x".to_owned() };
        let refused = WrittenDockerfile::new(&environment(host), "").unwrap_err().to_string();
        assert!(refused.contains("no image"), "{refused}");
    }
}
