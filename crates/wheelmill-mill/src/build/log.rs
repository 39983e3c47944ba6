//! A cell's log: everything that its containers print, in one file, with the end of it at hand;
//! whoever wants to can read along.

use std::collections::VecDeque;
use std::io::{self, Write};

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{OutputSink, Stream};

use super::progress::ProgressReader;
use crate::event::{Event, Progress};

/// Lines that diagnosis looks at.
const TAIL: usize = 4000;
/// A longer line is cut in the tail; the file has it whole.
const LINE: usize = 4000;

/// What there is to tell about a log that grows.
pub(super) enum LogNews<'a> {
    /// The next line, without control characters.
    Line(&'a str),
    /// How far the work is now, as far as its tools say.
    Progress(Option<Progress>),
}

impl LogNews<'_> {
    /// The same, for whoever watches the cell.
    pub(super) fn of(self, cell: &str) -> Event {
        let cell = cell.to_owned();
        match self {
            Self::Line(line) => Event::Output { cell, line: line.to_owned() },
            Self::Progress(progress) => Event::Progress { cell, progress },
        }
    }
}

/// Writes a cell's log and reads along.
pub(super) struct CellLog<'a> {
    path: Utf8PathBuf,
    file: fs_err::File,
    error: Option<io::Error>,
    partial: Vec<u8>,
    tail: VecDeque<String>,
    progress: ProgressReader,
    on_news: &'a mut (dyn FnMut(LogNews<'_>) + Send),
}

impl<'a> CellLog<'a> {
    pub(super) fn create(
        path: &Utf8Path,
        on_news: &'a mut (dyn FnMut(LogNews<'_>) + Send),
    ) -> io::Result<Self> {
        let file = fs_err::File::create(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            error: None,
            partial: Vec::new(),
            tail: VecDeque::new(),
            progress: ProgressReader::default(),
            on_news,
        })
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// A line of our own, marked so that it is not taken for the build's.
    pub(super) fn note(&mut self, line: &str) {
        self.output(Stream::Stderr, format!("wheelmill: {line}\n").as_bytes());
    }

    /// The last lines, without control characters.
    pub(super) fn tail(&mut self) -> Vec<String> {
        if !self.partial.is_empty() {
            self.end_line();
        }
        self.tail.iter().cloned().collect()
    }

    /// Forgets the lines so far: what follows is judged alone.
    pub(super) fn begin_section(&mut self) {
        self.partial.clear();
        self.tail.clear();
        self.progress = ProgressReader::default();
    }

    /// The steps that the build counted: finished ones, and all that are known.
    pub(super) fn progress(&self) -> Option<(u64, u64)> {
        self.progress.steps()
    }

    /// The first failure to write the file, once.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn end_line(&mut self) {
        let line = plain(&String::from_utf8_lossy(&self.partial));
        self.partial.clear();
        (self.on_news)(LogNews::Line(&line));
        if let Some(progress) = self.progress.line(&line) {
            (self.on_news)(LogNews::Progress(progress));
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}

impl OutputSink for CellLog<'_> {
    fn output(&mut self, _stream: Stream, bytes: &[u8]) {
        if let Err(error) = self.file.write_all(bytes) {
            self.error.get_or_insert(error);
        }
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                _ if self.partial.len() < LINE => self.partial.push(*byte),
                _ => {}
            }
        }
    }
}

/// Without colours and other control sequences.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            if characters.next() == Some('[') {
                // A control sequence ends with a letter.
                characters.by_ref().find(char::is_ascii_alphabetic);
            }
        } else if character == '\t' || !character.is_control() {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_every_byte_and_the_tail_only_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("x.log")).unwrap();
        let (mut lines, mut seen) = (Vec::new(), Vec::new());
        let mut on_news = |news: LogNews<'_>| match news {
            LogNews::Line(line) => lines.push(line.to_owned()),
            LogNews::Progress(progress) => seen.extend(progress),
        };
        let mut log = CellLog::create(&path, &mut on_news).unwrap();
        log.output(Stream::Stdout, b"\x1b[31m[1/2]\x1b[0m a\r[1/2] b\n[2");
        log.output(Stream::Stderr, b"/2] c");
        assert_eq!(log.tail(), ["[1/2] a", "[1/2] b", "[2/2] c"]);
        assert_eq!(fs_err::read(&path).unwrap(), b"\x1b[31m[1/2]\x1b[0m a\r[1/2] b\n[2/2] c");
        drop(log);
        assert_eq!(lines, ["[1/2] a", "[1/2] b", "[2/2] c"]);
        let steps = |done| Progress::Steps { done, total: 2 };
        assert_eq!(seen, [steps(1), steps(2)], "the same progress is told once");
    }
}
