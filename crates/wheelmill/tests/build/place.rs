//! A user with a package of their own, a recipe for it, and an empty store.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use tempfile::TempDir;

/// The variables of the machine that lead to its indexes and certificates.
const NETWORK: [&str; 8] = [
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
];

/// A folder with the package `tinycuda`, its recipe, and a store; gone when dropped.
pub(crate) struct Place {
    folder: TempDir,
    cache: Utf8PathBuf,
}

impl Place {
    /// With the source in a folder, and lines added to the `[recipes.tinycuda.build]` table.
    pub(crate) fn with(build: &str) -> Self {
        Self::with_recipe(&source("tinycuda"), build)
    }

    /// With the source on the index.
    pub(crate) fn on_index() -> Self {
        Self::with_recipe("", "")
    }

    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        let folder = TempDir::new().unwrap();
        let cache = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        let place = Self { folder, cache };
        fs_err::create_dir(place.path().join("home")).unwrap();
        place
    }

    fn with_recipe(source: &str, build: &str) -> Self {
        let place = Self::empty();
        testkit::write_tiny_package(&place.path().join("tinycuda"));
        let recipe = source.to_owned() + &recipe("tinycuda", build, "tinycuda");
        fs_err::write(place.path().join("wheelmill.toml"), recipe).unwrap();
        place
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    pub(crate) fn store(&self) -> Utf8PathBuf {
        self.path().join("store")
    }

    /// The cache that the tests share, unless it is another.
    pub(crate) fn cache(&self) -> &Utf8Path {
        &self.cache
    }

    /// Whether cells have left anything to work on; their locks do not count.
    pub(crate) fn has_work(&self) -> bool {
        let mut entries = self.store().join("work").read_dir_utf8().unwrap();
        entries.any(|entry| entry.unwrap().file_type().unwrap().is_dir())
    }

    /// Another cache than the one that the tests share.
    pub(crate) fn set_cache(&mut self, cache: &Utf8Path) {
        cache.clone_into(&mut self.cache);
    }

    /// The program with its arguments, parted by blanks.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelmill"));
        self.prepare(&mut command);
        command.args(arguments.split_whitespace());
        command
    }

    /// Gives a command this place's folders and a clean environment.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            // Also where a daemon would answer.
            .env("WHEELMILL_ENGINE", "embedded")
            .env("WHEELMILL_HOME", self.store())
            .env("WHEELMILL_CACHE", &self.cache)
            // Most tests are about compiles that take place.
            .env("WHEELMILL_COMPILE_CACHE_SIZE", "0");
        for name in NETWORK {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &str) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// Builds the package for sm_90.
    pub(crate) fn build(&self, more: &str) -> Ended {
        self.run(&format!("build tinycuda --cuda 13.0 --arch 9.0 --json {more}"))
    }

    /// Starts the build and waits until its own command runs, which must print `marker`.
    pub(crate) fn start(&self, marker: &str) -> Child {
        self.start_command(
            &mut self.command("build tinycuda --cuda 13.0 --arch 9.0 --verbose"),
            marker,
        )
    }

    /// Starts the first build of this place and waits until its log has `marker`.
    pub(crate) fn start_command(&self, command: &mut Command, marker: &str) -> Child {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = self.wait_for_log(&mut child);
        let mut line = String::new();
        while !line.contains(marker) {
            line.clear();
            if log.read_line(&mut line).unwrap() == 0 {
                assert!(child.try_wait().unwrap().is_none(), "the build ended before {marker}");
                // The file grows; there is nothing to be notified by that works in every container.
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        child
    }

    fn wait_for_log(&self, child: &mut Child) -> BufReader<fs_err::File> {
        loop {
            let logs = walk(&self.store().join("logs"));
            if let Some(log) = logs.into_iter().find(|path| path.extension() == Some("log")) {
                return BufReader::new(fs_err::File::open(log).unwrap());
            }
            assert!(child.try_wait().unwrap().is_none(), "the build ended before it began");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The source of a package in the folder of its name.
pub(crate) fn source(package: &str) -> String {
    format!("[recipes.{package}.source]\npath = \"{package}\"\n")
}

/// The rest of a recipe for a package of ours: lines of its `[build]` table, and its module.
pub(crate) fn recipe(package: &str, build: &str, module: &str) -> String {
    format!(
        r#"
[recipes.{package}.build]
torch = false
{build}
[[recipes.{package}.architectures]]
variable = "TINY_ARCHS"
spelling = "digits"
[recipes.{package}.test]
imports = ["{module}"]
modules = ["{module}"]
"#
    )
}

/// Every file below a folder.
pub(crate) fn walk(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = folder.read_dir_utf8() else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(entry.path()),
            _ => vec![entry.path().to_owned()],
        })
        .collect()
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails the test with everything that was printed, unless the exit code is this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The JSON document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.stdout, self.stderr));
        assert_eq!(document["schema"], 1);
        document
    }

    /// The only cell of a build.
    #[track_caller]
    pub(crate) fn cell(&self) -> Value {
        self.json()["cells"][0].clone()
    }
}
