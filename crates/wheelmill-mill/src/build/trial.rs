//! Tries a wheel where its users will: in a new environment that holds the wheel and what its
//! metadata requires, and nothing of what it was built with.
//!
//! The environment is a folder of links into uv's cache, so that torch and its gigabytes cost a
//! second and no room. It is filled while the network is on; the wheel itself is installed and
//! imported without.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{
    Base, Cancel, Container, Engine, EngineError, Exit, Gpus, Limits, Mount, OutputSink, Prepared,
};
use wheelmill_wheel::{Environment, EnvironmentError, Links};

use super::compile::mount;
use crate::environment::{Composer, ResolveError, paths};

/// Where and with what a wheel is tried.
pub(super) struct Trial<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) composer: &'a Composer<'a>,
    /// The base with the package's Python, and without compilers' variables, torch and toolkit.
    pub(super) foundation: &'a Prepared,
    pub(super) wheel: &'a Utf8Path,
    /// The folder for the environment.
    pub(super) folder: &'a Utf8Path,
    pub(super) limits: Limits,
}

/// What the environment holds beside the wheel.
pub(super) struct Needs {
    /// What the wheel requires, as its metadata writes it.
    pub(super) requires: Vec<String>,
    /// The versions that the wheel was built with and must be tried with.
    pub(super) pins: Vec<String>,
    /// The versions and hashes that all of it resolved to before.
    pub(super) resolved: Option<String>,
}

/// Links, since the cache lies on another mount, where hard links cannot lead, and copies cost
/// gigabytes.
const LINK_MODE: &str = "symlink";

const FILL: &str = r#"
find_python || { echo "Python $PYTHON with its headers was not found" >&2; exit 1; }
/build/tools/uv venv --quiet --no-project --python "$python" /build/trial/env
if [ ! -e /build/trial/resolved.txt ]; then
    /build/tools/uv pip compile $UV_ARGUMENTS --quiet --no-header --no-annotate --generate-hashes --python "$python" \
        --constraints /build/trial/pins.txt --output-file /build/trial/resolved.part /build/trial/requires.txt
    mv /build/trial/resolved.part /build/trial/resolved.txt
fi
if [ -s /build/trial/resolved.txt ]; then
    /build/tools/uv pip install $UV_ARGUMENTS --python /build/trial/env/bin/python --no-deps --requirements /build/trial/resolved.txt
fi
"#;

const TRY: &str = r#"
if [ ! -e /build/trial/installed ]; then
    /build/tools/uv pip install --quiet --offline --no-cache --no-deps --link-mode copy --python /build/trial/env/bin/python "$WHEEL"
    : >/build/trial/installed
fi
cd /tmp
PATH=/build/trial/env/bin
export PATH
unset CUDA_HOME CUDA_PATH CUDACXX CUDAToolkit_ROOT LIBRARY_PATH LD_LIBRARY_PATH CPATH
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX
exec /build/trial/env/bin/python -I -c "$@"
"#;

/// A code of our own: a module is missing that nothing brings which the wheel requires.
const UNDECLARED: i32 = 97;
/// What stands in the log before the names of such a module and of the one that wants it.
const NEEDS: &str = "wheelmill: nothing brings what it needs: ";

const IMPORT: &str = r#"
import importlib, importlib.util, sys
try:
    import torch
except ModuleNotFoundError:
    pass
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        top = (error.name or name).split(".")[0]
        if top == name.split(".")[0] or importlib.util.find_spec(top) is not None:
            raise
        print(f"wheelmill: nothing brings what it needs: {name} {error.name}", file=sys.stderr)
        sys.exit(97)
    print(f"wheelmill: imported {name}")
"#;

/// How the import of a wheel's modules came out.
#[derive(Debug)]
pub(super) enum Imported {
    /// Every module was imported.
    Good,
    /// One of them needs a module that nothing brings.
    Undeclared {
        /// The module that was to be imported.
        imported: String,
        /// The one that is missing.
        missing: String,
    },
    /// A module cannot be imported; the log says why.
    Failed(Box<Exit>),
}

