//! Pins the toolchain and the build requirements: uv solves them once, in a container, since
//! finding out what a source archive needs can run its code.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{Cancel, Container, Engine, EngineError, Exit, Mount, OutputSink, Prepared};

use super::compose::Composer;
use super::paths;
use super::requirements::Requirements;

/// Why requirements could not be pinned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("no versions fit together")]
    Unsolvable(Box<Exit>),
    #[error("could not start the resolver")]
    Engine(#[source] EngineError),
    #[error("could not use the folder `{path}`")]
    Files {
        path: Utf8PathBuf,
        #[source]
        source: io::Error,
    },
}

const SCRIPT: &str = r#"
find_python || { echo "Python $PYTHON with its headers was not found" >&2; exit 1; }
compile() {
    /build/tools/uv pip compile $UV_ARGUMENTS --quiet --no-header --no-annotate --generate-hashes --python "$python" "$@"
}
compile --output-file /build/out/toolchain.txt /build/out/toolchain.in
compile --output-file /build/out/all.txt --constraints /build/out/toolchain.txt /build/out/toolchain.in /build/out/requirements.in
"#;

/// Solves the requirements in a container of the foundation. `folder` is a new, empty one.
pub(crate) fn resolve(
    composer: &Composer<'_>,
    requirements: &[String],
    engine: &dyn Engine,
    foundation: &Prepared,
    folder: &Utf8Path,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<Requirements, ResolveError> {
    let files = |source: io::Error| ResolveError::Files { path: folder.to_owned(), source };
    let write =
        |name: &str, lines: &[String]| fs_err::write(folder.join(name), lines.join("\n") + "\n");
    write("toolchain.in", &composer.toolchain.requirements).map_err(files)?;
    write("requirements.in", requirements).map_err(files)?;

    let (mut environment, mut mounts) = composer.uv_access();
    environment.extend(composer.python_variables());
    environment.push(("UV_ARGUMENTS".to_owned(), composer.uv_arguments()));
    for (source, target, writable) in
        [(composer.toolchain.uv.0.as_path(), paths::UV, false), (folder, paths::OUTPUT, true)]
    {
        mounts.push(Mount { source: source.to_owned(), target: target.into(), writable });
    }
    let container = Container {
        name: "resolve".to_owned(),
        command: Composer::script(SCRIPT),
        environment,
        directory: "/".into(),
        mounts,
        network: true,
        ..Container::default()
    };
    let exit = engine.run(foundation, &container, output, cancel).map_err(ResolveError::Engine)?;
    if exit.cancelled {
        return Err(ResolveError::Engine(EngineError::Cancelled));
    }
    if !exit.success() {
        return Err(ResolveError::Unsolvable(Box::new(exit)));
    }
    let read = |name: &str| fs_err::read_to_string(folder.join(name)).map_err(files);
    Ok(Requirements { toolchain: read("toolchain.txt")?, all: read("all.txt")? })
}
