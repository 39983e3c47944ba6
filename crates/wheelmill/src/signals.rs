//! Ctrl-C and the polite kill: the first asks the build to stop, the second leaves at once.

use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wheelmill_mill::Cancellation;
use wheelmill_store::CancelledBy;

use crate::error::{CliError, Ending};
use crate::output::live;

/// From here on a signal utters the wish that is returned.
///
/// # Errors
/// The system does not let us listen.
pub(crate) fn listen() -> Result<Cancellation, CliError> {
    let cancel = Cancellation::new();
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|source| CliError::new(Ending::Defect, SignalError { source }))?;
    let raised = cancel.clone();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if raised.is_cancelled() {
                    leave();
                }
                raised.cancel(match signal {
                    SIGTERM => CancelledBy::Terminate,
                    _ => CancelledBy::Interrupt,
                });
                live::talk("stopping; once more to leave at once");
            }
        })
        .map_err(|source| CliError::new(Ending::Defect, SignalError { source }))?;
    Ok(cancel)
}

#[expect(clippy::exit, reason = "the user does not want to wait for what still winds down")]
fn leave() -> ! {
    live::leave();
    std::process::exit(i32::from(Ending::Interrupted.code()))
}

#[derive(Debug, thiserror::Error)]
#[error("could not listen for signals")]
struct SignalError {
    source: std::io::Error,
}
