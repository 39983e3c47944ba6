//! Old changes of Docker's service.

use crate::doctor::fact::Facts;
use crate::doctor::result::Check;

const CODE: &str = "drop-in";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    if facts.drop_ins.is_empty() {
        return vec![Check::ok(CODE, "nothing replaces the command of Docker's service")];
    }
    let one = |file| {
        Check::warning(
            CODE,
            format!("`{file}` replaces the whole command of Docker's service"),
            format!("see part by part what it does today: `wheelmill host explain {file}`"),
        )
    };
    facts.drop_ins.iter().map(one).collect()
}
