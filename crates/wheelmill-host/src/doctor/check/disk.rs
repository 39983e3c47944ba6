//! The disks of wheelmill's own folders.

use wheelmill_model::ByteSize;

use crate::doctor::fact::{Facts, WorkFolder};
use crate::doctor::result::Check;

const CODE: &str = "disk";

/// What one toolchain with torch takes, with its share of caches.
const TOOLCHAIN: ByteSize = ByteSize(14 << 30);
/// Below this, not even a build with a toolchain that is there already goes through.
pub(super) const LEAST: ByteSize = ByteSize(2 << 30);

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    facts.folders.iter().map(folder).collect()
}

fn folder(WorkFolder { path, variable, is_writable, system }: &WorkFolder) -> Check {
    let other = format!("choose another folder: set {variable}");
    if !is_writable {
        return Check::problem(CODE, format!("`{path}` cannot be written to"), other);
    }
    let free = match system {
        Ok(system) => system.free,
        Err(why) => {
            let message = format!("the free space of `{path}` is not known: {why}");
            return Check::not_checked(CODE, message, other);
        }
    };
    let message = format!("{free} free on the disk of `{path}`");
    let fix = || format!("free some: `wheelmill clean --budget 20GB`; or {other}");
    if free < LEAST {
        return Check::problem(CODE, message, fix());
    }
    if free < TOOLCHAIN && *variable == "WHEELMILL_CACHE" {
        let message = format!("{message}, and a toolchain with torch takes {TOOLCHAIN}");
        return Check::warning(CODE, message, fix());
    }
    Check::ok(CODE, message)
}
