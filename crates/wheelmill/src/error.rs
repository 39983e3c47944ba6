//! What the program says and returns when something goes wrong.

use std::error::Error;
use std::process::ExitCode;

use miette::{GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};
use owo_colors::OwoColorize as _;
use serde::Serialize;
use wheelmill_mill::MillError;
use wheelmill_recipe::RecipeError;
use wheelmill_store::StoreError;
use wheelmill_wheel::WheelError;

use crate::output::{safe, style};

/// How the program ends. The numbers are an interface: scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// Everything that was asked for is done.
    Done,
    /// A build or a verification failed.
    Failed,
    /// What was asked for cannot be understood or cannot be done.
    Usage,
    /// This machine lacks something.
    NotReady,
    /// A mistake in wheelmill itself.
    Defect,
    /// The user stopped it.
    Interrupted,
}

impl Ending {
    /// All of them, with what the reference says.
    pub(crate) const ALL: [(Self, &str); 6] = [
        (Self::Done, "done"),
        (Self::Failed, "a build or a verification failed"),
        (Self::Usage, "wrong usage or configuration"),
        (Self::NotReady, "the machine is not ready"),
        (Self::Defect, "a defect of wheelmill"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotReady => 3,
            Self::Defect => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.code())
    }
}

/// A failure of a command: how to end, what to say, what to do next.
#[derive(Debug)]
pub(crate) struct CliError {
    /// How the program ends.
    pub ending: Ending,
    source: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
}

impl CliError {
    /// A failure with its cause.
    pub(crate) fn new(ending: Ending, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { ending, source: source.into(), hints: Vec::new() }
    }

    /// Something that was asked for in a wrong way.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Ending::Usage, message.into())
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// The message, its causes and the hints, for a terminal.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        let causes = chain(&*self.source);
        for (depth, cause) in causes.iter().enumerate() {
            // A mistake in a file is shown with its lines, and the report holds its own hint.
            if let Some(mistake) = cause.downcast_ref::<RecipeError>()
                && mistake.mistake().is_some()
            {
                out.push_str(&report(mistake, depth == 0));
                break;
            }
            let message = indented(&cause.to_string());
            out.push_str(&match depth {
                0 => format!("{} {message}\n", "error:".style(style::bad())),
                _ => format!("  {} {message}\n", "cause:".style(style::strong())),
            });
        }
        for hint in &self.hints {
            let hint = indented(hint);
            out.push_str(&format!("  {} {hint}\n", "hint:".style(style::active())));
        }
        out
    }

    /// The same for programs.
    pub(crate) fn document(&self) -> impl Serialize + use<> {
        let mut messages = chain(&*self.source).into_iter().map(ToString::to_string);
        ErrorDocument {
            error: ErrorBody {
                ending: self.ending,
                exit_code: self.ending.code(),
                message: messages.next().unwrap_or_default(),
                causes: messages.collect(),
                hints: self.hints.clone(),
            },
        }
    }
}

#[derive(Serialize)]
struct ErrorDocument {
    error: ErrorBody,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ErrorBody {
    ending: Ending,
    exit_code: u8,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

/// An error and its causes, outermost first; those that only repeat what was said are left out.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes: Vec<&'a (dyn Error + 'static)> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if causes.last().is_none_or(|last| last.to_string() != error.to_string()) {
            causes.push(error);
        }
        next = error.source();
    }
    causes
}

/// A text of several lines, safe to print, that lines up behind its label.
fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(safe).collect();
    lines.join("\n    ")
}

fn report(mistake: &RecipeError, outermost: bool) -> String {
    // The colours are taken out again where none are wanted.
    let theme =
        GraphicalTheme { characters: ThemeCharacters::unicode(), styles: ThemeStyles::ansi() };
    let mut text = String::new();
    let drawn = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .render_report(&mut text, mistake);
    if drawn.is_err() {
        text = mistake.to_string();
    }
    let label = if outermost {
        "error:".style(style::bad()).to_string()
    } else {
        format!("  {}", "cause:".style(style::strong()))
    };
    format!("{label} a file cannot be used\n{}\n", text.trim_end())
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let hint = match &error {
            StoreError::NoSuchRun { .. } => {
                Some("see what there is: `wheelmill runs ls`".to_owned())
            }
            StoreError::AmbiguousRun { .. } => Some("give more of the identifier".to_owned()),
            StoreError::NoSuchWheel { .. } => {
                Some("see what there is: `wheelmill wheels ls`".to_owned())
            }
            StoreError::Exists { .. } => Some("replace it with `--force`".to_owned()),
            StoreError::ReadOnly { .. } | StoreError::NotAFolder { .. } => {
                Some("choose another folder: set `WHEELMILL_HOME`".to_owned())
            }
            StoreError::DiskFull { path, .. } => {
                Some(format!("make room on that disk (`df -h {path}`), or set `WHEELMILL_HOME`"))
            }
            StoreError::Newer { .. } => {
                Some("use the newer wheelmill, or another store: set `WHEELMILL_HOME`".to_owned())
            }
            StoreError::WheelDamaged { .. } | StoreError::WheelGone { .. } => {
                Some("remove it with `wheelmill wheels rm`, then build it again".to_owned())
            }
            _ => None,
        };
        let ending = match &error {
            StoreError::NoSuchRun { .. }
            | StoreError::AmbiguousRun { .. }
            | StoreError::NoSuchWheel { .. }
            | StoreError::NotAWheel { .. }
            | StoreError::Exists { .. }
            | StoreError::NotAStore { .. }
            | StoreError::NotAFolder { .. } => Ending::Usage,
            StoreError::WheelDamaged { .. } | StoreError::WheelGone { .. } => Ending::Failed,
            StoreError::NoSuchAttempt { .. } => Ending::Defect,
            _ => Ending::NotReady,
        };
        Self::new(ending, error).hints(hint)
    }
}

impl From<RecipeError> for CliError {
    fn from(error: RecipeError) -> Self {
        Self::new(Ending::Usage, error)
    }
}

impl From<WheelError> for CliError {
    fn from(error: WheelError) -> Self {
        let ending = match &error {
            WheelError::NotAWheel { .. } | WheelError::Unsafe { .. } => Ending::Failed,
            WheelError::Scratch { .. } => Ending::NotReady,
            _ => Ending::Usage,
        };
        Self::new(ending, error)
    }
}

impl From<MillError> for CliError {
    fn from(error: MillError) -> Self {
        use wheelmill_mill::ErrorKind;

        let ending = match error.kind() {
            ErrorKind::Usage => Ending::Usage,
            ErrorKind::NotReady => Ending::NotReady,
            ErrorKind::Interrupted => Ending::Interrupted,
        };
        let hints = error.hints();
        Self::new(ending, error).hints(hints)
    }
}

/// Output that could not be written: the disk behind a redirection is full, or the like.
impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::new(Ending::NotReady, OutputError(error))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("could not write the output")]
struct OutputError(#[source] std::io::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_and_made_safe() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Layer(&'static str, #[source] Option<Box<Layer>>);
        let inner = Layer("no \u{1b}[31mspace", None);
        let error = Layer(
            "could not write",
            Some(Box::new(Layer("could not write", Some(Box::new(inner))))),
        );
        let text = CliError::new(Ending::NotReady, error).hint("make room").render();
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "error: could not write\n  cause: no \\u{1b}[31mspace\n  hint: make room\n"
        );
    }
}
