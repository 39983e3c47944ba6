//! Manual pages, in the form that man(1) reads.

use std::io;

use clap::Command;
use clap_mangen::Man;

use crate::environment::GROUPS;
use crate::error::Ending;

/// One page and the name of its file.
pub(crate) struct ManualPage {
    /// `wheelmill-runs-show.1`.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// The pages of a program and all its commands, the program's own first.
///
/// # Errors
/// A page could not be put together.
pub(crate) fn pages(program: Command) -> io::Result<Vec<ManualPage>> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(&mut pages, &program)?;
    Ok(pages)
}

fn add(pages: &mut Vec<ManualPage>, command: &Command) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    text.extend(synopsis(command).into_bytes());
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    text.extend(exit_status().into_bytes());
    text.extend(environment().into_bytes());
    let text = String::from_utf8_lossy(&text).into_owned();
    pages.push(ManualPage { file: man.get_filename(), text });
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        add(pages, inner)?;
    }
    Ok(())
}

/// The usage as `--help` has it, with the names of what options take.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let lines = usage.lines().map(|line| line.trim_start_matches("Usage:").trim());
    let lines: Vec<String> = lines.map(|line| format!("{}\n.br\n", roff(line))).collect();
    format!(".SH SYNOPSIS\n{}", lines.concat())
}

fn exit_status() -> String {
    let codes = Ending::ALL
        .map(|(ending, meaning)| format!(".TP\n\\fB{}\\fR\n{}\n", ending.code(), roff(meaning)));
    format!(".SH \"EXIT STATUS\"\n{}", codes.concat())
}

/// The variables that are set for wheelmill; the rest is in the reference.
fn environment() -> String {
    let variables = GROUPS.iter().flat_map(|group| group.variables);
    let own = variables.filter(|variable| variable.name.starts_with("WHEELMILL_"));
    let paragraphs: String = own
        .map(|variable| format!(".TP\n\\fB{}\\fR\n{}\n", roff(variable.name), roff(variable.help)))
        .collect();
    format!(".SH ENVIRONMENT\n{paragraphs}")
}

/// Text in which nothing is a request of roff.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', r"\e").replace('-', r"\-").replace('`', "");
    match escaped.starts_with(['.', '\'']) {
        true => format!(r"\&{escaped}"),
        false => escaped,
    }
}
