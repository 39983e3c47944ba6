//! What a daemon's refusals mean.

use std::error::Error as _;

use bollard::Docker;
use bollard::errors::Error;

use super::connection::Connection;
use crate::{EngineError, EngineKind};

/// The daemon does not answer, or refuses something that it must be able to do.
pub(super) fn gone(connection: &Connection, error: Error) -> EngineError {
    let kind = connection.kind;
    if let Error::DockerResponseServerError { message, .. } = &error {
        return refused(kind, message);
    }
    unanswered(connection, &innermost(&error))
}

/// The daemon cannot do what it must be able to do, and says why.
pub(super) fn refused(kind: EngineKind, message: &str) -> EngineError {
    meant(kind, message)
        .unwrap_or_else(|| EngineError::Daemon { kind, message: message.trim().to_owned() })
}

/// What a daemon means that speaks of the machine, and not of what it was asked for.
pub(super) fn meant(kind: EngineKind, message: &str) -> Option<EngineError> {
    let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
    if says(&["no space left on device", "disk quota exceeded"]) {
        return Some(EngineError::DaemonDiskFull { kind });
    }
    // Docker 20.10, when an image is removed while another is built on it.
    if says(&["unknown parent image ID", "failed to set parent"]) {
        return Some(EngineError::Unable {
            what: "an image of a step".to_owned(),
            why: "somebody removed the image below it while it was made".to_owned(),
            fix: "run the command again: what was removed is made anew".to_owned(),
        });
    }
    None
}

/// Somebody else removed a container while it ran.
pub(super) fn removed() -> EngineError {
    EngineError::Unable {
        what: "the end of a container".to_owned(),
        why: "somebody else removed it while it ran".to_owned(),
        fix: "run the command again".to_owned(),
    }
}

/// Whether the daemon still answers: one that is ending ends its containers first, and builds with
/// them.
pub(super) async fn still_there(
    connection: &Connection,
    docker: &Docker,
) -> Result<(), EngineError> {
    docker.ping().await.map(drop).map_err(|error| gone(connection, error))
}

/// The daemon does not answer.
pub(super) fn unanswered(connection: &Connection, reason: &str) -> EngineError {
    let Connection { kind, socket } = connection;
    let fix = match (kind, reason.contains("ermission denied")) {
        (EngineKind::Podman, true) => {
            "use a service of your own: `systemctl --user start podman.socket`"
        }
        (EngineKind::Podman, false) => {
            "start it and run the command again: `systemctl --user start podman.socket`"
        }
        (_, true) => {
            "let this user in: `sudo usermod --append --groups docker $USER`, then log in again"
        }
        (_, false) => "start it and run the command again: `sudo systemctl start docker`",
    };
    EngineError::Unable {
        what: format!("a container of {kind}"),
        why: format!("the daemon does not answer at `{socket}`: {reason}"),
        fix: format!("{fix}, or build without a daemon: `--engine embedded`"),
    }
}

/// Whether the daemon says that there is no such thing.
pub(super) const fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// The end of the chain of causes, which tells most.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.source().is_none() { error.to_string() } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_daemons_say_of_the_machine_is_understood() {
        let meant = |message| meant(EngineKind::Docker, message);
        let full =
            "Error processing tar file(exit status 1): write /bin/x: no space left on device";
        assert!(matches!(meant(full), Some(EngineError::DaemonDiskFull { .. })));
        let pruned =
            "failed to export image: failed to set parent sha256:ab: unknown parent image ID";
        assert!(meant(pruned).unwrap().to_string().contains("removed the image below it"));
        assert!(meant("pull access denied").is_none());
    }
}
