//! What can go wrong before the first compile.

use std::io;

use camino::Utf8PathBuf;

/// The server cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server's own means cannot be had.
    #[error("cannot start the server of the gate")]
    Start {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A socket cannot be made.
    #[error("cannot listen for compilers at `{socket}`")]
    Listen {
        /// Where.
        socket: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread of the server has ended, which is a defect.
    #[error("the server of the gate is gone")]
    Gone,
}
