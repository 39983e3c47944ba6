//! Sources that do not compile or link.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, compiling};
use super::text::{between, cut};

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::CompileError,
        when: compiling,
        parallel: true,
        signs: &[
            Sign::Has(&[": error: "]),
            Sign::Has(&[": fatal error: "]),
            Sign::Has(&["): error"]),
            Sign::Has(&["ptxas error   : "]),
            Sign::Has(&["ptxas fatal   : "]),
            Sign::Has(&["nvlink error   : "]),
            Sign::Has(&["internal compiler error: "]),
            Sign::Starts(&["error[E"]),
        ],
        account: compiler,
    },
    Rule {
        cause: Cause::CompileError,
        when: compiling,
        parallel: false,
        signs: &[
            Sign::Has(&[": undefined reference to "]),
            Sign::Has(&["ld.lld: error: "]),
            Sign::Has(&["multiple definition of "]),
        ],
        account: linker,
    },
    Rule {
        cause: Cause::CompileError,
        when: compiling,
        parallel: true,
        signs: &[Sign::Has(&["' died due to signal "])],
        account: crashed,
    },
];

/// How much of a compiler's sentence a message repeats.
const SENTENCE: usize = 200;

struct CompilerError<'a> {
    /// `csrc/scale.cu:12`.
    place: Option<String>,
    sentence: &'a str,
}

fn compiler(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let (first, error) =
        places.iter().find_map(|&place| Some((place, parse(case.line(place))?)))?;
    let at = error.place.as_ref().map(|place| format!(" at `{place}`")).unwrap_or_default();
    let sentence = cut(error.sentence.trim(), SENTENCE);
    let others =
        places.iter().filter(|&&place| place != first && parse(case.line(place)).is_some()).count();
    let more = match others {
        0 => String::new(),
        1 => " One more error follows.".to_owned(),
        others => format!(" {others} more errors follow."),
    };
    let stop = if sentence.ends_with(['.', '?', '!', '…']) { "" } else { "." };
    let account = Account::new(format!("The source does not compile{at}: {sentence}{stop}{more}"));
    Some(advise(case, account, &sentence, error.place.as_deref()))
}

/// Takes an error line of gcc, clang, nvcc or its parts to pieces. `None` for lines that only look
/// like one: `error: command 'g++' failed`, a warning that speaks of errors.
fn parse(line: &str) -> Option<CompilerError<'_>> {
    for tool in ["ptxas error   : ", "ptxas fatal   : ", "nvlink error   : "] {
        if let Some((_, sentence)) = line.split_once(tool) {
            return Some(CompilerError { place: None, sentence });
        }
    }
    if line.trim_start().starts_with("error[E") {
        let (_, sentence) = line.split_once("]: ")?;
        return Some(CompilerError { place: None, sentence });
    }
    // `file.cu(12): error: …`, `file.cu(12): error #20: …`
    if let Some((place, rest)) = line.split_once("): error") {
        let (file, number) = place.rsplit_once('(')?;
        let (_, sentence) = rest.split_once(": ")?;
        let plain = is_number(number) && !file.contains(' ');
        return plain.then(|| CompilerError { place: Some(format!("{file}:{number}")), sentence });
    }
    // `file.cpp:12:3: error: …`, also `fatal error` and `internal compiler error`
    let (place, sentence) = [": error: ", ": fatal error: ", ": internal compiler error: "]
        .iter()
        .find_map(|mark| line.split_once(mark))?;
    let mut parts = place.trim_start().splitn(3, ':');
    let (file, number) = (parts.next()?, parts.next().filter(|number| is_number(number)));
    // A compiler names a file and a line, or itself.
    let compiler = ["cc1plus", "cc1", "g++", "gcc"].iter().any(|name| file.ends_with(name));
    let wrong = number.is_none() && !compiler || file.contains(' ');
    let place = number.map(|number| format!("{file}:{number}"));
    (!wrong).then_some(CompilerError { place, sentence })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn linker(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let (_, rest) = line
        .split_once("undefined reference to ")
        .or_else(|| line.split_once("error: "))
        .or_else(|| line.split_once("multiple definition of "))?;
    let symbol = rest.trim().trim_matches(['`', '\'', '"']);
    let message = if line.contains("multiple definition of ") {
        format!(
            "The linker found more than one `{}`.",
            cut(between(line, "definition of `", "'").unwrap_or(symbol), SENTENCE)
        )
    } else {
        format!("The linker does not find `{}`.", cut(symbol, SENTENCE))
    };
    Some(advise(case, Account::new(message), "", None))
}

