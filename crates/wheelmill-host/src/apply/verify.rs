//! Whether the daemon that runs is as wanted.

use std::thread;
use std::time::{Duration, Instant};

use wheelmill_engine::DaemonReport;

use super::change::HostChange;
use super::error::HostError;
use crate::machine::said;
use crate::plan::Expectation;
use crate::service::ServiceManager;

/// How long a daemon may take until it serves.
const LIMIT: Duration = Duration::from_secs(60);

/// How long one answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is asked.
const LOOK: Duration = Duration::from_millis(100);

impl HostChange<'_> {
    /// Waits until the daemon answers, says what is expected, and nothing else is wrong with it.
    pub(super) fn wait(
        &self,
        service: &dyn ServiceManager,
        expectations: &[Expectation],
        wrong: impl Fn(&DaemonReport) -> Option<String>,
    ) -> Result<(), HostError> {
        let start = Instant::now();
        loop {
            let what = match self.judge(expectations, &wrong) {
                Ok(()) => return Ok(()),
                Err(what) => what,
            };
            if service.is_down() {
                return Err(HostError::Ended);
            }
            if start.elapsed() > LIMIT {
                return Err(HostError::NotAsWanted { seconds: LIMIT.as_secs(), what });
            }
            thread::sleep(LOOK);
        }
    }

    fn judge(
        &self,
        expectations: &[Expectation],
        wrong: &impl Fn(&DaemonReport) -> Option<String>,
    ) -> Result<(), String> {
        if !self.daemon().answers(PATIENCE) {
            return Err("the daemon does not answer".to_owned());
        }
        let report = self.daemon().report().map_err(|error| said(&error))?;
        let broken = expectations.iter().find(|wanted| wanted.holds(&report) == Some(false));
        if let Some(broken) = broken {
            return Err(format!("the daemon does not say that {}", broken.described()));
        }
        wrong(&report).map_or(Ok(()), Err)
    }
}

/// What of images and volumes is not seen any more.
pub(super) fn lost(before: &[String], now: &[String], what: &str) -> Option<String> {
    let lost: Vec<&str> =
        before.iter().filter(|name| !now.contains(name)).map(String::as_str).collect();
    (!lost.is_empty()).then(|| format!("the daemon does not see these {what}: {}", lost.join(", ")))
}
