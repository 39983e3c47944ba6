//! What a call of a compiler would do, read from its arguments.
//!
//! Only what takes memory waits: compiling, and linking much. Everything else (asking a compiler for
//! its version, preprocessing, listing dependencies) is let through, and so is what is not
//! understood.

mod digest;
mod gnu;
mod link;
mod nvcc;
mod response;
mod source;
mod tool;

use std::os::unix::ffi::OsStrExt as _;

use crate::call::Call;
use crate::environment::Environment;
use crate::protocol::{Ask, Language};
pub(crate) use response::words;
use tool::Family;
pub(crate) use tool::is_cache;

/// Whether a program of this name is one to stand before.
pub(crate) fn is_compiler(name: &[u8]) -> bool {
    Family::of(name).is_some()
}

/// What was found in the arguments.
#[derive(Debug, PartialEq, Eq)]
struct Work {
    language: Language,
    /// The first source; what a link makes.
    source: Vec<u8>,
    threads: u16,
    repeatable: bool,
    /// Whether one source is compiled to an object, and nothing else is made.
    object: bool,
    input_bytes: u64,
}

/// What a call that must be admitted is about.
pub(crate) struct Wish {
    /// The question to the server.
    pub(crate) ask: Ask,
    /// Whether what it makes can be kept in a cache: an object of one source, by a compiler that is
    /// called without a cache of the build's own.
    pub(crate) makes_object: bool,
}

