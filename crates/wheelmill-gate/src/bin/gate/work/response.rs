//! Arguments that stand in files and in variables.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;

use super::tool::Family;
use crate::environment::Environment;

/// Files within files are read to this depth; the compiler itself decides about deeper ones.
const DEPTH: usize = 4;
/// No more than this is read of a file.
const LARGEST: u64 = 1 << 20;

/// All arguments, those from files and nvcc's variables among them.
pub(super) fn expanded(
    family: Family,
    arguments: &[&[u8]],
    environment: &Environment,
) -> Vec<Vec<u8>> {
    let mut list = Vec::with_capacity(arguments.len());
    let variable = |name| words(environment.get(name).unwrap_or_default());
    if family == Family::Nvcc {
        list.extend(variable("NVCC_PREPEND_FLAGS"));
    }
    expand(family, arguments, DEPTH, &mut list);
    if family == Family::Nvcc {
        list.extend(variable("NVCC_APPEND_FLAGS"));
    }
    list
}

fn expand(family: Family, arguments: &[&[u8]], depth: usize, list: &mut Vec<Vec<u8>>) {
    let mut rest = arguments.iter();
    while let Some(&argument) = rest.next() {
        let file = match argument {
            b"-optf" | b"--options-file" if family == Family::Nvcc => rest.next().copied(),
            _ if family == Family::Nvcc => argument
                .strip_prefix(b"--options-file=")
                .or_else(|| argument.strip_prefix(b"-optf=")),
            _ => argument.strip_prefix(b"@"),
        };
        let Some(content) = file.filter(|_| depth > 0).and_then(read) else {
            list.push(argument.to_vec());
            continue;
        };
        let content = words(&content);
        let inner: Vec<&[u8]> = content.iter().map(Vec::as_slice).collect();
        expand(family, &inner, depth - 1, list);
    }
}

fn read(path: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let file = File::open(OsStr::from_bytes(path)).ok()?;
    // A pipe could be read only once, and not here.
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.take(LARGEST).read_to_end(&mut content).ok()?;
    Some(content)
}

/// Splits at white space outside quotes, with backslashes before what is to be taken as it is.
pub(crate) fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => word.get_or_insert_default().extend(bytes.next()),
            _ if quote == Some(byte) => quote = None,
            _ if quote.is_some() => word.get_or_insert_default().push(byte),
            b'"' | b'\'' => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            _ if byte.is_ascii_whitespace() => list.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    list.extend(word);
    list
}
