//! The tables of rules and how they are walked.

use wheelmill_model::Phase;

use super::account::Account;
use super::case::Case;
use super::evidence::Evidence;
use super::failure::{Cause, Failure};
use super::text::cut;
use super::{
    compile, compiler, disk, engine, fallback, index, library, memory, module, network, patch,
    repair, source, tool, toolkit, verdict,
};

/// The most lines of the log that a failure carries.
const LINES: usize = 8;
/// The most characters of a line that a failure carries.
const LINE_LENGTH: usize = 300;

/// The families of causes, the most specific first. Where lines of two causes are there, the
/// first family speaks: a full disk makes compilers fail in many ways, a syntax error in one.
const FAMILIES: &[&[Rule]] = &[
    engine::RULES,
    memory::RULES,
    disk::RULES,
    patch::RULES,
    toolkit::RULES,
    compiler::RULES,
    network::RULES,
    index::RULES,
    module::RULES,
    tool::RULES,
    source::RULES,
    library::RULES,
    repair::RULES,
    verdict::RULES,
    compile::RULES,
];

/// What a line must hold to be a sign.
pub(super) enum Sign {
    /// The texts, in this order, anywhere.
    Has(&'static [&'static str]),
    /// The first text behind white space at the start, then the others in this order.
    Starts(&'static [&'static str]),
    /// The text of a system error, where programs put it: last, or before the name of a file.
    /// In the middle of a sentence it is talk.
    Errno(&'static str),
}

impl Sign {
    pub(super) fn is_in(&self, line: &str) -> bool {
        let (mut rest, pieces) = match self {
            Self::Has(pieces) => (line, *pieces),
            Self::Starts([start, pieces @ ..]) => match line.trim_start().strip_prefix(start) {
                Some(rest) => (rest, pieces),
                None => return false,
            },
            Self::Starts([]) => return false,
            Self::Errno(text) => {
                return line.split_once(text).is_some_and(|(_, rest)| {
                    rest.trim_end().is_empty() || rest.starts_with([':', '\'', '"', ')', ']', '.'])
                });
            }
        };
        pieces.iter().all(|piece| match rest.split_once(piece) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    }
}

/// One way in which one cause shows.
pub(super) struct Rule {
    /// The cause.
    pub(super) cause: Cause,
    /// Whether the rule is to be asked at all.
    pub(super) when: fn(&Evidence<'_>) -> bool,
    /// Whether the lines come from one of several compiles that run at once.
    pub(super) parallel: bool,
    /// The signs, any of which will do.
    pub(super) signs: &'static [Sign],
    /// What happened, from the places of all lines with a sign; there is at least one. `None` when
    /// a closer look shows something else.
    pub(super) account: fn(&Case<'_>, &[usize]) -> Option<Account>,
}

/// For rules that are always asked.
pub(super) const fn always(_: &Evidence<'_>) -> bool {
    true
}

/// For rules on what the package's own build prints.
pub(super) fn compiling(evidence: &Evidence<'_>) -> bool {
    evidence.phase == Phase::Compile
}

/// Names the cause of a failure and what to do about it.
pub(crate) fn diagnose(evidence: &Evidence<'_>) -> Failure {
    let case = Case::new(evidence);
    let (cause, account, hits) = judge(&case);
    let mut places: Vec<usize> = account.lines.iter().copied().chain(hits).collect();
    places.sort_unstable();
    let mut lines: Vec<String> = Vec::new();
    for place in places {
        let line = cut(case.line(place).trim_end(), LINE_LENGTH);
        if lines.len() < LINES && !line.trim().is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    Failure {
        cause,
        phase: evidence.phase,
        message: account.message,
        fixes: account.fixes,
        lines,
        log: evidence.log.map(ToOwned::to_owned),
    }
}

type Judgement = (Cause, Account, Vec<usize>);

fn judge(case: &Case<'_>) -> Judgement {
    if let Some(judgement) = fallback::stopped(case)
        .or_else(|| memory::by_gate(case))
        .or_else(|| memory::by_exit_state(case))
    {
        return judgement;
    }
    FAMILIES
        .iter()
        .copied()
        .flatten()
        .filter(|rule| (rule.when)(case.evidence))
        .find_map(|rule| ask(case, rule))
        .or_else(|| memory::by_count_alone(case))
        .or_else(|| fallback::definite(case))
        .unwrap_or_else(|| fallback::vague(case))
}

fn ask(case: &Case<'_>, rule: &Rule) -> Option<Judgement> {
    let places: Vec<usize> = case
        .telling()
        .filter(|&place| rule.signs.iter().any(|sign| sign.is_in(case.line(place))))
        .filter(|&place| !case.went_on_after(place, rule.parallel))
        .collect();
    if places.is_empty() {
        return None;
    }
    let account = (rule.account)(case, &places)?;
    Some((rule.cause, account, places))
}
