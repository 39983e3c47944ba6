//! Tries the compile cache with the compilers of an environment, before any build trusts it there.

use camino::Utf8Path;
use wheelmill_engine::{Container, EngineError, Isolation, Prepared};
use wheelmill_model::{Digest, DigestBuilder};
use wheelmill_recipe::{ArchVariable, Spelling};

use super::compile::{mount, toolchain_variables};
use super::compile_cache::{CacheError, HeldCache};
use super::context::AttemptContext;
use super::log::CellLog;
use super::work::Work;
use crate::environment::paths;

impl Work<'_> {
    /// Tries the cache with the compilers of an environment, unless that was found to go well before.
    pub(super) fn probe(
        &self,
        cache: &HeldCache,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<(), CacheError> {
        let targets = ArchVariable {
            variable: String::new(),
            spelling: Spelling::Gencode,
            separator: Spelling::Gencode.separator().to_owned(),
            template: None,
        };
        let targets = targets.value(&self.cell.cell.architectures);
        let known =
            cache.program().with_file_name("usable").join(self.known_as(prepared, &targets));
        if known.exists() {
            return Ok(());
        }
        self.course.tell(log, "trying the compile cache");
        let in_folder = |source| CacheError::Folder { folder: known.clone(), source };
        let folder = self.folder.fresh("scratch").map_err(in_folder)?;
        let mut environment = toolchain_variables(&prepared.environment);
        environment.push(("CCACHE".to_owned(), paths::CCACHE.to_owned()));
        let container = Container {
            name: self.course.cell.to_owned(),
            command: ["sh", "-euc", PROBE, "probe", &targets].map(str::to_owned).to_vec(),
            environment,
            directory: paths::PROBE.into(),
            mounts: vec![
                mount(&folder, paths::PROBE, true),
                mount(cache.program(), paths::CCACHE, false),
            ],
            network: false,
            limits: self.budget.limits,
            gpus: None,
        };
        let AttemptContext { mill, cancel, .. } = *self.course.context;
        let exit = mill.engine.run(prepared, &container, log, cancel).map_err(CacheError::Probe)?;
        if exit.cancelled {
            return Err(CacheError::Probe(EngineError::Cancelled));
        }
        judge(&folder, exit.success())?;
        self.folder.remove("scratch").map_err(in_folder)?;
        let remember = || {
            fs_err::create_dir_all(known.parent().expect("a file in a folder"))?;
            fs_err::write(&known, "")
        };
        remember().map_err(in_folder)
    }

    /// What a good answer is remembered by.
    fn known_as(&self, prepared: &Prepared, targets: &str) -> String {
        let mill = self.course.context.mill;
        let isolation = mill.settings.isolation.map(Isolation::as_str);
        let digest: Digest = DigestBuilder::new("compile-cache-probe")
            .field("environment", prepared.digest.as_bytes())
            .field("engine", mill.engine.kind().as_str())
            .field("isolation", isolation.unwrap_or_default())
            .field("targets", targets)
            .finish();
        digest.to_string()
    }
}

/// Compiles a kernel and a C++ file twice each, and what no compiler takes once with the cache and
/// once without; in a cache of its own, in which no package has left anything.
const PROBE: &str = r#"
printf '__global__ void probe(float *x) { x[threadIdx.x] *= 2; }\n' >device.cu
printf '#include <vector>\nint probe(std::vector<int> v) { return v.size(); }\n' >host.cpp
printf 'no source\n' >wrong.cpp
cached() {
    told=$1
    shift
    CCACHE_CONFIGPATH=/dev/null "$CCACHE" cache_dir="$PWD/cache" temporary_dir="$PWD/cache/tmp" \
        stats_log="$PWD/$told" "$@"
}
for time in first second; do
    cached "device.$time.told" "$CUDA_HOME/bin/nvcc" $1 -c device.cu -o "device.$time.o"
    cached "host.$time.told" c++ -O2 -c host.cpp -o "host.$time.o"
done
(cached wrong.told c++ -c wrong.cpp -o wrong.o || echo "$?" >wrong.cached) 2>/dev/null
(c++ -c wrong.cpp -o wrong.o || echo "$?" >wrong.bare) 2>/dev/null
"#;

/// Whether what a probe left is as it should be.
fn judge(folder: &Utf8Path, done: bool) -> Result<(), CacheError> {
    let unusable = |why| Err(CacheError::Unusable(why));
    if !done {
        return unusable("a compile failed with it; the cell's log says how");
    }
    let read = |name: String| fs_err::read(folder.join(name)).unwrap_or_default();
    for source in ["device", "host"] {
        let told = read(format!("{source}.second.told"));
        if !String::from_utf8_lossy(&told).contains("_cache_hit\n") {
            return unusable("what was compiled before was compiled again");
        }
        let [first, second] = ["first", "second"].map(|time| read(format!("{source}.{time}.o")));
        if first.is_empty() || first != second {
            return unusable("an object from it was another than the compiler's");
        }
    }
    let [cached, bare] = ["wrong.cached", "wrong.bare"].map(|name| read(name.to_owned()));
    if bare.is_empty() || cached != bare {
        return unusable("an error ended in another exit code than the compiler's");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_must_hit_and_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        let good = [
            ("device.first.o", "d"),
            ("device.second.o", "d"),
            ("device.second.told", "direct_cache_hit\n"),
            ("host.first.o", "h"),
            ("host.second.o", "h"),
            ("host.second.told", "# host.cpp\npreprocessed_cache_hit\n"),
            ("wrong.cached", "1\n"),
            ("wrong.bare", "1\n"),
        ];
        for (name, content) in good {
            fs_err::write(path.join(name), content).unwrap();
        }
        judge(&path, true).unwrap();
        assert!(judge(&path, false).is_err());
        let bad = ["cache_miss\n", "other", "2\n", ""];
        for (name, content) in good.iter().filter(|(name, _)| !name.contains("first")) {
            for other in bad {
                fs_err::write(path.join(name), other).unwrap();
                assert!(judge(&path, true).is_err(), "{name}: {other}");
            }
            fs_err::write(path.join(name), content).unwrap();
        }
    }
}
