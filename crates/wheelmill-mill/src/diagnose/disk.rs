//! No space left.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, always};

pub(super) const RULES: &[Rule] = &[Rule {
    cause: Cause::DiskFull,
    when: always,
    parallel: true,
    signs: &[
        Sign::Errno("No space left on device"),
        Sign::Errno("no space left on device"),
        Sign::Has(&["(os error 28)"]),
        Sign::Errno("Disk quota exceeded"),
        Sign::Has(&["(os error 122)"]),
        Sign::Has(&["You don't have enough free space in "]),
    ],
    account: full,
}];

fn full(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let lines = || places.iter().map(|&place| case.line(place));
    let quota = lines().any(|line| line.contains("quota") || line.contains("error 122"));
    let place = lines().find_map(path);
    let folder = place.map(|path| format!(" when writing `{path}`")).unwrap_or_default();
    let message = if quota {
        format!("The disk quota of this user is used up{folder}.")
    } else {
        format!("The disk is full{folder}.")
    };
    let see = if quota { "`quota --show-mntpoint`" } else { "`df --human-readable`" };
    let elsewhere = case.again("").replacen('`', "`WHEELMILL_CACHE=/path/on/another/disk ", 1);
    Some(
        Account::new(message)
            .fix(format!("See which file system it is, and make room on it: {see}"))
            .fix(format!("Put caches and work folders on another disk: {elsewhere}"))
            .fix("Remove wheels that nobody needs any more: `wheelmill wheels ls`"),
    )
}

/// What was being written: programs name it last, behind themselves and what they read.
fn path(line: &str) -> Option<&str> {
    line.split(|character: char| character.is_whitespace() || "'\"`()".contains(character))
        .map(|word| word.trim_end_matches([':', ',', '.']))
        .rfind(|word| word.starts_with('/') && word.len() > 1)
}
