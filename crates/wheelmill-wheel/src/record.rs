//! RECORD: the list of a wheel's files with their hashes (PyPA "Recording installed projects").

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::finding::Findings;
use crate::rules;
use crate::zip::Algorithm;

/// What RECORD says of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) hash: Option<Hash>,
    pub(crate) size: Option<u64>,
}

/// A hash as RECORD writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hash {
    pub(crate) algorithm: Algorithm,
    /// URL-safe base64 without padding.
    pub(crate) value: String,
}

/// RECORD by path.
#[derive(Debug, Default)]
pub(crate) struct Record {
    rows: HashMap<String, Row>,
    folder: String,
}

impl Record {
    /// Reads the RECORD of a `.dist-info` folder.
    pub(crate) fn read(text: &str, folder: &str, findings: &mut Findings) -> Self {
        let mut record = Self { rows: HashMap::new(), folder: folder.to_owned() };
        for (number, fields) in read_csv(text) {
            let Some([path, hash, size]) = fields.as_deref().and_then(|f| f.first_chunk::<3>())
            else {
                findings.add(rules::RECORD_SYNTAX, format!("line {number}"));
                continue;
            };
            let row = Row {
                hash: record.hash(path, hash, findings),
                size: match size.as_str() {
                    "" => None,
                    digits => {
                        let size = digits.parse().ok();
                        if size.is_none() {
                            findings.add(rules::RECORD_SYNTAX, format!("line {number}: {digits}"));
                        }
                        size
                    }
                },
            };
            if record.rows.insert(path.clone(), row).is_some() {
                findings.add(rules::RECORD_DUPLICATE, path.clone());
            }
        }
        record
    }

    fn hash(&self, path: &str, hash: &str, findings: &mut Findings) -> Option<Hash> {
        if self.is_exempt(path) {
            if !hash.is_empty() {
                findings.add(rules::RECORD_SELF, path);
            }
            return None;
        }
        if hash.is_empty() {
            findings.add(rules::RECORD_NO_HASH, path);
            return None;
        }
        let (name, value) = hash.split_once('=').unwrap_or((hash, ""));
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ => {
                findings.add(rules::RECORD_WEAK_HASH, format!("{path}: {name}"));
                return None;
            }
        };
        Some(Hash { algorithm, value: value.trim_end_matches('=').to_owned() })
    }

    /// RECORD cannot hold its own hash, nor that of a signature over it.
    fn is_exempt(&self, path: &str) -> bool {
        path.strip_prefix(&self.folder)
            .is_some_and(|rest| matches!(rest, "/RECORD" | "/RECORD.jws" | "/RECORD.p7s"))
    }

    pub(crate) fn row(&self, path: &str) -> Option<&Row> {
        self.rows.get(path)
    }

    /// Compares the list of files, folders left out, with RECORD's.
    pub(crate) fn compare_names<'a>(
        &self,
        files: impl Iterator<Item = &'a str>,
        findings: &mut Findings,
    ) {
        let files: HashSet<&str> = files.collect();
        let mut unlisted: Vec<&str> = files
            .iter()
            .copied()
            .filter(|file| !self.rows.contains_key(*file) && !self.is_exempt(file))
            .collect();
        unlisted.sort_unstable();
        for file in unlisted {
            findings.add(rules::RECORD_UNLISTED, file);
        }
        let mut absent: Vec<&str> =
            self.rows.keys().map(String::as_str).filter(|path| !files.contains(path)).collect();
        absent.sort_unstable();
        for path in absent {
            findings.add(rules::RECORD_ABSENT, path);
        }
    }
}

/// A field of RECORD, quoted where it must be.
pub(crate) fn csv_field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

/// URL-safe base64 without padding, as RECORD wants it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut word = 0_u32;
        for index in 0..3 {
            word = word << 8 | u32::from(group.get(index).copied().unwrap_or(0));
        }
        for index in 0..=group.len() {
            let six = word >> (18 - 6 * index) & 0x3f;
            text.push(char::from(ALPHABET[six as usize]));
        }
    }
    text
}

/// The records of a CSV text with the line each starts on; `None` for one that is malformed.
fn read_csv(text: &str) -> Vec<(usize, Option<Vec<String>>)> {
    let mut records = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let (fields, after) = read_csv_record(rest);
        let taken = &rest[..rest.len() - after.len()];
        if !taken.trim_end_matches(['\r', '\n']).is_empty() {
            records.push((line, fields));
        }
        line += taken.matches('\n').count();
        rest = after;
    }
    records
}

fn read_csv_record(text: &str) -> (Option<Vec<String>>, &str) {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let field;
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some((value, after)) = read_quoted(quoted) else {
                return (None, skip_line(rest));
            };
            (field, rest) = (value, after);
        } else {
            let end = rest.find([',', '\n']).unwrap_or(rest.len());
            field = rest[..end].trim_end_matches('\r').to_owned();
            rest = &rest[end..];
        }
        fields.push(field);
        if let Some(after) = rest.strip_prefix(',') {
            rest = after;
            continue;
        }
        let after = rest.strip_prefix('\r').unwrap_or(rest);
        return match after.strip_prefix('\n') {
            Some(after) => (Some(fields), after),
            None if after.is_empty() => (Some(fields), after),
            None => (None, skip_line(rest)),
        };
    }
}

fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None => return Some((value, after)),
        }
    }
}

fn skip_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, after)| after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hashes_are_written_as_wheels_write_them() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg");
        assert_eq!(base64(b"fo"), "Zm8");
        assert_eq!(base64(b"foob"), "Zm9vYg");
        assert_eq!(base64(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn names_with_commas_and_quotes_are_read() {
        let mut findings = Findings::default();
        let text =
            "\"a,b.py\",sha256=AA,1\r\n\"q\"\"q.py\",sha256=BB,2\r\nx-1.dist-info/RECORD,,\r\n";
        let record = Record::read(text, "x-1.dist-info", &mut findings);
        assert_eq!(record.row("a,b.py").unwrap().size, Some(1));
        assert_eq!(record.row("q\"q.py").unwrap().hash.as_ref().unwrap().value, "BB");
        assert_eq!(findings.finish(), []);
    }

    #[test]
    fn each_defect_of_a_line_has_its_code() {
        let mut findings = Findings::default();
        let text = "a.py,md5=AA,1\nb.py,,1\nc.py\n\"d.py,sha256=AA,1\na.py,sha256=AA,x\n";
        Record::read(text, "x-1.dist-info", &mut findings);
        let mut codes: Vec<&str> = findings.finish().iter().map(|finding| finding.code).collect();
        codes.sort_unstable();
        assert_eq!(
            codes,
            ["record.duplicate", "record.no-hash", "record.syntax", "record.weak-hash"]
        );
    }

    proptest! {
        #[test]
        fn fields_survive_quoting(rows in prop::collection::vec(prop::collection::vec("[a-z\",\r\n é]{1,6}", 3), 1..5)) {
            let mut text = String::new();
            for row in &rows {
                let quoted: Vec<_> = row.iter().map(|field| csv_field(field)).collect();
                text.push_str(&quoted.join(","));
                text.push('\n');
            }
            let read: Vec<Vec<String>> =
                read_csv(&text).into_iter().map(|(_, fields)| fields.unwrap()).collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn no_text_stops_the_reader(text in "[a,\"\r\n]{0,40}") {
            read_csv(&text);
        }
    }
}
