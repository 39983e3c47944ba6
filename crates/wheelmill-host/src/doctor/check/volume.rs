//! The volumes that installers leave their wheels in.

use camino::Utf8PathBuf;

use crate::doctor::fact::Facts;
use crate::doctor::result::Check;

const CODE: &str = "volume";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    match facts.daemon_in_use() {
        Some(daemon) if !daemon.volumes.is_empty() => {
            daemon.volumes.iter().map(|(name, found)| volume(name, found)).collect()
        }
        _ => vec![Check::not_applicable(CODE, "no volume is used")],
    }
}

fn volume(name: &str, found: &Result<Option<Utf8PathBuf>, String>) -> Check {
    match found {
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
    }
}