/// What a call is about. None when there is nothing to wait for.
pub(crate) fn of(call: &Call, environment: &Environment) -> Option<Wish> {
    let all: Vec<&[u8]> = call.arguments.iter().map(|argument| argument.to_bytes()).collect();
    let (mut name, mut arguments) = (call.name.as_slice(), all.get(1..)?);
    let cached = is_cache(name);
    if let Some((compiler, rest)) = arguments.split_first()
        && cached
    {
        name = compiler.rsplit(|&byte| byte == b'/').next()?;
        arguments = rest;
    }
    let family = Family::of(name)?;
    let arguments = response::expanded(family, arguments, environment);
    let work = match family {
        Family::Gnu(default) => gnu::work(&arguments, default),
        Family::Nvcc => nvcc::work(&arguments),
        Family::Linker => link::work(&arguments),
    }?;
    let here = std::env::current_dir().unwrap_or_default();
    let source = here.join(std::ffi::OsStr::from_bytes(&work.source));
    let ask = Ask {
        language: work.language,
        threads: work.threads,
        fewer_threads: family == Family::Nvcc && work.threads > 1,
        repeatable: work.repeatable,
        input_bytes: work.input_bytes,
        flags: digest::of(&arguments),
        compiler: String::from_utf8_lossy(name).into_owned(),
        source: source.to_string_lossy().into_owned(),
    };
    Some(Wish { ask, makes_object: work.object && work.repeatable && !cached })
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    fn wish(line: &str, variables: &[&str]) -> Option<Wish> {
        let words: Vec<CString> =
            line.split(' ').map(|word| crate::text(word.as_bytes())).collect();
        let name = line.split(' ').next().unwrap().as_bytes().to_vec();
        let call = Call { name, program: words[0].clone(), arguments: words, gates: Vec::new() };
        of(&call, &Environment::of(variables))
    }

    fn ask(line: &str, variables: &[&str]) -> Option<Ask> {
        wish(line, variables).map(|wish| wish.ask)
    }

    #[track_caller]
    fn language(line: &str) -> Option<Language> {
        ask(line, &[]).map(|ask| ask.language)
    }

    #[test]
    fn compiles_are_told_from_everything_else() {
        assert_eq!(language("gcc -c a.c"), Some(Language::C));
        assert_eq!(language("x86_64-linux-gnu-g++-12 -O2 -c a.c -o a.o"), Some(Language::Cxx));
        assert_eq!(language("cc a.cpp -o a"), Some(Language::Cxx));
        assert_eq!(language("clang++ -x cuda -c a.cc"), Some(Language::Cuda));
        assert_eq!(language("nvcc -c -x cu a.cc"), Some(Language::Cuda));
        assert_eq!(
            language("nvcc a.cu -o a.o -c --generate-dependencies-with-compile"),
            Some(Language::Cuda)
        );
        assert_eq!(language("nvcc -c a.cpp"), Some(Language::Cxx));
        assert_eq!(language("ccache /usr/bin/g++ -c a.cc"), Some(Language::Cxx));
        for line in [
            "gcc -v",
            "gcc --version",
            "gcc -dumpversion",
            "g++ -print-file-name=libstdc++.so",
            "gcc -E a.c",
            "gcc -M a.c",
            "gcc -MM a.c",
            "gcc -### a.c",
            "gcc a.o b.o -o program",
            "gcc-ar rcs a.a a.o",
            "nvcc -V",
            "nvcc --dryrun a.cu",
            "nvcc -M a.cu",
            "nvcc --list-gpu-arch",
            "ccache --print-stats",
            "ccache gcc -E a.c",
            "make a.c",
        ] {
            assert_eq!(language(line), None, "{line}");
        }
    }

    #[test]
    fn objects_of_one_source_can_be_kept() {
        let makes_object = |line: &str| wish(line, &[]).unwrap().makes_object;
        for line in [
            "gcc -c a.c -o a.o",
            "nvcc a.cu -c -o a.o",
            "nvcc -dc a.cu",
            "nvcc --compile --generate-dependencies-with-compile a.cu",
        ] {
            assert!(makes_object(line), "{line}");
        }
        for line in [
            "gcc a.c -o a",
            "gcc -c a.c b.c",
            "gcc -c a.c -o -",
            "gcc -c -x c -",
            "gcc -S a.c",
            "ccache gcc -c a.c",
            "nvcc a.cu",
            "nvcc -ptx a.cu",
            "nvcc -c a.cu b.cu",
            "nvcc -c a.cu --keep",
            "nvcc -dlink a.o",
            "gfortran -c a.f90",
        ] {
            assert!(!makes_object(line), "{line}");
        }
    }

    #[test]
    fn values_of_options_are_no_sources() {
        assert_eq!(
            ask("gcc -c -include b.c -MF c.c -o d.c a.c", &[]).unwrap().source.rsplit('/').next(),
            Some("a.c")
        );
        assert_eq!(language("gcc -include b.c a.o"), None);
        assert_eq!(
            ask("nvcc -c -odir x.cu --pre-include y.cu a.cu", &[])
                .unwrap()
                .source
                .rsplit('/')
                .next(),
            Some("a.cu")
        );
    }

    #[test]
    fn what_reads_standard_input_is_not_run_twice() {
        assert!(ask("gcc -c a.c -o a.o", &[]).unwrap().repeatable);
        assert!(!ask("gcc -x c -c - -o a.o", &[]).unwrap().repeatable);
        assert!(!ask("gcc -S a.c -o -", &[]).unwrap().repeatable);
        assert!(!ask("nvcc -x cu -c - -o a.o", &[]).unwrap().repeatable);
    }

    #[test]
    fn threads_of_nvcc_are_as_many_as_have_something_to_do() {
        let three = "nvcc -gencode arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=[sm_90,compute_90] -c a.cu";
        let threads = |line: &str, variables: &[&str]| ask(line, variables).unwrap().threads;
        assert_eq!(threads(three, &[]), 1);
        assert_eq!(threads(&format!("{three} --threads 2"), &[]), 2);
        assert_eq!(threads(&format!("{three} -t=8"), &[]), 3);
        assert_eq!(threads(&format!("{three} -t8 --threads=1"), &[]), 1);
        assert_eq!(threads(three, &["NVCC_APPEND_FLAGS=--threads 2"]), 2);
        assert_eq!(threads(&format!("{three} -t 2"), &["NVCC_PREPEND_FLAGS=-t 4"]), 2);
        assert_eq!(threads("nvcc -arch=all -t 6 -c a.cu", &[]), 6);
        assert_eq!(threads("nvcc -arch=sm_90 -t 6 -c a.cu", &[]), 1);
        assert_eq!(threads("nvcc -arch=sm_90 --split-compile=4 -c a.cu", &[]), 4);
    }

    #[test]
    fn the_digest_is_about_what_decides_the_result() {
        let digest = |line: &str| ask(line, &[]).unwrap().flags;
        let plain = digest("gcc -O2 -c a.c -o a.o");
        assert_eq!(plain, digest("gcc -O2 -c a.c -MF x.d -o /tmp/other.o"));
        assert_ne!(plain, digest("gcc -O3 -c a.c -o a.o"));
    }

    #[test]
    fn links_wait_when_they_are_large() {
        let folder = std::env::temp_dir().join(format!("gate-link-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let object = folder.join("large.o");
        std::fs::File::create(&object).unwrap().set_len(100 << 20).unwrap();
        let found = ask(&format!("g++ -shared {} -o lib.so", object.display()), &[]).unwrap();
        assert_eq!((found.language, found.input_bytes), (Language::Link, 100 << 20));
        assert!(found.source.ends_with("/lib.so"));
        assert_eq!(language(&format!("ld.lld {} -o a", object.display())), Some(Language::Link));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(language("g++ -flto a.o -o a"), Some(Language::Link));
        assert_eq!(language("nvcc -dlink a.o -o b.o"), Some(Language::Link));
        assert_eq!(language("ld --version"), None);
    }

    #[test]
    fn files_of_arguments_are_read() {
        let folder = std::env::temp_dir().join(format!("gate-response-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("arguments");
        std::fs::write(&file, "-O2 \"with space.cpp\"\n-c -DA='b c'\n").unwrap();
        let found = ask(&format!("g++ @{}", file.display()), &[]).unwrap();
        assert!(found.source.ends_with("/with space.cpp"), "{}", found.source);
        std::fs::write(&file, "-c a.cu -t 3 -arch=all").unwrap();
        for option in ["-optf", "--options-file"] {
            assert_eq!(ask(&format!("nvcc {option} {}", file.display()), &[]).unwrap().threads, 3);
        }
        // A file that names itself is read a few times, and then left alone.
        std::fs::write(&file, format!("-c a.c @{}", file.display())).unwrap();
        assert_eq!(language(&format!("gcc @{}", file.display())), Some(Language::C));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
