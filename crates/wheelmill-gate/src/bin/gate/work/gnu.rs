//! The arguments of gcc, clang and their like.

use super::{Work, link, source};
use crate::protocol::Language;

/// Options whose value is the next argument. From the options' index of gcc's manual and clang's
/// reference; those whose values could never be taken for a source are of no interest.
const WITH_VALUE: &[&[u8]] = &[
    b"-o",
    b"-I",
    b"-L",
    b"-D",
    b"-U",
    b"-A",
    b"-B",
    b"-G",
    b"-T",
    b"-e",
    b"-l",
    b"-u",
    b"-z",
    b"-MF",
    b"-MT",
    b"-MQ",
    b"-MJ",
    b"-Xlinker",
    b"-Xassembler",
    b"-Xpreprocessor",
    b"-Xclang",
    b"-Xarch_host",
    b"-Xarch_device",
    b"-include",
    b"-imacros",
    b"-include-pch",
    b"-isystem",
    b"-iquote",
    b"-idirafter",
    b"-iprefix",
    b"-iwithprefix",
    b"-iwithprefixbefore",
    b"-isysroot",
    b"-imultilib",
    b"-imultiarch",
    b"--param",
    b"-aux-info",
    b"-dumpbase",
    b"-dumpbase-ext",
    b"-dumpdir",
    b"-mllvm",
    b"-target",
    b"-arch",
    b"-wrapper",
    b"--sysroot",
    b"-rpath",
    b"-specs",
    b"--output",
    b"--include",
    b"--language",
];

/// Options with which nothing is compiled.
fn is_question(argument: &[u8]) -> bool {
    matches!(argument, b"-E" | b"-M" | b"-MM" | b"-###" | b"--version" | b"--preprocess")
        || [b"-print-".as_slice(), b"--print-", b"-dumpm", b"-dumpv", b"-dumps", b"--help"]
            .iter()
            .any(|start| argument.starts_with(start))
}

pub(super) fn work(arguments: &[Vec<u8>], default: Language) -> Option<Work> {
    let mut forced = None;
    let mut first: Option<(Language, &[u8])> = None;
    let (mut output, mut objects) = (None, Vec::new());
    let (mut reads_input, mut link_time) = (false, false);
    let (mut only_compiles, mut sources) = (false, 0);
    let mut rest = arguments.iter().map(Vec::as_slice);
    while let Some(argument) = rest.next() {
        match argument {
            _ if is_question(argument) => return None,
            b"-" => {
                reads_input = true;
                first = first.or(Some((forced.unwrap_or(default), b"-")));
            }
            b"-c" | b"--compile" => only_compiles = true,
            b"-x" | b"--language" => forced = rest.next().and_then(source::forced),
            b"-o" | b"--output" => output = rest.next(),
            _ if WITH_VALUE.contains(&argument) => {
                rest.next();
            }
            [b'-', b'x', language @ ..] => forced = source::forced(language),
            [b'-', b'o', name @ ..] => output = Some(name),
            [b'-', ..] => link_time |= argument.starts_with(b"-flto"),
            _ => match forced.or_else(|| source::language(argument)) {
                Some(language) => {
                    // g++ takes a `.c` file for C++.
                    let by_name = language == Language::C && forced.is_none();
                    let language = if by_name { default } else { language };
                    first = first.or(Some((language, argument)));
                    sources += 1;
                }
                None => objects.push(argument),
            },
        }
    }
    let Some((language, source)) = first else {
        return link::of_objects(&objects, output.unwrap_or(b"a.out"), link_time);
    };
    let writes_output = matches!(output, Some(b"-" | b"/dev/stdout"));
    Some(Work {
        language,
        source: source.to_vec(),
        threads: 1,
        repeatable: !reads_input && !writes_output,
        object: only_compiles && sources == 1 && language != Language::Fortran,
        input_bytes: 0,
    })
}
