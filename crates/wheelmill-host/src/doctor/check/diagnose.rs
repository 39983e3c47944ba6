//! All checks, and what they come to.

use wheelmill_model::CheckState;

use super::{
    cdi, daemon, disk, driver, embedded, engine, network, runtime, security, service, settings,
    storage, toolkit, volume, way,
};
use crate::doctor::fact::Facts;
use crate::doctor::result::{Check, Diagnosis};

/// In the order of importance, where two came out alike.
const CHECKS: [fn(&Facts) -> Vec<Check>; 17] = [
    engine::checks,
    daemon::checks,
    embedded::checks,
    disk::checks,
    settings::checks,
    storage::checks,
    security::checks,
    way::checks,
    driver::checks,
    toolkit::checks,
    runtime::checks,
    cdi::checks,
    network::checks,
    volume::checks,
    service::checks,
    unfinished,
    slurm,
];

/// Judges a machine.
#[must_use]
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let mut checks: Vec<Check> = CHECKS.iter().flat_map(|checks| checks(facts)).collect();
    checks.sort_by_key(|check| check.state);
    Diagnosis {
        ready: checks.iter().all(|check| check.state != CheckState::Problem),
        engine: facts.engine(),
        driver: facts.driver.clone(),
        checks,
    }
}

fn unfinished(facts: &Facts) -> Vec<Check> {
    const CODE: &str = "host-change";
    vec![match &facts.unfinished {
        None => Check::ok(CODE, "no change by `wheelmill host` was cut off"),
        Some(change) => {
            Check::warning(CODE, change.to_string(), "take it back: `sudo wheelmill host undo`")
        }
    }]
}

fn slurm(facts: &Facts) -> Vec<Check> {
    const CODE: &str = "slurm";
    vec![match &facts.slurm {
        None => Check::not_applicable(CODE, "Slurm is not installed"),
        Some(Ok(version)) => Check::ok(CODE, version),
        Some(Err(why)) => Check::not_checked(CODE, why, "see `sinfo --version`"),
    }]
}
