//! The two streams: stdout is data, stderr is talk.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use anstream::ColorChoice;
use clap::ValueEnum;
use owo_colors::OwoColorize as _;
use serde::Serialize;

use super::wrap::wrap;
use super::{Page, safe, safe_json, style, width};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal; NO_COLOR and CLICOLOR_FORCE are honoured
    #[default]
    Auto,
    /// Always, also in pipes and files
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes the choice hold for both streams of this process.
    pub(crate) fn apply(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

/// What is printed, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    /// Data as one JSON document instead of text.
    pub json: bool,
    /// No talk but warnings and errors; data in its shortest form.
    pub quiet: bool,
    /// More talk.
    pub verbose: bool,
}

/// A document of `--json`: its schema, then its fields.
#[derive(Serialize)]
struct Document<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

/// The version of all `--json` documents. Fields may be added within one version; none changes its
/// meaning or goes.
const SCHEMA: u32 = 1;

impl Printer {
    /// Writes text to stdout, all at once.
    ///
    /// # Errors
    /// Stdout cannot be written to. A reader that went away (`| head`) is no error.
    pub(crate) fn data(self, text: &str) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Writes a page of text to stdout, its lines broken to fit the terminal.
    ///
    /// # Errors
    /// As `data`.
    pub(crate) fn page(self, text: &str) -> io::Result<()> {
        self.data(&wrap(text, width::stdout()))
    }

    /// Writes one JSON document to stdout. `content` must serialize as a map.
    ///
    /// # Errors
    /// As `data`.
    pub(crate) fn document(self, content: impl Serialize) -> io::Result<()> {
        let mut text =
            safe_json(serde_json::to_string_pretty(&Document { schema: SCHEMA, content })?);
        text.push('\n');
        self.data(&text)
    }

    /// Says something that a user may like to know. Lost when nobody listens.
    pub(crate) fn say(self, text: impl Display) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Says something that a user should know, and what to do about it.
    pub(crate) fn warn(self, message: &str, hint: Option<&str>) {
        talk(warning(message, hint));
    }
}

/// A warning about a cell, where it is one of several, with its hint, as text.
pub(crate) fn warning_of(cell: Option<&str>, message: &str, hint: Option<&str>) -> String {
    match cell {
        Some(cell) => warning(&format!("{cell}: {message}"), hint),
        None => warning(message, hint),
    }
}

/// A warning with its hint, as text.
pub(crate) fn warning(message: &str, hint: Option<&str>) -> String {
    let mut page = Page::new();
    page.line(format_args!("{} {}", "warning:".style(style::warning()), safe(message)));
    if let Some(hint) = hint {
        page.remark("hint:", style::active(), hint);
    }
    page.finish().trim_end().to_owned()
}

/// Writes text to stderr, its lines broken to fit the terminal.
pub(crate) fn talk(text: impl Display) {
    put(&wrap(&text.to_string(), width::stderr()));
}

/// Writes a line to stderr as it is. An error has nobody to be told to.
pub(crate) fn put(text: &str) {
    let mut stderr = anstream::stderr().lock();
    drop(writeln!(stderr, "{text}"));
}

/// Whether lines on stderr can be moved: a terminal, and not one that calls itself dumb.
pub(crate) fn stderr_moves(term: Option<&str>) -> bool {
    io::stderr().is_terminal() && !matches!(term, None | Some("dumb"))
}

/// Whether stderr is to be coloured.
pub(crate) fn stderr_has_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never
}
