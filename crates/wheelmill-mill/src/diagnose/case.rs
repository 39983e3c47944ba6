//! The evidence with what all rules want to know of it.
//!
//! Builds try things: they probe for a header, ask the network for a ready-made wheel, import a
//! module that they can do without. The log then holds a real error that hurt nobody. What tells
//! it from the fatal one is that the build went on: lines follow that only a working build prints.

use super::evidence::Evidence;
use super::text::starts_with_any;

/// Steps that may follow a fatal error of a single-threaded program: what was still in a buffer.
const STEPS_AFTER_AN_END: usize = 2;

/// The ends of compilers' names, as they stand first in the commands that a build prints.
const COMPILERS: &[&str] = &["g++", "gcc", "c++", "cc", "nvcc", "clang"];

/// The beginnings of lines that a build prints when it does the next thing.
const STEPS: &[&str] = &[
    "running ",
    "building '",
    "creating ",
    "copying ",
    "adding '",
    "writing ",
    "-- ",
    "Collecting ",
    "Downloading ",
    "Installing collected packages",
    "Successfully ",
    "Scanning dependencies",
];

/// The beginning of the lines that wheelmill itself adds to a log.
const OWN_MARK: &str = "wheelmill: ";

/// One failed command.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    /// What follows each line.
    followers: Vec<Followers>,
    /// The lines that may tell something: not the commands of compiles, which are most of a log,
    /// and long, and not what wheelmill says in it.
    telling: Vec<usize>,
}

/// How many signs of a working build follow a line.
#[derive(Clone, Copy, Default)]
struct Followers {
    compiles: usize,
    steps: usize,
}

impl<'a> Case<'a> {
    pub(super) fn new(evidence: &'a Evidence<'a>) -> Self {
        let mut followers = vec![Followers::default(); evidence.tail.len()];
        let mut so_far = Followers::default();
        let mut telling = Vec::new();
        for (place, line) in evidence.tail.iter().enumerate().rev() {
            followers[place] = so_far;
            // pip indents what a build prints.
            let line = line.trim();
            if is_compile(line) {
                so_far.compiles += 1;
            } else if !line.is_empty() && !is_own(line) {
                so_far.steps += usize::from(is_step(line));
                telling.push(place);
            }
        }
        telling.reverse();
        Self { evidence, followers, telling }
    }

    /// A line of the log.
    pub(super) fn line(&self, index: usize) -> &'a str {
        &self.evidence.tail[index]
    }

    /// Whether wheelmill itself wrote a line.
    pub(super) fn is_own(&self, index: usize) -> bool {
        is_own(self.line(index))
    }

    /// The lines of the log.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a str> {
        self.evidence.tail.iter().map(String::as_str)
    }

    /// The places of the lines that may tell something, in their order.
    pub(super) fn telling(&self) -> impl Iterator<Item = usize> + '_ {
        self.telling.iter().copied()
    }

    /// Whether the build went on after a line. When the line is one of several compiles', as many
    /// of its siblings may still end after it.
    pub(super) fn went_on_after(&self, index: usize, parallel: bool) -> bool {
        let Followers { compiles, steps } = self.followers[index];
        let siblings = if parallel { compiles.min(self.evidence.jobs) } else { 0 };
        compiles - siblings + steps > STEPS_AFTER_AN_END
    }

    /// The table of the project file that holds a part of this package's recipe.
    pub(super) fn table(&self, part: &str) -> String {
        format!("`[recipes.{}.{part}]` of wheelmill.toml", self.evidence.package)
    }
}

fn is_own(line: &str) -> bool {
    line.starts_with(OWN_MARK)
}

/// `[3/17] …`, `/usr/bin/g++ -c …`. What a compiler says of itself, `nvcc fatal …`, is none.
fn is_compile(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let command =
        words.next().is_some_and(|word| COMPILERS.iter().any(|name| word.ends_with(name)))
            && words.next().is_some_and(|word| word.starts_with('-'));
    command || is_progress(line)
}

fn is_step(line: &str) -> bool {
    starts_with_any(line, STEPS) || is_test_result(line)
}

/// A test that went well, as `unittest` and `pytest` print it: builds run tests, too.
fn is_test_result(line: &str) -> bool {
    line.ends_with("... ok") || line.ends_with(" PASSED") || line == "OK"
}

/// `[3/17] c++ …` of ninja, `[ 12%] Building …` of CMake's makefiles.
fn is_progress(line: &str) -> bool {
    let Some((inside, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    let inside = inside.trim();
    inside.starts_with(|character: char| character.is_ascii_digit())
        && inside.chars().all(|character| character.is_ascii_digit() || "/%".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_build_tools_are_known() {
        for line in ["[1/2] c++ -MMD", "[ 12%] Building CUDA object", "/x/nvcc -c a.cu"] {
            assert!(is_compile(line), "{line}");
        }
        for line in ["running build_ext", "-- Found Git", "test_x (t.T) ... ok"] {
            assert!(is_step(line), "{line}");
        }
        for line in [
            "nvcc fatal   : x",
            "gcc: error: x",
            "[stderr]",
            "[notice] A new release",
            "[E 1:2] x",
            "error: x",
            "",
        ] {
            assert!(!is_step(line) && !is_compile(line), "{line}");
        }
    }
}
