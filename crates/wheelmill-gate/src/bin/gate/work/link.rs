//! Linking, by a compiler's driver or by a linker itself.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::Work;
use crate::protocol::Language;

/// What a linker takes without being asked. It holds its input in memory, and about as much again.
const SMALL: u64 = 64 << 20;

/// The arguments of a linker. What is not there is not counted, so values of options may be taken
/// for files.
pub(super) fn work(arguments: &[Vec<u8>]) -> Option<Work> {
    let output = arguments.iter().position(|argument| argument == b"-o");
    let output = output.and_then(|at| arguments.get(at + 1)).map_or(b"a.out".as_slice(), |it| it);
    let files: Vec<&[u8]> = arguments
        .iter()
        .map(Vec::as_slice)
        .filter(|&argument| !argument.starts_with(b"-") && argument != output)
        .collect();
    let link_time = arguments.iter().any(|argument| {
        argument.starts_with(b"-flto") || argument.starts_with(b"--lto") || argument == b"-plugin"
    });
    of_objects(&files, output, link_time && !files.is_empty())
}

/// A link of some objects, when it is large, or does what is a compiler's work.
pub(super) fn of_objects(objects: &[&[u8]], output: &[u8], compiles: bool) -> Option<Work> {
    if objects.is_empty() {
        return None;
    }
    let sizes = objects.iter().filter_map(|object| fs::metadata(OsStr::from_bytes(object)).ok());
    let input_bytes = sizes.fold(0_u64, |sum, file| sum.saturating_add(file.len()));
    (compiles || input_bytes >= SMALL).then(|| Work {
        language: Language::Link,
        source: output.to_vec(),
        threads: 1,
        repeatable: true,
        object: false,
        input_bytes,
    })
}
