//! Makes systemd, the network and the daemon follow their files.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use camino::Utf8Path;

use super::change::HostChange;
use super::error::HostError;
use super::verify::PATIENCE;
use crate::service::{ServiceManager, fatal};

/// How long a daemon may take to read its settings.
const RELOAD: Duration = Duration::from_secs(10);

/// How long a bridge may take to come.
const BRIDGE: Duration = Duration::from_secs(10);

impl HostChange<'_> {
    /// Lets the daemon read its settings anew. That it was asked says nothing: only its event does.
    /// It may end over them.
    pub(super) fn reload(&self, service: &dyn ServiceManager) -> Result<(), HostError> {
        let moment = SystemTime::now();
        let taken = service.reload().map_err(HostError::from).and_then(|()| {
            self.daemon().has_reloaded_since(moment, RELOAD).map_err(HostError::Daemon)
        });
        if !matches!(taken, Ok(true)) && !self.daemon().answers(PATIENCE) {
            return Err(HostError::Ended { why: fatal(&service.log()) });
        }
        if taken? { Ok(()) } else { Err(HostError::NotReloaded { seconds: RELOAD.as_secs() }) }
    }
}

/// Runs the commands that make a bridge, and waits for it.
pub(super) fn make_bridge(commands: &[Vec<String>], name: &str) -> Result<(), HostError> {
    for command in commands {
        run(command)?;
    }
    let place = Utf8Path::new("/sys/class/net").join(name).join("bridge");
    let start = Instant::now();
    while !place.exists() {
        if start.elapsed() > BRIDGE {
            return Err(HostError::NoBridge { name: name.to_owned(), seconds: BRIDGE.as_secs() });
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Takes a bridge away whose files are gone. One that was never made is no failure.
pub(super) fn remove_bridge(name: &str) {
    let commands: [&[&str]; 3] = [
        &["networkctl", "reload"],
        &["nmcli", "connection", "reload"],
        &["ip", "link", "delete", name, "type", "bridge"],
    ];
    for command in commands {
        let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        if let Err(error) = run(&words) {
            tracing::debug!(%error, "while a bridge was taken away");
        }
    }
}

/// Runs a command, its words as they are.
pub(super) fn run(words: &[String]) -> Result<(), HostError> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let failed = |output: String| HostError::Command { command: words.join(" "), output };
    let output = Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let printed = String::from_utf8_lossy(&output.stderr);
            Err(failed(format!("{} ({})", printed.trim(), output.status)))
        }
    }
}
