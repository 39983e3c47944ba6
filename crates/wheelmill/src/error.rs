//! What the program says and returns when something goes wrong.

use std::error::Error;
use std::process::ExitCode;

use miette::{GraphicalReportHandler, GraphicalTheme};
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::Value;
use wheelmill_host::apply::HostError;
use wheelmill_host::plan::RefusalKind;
use wheelmill_mill::MillError;
use wheelmill_recipe::{LayoutError, RecipeError};
use wheelmill_store::StoreError;
use wheelmill_wheel::{EnvironmentError, WheelError};

use crate::output::{Page, safe, style};

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
    /// As a command that the user ran ended.
    OfCommand(u8),
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
            Self::OfCommand(code) => code,
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
    /// For programs alone: what was told to people before.
    reasons: Option<Value>,
}

impl CliError {
    /// A failure with its cause.
    pub(crate) fn new(ending: Ending, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { ending, source: source.into(), hints: Vec::new(), reasons: None }
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

    /// Adds, for programs, the reasons that people were told before the error.
    #[must_use]
    pub(crate) fn reasons(mut self, reasons: Value) -> Self {
        self.reasons = Some(reasons);
        self
    }

    fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// The message alone.
    pub(crate) fn message(&self) -> String {
        self.source.to_string()
    }

    /// The message, its causes and the hints, for a terminal.
    pub(crate) fn render(&self) -> String {
        let mut page = Page::new();
        for (depth, cause) in chain(&*self.source).into_iter().enumerate() {
            let label = match depth {
                0 => "error:".style(style::bad()).to_string(),
                _ => format!("  {}", "cause:".style(style::strong())),
            };
            // A mistake in a file is shown with its lines, and the report holds its own hint.
            match recipe_error(cause) {
                Some(error) if error.mistake().is_some() => {
                    page.line(format_args!("{label} {}", indented(&cause.to_string())));
                    page.line(excerpt(error));
                    break;
                }
                _ => page.line(format_args!("{label} {}", indented(&cause.to_string()))),
            }
        }
        for hint in &self.hints {
            page.line(format_args!("  {} {}", "hint:".style(style::active()), indented(hint)));
        }
        page.finish()
    }

    /// The same for programs, as the content of a document.
    pub(crate) fn document(&self) -> impl Serialize + use<> {
        ErrorDocument { error: self.body() }
    }

    /// The same for programs, as a part of a document.
    pub(crate) fn body(&self) -> impl Serialize + use<> {
        let mut messages = chain(&*self.source).into_iter().map(ToString::to_string);
        ErrorBody {
            ending: self.ending,
            exit_code: self.ending.code(),
            message: messages.next().unwrap_or_default(),
            causes: messages.collect(),
            hints: self.hints.clone(),
            reasons: self.reasons.clone(),
        }
    }
}

#[derive(Serialize)]
struct ErrorDocument<T> {
    error: T,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ErrorBody {
    ending: Ending,
    exit_code: u8,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Value>,
}

/// An error and its causes, outermost first; a cause that only repeats what was said is left out.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes: Vec<&'a (dyn Error + 'static)> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = |last: &&(dyn Error + 'static)| {
            let (last, next) = (last.to_string(), error.to_string());
            last.contains(&next) || next.ends_with(&last)
        };
        if !causes.last().is_some_and(said) {
            causes.push(error);
        }
        next = error.source();
    }
    causes
}

/// The error as that of a recipe, if it is one; others keep it in a box.
fn recipe_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a RecipeError> {
    error
        .downcast_ref::<RecipeError>()
        .or_else(|| error.downcast_ref::<Box<RecipeError>>().map(|error| &**error))
}

/// A text of several lines, safe to print, that lines up behind its label.
fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(safe).collect();
    lines.join("\n    ")
}

/// The lines of a file that are wrong, with a mark at the place and what to write instead. Without
/// colours: the file's own control characters could not be told from them.
fn excerpt(error: &RecipeError) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
    let mut text = String::new();
    // Wide enough that its first line holds the whole message, which was said already.
    let drawn = handler.with_links(false).with_width(10_000).render_report(&mut text, error);
    if drawn.is_err() {
        return String::new();
    }
    let lines: Vec<_> = text.trim_end().lines().skip(1).map(|line| safe(line.trim_end())).collect();
    lines.join("\n")
}

/// A command line that cannot be understood: what is wrong, and the tips, apart from the usage.
impl From<&clap::Error> for CliError {
    fn from(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut lines = text.lines().map(str::trim);
        let first = lines.next().unwrap_or_default();
        // What stands in the lines below the first is part of it until the tips begin.
        let rest = lines.clone().take_while(|line| !line.is_empty());
        let message = std::iter::once(first.strip_prefix("error: ").unwrap_or(first)).chain(rest);
        let message = message.collect::<Vec<_>>().join(" ");
        let tips = lines.filter_map(|line| line.strip_prefix("tip: ")).map(str::to_owned);
        Self::usage(message).hints(tips)
    }
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

impl From<LayoutError> for CliError {
    fn from(error: LayoutError) -> Self {
        let hint = error.hint();
        Self::new(Ending::Usage, error).hints(hint)
    }
}

impl From<WheelError> for CliError {
    fn from(error: WheelError) -> Self {
        let ending = match &error {
            WheelError::Unsafe { .. } | WheelError::Damaged { .. } => Ending::Failed,
            WheelError::Scratch { .. } => Ending::NotReady,
            _ => Ending::Usage,
        };
        Self::new(ending, error)
    }
}

impl From<EnvironmentError> for CliError {
    fn from(error: EnvironmentError) -> Self {
        let hint = "name a folder that holds `lib/python3.X/site-packages`, or that `pip install --target DIR torch …` filled";
        let hints = match &error {
            EnvironmentError::NoPackages { .. } => vec![hint.to_owned()],
            EnvironmentError::Open { .. } => Vec::new(),
        };
        Self::new(Ending::Usage, error).hints(hints)
    }
}

impl From<MillError> for CliError {
    fn from(error: MillError) -> Self {
        use wheelmill_mill::ErrorKind;

        // Whichever command meets it, a store that cannot be used is told and ends the same way.
        let error = match error {
            MillError::Store(error) => return error.into(),
            other => other,
        };
        let ending = match error.kind() {
            ErrorKind::Usage => Ending::Usage,
            ErrorKind::NotReady => Ending::NotReady,
            ErrorKind::Interrupted => Ending::Interrupted,
        };
        let hints = error.hints();
        Self::new(ending, error).hints(hints)
    }
}

impl From<HostError> for CliError {
    fn from(error: HostError) -> Self {
        let ending = match &error {
            HostError::Refused(refusals)
                if refusals.iter().any(|refusal| refusal.kind == RefusalKind::Wish) =>
            {
                Ending::Usage
            }
            HostError::WouldStop { .. }
            | HostError::WouldHide { .. }
            | HostError::NothingToUndo { .. }
            | HostError::OtherSettings { .. }
            | HostError::OtherDaemon { .. } => Ending::Usage,
            _ => Ending::NotReady,
        };
        let (hints, log) = (error.hints(), error.log().to_vec());
        let told = Self::new(ending, error).hints(hints);
        if log.is_empty() { told } else { told.reasons(serde_json::json!({ "log": log })) }
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
        struct Layer(&'static str, #[source] Option<Box<Self>>);
        let inner = Layer("no \u{1b}[31mspace", None);
        let error: Layer = Layer(
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
