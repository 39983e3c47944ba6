//! Reads JSON as `dockerd` does (Go's `encoding/json`), but refuses keys that occur twice.

use super::error::JsonError;
use super::tree::{Kind, Member, Node};

/// How deep values may lie in one another. Go allows 10,000; no daemon has a setting so deep.
const DEPTH: usize = 100;

/// Reads a text; none where it holds nothing but white space, which `dockerd` takes for `{}`.
pub(super) fn read(text: &str) -> Result<Option<Node>, JsonError> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    if reader.at == text.len() {
        return Ok(None);
    }
    let root = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.refuse("nothing may follow the closing brace"));
    }
    if !matches!(root.kind, Kind::Object(_)) {
        return Err(JsonError::at(text, root.span.start, "the file must hold one object: `{ … }`"));
    }
    Ok(Some(root))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// An error here. A comment is what most errors are.
    fn refuse(&self, wanted: &str) -> JsonError {
        let rest = &self.text[self.at..];
        if rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#') {
            let reason = "a comment: JSON has none, and dockerd does not start with one";
            return JsonError::at(self.text, self.at, reason);
        }
        let found = match rest.chars().next() {
            None => "the file ends here".to_owned(),
            Some(character) => format!("`{}` stands here", character.escape_debug()),
        };
        JsonError::at(self.text, self.at, format!("{wanted}; {found}"))
    }

    fn value(&mut self, depth: usize) -> Result<Node, JsonError> {
        let start = self.at;
        if depth > DEPTH {
            return Err(JsonError::at(self.text, start, "values lie too deep in one another"));
        }
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => {
                self.string()?;
                Kind::Other
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node { span: start..self.at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, JsonError> {
        let mut members: Vec<Member> = Vec::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'}') if members.is_empty() => break,
                Some(b'"') => {}
                Some(b'}') => return Err(self.refuse("a comma must not stand before the end")),
                _ => return Err(self.refuse("a key in double quotes is wanted")),
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = start..self.at;
            if members.iter().any(|member| member.key == key) {
                let reason = format!("the key `{key}` occurs twice; dockerd takes the last one");
                return Err(JsonError::at(self.text, start, reason));
            }
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.refuse("a colon is wanted behind a key"));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value(depth + 1)?;
            members.push(Member { key, key_span, value });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.refuse("a comma or `}` is wanted")),
            }
        }
        self.at += 1;
        Ok(Kind::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Kind, JsonError> {
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Kind::Other);
        }
        loop {
            self.skip_space();
            self.value(depth + 1)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.refuse("a comma or `]` is wanted")),
            }
        }
        self.at += 1;
        Ok(Kind::Other)
    }

    /// Reads a string, with the quotes; gives what it means.
    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(JsonError::at(self.text, start, "this text does not end")),
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0..=0x1f) => {
                    return Err(self.refuse("line breaks in a text are written as `\\n`"));
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let raw = &self.text[start..self.at];
        unescaped(&raw[1..raw.len() - 1])
            .map_err(|(offset, reason)| JsonError::at(self.text, start + 1 + offset, reason))
    }

    fn number(&mut self) -> Result<Kind, JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let raw = &self.text[start..self.at];
        if !is_number(raw) {
            return Err(JsonError::at(self.text, start, format!("`{raw}` is no number of JSON")));
        }
        Ok(Kind::Other)
    }

    fn word(&mut self) -> Result<Kind, JsonError> {
        for (word, kind) in [("true", Kind::Other), ("false", Kind::Other), ("null", Kind::Null)] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.refuse("a value is wanted"))
    }
}

/// What an escaped text means. Go reads half a pair of surrogates as U+FFFD.
fn unescaped(raw: &str) -> Result<String, (usize, &'static str)> {
    let mut text = String::with_capacity(raw.len());
    let mut at = 0;
    while let Some(character) = raw[at..].chars().next() {
        if character != '\\' {
            text.push(character);
            at += character.len_utf8();
            continue;
        }
        let escape = raw.as_bytes().get(at + 1).copied().unwrap_or_default();
        let plain = match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let wrong = (at, "`\\u` needs four hexadecimal digits");
                let first = unit(raw, at).ok_or(wrong)?;
                let second = unit(raw, at + 6).unwrap_or_default();
                let pair: Vec<_> = char::decode_utf16([first, second]).collect();
                if let [Ok(character)] = pair[..] {
                    text.push(character);
                    at += 12;
                } else {
                    text.push(char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER));
                    at += 6;
                }
                continue;
            }
            _ => return Err((at, "this escape means nothing in JSON")),
        };
        text.push(plain);
        at += 2;
    }
    Ok(text)
}

