//! The end of what a step says.

use std::collections::VecDeque;

use crate::{OutputSink, Stream};

/// How much of a failed step's output an error repeats, in bytes.
const TAIL: usize = 8 * 1024;

/// Passes output on and remembers its end.
pub(crate) struct TailSink<'a> {
    output: &'a mut dyn OutputSink,
    tail: VecDeque<u8>,
}

impl<'a> TailSink<'a> {
    pub(crate) const fn new(output: &'a mut dyn OutputSink) -> Self {
        Self { output, tail: VecDeque::new() }
    }

    /// The last whole lines.
    pub(crate) fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match text.split_once('\n') {
            Some((_, whole)) if bytes.len() == TAIL => whole.to_owned(),
            _ => text,
        }
    }
}

impl OutputSink for TailSink<'_> {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.output.output(stream, bytes);
    }
}
