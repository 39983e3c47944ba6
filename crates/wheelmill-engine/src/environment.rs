//! What a container starts from: a base and ordered steps, keyed by content.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use wheelmill_model::{Digest, DigestBuilder};

use crate::{EngineError, Mount};

/// What a container starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The root file system below all steps.
    pub base: Base,
    /// What is done to it, in order.
    pub steps: Vec<Step>,
    /// The folder that steps write to, those aside that change the system. Where a machine allows
    /// no layers over its root, this is all that steps can write to.
    pub folder: Utf8PathBuf,
}

/// A root file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The host's own root. Its identity is what of it decides a build, as the caller measured it
    /// (distribution, libc, compiler, interpreter), since hashing a whole root takes minutes.
    Host {
        /// Goes into the keys of all steps above it.
        identity: String,
    },
    /// An image in a registry: `quay.io/manylinux_cuda/…:tag` or with `@sha256:…`.
    Image(String),
    /// An image in a file or folder.
    Archive {
        /// What `docker save` or `podman save` wrote, an OCI archive, an OCI layout folder, or a
        /// plain tar of a root.
        path: Utf8PathBuf,
        /// Its content, once it is pinned: of the file, or of an OCI layout's `index.json`.
        digest: Option<Digest>,
    },
}

impl Base {
    /// The digest of the base, the parent of the first step: equal for all engines.
    ///
    /// # Errors
    /// The base is not pinned.
    pub fn digest(&self) -> Result<Digest, EngineError> {
        let not_pinned = || EngineError::NotPinned(self.to_string());
        let (kind, content) = match self {
            Self::Host { identity } => ("host", identity.clone()),
            Self::Image(reference) => {
                // In a registry, or in a daemon's own store.
                let digest = reference.split_once("@sha256:").map(|(_, digest)| digest);
                let digest = digest.or_else(|| reference.strip_prefix("sha256:"));
                ("image", digest.ok_or_else(not_pinned)?.to_owned())
            }
            Self::Archive { digest: Some(digest), .. } => ("archive", digest.to_string()),
            Self::Archive { digest: None, .. } => return Err(not_pinned()),
        };
        Ok(DigestBuilder::new("base/1").field(kind, content).finish())
    }
}

impl Environment {
    /// The digest of the whole: equal digests, equal environments, whichever engine makes them.
    ///
    /// # Errors
    /// The base is not pinned.
    pub fn digest(&self) -> Result<Digest, EngineError> {
        let base = self.base.digest()?;
        Ok(self.steps.iter().fold(base, |parent, step| step.key(&parent)))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { .. } => formatter.write_str("this machine's own root"),
            Self::Image(reference) => formatter.write_str(reference),
            Self::Archive { path, .. } => formatter.write_str(path.as_str()),
        }
    }
}

/// One step of an environment: a command whose changes to the root become a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What a person is told while it runs: `CUDA 13.0 and torch 2.11`.
    pub title: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Environment variables that decide the outcome; they are part of the key.
    pub environment: Vec<(String, String)>,
    /// Environment variables that do not (proxies, certificates, passwords); not part of the key,
    /// and not kept in the layer.
    #[serde(skip)]
    pub ambient: Vec<(String, String)>,
    /// Files of the host that decide the outcome, seen read-only; their digest is part of the key.
    pub inputs: Vec<StepInput>,
    /// Folders of the host that do not decide the outcome: download caches, certificates.
    #[serde(skip)]
    pub mounts: Vec<Mount>,
    /// Whether the network is reachable.
    pub network: bool,
    /// Whether it changes system folders through the distribution's package manager. Where the
    /// engine is not root it then prepares the folders that such programs write to.
    pub system: bool,
}

/// A file of the host that a step reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepInput {
    /// Where it is on the host; not part of the key.
    #[serde(skip)]
    pub source: Utf8PathBuf,
    /// Where it is seen in the container.
    pub target: Utf8PathBuf,
    /// Its content.
    pub digest: Digest,
}

impl Step {
    /// The key of the layer that this step makes on top of `parent`.
    #[must_use]
    pub fn key(&self, parent: &Digest) -> Digest {
        DigestBuilder::new("step/1")
            .field("parent", parent.as_bytes())
            .fields("command", &self.command)
            .fields(
                "environment",
                self.environment.iter().map(|(key, value)| format!("{key}={value}")),
            )
            .fields(
                "inputs",
                self.inputs.iter().map(|input| format!("{}={}", input.target, input.digest)),
            )
            .field("network", [u8::from(self.network)])
            .field("system", [u8::from(self.system)])
            .finish()
    }
}
