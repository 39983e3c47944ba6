//! Text that is put together line by line.

use std::fmt::{self, Display, Write as _};

use owo_colors::{OwoColorize as _, Style};

use super::{safe, style};

/// A page for stdout or stderr. What comes from outside is made safe here where it comes as a value;
/// lines are taken as they are.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// An empty page.
    pub(crate) const fn new() -> Self {
        Self(String::new())
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: impl Display) {
        // A string takes any text.
        let _: fmt::Result = writeln!(self.0, "{line}");
    }

    /// Adds lines that are ready.
    pub(crate) fn block(&mut self, lines: &str) {
        self.0.push_str(lines);
    }

    /// Adds a line with a value behind its name, `width` characters from the beginning of the name;
    /// nothing when there is no value.
    pub(crate) fn field(&mut self, indent: &str, width: usize, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        if !value.is_empty() {
            self.line(format_args!("{indent}{name:<width$} {}", safe(value)));
        }
    }

    /// Adds a line of the log, or another piece of evidence.
    pub(crate) fn quote(&mut self, line: &str) {
        self.line(format_args!("    {}", safe(line).style(style::dim())));
    }

    /// Adds a remark below something: `  hint: …`.
    pub(crate) fn remark(&mut self, label: &str, style: Style, text: &str) {
        self.line(format_args!("  {} {}", label.style(style), safe(text)));
    }

    /// The page's text, each line with its end.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}
