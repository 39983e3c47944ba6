//! What package indexes hold and how requirements fit together.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, always};
use super::text::{between, word_after};

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::HashMismatch,
        when: always,
        parallel: false,
        signs: &[Sign::Has(&["Hash mismatch for "]), Sign::Has(&["DO NOT MATCH THE HASHES"])],
        account: other_hash,
    },
    Rule {
        cause: Cause::Unsolvable,
        when: always,
        parallel: false,
        signs: &[
            Sign::Has(&["has no wheels with a matching"]),
            Sign::Has(&["has no usable wheels"]),
            Sign::Has(&["requires a different Python: "]),
            Sign::Has(&["Python", "does not satisfy Python"]),
        ],
        account: no_wheel_for_python,
    },
    Rule {
        cause: Cause::UnknownPackage,
        when: always,
        parallel: false,
        signs: &[
            Sign::Has(&["was not found in the package registry"]),
            Sign::Has(&["there is no version of "]),
            Sign::Has(&["there are no versions of "]),
            Sign::Has(&["No matching distribution found for "]),
        ],
        account: unknown,
    },
    Rule {
        cause: Cause::Unsolvable,
        when: always,
        parallel: false,
        signs: &[
            Sign::Has(&["No solution found when resolving"]),
            Sign::Has(&["ResolutionImpossible"]),
            Sign::Has(&["conflicting dependencies"]),
        ],
        account: unsolvable,
    },
];

fn other_hash(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let first = *places.first()?;
    let below = first..case.evidence.tail.len().min(first + 8);
    let subject = below
        .clone()
        .find_map(|place| {
            let line = case.line(place);
            between(line, "Hash mismatch for `", "`")
                .or_else(|| line.trim().split_once(" from http").map(|(subject, _)| subject))
        })
        .unwrap_or("a download");
    Some(
        Account::new(format!("`{subject}` is not what was promised: its hash differs."))
            .fix(format!("Choose versions and hashes anew: {}", case.again("--refresh")))
            .fix("If it happens again, ask whoever runs the index or the proxy in between: the file may have been changed on the way")
            .also(below),
    )
}

fn no_wheel_for_python(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let subject = word_after(line, "Because ").unwrap_or("A requirement");
    Some(
        Account::new(format!("There is no build of `{subject}` for this Python."))
            .fix(format!("Loosen it in `requires` in {}", case.table("build")))
            .fix(format!(
                "Build for another Python: {}",
                case.plan(&format!("--cuda {} --python 3.11,3.12", case.evidence.cuda))
            ))
            .also(reason(case, places)),
    )
}

fn unknown(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let subject = word_after(line, "there is no version of ")
        .or_else(|| word_after(line, "there are no versions of "))
        .or_else(|| word_after(line, "No matching distribution found for "))
        .or_else(|| {
            let (before, _) = line.split_once(" was not found in the package registry")?;
            before.rsplit(' ').next()
        })?;
    let name_end = subject.find(|character: char| "=<>!~[;".contains(character));
    let name = name_end.map_or(subject, |end| &subject[..end]);
    let own = name == case.evidence.package.as_str();
    // pip lists what there is; an empty list means that the name itself is unknown.
    let known = case.lines().find_map(|line| between(line, "(from versions: ", ")"));
    let no_such_name = match known {
        Some(versions) => versions == "none",
        None => line.contains("was not found in"),
    };
    let message = if no_such_name {
        format!("The index knows no package `{name}`.")
    } else {
        format!("The index has no `{subject}`.")
    };
    let account = Account::new(message);
    let account = match (own, no_such_name) {
        (true, true) => account
            .fix("See how the packages are called that wheelmill knows: `wheelmill recipes ls`")
            .fix(format!(
                "If it is in an index of your own: `UV_INDEX_URL=https://…/simple` before {}",
                case.again("")
            )),
        (true, false) => {
            account.fix(format!("Build the newest version: {}", case.again("--refresh")))
        }
        (false, _) => account.fix(format!(
            "Correct it in `requires` in {}, or in the source's own pyproject.toml with a patch",
            case.table("build")
        )),
    };
    let newest = known.filter(|_| !no_such_name).and_then(|versions| versions.rsplit(", ").next());
    Some(
        account
            .fix_some(newest.map(|newest| {
                format!(
                    "The newest that it has: `wheelmill build {name}=={newest} --cuda {}`",
                    case.evidence.cuda
                )
            }))
            .also(reason(case, places)),
    )
}

fn unsolvable(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let reason: Vec<usize> = reason(case, places).collect();
    let told = reason
        .iter()
        .map(|&place| case.line(place))
        .find_map(|line| line.split_once("Because ").map(|(_, rest)| rest))
        .map(|rest| rest.split(", we can conclude").next().unwrap_or(rest))
        .map(|rest| format!(": {}", rest.trim_end_matches([',', '.'])));
    let pip = || {
        let packages =
            case.lines().find_map(|line| between(line, "Cannot install ", " because"))?;
        Some(format!(": {packages}"))
    };
    let told = told.or_else(pip).unwrap_or_default();
    // Another cell helps only where an axis of the matrix has a part in it.
    let axis = ["torch", "cuda", "Python", "python"];
    let of_matrix = reason.iter().any(|&place| axis.iter().any(|it| case.line(place).contains(it)));
    let releases = of_matrix.then(|| {
        let plan = case.plan(&format!("--cuda {}", case.evidence.cuda));
        format!("See which releases fit together: {plan}")
    });
    Some(
        Account::new(format!("The requirements contradict each other{told}."))
            .fix_some(releases)
            .fix(format!("Loosen `requires` in {}", case.table("build")))
            .also(reason),
    )
}

/// The lines that follow and argue: uv indents them, pip lists who wants what.
fn reason<'c>(case: &'c Case<'_>, places: &[usize]) -> impl Iterator<Item = usize> + 'c {
    let first = places.first().copied().unwrap_or_default();
    (first..case.evidence.tail.len().min(first + 12)).filter(|&place| {
        let line = case.line(place).trim_start();
        ["cause: ", "╰─▶ ", "Because ", "And because ", "The user requested ", "hint: "]
            .iter()
            .any(|start| line.starts_with(start))
            || line.contains(" depends on ")
    })
}
