//! The container in which a package is built.

use camino::Utf8Path;
use wheelmill_engine::{Container, Limits, Mount};
use wheelmill_model::{ByteSize, NetworkSettings};
use wheelmill_recipe::{Cell, Recipe};

use super::context::AttemptContext;
use crate::environment::{Toolchain, ambient, paths, search_path};
use crate::host::{Host, available_memory};
use crate::settings::MillSettings;

/// What one nvcc takes where the recipe does not say.
pub(super) const MEMORY_PER_COMPILE: ByteSize = ByteSize(2 << 30);
/// What is left to the rest of the machine when no limit is asked for.
const RESERVE: u64 = 512 << 20;
/// Compilers that a build behind the gate starts for each processor. Of those that wait the gate
/// takes the longest first, and one that fits beside a large one.
const JOBS_PER_PROCESSOR: usize = 2;
/// More processes and threads than any build needs, and fewer than bring a machine down.
const MOST_PROCESSES: u64 = 16_384;
/// 1980-01-01, the oldest moment that a zip entry can carry: wheels then differ by content alone.
const SOURCE_DATE_EPOCH: &str = "315532800";

/// What a build may use, and how many compilers it is told to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) limits: Limits,
    pub(super) jobs: usize,
}

/// The memory that a build could have now, with what is left to the rest of the machine taken off.
pub(super) fn free_memory() -> Option<ByteSize> {
    available_memory().map(|free| ByteSize(free.0.saturating_sub(RESERVE).max(RESERVE)))
}

/// The machine for a build whose compilers the gate admits: it is told to run enough of them, and
/// memory is the gate's business.
pub(super) fn gated_budget(context: &AttemptContext<'_>) -> Budget {
    let jobs = processors(&context.mill.settings, &context.mill.host) * JOBS_PER_PROCESSOR;
    Budget { jobs, ..budget(context, None) }
}

/// How many compilers can work at a time.
pub(super) fn processors(settings: &MillSettings, host: &Host) -> usize {
    (settings.cpus.unwrap_or(host.cores as f64).ceil() as usize).max(1)
}

/// Divides the machine for compilers that take so much memory.
pub(super) fn budget(context: &AttemptContext<'_>, per_compile: Option<ByteSize>) -> Budget {
    let (settings, host) = (&context.mill.settings, &context.mill.host);
    let memory = settings.memory.or(context.free);
    let per_compile = per_compile.unwrap_or(MEMORY_PER_COMPILE);
    let by_memory = memory.map_or(usize::MAX, |memory| {
        usize::try_from(memory.0 / per_compile.0.max(1)).unwrap_or(usize::MAX)
    });
    // Zero would mean "as many as there are files" to ninja.
    let jobs = processors(settings, host).min(by_memory).max(1);
    Budget { limits: Limits { memory, cpus: settings.cpus, processes: Some(MOST_PROCESSES) }, jobs }
}

/// Folders of this machine that the build works in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folders<'a> {
    pub(super) source: &'a Utf8Path,
    pub(super) output: &'a Utf8Path,
    pub(super) home: &'a Utf8Path,
}

const SCRIPT: &str = r#"
if [ -n "$CONDA_ENVIRONMENT" ]; then
    for folder in "${CONDA_FOLDER:-}" /opt/conda /opt/miniconda3 /opt/anaconda3 /root/miniconda3 /root/anaconda3; do
        [ -e "$folder/etc/profile.d/conda.sh" ] || continue
        set +u
        . "$folder/etc/profile.d/conda.sh"
        conda activate "$CONDA_ENVIRONMENT"
        set -u
        found=1
        break
    done
    [ -n "${found:-}" ] || { echo "the recipe wants the conda environment $CONDA_ENVIRONMENT, and the base has no conda" >&2; exit 1; }
fi
outputs=$OUTPUTS
unset OUTPUTS CONDA_ENVIRONMENT
"$@"
for wheel in $outputs; do
    [ ! -e "$wheel" ] || cp "$wheel" /build/out/
done
"#;

/// Where in a container's command that of the build itself begins, behind what prepares it.
pub(super) const OWN_COMMAND: usize = 4;

