//! Answers compiles from a cache: ccache runs in the compiler's place, and runs it where it must.
//!
//! All settings are words of its command line, so that neither the build nor the compiler sees more
//! of it than two variables of its own: one that lets it read no file of settings, and the one by
//! which it tells a second ccache to do nothing.

use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::call::Call;
use crate::environment::{Environment, NVCC_APPEND, NVCC_PREPEND};
use crate::protocol::CacheUse;
use crate::work::words;
use crate::{identity, sys, text};

/// No more is read of what ccache tells about a call.
const LONGEST_LOG: u64 = 4096;
/// By this option the program is what ccache starts compilers with.
pub(crate) const TIED: &str = "--tied";

/// What ccache calls a result from the cache.
const HITS: [&str; 2] = ["direct_cache_hit", "preprocessed_cache_hit"];
/// What it tells when the compiler ran, and could be asked for what it should keep.
const MISSES: [&str; 3] = ["cache_miss", "compile_failed", "preprocessor_error"];
/// What it tells as well, whatever became of the call.
const LOOKS: [&str; 5] = [
    "direct_cache_miss",
    "preprocessed_cache_miss",
    "local_storage_",
    "internal_error",
    "missing_cache_file",
];

/// The cache, ready for one call.
pub(crate) struct Cache {
    program: CString,
    /// What stands before the compiler and its arguments.
    settings: Vec<CString>,
    /// Where ccache tells what became of the call.
    log: PathBuf,
}

impl Cache {
    /// The cache that the build was told of by that variable. None where the call has one of its own,
    /// and where the compiler is told by its variables what ccache does not know of.
    pub(crate) fn of(told: &[u8], call: &Call, environment: &Environment) -> Option<Self> {
        let mut lines = told.split(|&byte| byte == b'\n');
        let (program, state) = (lines.next()?, lines.next()?);
        // ccache takes every word with a `=` for a setting, until one has none: that is the compiler.
        let readable = !call.program.to_bytes().contains(&b'=');
        if !readable || has_own(call) || variables_write_files(environment) {
            return None;
        }
        let state = PathBuf::from(OsStr::from_bytes(state));
        fs::create_dir_all(&state).ok()?;
        let identity = identity::of(call, environment, &state)?;
        let log = state.join(format!("told-{}", std::process::id()));
        let setting = |name: &str, value: &[u8]| text(&[name.as_bytes(), b"=", value].concat());
        let mut settings = vec![
            text(b"ccache"),
            // The digest says more than ccache would find out, and costs nothing at each call.
            setting("compiler_check", format!("string:{identity:032x}").as_bytes()),
            setting("stats_log", log.as_os_str().as_bytes()),
        ];
        let own = fs::canonicalize("/proc/self/exe").ok();
        if let Some(own) = own.filter(|own| !own.as_os_str().as_bytes().contains(&b' ')) {
            let prefix = [own.as_os_str().as_bytes(), b" ", TIED.as_bytes()].concat();
            settings.push(setting("prefix_command", &prefix));
        }
        settings.extend(lines.map(text));
        Some(Self { program: text(program), settings, log })
    }

    pub(crate) fn program(&self) -> &CString {
        &self.program
    }

    /// The words of the call. The compiler is named by its path, so that no other is found.
    pub(crate) fn arguments(&self, call: &Call) -> Vec<CString> {
        let compiler = [call.program.clone()];
        let rest = call.arguments.iter().skip(1);
        self.settings.iter().chain(&compiler).chain(rest).cloned().collect()
    }

    /// What the compiler would see without it, and what makes ccache read no file of settings.
    pub(crate) fn environment(compilers: &Environment) -> Environment {
        let mut environment = compilers.without("CCACHE_");
        environment.set("CCACHE_CONFIGPATH", b"/dev/null");
        environment
    }

    /// What became of the call, as ccache told before it ended. None when it could do nothing, and
    /// no compiler may have run.
    pub(crate) fn used(&self) -> Option<CacheUse> {
        let mut told = String::new();
        let file = File::open(&self.log).ok()?;
        file.take(LONGEST_LOG).read_to_string(&mut told).ok()?;
        drop(fs::remove_file(&self.log));
        meaning(&told)
    }
}

fn meaning(told: &str) -> Option<CacheUse> {
    let mut lines = told.lines().filter(|line| !line.starts_with('#'));
    let has = |known: &[&str]| told.lines().any(|line| known.contains(&line));
    if has(&HITS) {
        Some(CacheUse::Hit)
    } else if has(&MISSES) {
        Some(CacheUse::Miss)
    } else {
        // The rest are the many reasons for which it steps aside.
        lines
            .any(|line| !LOOKS.iter().any(|look| line.starts_with(look)))
            .then_some(CacheUse::NotCacheable)
    }
}

/// Whether the call comes to a cache of the build's own by a link with the name of a compiler. One
/// that is called by its own name makes no object that could be kept.
fn has_own(call: &Call) -> bool {
    let real = fs::canonicalize(OsStr::from_bytes(call.program.to_bytes())).unwrap_or_default();
    crate::work::is_cache(real.file_name().unwrap_or_default().as_bytes())
}

/// Whether nvcc is told by its variables to write more than an object, or to read files of
/// arguments: ccache knows nothing of these variables.
fn variables_write_files(environment: &Environment) -> bool {
    let variables = [NVCC_PREPEND, NVCC_APPEND].map(|name| environment.get(name));
    let words = variables.into_iter().flatten().flat_map(words);
    let unknown = [b"-M".as_slice(), b"-o", b"--o", b"--generate-", b"-keep", b"--keep", b"--dep"];
    words.into_iter().any(|word| unknown.iter().any(|start| word.starts_with(start)))
}

/// `gate --tied COMPILER ARGUMENT…`: becomes the compiler, which from then on dies with ccache, as it
/// would with the gate.
pub(crate) fn tied(command: &[&std::ffi::CStr]) -> i32 {
    let Some(program) = command.first() else { return crate::NOT_FOUND };
    sys::die_with_parent();
    sys::exec(program, command, Environment::of_this_process().texts())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ccache_tells_is_understood() {
        let meaning = |told: &str| meaning(&told.replace(' ', "\n"));
        assert_eq!(
            meaning("#a.cu direct_cache_hit local_storage_hit local_storage_read_hit"),
            Some(CacheUse::Hit)
        );
        assert_eq!(
            meaning("cache_miss direct_cache_miss local_storage_miss preprocessed_cache_miss"),
            Some(CacheUse::Miss)
        );
        assert_eq!(meaning("compile_failed direct_cache_miss"), Some(CacheUse::Miss));
        assert_eq!(meaning("called_for_link"), Some(CacheUse::NotCacheable));
        // As when its folder cannot be written to.
        assert_eq!(meaning("direct_cache_miss local_storage_read_miss"), None);
        assert_eq!(meaning("direct_cache_miss internal_error"), None);
        assert_eq!(meaning(""), None);
    }

    #[test]
    fn variables_that_ccache_does_not_know_are_looked_at() {
        let writes = |flags: &str| {
            variables_write_files(&Environment::of(&[&format!("NVCC_APPEND_FLAGS={flags}")]))
        };
        assert!(!writes("-lineinfo --threads 2 -DA=1"));
        for flags in ["-MD", "-optf flags.txt", "--options-file flags.txt", "-G --keep"] {
            assert!(writes(flags), "{flags}");
        }
    }
}
