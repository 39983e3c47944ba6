//! What a daemon's refusals mean.

use std::error::Error as _;

use bollard::errors::Error;

use super::connection::Connection;
use crate::EngineError;

/// The daemon does not answer, or refuses something that it must be able to do.
pub(super) fn gone(connection: &Connection, error: Error) -> EngineError {
    let Connection { kind, socket } = connection;
    if let Error::DockerResponseServerError { message, .. } = &error {
        return EngineError::Daemon { kind: *kind, message: message.trim().to_owned() };
    }
    let fix = if permission_denied(&error) {
        format!(
            "let this user in (`sudo usermod --append --groups {kind} $USER`, then log in again)"
        )
    } else {
        format!("start {kind}")
    };
    EngineError::Unable {
        what: format!("a container of {kind}"),
        why: format!("the daemon does not answer at `{socket}`: {}", innermost(&error)),
        fix: format!("{fix}, or build without a daemon: `--engine embedded`"),
    }
}

/// Whether the daemon says that there is no such thing.
pub(super) const fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

fn permission_denied(error: &Error) -> bool {
    innermost(error).contains("ermission denied")
}

/// The end of the chain of causes, which tells most.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.source().is_none() { error.to_string() } else { cause.to_string() }
}
