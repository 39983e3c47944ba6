//! The volume that installers leave their wheels in.

use crate::doctor::fact::Facts;
use crate::doctor::result::Check;

const CODE: &str = "volume";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let (Some(name), Some(daemon)) = (&facts.need.volume, facts.daemon_in_use()) else {
        return vec![Check::not_applicable(CODE, "no volume is used")];
    };
    vec![match &daemon.volume {
        Ok(Some(place)) => Check::ok(CODE, format!("`{name}` lies in `{place}`")),
        Ok(None) => Check::not_applicable(
            CODE,
            format!(
                "`{name}` is not there yet: the first build of an image with an installer makes it"
            ),
        ),
        Err(why) => Check::not_checked(
            CODE,
            format!("where `{name}` lies: {why}"),
            format!("`docker volume inspect {name}`"),
        ),
    }]
}
