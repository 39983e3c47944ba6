//! What can go wrong with a change of the machine.

use std::io;

use camino::Utf8PathBuf;
use wheelmill_engine::EngineError;

use crate::json::JsonError;
use crate::machine::MachineError;
use crate::plan::{FileError, PlanError, Refusal};
use crate::service::{ServiceError, tells};

/// A change of the machine that was not made, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The machine cannot be looked at.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// The wish is not granted.
    #[error("nothing was changed: {}", messages(.0))]
    Refused(Vec<Refusal>),
    /// Somebody else changes the machine.
    #[error("another change of this machine is under way: `{lock}` is held")]
    Busy {
        /// The lock.
        lock: Utf8PathBuf,
    },
    /// Containers would stop, and nobody agreed.
    #[error("{count} would stop: {names}")]
    WouldStop {
        /// `1 container`, `2 containers`.
        count: String,
        /// Their names.
        names: String,
    },
    /// Images or volumes would vanish from sight, and nobody agreed.
    #[error("the change would hide {images} of the daemon's images and {volumes} of its volumes")]
    WouldHide {
        /// How many images.
        images: usize,
        /// How many volumes.
        volumes: usize,
    },
    /// Something must be installed before.
    #[error("NVIDIA's runtime is not installed")]
    NotInstalled {
        /// The commands that do it, as root.
        commands: Vec<String>,
    },
    /// A command failed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// The command.
        command: String,
        /// The end of what it printed, or why it did not run.
        output: String,
    },
    /// A file could not be written.
    #[error("could not {action} `{path}`")]
    Files {
        /// `create`, `write`, …
        action: &'static str,
        /// What.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else changed a file between the look at it and its change.
    #[error("`{path}` was changed by somebody else meanwhile")]
    Changed {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The service did not do what it was told.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The daemon cannot be asked.
    #[error("the daemon cannot be asked")]
    Daemon(#[source] EngineError),
    /// The daemon did not take its new settings.
    #[error("the daemon did not take its new settings within {seconds} s")]
    NotReloaded {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The daemon has ended instead of serving.
    #[error("the daemon has ended{}", because(.why.as_ref()))]
    Ended {
        /// Its own last words.
        why: Option<String>,
    },
    /// The daemon does not answer, or not as wanted.
    #[error("after {seconds} s {what}")]
    NotAsWanted {
        /// How long it was waited for.
        seconds: u64,
        /// What is wrong, as a part of a sentence.
        what: String,
    },
    /// The bridge did not come.
    #[error("the bridge `{name}` was not there after {seconds} s")]
    NoBridge {
        /// Its name.
        name: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It failed, and everything is as before.
    #[error("the change failed and was taken back; the daemon runs as before")]
    TakenBack {
        /// What failed.
        #[source]
        source: Box<Self>,
        /// What is not as before all the same.
        left: Option<Box<Self>>,
        /// Containers that ran before and do not now.
        stopped: Vec<String>,
        /// The daemon's last lines from the attempt.
        log: Vec<String>,
    },
    /// The daemon did not follow a way back, and the files are as they were before it.
    #[error("nothing was taken back: the daemon did not follow")]
    NotUndone {
        /// What failed.
        #[source]
        source: Box<Self>,
        /// The daemon's last lines from the attempt.
        log: Vec<String>,
    },
    /// It failed, and taking it back failed, too.
    #[error("the change failed, and taking it back did, too: {failure}")]
    Stranded {
        /// What failed first.
        #[source]
        source: Box<Self>,
        /// What failed then.
        failure: Box<Self>,
        /// The daemon's last lines.
        log: Vec<String>,
    },
    /// The files are as they were, and the daemon says something else than before.
    #[error("the settings are as they were, but the daemon does not say that {what}")]
    NotAsBefore {
        /// What it should say, as a part of a sentence.
        what: String,
        /// What to do.
        fix: String,
    },
    /// The daemon does not answer, and a change of it came to no end.
    #[error("a change of `{settings}` was not finished, and its daemon is down")]
    Unfinished {
        /// The daemon's file of settings.
        settings: Utf8PathBuf,
        /// What the daemon does.
        #[source]
        source: Box<Self>,
    },
    /// The file that was named is not the one of the daemon that answers.
    #[error("the daemon that answers has its settings in `{own}`, not in `{named}`")]
    OtherSettings {
        /// The file that was named.
        named: Utf8PathBuf,
        /// The file that the daemon was started with.
        own: Utf8PathBuf,
    },
    /// The latest change beside a file was one of another daemon.
    #[error("what was changed last in `{file}` is of the daemon at `{socket}`, not at `{own}`")]
    OtherDaemon {
        /// The file of settings.
        file: Utf8PathBuf,
        /// Where its daemon answers.
        socket: Utf8PathBuf,
        /// Where the daemon answers that is meant.
        own: Utf8PathBuf,
    },
    /// Settings cannot be changed on the way back.
    #[error("`{path}` cannot be changed as it is")]
    Settings {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        #[source]
        source: JsonError,
    },
    /// The journal cannot be read.
    #[error("the journal `{path}` cannot be read")]
    Journal {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// There is nothing to take back.
    #[error("there is no change of wheelmill's to take back, as `{folder}` would tell")]
    NothingToUndo {
        /// Where a change would be noted.
        folder: Utf8PathBuf,
    },
    /// A file of ours was changed since, and ours cannot be told from theirs.
    #[error("`{path}` was changed since by somebody else, and cannot be taken back alone")]
    Theirs {
        /// The file.
        path: Utf8PathBuf,
        /// As it was before.
        backup: Option<Utf8PathBuf>,
    },
    /// The volume could not be made; everything else is as wanted.
    #[error("could not make the volume `{name}`")]
    Volume {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: EngineError,
    },
}

fn messages(refusals: &[Refusal]) -> String {
    let messages: Vec<&str> = refusals.iter().map(|refusal| refusal.message.as_str()).collect();
    messages.join("; ")
}

fn because(why: Option<&String>) -> String {
    why.map(|why| format!(": {why}")).unwrap_or_default()
}

/// How many of the daemon's last lines are worth showing.
const TAIL: usize = 20;

fn tail(mut log: Vec<String>) -> Vec<String> {
    log.retain(|line| tells(line));
    log.split_off(log.len().saturating_sub(TAIL))
}

impl HostError {
    pub(super) fn taken_back(
        failed: Self,
        left: Option<Box<Self>>,
        stopped: Vec<String>,
        log: Vec<String>,
    ) -> Self {
        Self::TakenBack { source: Box::new(failed), left, stopped, log: tail(log) }
    }

    pub(super) fn not_undone(failed: Self, log: Vec<String>) -> Self {
        Self::NotUndone { source: Box::new(failed), log: tail(log) }
    }

    pub(super) fn stranded(failed: Self, failure: Self, log: Vec<String>) -> Self {
        Self::Stranded { source: Box::new(failed), failure: Box::new(failure), log: tail(log) }
    }

    /// The daemon's own last lines about it.
    #[must_use]
    pub fn log(&self) -> &[String] {
        match self {
            Self::TakenBack { log, .. }
            | Self::NotUndone { log, .. }
            | Self::Stranded { log, .. } => log,
            _ => &[],
        }
    }

    /// What to do about it, the likeliest first.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused(refusals) => {
                refusals.iter().map(|refusal| refusal.instead.clone()).collect()
            }
            Self::Machine(MachineError::Daemon { why }) if why.contains("ermission denied") => {
                vec!["run it as root: `sudo wheelmill host …`".to_owned()]
            }
            Self::Machine(MachineError::Daemon { .. }) => vec![
                "start Docker (`sudo systemctl start docker`), or see why it does not start: \
                 `journalctl --unit docker --lines 30`"
                    .to_owned(),
                "for a daemon that is down with its settings elsewhere: `undo --daemon-json FILE`"
                    .to_owned(),
            ],
            Self::Busy { .. } => vec!["wait for it to end".to_owned()],
            Self::WouldStop { .. } => vec!["let them end, or say `--stop-containers`".to_owned()],
            Self::WouldHide { .. } => vec!["say `--hide-images` if that is meant".to_owned()],
            Self::NotInstalled { commands } => {
                let run = commands.iter().map(|command| format!("as root: {command}"));
                run.chain(["or let it be done: `--install`".to_owned()]).collect()
            }
            Self::Files { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                vec!["run it as root: `sudo wheelmill host …`".to_owned()]
            }
            Self::Changed { .. } => {
                vec!["look at the plan again: `wheelmill host plan`".to_owned()]
            }
            Self::Plan(PlanError::Settings { path, .. }) => {
                vec![format!("mend `{path}` by hand; nothing was changed")]
            }
            Self::TakenBack { stopped, left, .. } => {
                let names = stopped.join(" ");
                let start = format!("containers stopped by it: `docker start {names}`");
                let start = (!stopped.is_empty()).then_some(start);
                let left = left.iter().map(|left| format!("{left}: {}", left.hints().join("; ")));
                start.into_iter().chain(left).collect()
            }
            Self::NotAsBefore { fix, .. } => vec![fix.clone()],
            Self::Unfinished { .. } => {
                vec!["take it back, and start the daemon: `sudo wheelmill host undo`".to_owned()]
            }
            Self::OtherSettings { .. } => vec!["leave `--daemon-json` out".to_owned()],
            Self::OtherDaemon { socket, .. } => {
                vec![format!("for that one: `DOCKER_HOST=unix://{socket} wheelmill host …`")]
            }
            Self::Stranded { .. } => vec!["try again: `wheelmill host undo`".to_owned()],
            Self::Theirs { backup: Some(backup), .. } => {
                vec![format!("compare it with what it was: `{backup}`")]
            }
            _ => Vec::new(),
        }
    }
}