/// The four digits of a `\u` that begins at an offset.
fn unit(raw: &str, at: usize) -> Option<u16> {
    let digits = raw.get(at..)?.strip_prefix("\\u")?.get(..4)?;
    let hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    hexadecimal.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

fn is_number(raw: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let raw = raw.strip_prefix('-').unwrap_or(raw);
    let (mantissa, exponent) = match raw.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (raw, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn what_dockerd_refuses_is_refused_with_its_place() {
        assert_eq!(
            error("{\n  // the pool\n  \"bip\": \"\"\n}"),
            "line 2, column 3: a comment: JSON has none, and dockerd does not start with one"
        );
        assert_eq!(
            error("{\"é\": 1} {}"),
            "line 1, column 10: nothing may follow the closing brace; `{` stands here"
        );
        assert_eq!(
            error("{\"a\": 1,\n}"),
            "line 2, column 1: a comma must not stand before the end; `}` stands here"
        );
        assert_eq!(error("[]"), "line 1, column 1: the file must hold one object: `{ … }`");
        assert_eq!(
            error("{"),
            "line 1, column 2: a key in double quotes is wanted; the file ends here"
        );
        assert!(error("{'a': 1}").contains("column 2: a key in double quotes"));
        assert!(error("{\"a\": \"b}").contains("column 7: this text does not end"));
        assert!(error("{\"a\": \"b\\").contains("column 7: this text does not end"));
        assert!(error("{\"a\": 01}").contains("`01` is no number"));
        assert!(error("{\"a\": \"\\x\"}").contains("column 8: this escape"));
        assert!(error(&format!("{{\"a\": {}", "[".repeat(5000))).contains("too deep"));
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused_however_it_is_spelled() {
        assert_eq!(
            error("{\"bip\": \"a\",\n \"b\\u0069p\": \"b\"}"),
            "line 2, column 2: the key `bip` occurs twice; dockerd takes the last one"
        );
        assert!(read("{\"a\": {\"x\": 1}, \"b\": {\"x\": 1}}").is_ok());
    }

    #[test]
    fn nothing_is_an_empty_file() {
        assert!(read(" \r\n\t").unwrap().is_none());
    }

    #[test]
    fn halves_of_pairs_are_read_as_go_reads_them() {
        let key = |text: &str| read(text).unwrap().unwrap().members()[0].key.clone();
        assert_eq!(key(r#"{"\ud83d\ude00": 1}"#), "😀");
        assert_eq!(key(r#"{"\ud83dx": 1}"#), "\u{fffd}x");
        assert_eq!(key(r#"{"\u00e9": 1}"#), "é");
    }

    proptest! {
        /// As serde_json, but for what is meant to differ.
        #[test]
        fn the_same_texts_are_read(text in r#"\{("[a-c\\u0-9]{0,7}"|[:,\[\]{} \n0-9eE.+-]|true|null){0,12}\}"#) {
            let known: Result<serde_json::Value, _> = serde_json::from_str(&text);
            match read(&text) {
                Ok(node) => {
                    prop_assert!(node.is_some());
                    let number = known.as_ref().is_err_and(|error| error.to_string().contains("number out of range"));
                    let half = known.as_ref().is_err_and(|error| error.to_string().contains("surrogate") || error.to_string().contains("hex escape"));
                    prop_assert!(known.is_ok() || number || half, "{text}: {known:?}");
                }
                Err(error) => {
                    let twice = error.to_string().contains("twice");
                    prop_assert!(twice || known.is_err(), "{text}: {error}");
                }
            }
        }

        #[test]
        fn no_text_panics(text in ".*") {
            drop(read(&text));
        }
    }
}
