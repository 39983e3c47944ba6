//! Developer commands: `cargo xtask ci` checks everything, `cargo xtask docs` writes the generated
//! reference.
//!
//! Needs nothing beyond a Rust toolchain: each step runs tools that come with it or that the first
//! step installs.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the output is what it is for")]

mod ci;
mod command;
mod spdx;
mod steps;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
Developer commands of wheelmill

Usage:
  cargo xtask ci               Run every check, in order; stop at the first that fails
  cargo xtask ci --list        List the checks
  cargo xtask ci --only STEP   Run one check; may be given several times
  cargo xtask docs             Write docs/reference/
  cargo xtask docs --check     Fail when docs/reference/ is stale
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{HELP}");
            Ok(())
        }
        ["ci", "--list"] => {
            ci::list();
            Ok(())
        }
        ["ci", ref rest @ ..] => ci::run(&wanted_steps(rest)?),
        ["docs"] => steps::reference::write(),
        ["docs", "--check"] => steps::reference::check(),
        _ => bail!("`{}` is not a command of xtask\n\n{HELP}", words.join(" ")),
    }
}

fn wanted_steps<'a>(arguments: &[&'a str]) -> Result<Vec<&'a str>> {
    arguments
        .chunks(2)
        .map(|pair| match *pair {
            ["--only", step] => Ok(step),
            ["--only"] => bail!("`--only` wants the name of a step: see `cargo xtask ci --list`"),
            _ => bail!("`{}` is not an option of `cargo xtask ci`", pair[0]),
        })
        .collect()
}
