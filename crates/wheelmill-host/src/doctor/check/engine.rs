//! What would run a build.

use wheelmill_engine::{EngineKind, Severity};

use crate::doctor::fact::Facts;
use crate::doctor::result::Check;

const CODE: &str = "engine";

/// How each daemon is started, by the machine or by its user.
pub(super) const fn start(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Podman => {
            "`systemctl --user start podman.socket`, or build without a daemon: `--engine embedded`"
        }
        _ => {
            "`sudo systemctl start docker`; if that fails: `journalctl --unit docker --lines 30`; \
             or build without a daemon: `--engine embedded`"
        }
    }
}

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let engine = facts.engine();
    if engine != EngineKind::Embedded {
        return vec![match facts.daemon(engine) {
            Some(_) => Check::ok(CODE, format!("builds run with {engine}")),
            None => Check::problem(
                CODE,
                format!("builds are to run with {engine}, which cannot be used"),
                format!("do what the check `{engine}` says"),
            ),
        }];
    }
    if facts.need.images {
        return vec![Check::problem(
            CODE,
            "this project builds images from Dockerfiles, and neither Docker nor Podman is used",
            "`sudo systemctl start docker`, or `systemctl --user start podman.socket`",
        )];
    }
    let findings = &facts.embedded.findings;
    match findings.iter().find(|finding| finding.severity == Severity::Problem) {
        None => vec![Check::ok(CODE, "builds run with the embedded engine, without a daemon")],
        Some(problem) => vec![Check::problem(
            CODE,
            format!("the embedded engine {}: {}", facts.embedded.summary, problem.message),
            problem.fix.as_deref().unwrap_or("start Docker: `sudo systemctl start docker`"),
        )],
    }
}
