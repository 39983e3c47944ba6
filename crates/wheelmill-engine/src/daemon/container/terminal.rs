//! A container of a daemon whose command a person talks to.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Duration;

use bollard::Docker;
use bollard::container::AttachContainerResults;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, ResizeContainerTTYOptionsBuilder, StartContainerOptions,
};
use futures_util::StreamExt as _;
use rustix::termios::tcgetwinsize;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use crate::daemon::connection::Connection;
use crate::daemon::failure::gone;
use crate::{EngineError, Terminal};

/// How often the size of the terminal is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Starts a container that has a terminal and connects the person's with it, until it ends.
pub(in crate::daemon) async fn follow(
    connection: &Connection,
    docker: &Docker,
    id: &str,
    terminal: Terminal<'_>,
) -> Result<(), EngineError> {
    let files = |source| EngineError::Start { step: "use the terminal".to_owned(), source };
    let gone = |error| gone(connection, error);
    let streams = AttachContainerOptionsBuilder::default();
    let streams = streams.stdin(true).stdout(true).stderr(true).stream(true).build();
    let AttachContainerResults { mut output, mut input } =
        docker.attach_container(id, Some(streams)).await.map_err(gone)?;
    docker.start_container(id, None::<StartContainerOptions>).await.map_err(gone)?;
    let mut screen = File::from(terminal.output.try_clone_to_owned().map_err(files)?);
    let mut keys = keys(terminal).map_err(files)?;
    let mut clock = tokio::time::interval(LOOK);
    resize(docker, id, terminal).await;
    loop {
        tokio::select! {
            piece = output.next() => match piece {
                Some(Ok(piece)) => {
                    screen.write_all(piece.as_ref()).and_then(|()| screen.flush()).map_err(files)?;
                }
                Some(Err(_)) | None => return Ok(()),
            },
            Some(typed) = keys.recv() => {
                // A container that has ended takes no more keys; its output says so next.
                let written = input.write_all(&typed).await;
                if written.is_ok() {
                    drop(input.flush().await);
                }
            }
            _ = clock.tick() => if terminal.was_resized() {
                resize(docker, id, terminal).await;
            },
        }
    }
}

/// What is typed. The thread that reads it ends with the program, or with the next key.
fn keys(terminal: Terminal<'_>) -> std::io::Result<mpsc::Receiver<Vec<u8>>> {
    let mut file = File::from(terminal.input.try_clone_to_owned()?);
    let (sender, receiver) = mpsc::channel(16);
    thread::Builder::new().name("keys".to_owned()).spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = file.read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// Gives the container's terminal the size of the person's. One of another size is still usable.
async fn resize(docker: &Docker, id: &str, terminal: Terminal<'_>) {
    let Ok(size) = tcgetwinsize(terminal.output) else { return };
    let size = ResizeContainerTTYOptionsBuilder::default()
        .h(i32::from(size.ws_row))
        .w(i32::from(size.ws_col))
        .build();
    if let Err(error) = docker.resize_container_tty(id, size).await {
        tracing::debug!(%error, "could not resize the terminal of a container");
    }
}
