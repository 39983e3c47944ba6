//! Makes text from outside safe for a terminal.
//!
//! Logs, file names and the contents of wheels may hold escape sequences that move the cursor,
//! rename the window or hide text. Everything of such origin passes through here on its way out.

use std::borrow::Cow;
use std::io::{self, Write};

/// The text with every control character but tab, and every character that changes the direction
/// of what follows, spelled out: `\u{1b}`.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) {
        Cow::Owned(text.chars().fold(
            String::with_capacity(text.len() + 8),
            |mut out, character| {
                if is_unsafe(character) {
                    out.extend(character.escape_unicode());
                } else {
                    out.push(character);
                }
                out
            },
        ))
    } else {
        Cow::Borrowed(text)
    }
}

/// A JSON document that says the same and is safe to look at: what JSON itself does not ask to be
/// escaped is escaped too.
pub(crate) fn safe_json(document: String) -> String {
    let unsafe_here = |character| is_unsafe(character) && character != '\n';
    if !document.contains(unsafe_here) {
        return document;
    }
    let mut out = String::with_capacity(document.len() + 8);
    for character in document.chars() {
        if unsafe_here(character) {
            // All of them lie in the first plane, so four digits name them.
            let escaped = format!("\\u{:04x}", u32::from(character));
            out.push_str(&escaped);
        } else {
            out.push(character);
        }
    }
    out
}

/// Makes a stream of text safe on its way to another writer. A carriage return, with which programs
/// write over their last line, ends the line instead; bytes that are not UTF-8 become `\u{fffd}`.
pub(crate) struct SafeWriter<W: Write> {
    inner: W,
    /// The beginning of a character, or a carriage return, whose rest is still to come.
    held: Vec<u8>,
}

impl<W: Write> SafeWriter<W> {
    /// A writer in front of another.
    pub(crate) const fn new(inner: W) -> Self {
        Self { inner, held: Vec::new() }
    }

    /// Writes what was held back, at the end of the stream.
    ///
    /// # Errors
    /// The other writer refuses.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.write_safe(&held)?;
        self.inner.flush()
    }

    fn write_safe(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => writeln!(self.inner, "{}", safe(line))?,
                None => write!(self.inner, "{}", safe(line))?,
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for SafeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let whole = whole_characters(&all);
        let (now, later) = all.split_at(whole);
        self.write_safe(now)?;
        self.held = later.to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How many of the bytes can be judged without those that follow.
fn whole_characters(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return bytes.len() - 1;
    }
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

fn is_unsafe(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_made_safe_whatever_its_pieces() {
        let text = "50%\r\n\u{1b}[1mé\u{9b}x\r[2/3]\n".as_bytes();
        for size in 1..=text.len() {
            let mut out = Vec::new();
            let mut writer = SafeWriter::new(&mut out);
            for piece in text.chunks(size) {
                writer.write_all(piece).unwrap();
            }
            writer.finish().unwrap();
            assert_eq!(
                String::from_utf8(out).unwrap(),
                "50%\n\\u{1b}[1mé\\u{9b}x\n[2/3]\n",
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn sequences_that_steer_a_terminal_are_spelled_out() {
        assert_eq!(safe("a\u{1b}[2Jb\r\u{9b}1m"), r"a\u{1b}[2Jb\u{d}\u{9b}1m");
        assert_eq!(safe("x\u{202e}y"), r"x\u{202e}y");
        assert_eq!(safe_json("{\n\"a\": \"\u{9b}\"}".to_owned()), "{\n\"a\": \"\\u009b\"}");
        assert!(matches!(safe("plain\ttext, naïve 日本"), Cow::Borrowed(_)));
    }
}
