//! A connection to a daemon.
//!
//! The client is asynchronous; this is where that ends. Every call has a runtime of its own, on the
//! caller's thread.

use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use camino::{Utf8Path, Utf8PathBuf};
use tokio::runtime::Runtime;

use super::failure::gone;
use crate::{Cancel, EngineError, EngineKind};

/// How long a daemon may take to begin an answer. Streams have no limit.
const PATIENCE_SECONDS: u64 = 120;

/// How often the caller's wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Where a daemon answers.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) kind: EngineKind,
    pub(super) socket: Utf8PathBuf,
}

impl Connection {
    /// The first of some sockets at which something answers as a daemon of this kind.
    pub(super) fn find(kind: EngineKind, sockets: &[Utf8PathBuf]) -> Result<Self, EngineError> {
        let mut first = None;
        for socket in sockets {
            let connection = Self { kind, socket: socket.clone() };
            match connection.ask(async |docker| docker.ping().await) {
                Ok(_) => return Ok(connection),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| EngineError::Unable {
            what: format!("a container of {kind}"),
            why: format!("no socket of {kind} is known"),
            fix: format!("start {kind}, or build without a daemon: `--engine embedded`"),
        }))
    }

    /// Asks the daemon one thing.
    pub(super) fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Docker) -> Result<T, bollard::errors::Error>,
    ) -> Result<T, EngineError> {
        let answered = self.with(async |docker| question(&docker).await)?;
        answered.map_err(|error| gone(self, error))
    }

    /// Does something that may take long, and stops it when the caller no longer wants it. What is
    /// done is dropped then: whoever does it cleans up.
    pub(super) fn long<T>(
        &self,
        cancel: &Cancel,
        work: impl AsyncFnOnce(Docker) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.with(async |docker| {
            tokio::select! {
                result = work(docker) => result,
                () = cancelled(cancel) => Err(EngineError::Cancelled),
            }
        })?
    }

    /// Runs something with a client, to its end.
    pub(super) fn with<T>(&self, work: impl AsyncFnOnce(Docker) -> T) -> Result<T, EngineError> {
        let runtime = runtime().map_err(|source| EngineError::Start {
            step: "set up the connection to its daemon".to_owned(),
            source,
        })?;
        runtime.block_on(async {
            let address = address(&self.socket);
            let docker = Docker::connect_with_unix(&address, PATIENCE_SECONDS, API_DEFAULT_VERSION)
                .map_err(|error| gone(self, error))?;
            Ok(work(docker).await)
        })
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn address(socket: &Utf8Path) -> String {
    format!("unix://{socket}")
}

/// Ends when the caller wants to stop.
pub(super) async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
}
