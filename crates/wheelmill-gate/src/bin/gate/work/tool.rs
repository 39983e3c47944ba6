//! Which kind of program a name stands for.

use crate::protocol::Language;

/// Programs that understand the same arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// gcc, clang and their like; and in what language a `.c` file is for them.
    Gnu(Language),
    Nvcc,
    Linker,
}

impl Family {
    /// Of names such as `x86_64-linux-gnu-g++-12`.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let name = str::from_utf8(name).ok()?;
        let unversioned = match name.rsplit_once('-') {
            Some((name, version)) if is_version(version) => name,
            _ => name,
        };
        let plain = unversioned.rsplit_once('-').map_or(unversioned, |(_, plain)| plain);
        Some(match plain {
            "gcc" | "cc" | "clang" => Self::Gnu(Language::C),
            "g++" | "c++" | "clang++" => Self::Gnu(Language::Cxx),
            "gfortran" => Self::Gnu(Language::Fortran),
            "nvcc" => Self::Nvcc,
            "ld" | "ld.bfd" | "ld.gold" | "ld.lld" | "ld.mold" | "lld" | "gold" | "mold" => {
                Self::Linker
            }
            _ => return None,
        })
    }
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Programs that are called with a compiler and its arguments as theirs.
pub(crate) fn is_cache(name: &[u8]) -> bool {
    matches!(name, b"ccache" | b"sccache" | b"distcc" | b"icecc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_prefixes_and_versions() {
        for name in
            ["gcc", "gcc-12", "x86_64-linux-gnu-gcc-12", "x86_64-conda-linux-gnu-cc", "clang-19"]
        {
            assert_eq!(Family::of(name.as_bytes()), Some(Family::Gnu(Language::C)), "{name}");
        }
        for name in ["g++", "g++-4.9", "clang++-15", "aarch64-linux-gnu-c++"] {
            assert_eq!(Family::of(name.as_bytes()), Some(Family::Gnu(Language::Cxx)), "{name}");
        }
        assert_eq!(Family::of(b"ld.lld-15"), Some(Family::Linker));
        for name in ["gcc-ar-12", "gcov", "clang-tidy", "clang-format-15", "ar", "nvlink", ""] {
            assert_eq!(Family::of(name.as_bytes()), None, "{name}");
        }
    }
}
