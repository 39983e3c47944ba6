//! Real logs, kept in `tests/logs`, and what must be said of them.

use std::time::Duration;

use camino::Utf8Path;
use wheelmill_engine::{Exit, MemoryWatch};
use wheelmill_model::{ByteSize, CudaVersion, PackageName, Phase, PythonVersion, TorchVersion};
use wheelmill_recipe::Source;

use super::{Admitted, Cause, Evidence, Failure, diagnose};

/// The text of a log of `tests/logs`.
macro_rules! log {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/logs/", $name, ".log"))
    };
}

mod machine;
mod network;
mod package;
mod toolchain;

/// How a build failed, apart from its log; what a test does not say is as usual.
struct Setting {
    phase: Phase,
    exit: Option<Exit>,
    memory_limit: Option<ByteSize>,
    admitted: Option<Admitted<'static>>,
    jobs: usize,
    network: bool,
    cuda: CudaVersion,
    torch: Option<TorchVersion>,
    /// The user's folder that is built; else a repository is.
    folder: Option<&'static str>,
}

const FAILED: Exit = Exit {
    code: 1,
    peak_memory: Some(ByteSize(700 << 20)),
    oom_kills: 0,
    watch: MemoryWatch::Cgroup,
    wall: Duration::from_secs(60),
    cancelled: false,
};

const COMPILE: Setting = Setting {
    phase: Phase::Compile,
    exit: Some(FAILED),
    memory_limit: Some(ByteSize(800 << 20)),
    admitted: None,
    jobs: 2,
    network: false,
    cuda: CudaVersion::new(13, 0),
    torch: Some(TorchVersion::new(2, 11)),
    folder: None,
};

const FETCH: Setting = Setting { phase: Phase::Environment, network: true, ..COMPILE };

impl Setting {
    fn diagnose(&self, log: &str) -> Failure {
        let package: PackageName = "tiny-kernels".parse().unwrap();
        let source = match self.folder {
            Some(folder) => Source::Path(folder.into()),
            None => Source::Git {
                address: "https://example.org/tiny.git".to_owned(),
                revision: "main".to_owned(),
                submodules: false,
            },
        };
        let tail: Vec<String> = log.lines().map(ToOwned::to_owned).collect();
        diagnose(&Evidence {
            phase: self.phase,
            exit: self.exit.as_ref(),
            log: Some(Utf8Path::new("/store/logs/1.log")),
            tail: &tail,
            memory_limit: self.memory_limit,
            admitted: self.admitted,
            compile_memory: ByteSize(2 << 30),
            jobs: self.jobs,
            network: self.network,
            cuda: self.cuda,
            torch: self.torch,
            python: Some(PythonVersion::new(3, 11)),
            source: Some(&source),
            subdirectory: None,
            imports: &["tiny_kernels._base".to_owned(), "tiny_kernels".to_owned()],
            options: &[],
            package: &package,
            version: None,
            architectures: None,
        })
    }

    /// Checks the cause, a part of the message, a part of the first fix, and a telling line.
    #[track_caller]
    fn tells(&self, log: &str, cause: Cause, message: &str, fix: &str, line: &str) {
        let failure = self.diagnose(log);
        assert_eq!(failure.cause, cause, "{failure:#?}");
        assert!(failure.message.contains(message), "{failure:#?}");
        assert!(failure.fixes.first().is_some_and(|first| first.contains(fix)), "{failure:#?}");
        let told = failure.lines.iter().any(|told| told.contains(line));
        assert!(told || line.is_empty() && failure.lines.is_empty(), "{failure:#?}");
        assert!(failure.lines.len() <= 8);
        assert!(failure.lines.iter().all(|line| line.chars().count() <= 300));
    }
}

/// The setting of a compile of a folder of the user's.
fn of_folder() -> Setting {
    Setting { folder: Some("/home/me/tiny"), ..COMPILE }
}

#[test]
fn a_fix_builds_the_same_cell_on_the_same_base_with_enough_memory() {
    let tail = vec!["nvcc error   : 'cicc' died due to signal 9 (Kill signal)".to_owned()];
    let exit = Exit { code: 1, oom_kills: 1, ..FAILED };
    let failure = diagnose(&Evidence {
        phase: Phase::Compile,
        exit: Some(&exit),
        log: None,
        tail: &tail,
        memory_limit: Some(ByteSize(800 << 20)),
        admitted: None,
        compile_memory: ByteSize(9 << 30),
        jobs: 2,
        network: false,
        cuda: CudaVersion::new(13, 0),
        torch: None,
        python: Some(PythonVersion::new(3, 12)),
        source: Some(&Source::Path("tiny".into())),
        subdirectory: None,
        imports: &[],
        options: &[("--base", "./my image.tar"), ("--memory", "800MiB")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        package: &"tiny-kernels".parse().unwrap(),
        version: Some(&"1.2".parse().unwrap()),
        architectures: Some(&"9.0;10.0+PTX".parse().unwrap()),
    });
    let command = "`wheelmill build tiny-kernels==1.2 --cuda 13.0 --python 3.12 \
                   --arch 9.0,10.0+PTX --memory 9GiB --base './my image.tar'`";
    assert!(failure.fixes.iter().any(|fix| fix.contains(command)), "{failure:#?}");
}
