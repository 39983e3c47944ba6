//! A wheel that auditwheel could not repair because it broke, not because no policy fits.

use wheelmill_model::Phase;

use super::account::Account;
use super::case::Case;
use super::evidence::Evidence;
use super::failure::Cause;
use super::rule::{Rule, Sign};
use super::traceback;

pub(super) const RULES: &[Rule] = &[Rule {
    cause: Cause::RepairFailed,
    when: repairing,
    parallel: false,
    signs: &[
        Sign::Has(&["Traceback (most recent call last)"]),
        Sign::Has(&["error: "]),
        Sign::Has(&["No module named "]),
    ],
    account: broke,
}];

fn repairing(evidence: &Evidence<'_>) -> bool {
    evidence.phase == Phase::Repair
}

fn broke(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let place = traceback::last(case).map_or(*places.last()?, |exception| exception.place);
    let line = case.line(place).trim();
    let message =
        format!("auditwheel could not repair the wheel: `{}`.", line.trim_end_matches('.'));
    Some(
        Account::new(message)
            .fix(format!(
                "Leave it as its build made it, for machines like this one: `repair = false` in {}",
                case.table("wheel")
            ))
            .fix(format!("Then {}", case.again("")))
            .also([place]),
    )
}
