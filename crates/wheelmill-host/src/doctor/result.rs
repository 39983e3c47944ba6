//! What a look at a machine comes to.

use serde::Serialize;
use wheelmill_engine::{EngineKind, NvidiaDriver};
use wheelmill_model::CheckState;

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// What is checked; stable.
    pub code: &'static str,
    /// How it came out.
    pub state: CheckState,
    /// What was seen, in a sentence without a full stop.
    pub message: String,
    /// What to do about it: where there is one, a command to type.
    pub fix: Option<String>,
}

/// What a look at a machine comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Diagnosis {
    /// There is no problem.
    pub ready: bool,
    /// What would run the builds.
    pub engine: EngineKind,
    /// NVIDIA's driver and its GPUs.
    pub driver: NvidiaDriver,
    /// What matters most first.
    pub checks: Vec<Check>,
}

impl Check {
    pub(super) fn ok(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, state: CheckState::Ok, message: message.into(), fix: None }
    }

    pub(super) fn not_applicable(code: &'static str, message: impl Into<String>) -> Self {
        Self { state: CheckState::NotApplicable, ..Self::ok(code, message) }
    }

    pub(super) fn not_checked(
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { state: CheckState::NotChecked, fix: Some(fix.into()), ..Self::ok(code, message) }
    }

    pub(super) fn warning(
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { state: CheckState::Warning, ..Self::not_checked(code, message, fix) }
    }

    pub(super) fn problem(
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { state: CheckState::Problem, ..Self::not_checked(code, message, fix) }
    }
}
