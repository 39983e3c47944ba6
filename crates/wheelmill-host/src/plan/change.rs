//! A plan.

use serde::Serialize;
use serde_json::Value;
use wheelmill_engine::RunningContainer;

use super::file::FileChange;
use super::leaf::Expectation;

/// What a change needs before the daemon follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing.
    Nothing,
    /// The daemon reads its settings anew; containers do not notice.
    Reload,
    /// The daemon is started again.
    Restart,
}

/// A key of the daemon's settings that is not as wished, in the file or in the daemon that runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyChange {
    /// The key, with dots between its parts.
    pub key: String,
    /// What the file says now.
    pub from: Option<Value>,
    /// What it will say; none for a key that is taken away. The same as before where only the daemon
    /// that runs does not follow.
    pub to: Option<Value>,
    /// What that needs.
    pub action: Action,
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// What is asked for is dangerous, or cannot be.
    Wish,
    /// The machine is not so that it could be done.
    Machine,
}

/// Something that is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refusal {
    /// A code that keeps its meaning: `hosts-tcp`.
    pub code: &'static str,
    /// Whose fault it is.
    pub kind: RefusalKind,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to do instead.
    pub instead: String,
}

impl Refusal {
    pub(super) fn wish(code: &'static str, message: String, instead: impl Into<String>) -> Self {
        Self { code, kind: RefusalKind::Wish, message, instead: instead.into() }
    }

    pub(super) fn machine(code: &'static str, message: String, instead: impl Into<String>) -> Self {
        Self { code, kind: RefusalKind::Machine, message, instead: instead.into() }
    }
}

/// Something to know before it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Remark {
    /// What there is to know, in a sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What would be done to a machine.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostPlan {
    /// What is not done. As long as there is something here, nothing is.
    pub refusals: Vec<Refusal>,
    /// What there is to know.
    pub remarks: Vec<Remark>,
    /// The files that change.
    pub files: Vec<FileChange>,
    /// The keys of the daemon's settings that are not as wished.
    pub keys: Vec<KeyChange>,
    /// What the keys need together.
    pub action: Action,
    /// Unit files change, so systemd must read them anew.
    pub units: bool,
    /// Commands that make a bridge of the files, as the network manager wants them.
    pub network: Vec<Vec<String>>,
    /// Containers that would stop.
    pub stops: Vec<RunningContainer>,
    /// Images that would not be seen any more.
    pub hides_images: Vec<String>,
    /// Volumes that would not be seen any more.
    pub hides_volumes: Vec<String>,
    /// The volume that would be made.
    pub volume: Option<String>,
    /// Commands that install what is missing, for a shell.
    pub packages: Vec<String>,
    /// Why the daemon could not be asked whether it would take the settings; none where it could, or
    /// they stay as they are.
    pub unasked: Option<String>,
    /// The address that Docker's own bridge has, where it takes another one out of the new pools.
    pub bridge_moves_from: Option<String>,
    /// What the daemon must say of itself afterwards.
    #[serde(skip)]
    pub(crate) expectations: Vec<Expectation>,
}

impl HostPlan {
    /// Whether the machine is as wished.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.refusals.is_empty()
            && self.files.is_empty()
            && self.action == Action::Nothing
            && self.volume.is_none()
            && self.packages.is_empty()
    }
}