/// The container that builds a cell.
pub(super) fn container(
    cell: &Cell,
    recipe: &Recipe,
    toolchain: &Toolchain,
    base: &[(String, String)],
    folders: Folders<'_>,
    budget: Budget,
    network: &NetworkSettings,
) -> Container {
    let directory = match &recipe.subdirectory {
        Some(subdirectory) => Utf8Path::new(paths::SOURCE).join(subdirectory),
        None => paths::SOURCE.into(),
    };
    let command = if let Some(script) = &recipe.build.script {
        vec!["bash".to_owned(), Utf8Path::new(paths::SOURCE).join(script).into_string()]
    } else {
        let output = Utf8Path::new(paths::OUTPUT);
        let own = recipe.command(cell, budget.jobs, output);
        own.unwrap_or_else(|| default_command(&directory))
    };
    let shell = if recipe.build.script.is_some() || recipe.build.conda_env.is_some() {
        "bash"
    } else {
        "sh"
    };
    let mut words = [shell, "-euc", SCRIPT, "build"].map(str::to_owned).to_vec();
    words.extend(command);

    let mut environment = toolchain_variables(base);
    for (name, value) in [
        ("HOME", paths::HOME),
        ("LC_ALL", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "1"),
        ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH),
        ("OUTPUTS", recipe.build.outputs.as_deref().unwrap_or_default()),
        ("CONDA_ENVIRONMENT", recipe.build.conda_env.as_deref().unwrap_or_default()),
    ] {
        environment.push((name.to_owned(), value.to_owned()));
    }
    let mut mounts = vec![
        mount(folders.source, paths::SOURCE, true),
        mount(folders.output, paths::OUTPUT, true),
        mount(folders.home, paths::HOME, true),
        mount(&toolchain.uv.0, paths::UV, false),
    ];
    if recipe.build.network {
        let (variables, certificates) = ambient(network);
        environment.extend(variables);
        mounts.extend(certificates);
    } else {
        for (name, value) in [("UV_OFFLINE", "1"), ("PIP_NO_INDEX", "1")] {
            environment.push((name.to_owned(), value.to_owned()));
        }
    }
    // Last, so that a recipe can overrule everything above.
    environment.extend(recipe.environment(cell, budget.jobs));
    Container {
        name: cell.id(),
        command: words,
        environment,
        directory,
        mounts,
        network: recipe.build.network,
        limits: budget.limits,
        gpus: None,
    }
}

/// The same container for a person: the command that it would have run, and the container with a
/// shell in its place.
pub(super) fn shell(container: Container) -> (Vec<String>, Container) {
    const SHELL: &str = "if command -v bash >/dev/null; then exec bash -i; else exec sh -i; fi";
    // What stands before is this program's own script.
    let command = container.command.iter().skip(OWN_COMMAND).cloned().collect();
    let words = ["sh", "-c", SHELL].map(str::to_owned).to_vec();
    let mut environment = container.environment;
    environment.push(("PS1".to_owned(), "wheelmill:\\w$ ".to_owned()));
    (command, Container { command: words, environment, ..container })
}

/// What leads programs to the toolchain.
pub(super) fn toolchain_variables(base: &[(String, String)]) -> Vec<(String, String)> {
    let cuda = paths::CUDA;
    [
        ("PATH", search_path(base)),
        ("VIRTUAL_ENV", paths::PYTHON_ENVIRONMENT.to_owned()),
        ("CUDA_HOME", cuda.to_owned()),
        ("CUDA_PATH", cuda.to_owned()),
        ("CUDAToolkit_ROOT", cuda.to_owned()),
        ("CUDACXX", format!("{cuda}/bin/nvcc")),
        ("LIBRARY_PATH", format!("{cuda}/lib64:{cuda}/lib64/stubs")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

pub(super) fn mount(source: &Utf8Path, target: &str, writable: bool) -> Mount {
    Mount { source: source.to_owned(), target: target.into(), writable }
}

fn default_command(directory: &Utf8Path) -> Vec<String> {
    let interpreter = format!("{}/bin/python", paths::PYTHON_ENVIRONMENT);
    [
        paths::UV,
        "build",
        "--wheel",
        "--no-build-isolation",
        "--no-cache",
        "--python",
        &interpreter,
        "--out-dir",
        paths::OUTPUT,
        directory.as_str(),
    ]
    .map(str::to_owned)
    .to_vec()
}
