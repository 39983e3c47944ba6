//! What is asked of a service.

use super::ServiceError;

/// What starts and stops a daemon. None of its answers says that the daemon took new settings.
pub trait ServiceManager {
    /// Asks the daemon to read its settings anew.
    ///
    /// # Errors
    /// It cannot be asked.
    fn reload(&self) -> Result<(), ServiceError>;

    /// Ends the daemon, if it runs, and starts it; earlier failures to start do not count.
    ///
    /// # Errors
    /// It does not end, or cannot be started. One that starts and ends again may be no error.
    fn restart(&self) -> Result<(), ServiceError>;

    /// Makes changes of unit files known.
    ///
    /// # Errors
    /// They are refused.
    fn reload_units(&self) -> Result<(), ServiceError>;

    /// Whether the daemon neither runs nor is about to.
    fn is_down(&self) -> bool;

    /// What the daemon printed since this was made, or since its last start where that can be told,
    /// by lines; of very much the end.
    fn log(&self) -> Vec<String>;
}

/// How many lines of a log are read: more than a crash with all its threads prints.
pub(super) const MOST: usize = 5000;
