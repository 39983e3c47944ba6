//! What files are, by their names, and languages, by the words of `-x`.

use crate::protocol::Language;

/// The language of a source file, as gcc and nvcc tell it. None for objects and what is not known.
pub(super) fn language(path: &[u8]) -> Option<Language> {
    let name = path.rsplit(|&byte| byte == b'/').next()?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    Some(match &name[dot + 1..] {
        b"c" | b"i" | b"m" => Language::C,
        b"cc" | b"cp" | b"cxx" | b"cpp" | b"CPP" | b"c++" | b"C" | b"ii" | b"mm" | b"ixx"
        | b"cppm" => Language::Cxx,
        b"cu" => Language::Cuda,
        b"s" | b"S" | b"sx" | b"ptx" => Language::Assembly,
        b"f" | b"F" | b"for" | b"f90" | b"F90" | b"f95" | b"F95" | b"f03" | b"f08" => {
            Language::Fortran
        }
        _ => return None,
    })
}

/// What the word after `-x` says: a language, or that names decide again.
pub(super) fn forced(word: &[u8]) -> Option<Language> {
    Some(match word {
        b"c" | b"cpp-output" | b"c-header" | b"objective-c" => Language::C,
        b"c++" | b"c++-cpp-output" | b"c++-header" | b"objective-c++" => Language::Cxx,
        b"cu" | b"cuda" | b"hip" => Language::Cuda,
        b"assembler" | b"assembler-with-cpp" => Language::Assembly,
        b"f77" | b"f77-cpp-input" | b"f95" | b"f95-cpp-input" => Language::Fortran,
        _ => return None,
    })
}
