//! What can go wrong with a service.

use camino::Utf8PathBuf;

/// A service did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A program of the service manager could not be run.
    #[error("could not run `{command}`")]
    Run {
        /// The whole command.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A command of the service manager failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The whole command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// The process could not be given a signal.
    #[error("could not send {signal} to the daemon, process {id}")]
    Signal {
        /// The signal's name.
        signal: &'static str,
        /// The process.
        id: i32,
        /// Why.
        #[source]
        source: nix::Error,
    },
    /// The daemon was told to end and did not.
    #[error("the daemon, process {id}, did not end within {seconds} s")]
    Stuck {
        /// The process.
        id: i32,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The daemon could not be started again.
    #[error("could not start `{program}`")]
    Start {
        /// The program.
        program: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
