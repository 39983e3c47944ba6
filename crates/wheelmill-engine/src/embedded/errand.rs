//! Work on what users wrote who exist only in a user namespace.

use std::error::Error;
use std::io;
use std::sync::Arc;

use camino::Utf8Path;

use super::mode::Mode;
use super::process::{self, HelperError};
use super::program::Program;
use super::spec::{Event, Request, Task};
use crate::image::{UnpackJob, Unpacked, remove_tree};
use crate::{Cancel, DiskMeter, DiskUse, EngineError, Stream};

/// Does what needs the rights of a container's root: here, or in a helper where there are other
/// users.
#[derive(Clone, Debug)]
pub(super) struct Errands {
    pub(super) program: Arc<Program>,
    pub(super) mode: Mode,
}

impl Errands {
    /// Removes a folder that a container wrote to.
    pub(super) fn remove(&self, folder: &Utf8Path) -> io::Result<()> {
        match remove_tree(folder.as_std_path()) {
            // What belongs to a user who exists only in a container.
            Err(error) if self.in_helper() && error.kind() == io::ErrorKind::PermissionDenied => {}
            result => return result,
        }
        match self.send(Task::Remove(folder.to_owned()), &Cancel::new()) {
            Ok(Some(Event::Ended(_))) => Ok(()),
            Ok(_) => Err(io::ErrorKind::Interrupted.into()),
            Err(HelperError::Process(error)) => Err(error),
            Err(HelperError::Failed(failure)) => Err(failure.source()),
        }
    }

    /// Measures a folder that a container wrote to.
    pub(super) fn measure(&self, folder: &Utf8Path, meter: &mut DiskMeter) -> DiskUse {
        let found = meter.measure(folder);
        if found.unread.is_none() || !self.in_helper() {
            return found;
        }
        match self.send(Task::Measure(folder.to_owned()), &Cancel::new()) {
            Ok(Some(Event::Measured(measured))) => measured,
            _ => found,
        }
    }

    /// Unpacks a layer of an image, with the owners that its files have.
    pub(super) fn unpack(
        &self,
        job: &UnpackJob,
        cancel: &Cancel,
    ) -> Result<Unpacked, Box<dyn Error + Send + Sync>> {
        if !self.in_helper() {
            return Ok(job.run(cancel)?);
        }
        match self.send(Task::Unpack(job.clone()), cancel).map_err(EngineError::from)? {
            Some(Event::Unpacked(unpacked)) => Ok(unpacked),
            Some(Event::Refused(why)) => Err(why.into()),
            _ => Err(Box::new(EngineError::Cancelled)),
        }
    }

    const fn in_helper(&self) -> bool {
        matches!(self.mode, Mode::Mapped { .. })
    }

    fn send(&self, task: Task, cancel: &Cancel) -> Result<Option<Event>, HelperError> {
        let request = Request::Errand { mode: self.mode, task };
        let mut nothing = |_: Stream, _: &[u8]| {};
        let mut conversation = process::converse(&self.program, &request, &mut nothing, cancel)?;
        Ok(conversation.events.pop())
    }
}
