//! A cell's log: everything that its containers print, in one file, with the end of it at hand and
//! the build's own progress read from it.

use std::collections::VecDeque;
use std::io::{self, Write};

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{OutputSink, Stream};

/// Lines that diagnosis looks at.
const TAIL: usize = 4000;
/// A longer line is cut in the tail; the file has it whole.
const LINE: usize = 4000;

/// Writes a cell's log and reads along.
pub(super) struct CellLog<'a> {
    path: Utf8PathBuf,
    file: fs_err::File,
    error: Option<io::Error>,
    partial: Vec<u8>,
    tail: VecDeque<String>,
    progress: Option<(u64, u64)>,
    on_progress: &'a mut (dyn FnMut(u64, u64) + Send),
}

impl<'a> CellLog<'a> {
    pub(super) fn create(
        path: &Utf8Path,
        on_progress: &'a mut (dyn FnMut(u64, u64) + Send),
    ) -> io::Result<Self> {
        let file = fs_err::File::create(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            error: None,
            partial: Vec::new(),
            tail: VecDeque::new(),
            progress: None,
            on_progress,
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
        self.progress = None;
    }

    /// The last progress that the build told.
    pub(super) const fn progress(&self) -> Option<(u64, u64)> {
        self.progress
    }

    /// The first failure to write the file, once.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn end_line(&mut self) {
        let line = plain(&String::from_utf8_lossy(&self.partial));
        self.partial.clear();
        if let Some(progress) = progress(&line).filter(|progress| Some(*progress) != self.progress)
        {
            self.progress = Some(progress);
            (self.on_progress)(progress.0, progress.1);
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

/// How far a build says it is: `[12/345] …` of ninja, `[ 45%] …` of make.
fn progress(line: &str) -> Option<(u64, u64)> {
    let (inside, _) = line.strip_prefix('[')?.split_once(']')?;
    let (done, total) = match inside.split_once('/') {
        Some((done, total)) => (done.parse().ok()?, total.parse().ok()?),
        None => (inside.trim().strip_suffix('%')?.parse().ok()?, 100),
    };
    (done <= total && total > 0).then_some((done, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninja_and_make_tell_how_far_they_are() {
        assert_eq!(progress("[12/345] nvcc -c a.cu"), Some((12, 345)));
        assert_eq!(progress("[ 45%] Building CUDA object"), Some((45, 100)));
        for other in ["[1/0] x", "[5/4] x", "[info] x", "1/2", "[notice] A new release"] {
            assert_eq!(progress(other), None, "{other}");
        }
    }

    #[test]
    fn the_log_has_every_byte_and_the_tail_only_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("x.log")).unwrap();
        let mut seen = Vec::new();
        let mut on_progress = |done, total| seen.push((done, total));
        let mut log = CellLog::create(&path, &mut on_progress).unwrap();
        log.output(Stream::Stdout, b"\x1b[31m[1/2]\x1b[0m a\r[1/2] b\n[2");
        log.output(Stream::Stderr, b"/2] c");
        assert_eq!(log.tail(), ["[1/2] a", "[1/2] b", "[2/2] c"]);
        assert_eq!(fs_err::read(&path).unwrap(), b"\x1b[31m[1/2]\x1b[0m a\r[1/2] b\n[2/2] c");
        drop(log);
        assert_eq!(seen, [(1, 2), (2, 2)], "the same progress is told once");
    }
}
