//! A wheel that was built and cannot be imported.

use wheelmill_model::Phase;

use super::account::Account;
use super::case::Case;
use super::evidence::Evidence;
use super::failure::Cause;
use super::rule::{Rule, Sign};
use super::text::{starts_with_any, word_after};
use super::traceback;

/// Said in the log before the recipe's code runs.
pub(crate) const RUNNING_ON_GPU: &str = "running the recipe's test on a GPU";

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::VerdictFailed,
        when: verifying,
        parallel: false,
        signs: &[Sign::Has(&["undefined symbol: "])],
        account: undefined,
    },
    Rule {
        cause: Cause::VerdictFailed,
        when: verifying,
        parallel: false,
        signs: &[Sign::Has(&["Error: ", ": cannot open shared object file"])],
        account: needs,
    },
    Rule {
        cause: Cause::VerdictFailed,
        when: verifying,
        parallel: false,
        signs: &[Sign::Has(&["Traceback (most recent call last)"])],
        account: raised,
    },
];

fn verifying(evidence: &Evidence<'_>) -> bool {
    evidence.phase == Phase::Verify
}

fn look(case: &Case<'_>) -> String {
    let package = case.evidence.package;
    format!("See how the recipe builds and tests it: `wheelmill recipes show {package}`")
}

fn imports(case: &Case<'_>) -> String {
    format!("If the name is wrong: `imports = [\"…\"]` in {}", case.table("test"))
}

fn raised(case: &Case<'_>, _: &[usize]) -> Option<Account> {
    let exception = traceback::last(case)?;
    let line = case.line(exception.place).trim();
    if case.lines().any(|line| line.ends_with(RUNNING_ON_GPU)) {
        let line = line.trim_end_matches('.');
        let message = format!("The recipe's test failed on a GPU: `{line}`.");
        return Some(
            Account::new(message)
                .also([exception.place])
                .fix("Read the whole log: `wheelmill runs logs`")
                .fix(format!("If the test is wrong: `gpu` in {}", case.table("test"))),
        );
    }
    // What was imported before is told line by line.
    let imported =
        |module: &str| case.lines().any(|it| word_after(it, " imported ") == Some(module));
    let module = case.evidence.imports.iter().find(|module| !imported(module));
    let subject = module.map_or_else(|| "the wheel".to_owned(), |module| format!("`{module}`"));
    let message = format!("Importing {subject} failed: `{}`.", line.trim_end_matches('.'));
    let account = Account::new(message).also([exception.place]);
    Some(if starts_with_any(line, &["ImportError: ", "ModuleNotFoundError: "]) {
        account.fix(look(case)).fix(imports(case))
    } else {
        account.fix("Read the whole log: `wheelmill runs logs`").fix(look(case))
    })
}

fn undefined(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let symbol = word_after(case.line(*places.last()?), "undefined symbol: ")?;
    // `c10`, `at` and `torch` are torch's namespaces, as the compiler mangles them.
    let of_torch = ["3c10", "2at", "5torch", "THP"].iter().any(|name| symbol.contains(name));
    let account = Account::new(if of_torch {
        format!(
            "The wheel was built against another torch than the one that loads it: `{symbol}` is not there."
        )
    } else {
        format!("The wheel needs the symbol `{symbol}`, and no library brings it.")
    });
    Some(match (of_torch, case.evidence.torch) {
        (true, Some(_)) => account
            .fix(format!("Build it anew against this torch: {}", case.again("--refresh")))
            .fix(format!("Take other torch versions out of `requires` in {}", case.table("build"))),
        (true, None) => account.fix(format!(
            "Say that the wheel belongs to a torch: `torch = true` in {}",
            case.table("build")
        )),
        (false, _) => account.fix(look(case)),
    })
}

fn needs(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let (before, _) = case.line(*places.last()?).split_once(": cannot open shared object file")?;
    let file = before.rsplit(' ').next()?;
    let account = Account::new(format!(
        "The wheel needs the library `{file}`, and it is not where the loader looks."
    ));
    Some(if file.starts_with("libcuda.so") || file.starts_with("libnvidia") {
        account.fix(format!(
            "It is the driver's, and needs no GPU to link but one to load; test on a machine with one, or take the import out of `imports` in {}",
            case.table("test")
        ))
    } else if file.starts_with("libc10") || file.starts_with("libtorch") {
        account.fix(format!(
            "Import torch first: `imports = [\"torch\", \"…\"]` in {}",
            case.table("test")
        ))
    } else {
        account.fix(look(case))
    })
}
