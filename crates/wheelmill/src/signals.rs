//! Ctrl-C, the polite kill, and the terminal that is closed: the first asks the build to stop, the
//! second leaves at once.

use std::thread;

use nix::sys::signal::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
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
    let hangup = (!is_ignored(Signal::SIGHUP)).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))
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
                    SIGTERM | SIGHUP => CancelledBy::Terminate,
                    _ => CancelledBy::Interrupt,
                });
                live::talk("stopping; once more to leave at once");
            }
        })
        .map_err(|source| CliError::new(Ending::Defect, SignalError { source }))?;
    Ok(cancel)
}

/// Whether whoever started this program wants a signal ignored, as `nohup` does with SIGHUP.
fn is_ignored(signal: Signal) -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (signal as i32 - 1) != 0
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
