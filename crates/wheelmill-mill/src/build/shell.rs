//! A shell in the container of a cell.

use camino::Utf8PathBuf;
use wheelmill_engine::{Container, Exit, ImageContainer, Prepared, Terminal};
use wheelmill_model::Phase;
use wheelmill_store::Store;

use super::compile::free_memory;
use super::context::AttemptContext;
use super::course::Course;
use super::folder::FolderLock;
use super::image::ImageWork;
use super::job::{Job, Stop};
use super::log::{CellLog, LogNews};
use super::work::Work;
use crate::cache_use;
use crate::cancellation::Cancellation;
use crate::diagnose::Failure;
use crate::error::MillError;
use crate::event::{Event, Reporter};
use crate::fetch::{Client, Index};
use crate::mill::Mill;
use crate::plan::{CellKind, Plan, PlannedCell};

/// A cell's container, ready for a person. While it is held, nobody builds the cell.
pub struct Shell {
    /// What the build runs in this container; nothing where an image has no installer.
    pub command: Vec<String>,
    /// What of it stays when the shell ends.
    pub place: ShellPlace,
    /// Whether it is as a failed build, or another shell, left it.
    pub used: bool,
    pub(super) container: ShellContainer,
    /// Keeps builds of the cell out.
    #[expect(dead_code, reason = "held, not read")]
    pub(super) held: FolderLock,
}

/// What of a shell's container stays when the shell ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShellPlace {
    /// The source, `/build/src` in the container, in this folder of this machine.
    Source(Utf8PathBuf),
    /// The volume of this name, `/builds` in the container.
    Volume(String),
}

/// What a shell runs in.
pub(super) enum ShellContainer {
    Recipe(Prepared, Box<Container>),
    Image(Box<ImageContainer>),
}

/// Work at a cell that a person can go on with by hand.
pub(super) trait Openable: Job {
    /// Where the preparations are logged.
    fn shell_log(&self) -> Utf8PathBuf;

    /// Makes everything ready.
    fn open(&mut self, log: &mut CellLog<'_>) -> Result<Shell, Stop>;
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
        let _reading = cache_use::share(&self.settings.cache);
        let checks = self.ready(plan, reporter)?;
        let client = Client::new(&self.settings.network).map_err(MillError::Network)?;
        let index = Index::new(&client, &self.settings.network);
        let store = Store::open(&self.settings.home)?;
        let context = AttemptContext {
            mill: self,
            store: &store,
            client: &client,
            index: &index,
            reporter,
            cancel: cancel.flag(),
            checks: &checks,
            // A person sees the package's own build, without anybody in between.
            gate: None,
            free: free_memory(),
        };
        let phase = Phase::Preflight;
        let course = Course { context: &context, history: None, cell: &cell.id, phase };
        let mut work: Box<dyn Openable + '_> = match &cell.kind {
            CellKind::Recipe(recipe) => {
                let pinned = self.pin_cell(recipe, &index)?;
                Box::new(Work::new(course, recipe, pinned))
            }
            CellKind::Image(image) => Box::new(ImageWork::new(course, image)),
        };
        let mut on_news = |news: LogNews<'_>| reporter.report(&news.of(&cell.id));
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
            Ok(shell) => Ok(shell),
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
        let cancel = cancel.flag();
        let ended = match &shell.container {
            ShellContainer::Recipe(prepared, container) => {
                self.engine.run_at(prepared, container, terminal, cancel)
            }
            ShellContainer::Image(container) => {
                self.builder().and_then(|builder| builder.run_image_at(container, terminal, cancel))
            }
        };
        ended.map_err(MillError::Engine)
    }
}