impl Trial<'_> {
    /// Makes the environment; gives the versions and hashes that it holds. The network is on.
    pub(super) fn fill(
        &self,
        needs: &Needs,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<String, ResolveError> {
        let files =
            |source: io::Error| ResolveError::Files { path: self.folder.to_owned(), source };
        let lines = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect();
        let write = |name: &str, text: String| fs_err::write(self.folder.join(name), text);
        write("requires.txt", lines(&needs.requires)).map_err(files)?;
        write("pins.txt", lines(&needs.pins)).map_err(files)?;
        if let Some(resolved) = &needs.resolved {
            write("resolved.txt", resolved.clone()).map_err(files)?;
        }
        let (mut environment, mut mounts) = self.composer.uv_access();
        environment.retain(|(name, _)| name != "UV_LINK_MODE");
        environment.push(("UV_LINK_MODE".to_owned(), LINK_MODE.to_owned()));
        environment.push(("UV_ARGUMENTS".to_owned(), self.composer.uv_arguments()));
        environment.extend(self.composer.python_variables());
        mounts.extend(self.mounts());
        let container = Container {
            name: "trial".to_owned(),
            command: Composer::script(FILL),
            environment,
            directory: "/".into(),
            mounts,
            network: true,
            ..Container::default()
        };
        let exit = self.engine.run(self.foundation, &container, output, cancel);
        let exit = exit.map_err(ResolveError::Engine)?;
        if exit.cancelled {
            return Err(ResolveError::Engine(EngineError::Cancelled));
        }
        if !exit.success() {
            return Err(ResolveError::Unsolvable(Box::new(exit)));
        }
        fs_err::read_to_string(self.folder.join("resolved.txt")).map_err(files)
    }

    /// What the environment holds, seen from here: its files are links into uv's cache, which bears
    /// another name in containers.
    pub(super) fn environment(&self) -> Result<Environment, EnvironmentError> {
        let links = Links {
            named: paths::UV_CACHE.into(),
            here: self.cache(),
            shares_system: matches!(self.composer.base, Base::Host { .. }),
        };
        Environment::read_linked(&self.folder.join("env"), links)
    }

    fn cache(&self) -> Utf8PathBuf {
        self.composer.cache.join("uv/cache")
    }

    /// Installs the wheel, and imports modules from it beside the torch that it requires.
    pub(super) fn import(
        &self,
        modules: &[String],
        log: &mut super::log::CellLog<'_>,
        cancel: &Cancel,
    ) -> Result<Imported, EngineError> {
        let exit = self.python("import", IMPORT, modules, None, log, cancel)?;
        if exit.code == UNDECLARED {
            let said = log.tail();
            let named =
                said.iter().rev().find_map(|line| line.strip_prefix(NEEDS)?.split_once(' '));
            if let Some((imported, missing)) = named {
                let (imported, missing) = (imported.to_owned(), missing.to_owned());
                return Ok(Imported::Undeclared { imported, missing });
            }
        }
        Ok(if exit.success() { Imported::Good } else { Imported::Failed(Box::new(exit)) })
    }

    /// Runs Python code where the wheel is installed, with GPUs.
    pub(super) fn run_on(
        &self,
        gpus: Gpus,
        code: &str,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        self.python("gpu-test", code, &[], Some(gpus), output, cancel)
    }

    fn python(
        &self,
        name: &str,
        code: &str,
        arguments: &[String],
        gpus: Option<Gpus>,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        let target = format!("/build/wheel/{}", self.wheel.file_name().unwrap_or_default());
        let mut command = ["sh", "-euc", TRY, name, code].map(str::to_owned).to_vec();
        command.extend(arguments.iter().cloned());
        let mut mounts = self.mounts();
        mounts.push(mount(self.wheel, &target, false));
        mounts.push(mount(&self.cache(), paths::UV_CACHE, false));
        let container = Container {
            name: name.to_owned(),
            command,
            environment: vec![("WHEEL".to_owned(), target), ("HOME".to_owned(), "/tmp".to_owned())],
            directory: "/".into(),
            mounts,
            limits: self.limits,
            gpus,
            ..Container::default()
        };
        let exit = self.engine.run(self.foundation, &container, output, cancel)?;
        if exit.cancelled { Err(EngineError::Cancelled) } else { Ok(exit) }
    }

    fn mounts(&self) -> Vec<Mount> {
        vec![
            mount(&self.composer.toolchain.uv.0, paths::UV, false),
            mount(self.folder, paths::TRIAL, true),
        ]
    }
}

/// The lines of a pinned list that decide whether a wheel works beside what it was built with: torch,
/// and all that is of one CUDA release with it.
pub(super) fn pins(list: &str) -> Vec<String> {
    let of_cuda = |name: &str| {
        matches!(name, "torch" | "triton" | "pytorch-triton")
            || ["nvidia-", "cuda-"].iter().any(|start| name.starts_with(start))
    };
    let pinned = list.lines().filter_map(|line| {
        let requirement = line.split([' ', '\\']).next()?;
        let (name, version) = requirement.split_once("==")?;
        let name = name.split('[').next()?;
        of_cuda(name).then(|| format!("{name}=={version}"))
    });
    pinned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_of_one_cuda_release_is_held_to_its_version() {
        let list = "cuda-toolkit[nvcc,cudart]==13.0.2 \\\n    --hash=sha256:00\nnumpy==2.3.1 \\\n    \
                    --hash=sha256:11\nnvidia-cudnn-cu13==9.1 ; platform_machine == 'x86_64' \\\n\
                    torch==2.11.0+cu130\n";
        assert_eq!(
            pins(list),
            ["cuda-toolkit==13.0.2", "nvidia-cudnn-cu13==9.1", "torch==2.11.0+cu130"]
        );
    }
}
