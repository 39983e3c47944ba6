//! Out of memory.
//!
//! The word `Killed` proves nothing: test suites print it, and people kill processes. What proves
//! it is the count of kills that the engine hands over, or a program that says that it could not
//! have the memory it asked for.

use wheelmill_engine::{Exit, MemoryWatch};
use wheelmill_model::ByteSize;

use super::account::Account;
use super::case::Case;
use super::evidence::Evidence;
use super::failure::Cause;
use super::rule::{Rule, Sign, always};
use super::text::word_after;

/// The exit code of a command that SIGKILL ended.
const SIGKILLED: i32 = 128 + 9;

/// The signs of a compiler that somebody killed: gcc's driver, nvcc, collect2.
const KILLED_COMPILER: &[Sign] = &[
    Sign::Has(&["Killed signal terminated program "]),
    Sign::Has(&["' died due to signal 9"]),
    Sign::Has(&["terminated with signal 9"]),
    // gcc up to 8
    Sign::Has(&["internal compiler error: Killed (program "]),
];

/// The signs of any killed program, worth something only beside a count of kills.
const KILLED: &[Sign] = &[
    Sign::Has(&["Killed signal terminated program "]),
    Sign::Has(&["' died due to signal 9"]),
    Sign::Has(&["terminated with signal 9"]),
    Sign::Has(&["internal compiler error: Killed (program "]),
    Sign::Has(&["SIGKILL"]),
    Sign::Has(&[": *** [", "] Killed"]),
    Sign::Has(&["exit status -9"]),
    Sign::Has(&["exit code -9"]),
    Sign::Has(&["exit status 137"]),
    Sign::Has(&["exit code 137"]),
    Sign::Has(&[": *** [", "] Error 137"]),
    Sign::Has(&["(signal: 9"]),
    Sign::Starts(&["FAILED: [code=137]"]),
    Sign::Starts(&["Killed"]),
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::OutOfMemory,
        when: |evidence| !kills_are_counted(evidence) && recovered(evidence) == 0,
        parallel: true,
        signs: KILLED_COMPILER,
        account: |case, places| Some(account(case, victim(case, places))),
    },
    Rule {
        cause: Cause::BuildFailed,
        when: |evidence| kills_are_counted(evidence) && recovered(evidence) == 0,
        parallel: true,
        signs: KILLED_COMPILER,
        account: killed_by_another,
    },
    Rule {
        cause: Cause::OutOfMemory,
        when: always,
        parallel: true,
        signs: &[
            Sign::Has(&["out of memory allocating "]),
            Sign::Has(&["virtual memory exhausted"]),
            Sign::Has(&[": memory exhausted"]),
            Sign::Errno("Cannot allocate memory"),
            Sign::Errno("cannot allocate memory"),
            Sign::Has(&["(os error 12)"]),
            Sign::Has(&["Memory allocation failure"]),
            Sign::Has(&["LLVM ERROR: out of memory"]),
            Sign::Starts(&["terminate called after throwing", "std::bad_alloc"]),
            Sign::Starts(&["MemoryError"]),
        ],
        account: refused,
    },
];

/// Memory as the cause when the gate could not help a compile.
pub(super) fn by_gate(case: &Case<'_>) -> Option<(Cause, Account, Vec<usize>)> {
    let lost = case.evidence.admitted?.lost?;
    let source = lost.source.strip_prefix("/build/src/").unwrap_or(&lost.source);
    let had = lost.budget.map(|budget| format!(
            ", and compilers can have {budget}: the rest of the memory is for the build itself and the \
             files that it reads"
        ));
    let had = had.unwrap_or_default();
    let message = if lost.alone {
        format!(
            "`{source}` needs more memory than there is: its compiler was killed at {} with nothing \
             beside it{had}.",
            lost.peak
        )
    } else {
        format!(
            "the compiler of `{source}` was killed for memory at {}, and what reads or writes a \
             stream cannot be run again by itself.",
            lost.peak
        )
    };
    let limit = case.evidence.memory_limit.map_or(0, |limit| limit.0);
    // In whole MiB, as people write it.
    let wish = (limit.max(lost.peak.0) >> 20).saturating_add(1) << 21;
    let wish = String::from(ByteSize(wish));
    let more = case.again(&format!("--memory {wish}"));
    let account = Account::new(message)
        .fix(format!("Allow more memory, or take a machine that has it, as {more}"))
        .fix("Where it is built for several GPU architectures, build for fewer at a time (`--arch`): each is compiled by itself, and together they take more.".to_owned());
    Some((Cause::OutOfMemory, account, killed_lines(case).collect()))
}

/// Kills that nobody made good.
fn kills<'e>(case: &Case<'e>) -> Option<&'e Exit> {
    let recovered = recovered(case.evidence);
    case.evidence.exit.filter(|exit| exit.oom_kills > recovered)
}

fn recovered(evidence: &Evidence<'_>) -> u64 {
    evidence.admitted.map_or(0, |admitted| admitted.recovered)
}

/// Memory as the cause when the engine counted kills and the end fits to it.
pub(super) fn by_exit_state(case: &Case<'_>) -> Option<(Cause, Account, Vec<usize>)> {
    let exit = kills(case)?;
    let places: Vec<usize> =
        killed_lines(case).filter(|&place| !case.went_on_after(place, true)).collect();
    // A sampling engine kills the whole build, so there is nobody left to say anything.
    let silent_end = exit.code == SIGKILLED || exit.watch == MemoryWatch::Sampled;
    (silent_end || !places.is_empty())
        .then(|| (Cause::OutOfMemory, account(case, victim(case, &places)), places))
}

