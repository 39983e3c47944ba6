//! A shell in the container of a cell.

use camino::Utf8PathBuf;
use wheelmill_engine::{EngineError, Exit, Terminal};
use wheelmill_model::Phase;
use wheelmill_store::Store;

use super::context::AttemptContext;
use super::course::Course;
use super::job::{Job as _, Stop};
use super::log::{CellLog, LogNews};
use super::work::{Opened, Work};
use crate::cancellation::Cancellation;
use crate::diagnose::Failure;
use crate::error::MillError;
use crate::event::{Event, Reporter};
use crate::fetch::{Client, Index};
use crate::mill::Mill;
use crate::plan::{Plan, PlannedCell};

/// A cell's container, ready for a person. While it is held, nobody builds the cell.
pub struct Shell {
    /// What the build runs in this container.
    pub command: Vec<String>,
    /// Where, on this machine, the source lies that is `/build/src` there.
    pub source: Utf8PathBuf,
    /// Whether the source is as a failed build, or another shell, left it.
    pub used: bool,
    opened: Opened,
}

/// Why there was no shell.
#[derive(Debug)]
pub enum ShellError {
    /// As a build would fail.
    Cell(Box<Failure>),
    /// Everything else.
    Mill(MillError),
}

impl<E: Into<MillError>> From<E> for ShellError {
    fn from(error: E) -> Self {
        Self::Mill(error.into())
    }
}

impl Mill {
    /// Makes the container of a cell ready for a person: all that a build does before it compiles,
    /// told to the reporter. It is not part of the history.
    ///
    /// # Errors
    /// The machine is not ready, the environment cannot be made, or the store cannot be used.
    pub fn open_shell(
        &self,
        plan: &Plan,
        cell: &PlannedCell,
        reporter: &dyn Reporter,
        cancel: &Cancellation,
    ) -> Result<Shell, ShellError> {
        let checks = self.ready(plan, reporter)?;
        let client = Client::new(&self.settings.network).map_err(MillError::Network)?;
        let index = Index::new(&client, &self.settings.network);
        let Some(recipe) = cell.by_recipe() else {
            return Err(MillError::Engine(EngineError::Unable {
                what: format!("a shell in `{}`", cell.id),
                why: "it is built by an image of your own".to_owned(),
                fix: "run the image: `docker run -it IMAGE`".to_owned(),
            })
            .into());
        };
        let pinned = self.pin_cell(recipe, &index)?;
        let store = Store::open(&self.settings.home)?;
        let context = AttemptContext {
            mill: self,
            store: &store,
            client: &client,
            index: &index,
            reporter,
            cancel: cancel.flag(),
            checks: &checks,
        };
        let mut on_news = |news: LogNews<'_>| reporter.report(&news.of(&cell.id));
        let phase = Phase::Preflight;
        let course = Course { context: &context, history: None, cell: &cell.id, phase };
        let mut work = Work::new(course, recipe, pinned);
        let path = work.shell_log();
        let folder = path.parent().expect("a file in the cell's folder");
        let mut log = fs_err::create_dir_all(folder)
            .and_then(|()| CellLog::create(&path, &mut on_news))
            .map_err(|source| MillError::Files { path: path.clone(), source })?;
        reporter.report(&Event::CellStarted {
            cell: cell.id.clone(),
            log: path.clone(),
            expected: None,
        });
        match work.open(&mut log) {
            Ok(opened) => Ok(Shell {
                command: opened.command.clone(),
                source: opened.source.clone(),
                used: opened.used,
                opened,
            }),
            Err(Stop::Cell(error)) if error.is_cancelled() => Err(MillError::Interrupted.into()),
            Err(Stop::Cell(error)) => {
                let failure = work.failure(&error, &mut log);
                Err(ShellError::Cell(Box::new(failure)))
            }
            Err(Stop::Store(source)) => Err(MillError::Store(*source).into()),
            Err(Stop::NotKept(wheel, source)) => Err(MillError::NotKept { wheel, source }.into()),
        }
    }

    /// Lets a person work in the container, until the shell ends.
    ///
    /// # Errors
    /// The container cannot be started, or the terminal is gone.
    pub fn run_shell(
        &self,
        shell: &Shell,
        terminal: Terminal<'_>,
        cancel: &Cancellation,
    ) -> Result<Exit, MillError> {
        let Opened { prepared, container, .. } = &shell.opened;
        self.engine.run_at(prepared, container, terminal, cancel.flag()).map_err(MillError::Engine)
    }
}