fn crashed(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let (before, rest) = line.split_once("' died due to signal ")?;
    let program = before.rsplit('\'').next()?;
    Some(
        Account::new(format!("`{program}` crashed with signal {}.", rest.trim()))
            .fix("It is a defect of the compiler, which another release of CUDA may not have")
            .fix(format!("See which releases fit: {}", case.plan(""))),
    )
}

fn advise(case: &Case<'_>, account: Account, sentence: &str, place: Option<&str>) -> Account {
    let standard = ["C++14", "C++17", "C++20", "c++14", "c++17", "c++20"]
        .iter()
        .find(|standard| sentence.contains(**standard))
        .filter(|_| sentence.contains("require") || sentence.contains("need"));
    let flag = standard.map(|standard| {
        let standard = standard.to_ascii_lowercase();
        format!(
            "Compile as {}: `environment = {{ CXXFLAGS = \"-std={standard}\", NVCC_APPEND_FLAGS = \"-std={standard}\" }}` in {}",
            standard.to_ascii_uppercase(),
            case.table("build")
        )
    });
    let against = match case.evidence.torch {
        Some(torch) => format!("torch {torch} and CUDA {}", case.evidence.cuda),
        None => format!("CUDA {}", case.evidence.cuda),
    };
    let other = || {
        let see = case.plan("");
        format!("This version may not be made for {against}; see what else fits: {see}")
    };
    let account = account.fix_some(flag);
    let Some(folder) = case.folder() else {
        let patch = format!("`patches = [\"fix.patch\"]` in {}", case.table("source"));
        return account.fix(other()).fix(format!("Mend the source: {patch}"));
    };
    match place.map(|place| case.in_folder(place)) {
        Some(Some(file)) => account.fix(format!("Mend `{file}`")),
        // A header of torch or CUDA, which the source uses in another way than it is meant.
        Some(None) => account.fix(other()).fix(format!("Mend the source in `{folder}`")),
        None => account.fix(format!("Mend the source in `{folder}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: &str) -> Option<String> {
        parse(line).map(|error| error.place.unwrap_or_default())
    }

    #[test]
    fn each_compiler_names_file_and_line_in_its_way() {
        assert_eq!(
            place("csrc/a.cpp:3:5: error: ‘x’ was not declared").as_deref(),
            Some("csrc/a.cpp:3")
        );
        assert_eq!(
            place("csrc/a.cu(17): error: identifier \"x\" is undefined").as_deref(),
            Some("csrc/a.cu:17")
        );
        assert_eq!(
            place("/x/a.cuh(17): error #20: identifier \"x\" is undefined").as_deref(),
            Some("/x/a.cuh:17")
        );
        assert_eq!(
            place("ptxas error   : Entry function 'k' uses too much shared data").as_deref(),
            Some("")
        );
    }

    #[test]
    fn lines_that_only_speak_of_errors_are_none() {
        for line in [
            "error: command '/usr/bin/g++' failed with exit code 1",
            "cc1plus: warning: command-line option '-Wno-error: x' is valid for C",
            "subprocess: error: something",
            "a (b): error handling is off",
        ] {
            assert_eq!(place(line), None, "{line}");
        }
    }
}