/// Memory as the cause when processes were killed for it and the log says nothing better.
pub(super) fn by_count_alone(case: &Case<'_>) -> Option<(Cause, Account, Vec<usize>)> {
    kills(case)?;
    Some((Cause::OutOfMemory, account(case, None), killed_lines(case).collect()))
}

fn killed_lines<'c>(case: &'c Case<'_>) -> impl Iterator<Item = usize> + 'c {
    case.telling().filter(|&place| KILLED.iter().any(|sign| sign.is_in(case.line(place))))
}

fn kills_are_counted(evidence: &Evidence<'_>) -> bool {
    evidence.exit.is_some_and(|exit| exit.watch == MemoryWatch::Cgroup)
}

/// The program that was killed, as its driver names it.
fn victim(case: &Case<'_>, places: &[usize]) -> Option<String> {
    places.iter().find_map(|&place| {
        let line = case.line(place);
        let gcc = word_after(line, "Killed signal terminated program ")
            .or_else(|| word_after(line, "Killed (program "));
        let nvcc = || {
            let (before, _) = line.split_once("' died due to signal 9")?;
            before.rsplit('\'').next()
        };
        let collect = || {
            let (before, _) = line.split_once(" terminated with signal 9")?;
            before.rsplit(' ').next()
        };
        gcc.or_else(nvcc).or_else(collect).map(ToOwned::to_owned)
    })
}

fn refused(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    // `cc1plus: out of memory allocating …`, `collect2: fatal error: cannot allocate memory`
    let program = places.iter().find_map(|&place| {
        let (name, _) = case.line(place).trim_start().split_once(": ")?;
        let name = name.rsplit('/').next()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_.".contains(&byte);
        let exception = name.ends_with("Error") || name.contains("terminate");
        (name.bytes().all(plain) && !exception).then(|| name.to_owned())
    });
    let who = program.map_or_else(|| "A program".to_owned(), |name| format!("`{name}`"));
    Some(advise(case, format!("{who} asked for memory and got none{}", figures(case))))
}

fn killed_by_another(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let victim = victim(case, places)?;
    Some(
        Account::new(format!(
            "`{victim}` was killed from outside: the kernel counts no kill for memory in this \
             build. A guard such as systemd-oomd or earlyoom, a batch system or a person may have \
             done it."
        ))
        .fix(format!("Use less of the machine, and try again: {}", case.again(&fewer_cpus(case)))),
    )
}

fn account(case: &Case<'_>, victim: Option<String>) -> Account {
    let who = victim.map_or_else(|| "The build".to_owned(), |name| format!("`{name}`"));
    advise(case, format!("{who} was killed for memory{}", figures(case)))
}

/// What is known in numbers, as the end of a sentence.
fn figures(case: &Case<'_>) -> String {
    let peak = case.evidence.exit.and_then(|exit| exit.peak_memory);
    let compiles = match jobs(case) {
        0 | 1 => String::new(),
        jobs => format!(", with {jobs} compiles at once"),
    };
    let sampled = matches!(case.evidence.exit, Some(Exit { watch: MemoryWatch::Sampled, .. }));
    match (peak, case.evidence.memory_limit) {
        (Some(peak), Some(limit)) if sampled => {
            format!(": the build held {peak} when it was looked at, and may use {limit}{compiles}.")
        }
        (Some(peak), Some(limit)) => {
            format!(": the build held {peak} of the {limit} that it may use{compiles}.")
        }
        (Some(peak), None) => {
            format!(": the build held {peak} and the machine has no more{compiles}.")
        }
        (None, Some(limit)) => format!(": the build may use {limit}{compiles}."),
        (None, None) => format!(": the machine's memory is used up{compiles}."),
    }
}

/// How many compiles ran at once, where that was fixed beforehand. The gate lets as many run as fit.
fn jobs(case: &Case<'_>) -> usize {
    case.evidence.admitted.map_or(case.evidence.jobs, |_| 0)
}

fn fewer_cpus(case: &Case<'_>) -> String {
    format!("--cpus {}", (case.evidence.jobs / 2).max(1))
}

fn advise(case: &Case<'_>, message: String) -> Account {
    let jobs = jobs(case);
    let fewer = (jobs > 1)
        .then(|| format!("Compile fewer files at once: {}", case.again(&fewer_cpus(case))));
    let more = match case.evidence.memory_limit {
        Some(limit) => {
            let wish = limit.0.saturating_mul(2).max(case.evidence.compile_memory.0);
            let wish = String::from(ByteSize(wish));
            let command = case.again(&format!("--memory {wish}"));
            format!("Allow more memory, where the machine has it: {command}")
        }
        None => "Close other programs, or build on a machine with more memory.".to_owned(),
    };
    let peak = case.evidence.exit.and_then(|exit| exit.peak_memory);
    let hint = peak.filter(|_| jobs > 1).map(|peak| {
        let each = (peak.0 / jobs as u64).div_ceil(1 << 29).max(1) << 29;
        format!(
            "Say in the recipe what one compile needs, so that fewer run at once: \
             `memory = \"{}\"` or more in {}",
            String::from(ByteSize(each)),
            case.table("jobs"),
        )
    });
    Account::new(message).fix_some(fewer).fix(more).fix_some(hint)
}
