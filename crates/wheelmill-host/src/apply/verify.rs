//! Whether the daemon that runs is as wanted.

use std::thread;
use std::time::{Duration, Instant};

use wheelmill_engine::DaemonReport;

use super::change::HostChange;
use super::error::HostError;
use crate::machine::said;
use crate::plan::Expectation;
use crate::service::{ServiceManager, fatal};

/// How long a daemon may take until it serves.
const LIMIT: Duration = Duration::from_secs(60);

/// How long one that serves may say something else than what is expected.
const SETTLE: Duration = Duration::from_secs(10);

/// How long one answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How many seconds it is waited before a daemon that ended at once is started once more.
const PAUSES: [u64; 4] = [1, 2, 4, 8];

/// How often it is asked.
const LOOK: Duration = Duration::from_millis(100);

/// What is wrong with a daemon.
enum Wrong {
    /// It does not answer.
    Silent(String),
    /// It says something else than what is expected.
    Says(String),
}

impl HostChange<'_> {
    /// Waits until the daemon answers, says what is expected, and nothing else is wrong with it.
    pub(super) fn wait(
        &self,
        service: &dyn ServiceManager,
        expectations: &[Expectation],
        wrong: impl Fn(&DaemonReport) -> Option<String>,
    ) -> Result<(), HostError> {
        let start = Instant::now();
        let mut answered = None;
        loop {
            let (what, since, limit) = match self.judge(expectations, &wrong) {
                Ok(()) => return Ok(()),
                Err(Wrong::Silent(what)) => (what, start, LIMIT),
                Err(Wrong::Says(what)) => {
                    (what, *answered.get_or_insert_with(Instant::now), SETTLE)
                }
            };
            if service.is_down() {
                return Err(HostError::Ended { why: fatal(&service.log()) });
            }
            if since.elapsed() > limit {
                return Err(HostError::NotAsWanted { seconds: limit.as_secs(), what });
            }
            thread::sleep(LOOK);
        }
    }

    /// Starts the daemon again, and waits until it serves.
    pub(super) fn restart(&self, service: &dyn ServiceManager) -> Result<(), HostError> {
        service.restart().map_err(|error| match fatal(&service.log()) {
            Some(why) => HostError::Ended { why: Some(why) },
            None => error.into(),
        })?;
        self.wait(service, &[], |_| None)
    }

    /// As `restart`, for a daemon whose settings are as they were: one that ended badly may hold
    /// what it needs for another moment.
    pub(super) fn bring_back(&self, service: &dyn ServiceManager) -> Result<(), HostError> {
        let mut pauses = PAUSES.iter();
        loop {
            match (self.restart(service), pauses.next()) {
                (Err(HostError::Ended { why }), Some(pause)) => {
                    tracing::debug!(?why, "it ended at once");
                    thread::sleep(Duration::from_secs(*pause));
                }
                (ended, _) => return ended,
            }
        }
    }

    fn judge(
        &self,
        expectations: &[Expectation],
        wrong: &impl Fn(&DaemonReport) -> Option<String>,
    ) -> Result<(), Wrong> {
        if !self.daemon().answers(PATIENCE) {
            return Err(Wrong::Silent("the daemon does not answer".to_owned()));
        }
        let report = self.daemon().report().map_err(|error| Wrong::Silent(said(&error)))?;
        let broken = expectations.iter().find(|wanted| wanted.holds(&report) == Some(false));
        if let Some(broken) = broken {
            let what = format!("the daemon does not say that {}", broken.described());
            return Err(Wrong::Says(what));
        }
        wrong(&report).map_or(Ok(()), |what| Err(Wrong::Says(what)))
    }
}

/// What of images and volumes is not seen any more.
pub(super) fn lost(before: &[String], now: &[String], what: &str) -> Option<String> {
    let lost: Vec<&str> =
        before.iter().filter(|name| !now.contains(name)).map(String::as_str).collect();
    (!lost.is_empty()).then(|| format!("the daemon does not see these {what}: {}", lost.join(", ")))
}
