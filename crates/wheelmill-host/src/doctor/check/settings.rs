//! The daemon's file of settings, and its command line.

use serde_json::Value;

use crate::doctor::fact::{DaemonFacts, Facts, SettingsFile};
use crate::doctor::result::Check;
use crate::machine::DaemonKind;
use crate::plan::problems;

const CODE: &str = "daemon-settings";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let Some(daemon) = facts.daemon_in_use() else {
        return vec![Check::not_applicable(CODE, "no daemon is used")];
    };
    match daemon.kind() {
        DaemonKind::Docker | DaemonKind::Rootless => of_docker(daemon),
        DaemonKind::Podman => vec![Check::not_applicable(CODE, "Podman has none of this kind")],
        DaemonKind::Desktop | DaemonKind::Snap => {
            vec![Check::not_applicable(CODE, "its settings are changed by its own program")]
        }
    }
}

fn of_docker(daemon: &DaemonFacts) -> Vec<Check> {
    let (file, content) = &daemon.settings;
    let settings = match content {
        SettingsFile::Absent => &Value::Null,
        SettingsFile::Unreadable(why) => {
            let message = format!("`{file}` cannot be read: {why}");
            return vec![Check::not_checked(CODE, message, "`sudo wheelmill doctor`")];
        }
        SettingsFile::Broken(why) => {
            return vec![Check::problem(
                CODE,
                format!("`{file}`, {why}: Docker will not start with it again"),
                format!("correct it: `sudo nano {file}`"),
            )];
        }
        SettingsFile::Read(settings) => settings,
    };
    let Some(options) = &daemon.options else {
        return vec![Check::not_checked(
            CODE,
            format!("`{file}` is good by itself; the daemon's command line cannot be seen"),
            "run it on the daemon's own machine, not in a container",
        )];
    };
    let problems = problems(settings, options, daemon.process.as_ref());
    if let Some(why) = daemon.refused.as_ref().filter(|_| problems.is_empty()) {
        return vec![Check::problem(
            CODE,
            format!("Docker will not start again: {why}"),
            format!("correct it: `sudo nano {file}`"),
        )];
    }
    if problems.is_empty() {
        return vec![Check::ok(
            CODE,
            match content {
                SettingsFile::Absent => format!("there is no `{file}`: all as by default"),
                _ => format!("`{file}` fits the daemon's command line"),
            },
        )];
    }
    problems
        .into_iter()
        .map(|problem| {
            let message = format!("`{file}`: {}", problem.message);
            // A runtime that is missing concerns those who ask for it; of all else the daemon dies
            // with its next start.
            match problem.code {
                "runtime-missing" => Check::warning(CODE, message, problem.instead),
                _ => Check::problem(CODE, message, problem.instead),
            }
        })
        .collect()
}
