//! What `build` and `plan` have in common: which cells are meant, and what they are built with.

use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use wheelmill_engine::{Base, DaemonEngine, DaemonSettings, EngineKind, Isolation};
use wheelmill_mill::{Bases, Mill, MillError, MillSettings, Plan};
use wheelmill_model::{
    ByteSize, CudaVersion, NetworkSettings, PythonVersion, TimeLimit, TorchVersion,
};
use wheelmill_recipe::{
    ArchWish, Axes, EngineWish, GpuWish, IsolationWish, Layout, PackageWish, PlannedLayout, Project,
};

use crate::base::{BaseWish, bases};
use crate::environment;
use crate::error::{CliError, Ending};
use crate::settings::Session;
use crate::sockets::{cdi_folders, sockets};

/// What was typed.
#[derive(Debug, Args)]
pub(crate) struct CellArgs {
    /// Packages to build, each with a version if one is meant: `torchsort==0.1.10`
    /// [default: those of the project file]
    #[arg(value_name = "PKG[==VER]")]
    pub packages: Vec<PackageWish>,

    /// CUDA releases, as `13.0` [default: the newest that torch is built for]
    #[arg(long, value_name = "V", value_delimiter = ',', value_parser = CudaVersion::wished, help_heading = "Matrix")]
    pub cuda: Vec<CudaVersion>,

    /// PyTorch releases, as `2.11` for its newest patch release, or `2.11.0` for exactly that one
    /// [default: the newest that is built for the CUDA release]
    #[arg(long, value_name = "V", value_delimiter = ',', help_heading = "Matrix")]
    pub torch: Vec<TorchVersion>,

    /// Python releases, as `3.11` [default: this machine's]
    #[arg(long, value_name = "V", value_delimiter = ',', value_parser = PythonVersion::wished, help_heading = "Matrix")]
    pub python: Vec<PythonVersion>,

    /// GPU architectures: a list as `8.0,9.0+PTX`, `native`, or `all-major` [default: all-major]
    #[arg(long, value_name = "LIST", help_heading = "Matrix")]
    pub arch: Option<ArchWish>,

    /// What runs the build: `docker`, `podman`, `embedded`, `auto`: the first of these that answers
    /// [env: WHEELMILL_ENGINE] [default: auto]
    #[arg(long, value_parser = engine_parser(), help_heading = "Machine", hide_possible_values = true)]
    pub engine: Option<EngineArg>,

    /// How far the build is kept from this machine: `overlay`, `read-only`, `landlock`, `process`
    /// [env: WHEELMILL_ISOLATION] [default: the first of these that works]
    #[arg(long, value_name = "HOW", value_parser = isolation_parser(), help_heading = "Machine", hide_possible_values = true)]
    pub isolation: Option<Isolation>,

    /// The GPUs that the build sees, through Docker or Podman: `none`, `all`, or numbers or UUIDs as
    /// `0,1`; `auto`: those that the recipe asks for [env: WHEELMILL_GPUS] [default: auto]
    #[arg(long, value_name = "WHICH", help_heading = "Machine")]
    pub gpus: Option<GpuWish>,

    /// What the build starts from: `host`, an image of a registry, or the file of one
    /// [env: WHEELMILL_BASE] [default: host]
    #[arg(long, value_name = "IMAGE|FILE.tar", help_heading = "Machine")]
    pub base: Option<BaseWish>,

    /// The memory that one build may use, and the compilers of all that run together, as `16GB` [env:
    /// WHEELMILL_MEMORY] [default: what is free]
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub memory: Option<ByteSize>,

    /// The processors that builds may use together, as `8` [env: WHEELMILL_CPUS] [default: all]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    pub cpus: Option<CpuCount>,

    /// Compile everything anew: nothing comes from the compile cache or from an interrupted build,
    /// and nothing is kept in the cache
    #[arg(long, help_heading = "Machine")]
    pub no_cache: bool,

    /// How long one build may compile, as `90m` or `6h` [env: WHEELMILL_TIMEOUT] [default: as long as
    /// it likes]
    #[arg(long, value_name = "TIME", help_heading = "Machine")]
    pub timeout: Option<TimeLimit>,

    /// Ask the index for versions anew, instead of using what an earlier run found
    #[arg(long, help_heading = "Network", conflicts_with = "offline")]
    pub refresh: bool,

    /// Fetch nothing: use what is there, or fail [env: WHEELMILL_OFFLINE]
    #[arg(long, help_heading = "Network")]
    pub offline: bool,
}

/// What it means.
pub(crate) struct CellSettings {
    pub wishes: Vec<PackageWish>,
    pub axes: Axes,
    /// Cells of images, in a folder that holds such.
    pub images: Vec<PlannedLayout>,
    pub mill: Mill,
}

impl CellSettings {
    /// Brings flags, environment and files together.
    ///
    /// # Errors
    /// One of them is wrong, or no package is named anywhere.
    pub(crate) fn resolve(args: &CellArgs, session: &Session) -> Result<Self, CliError> {
        let project = session.project()?;
        let layout = session.layout()?;
        if layout.is_none() {
            warn_of_hidden(args, session, project);
        }
        let (wishes, names) = wished(args, project, layout.as_ref());
        let images = match (layout, names) {
            (Some(layout), Some(names)) => {
                images(args, session, &layout, &names, wishes.is_empty())?
            }
            _ => Vec::new(),
        };
        let settings = mill_settings(args, session, project)?;
        if wishes.is_empty() && images.is_empty() {
            return Err(MillError::NothingWished.into());
        }
        for (written, meant) in project.map(|it| it.misspelled(&wishes)).unwrap_or_default() {
            let message = format!(
                "`[recipes.{written}]` in wheelmill.toml is of no package that is built here or has a recipe"
            );
            session.printer.warn(&message, Some(&format!("did you mean `{meant}`?")));
        }
        let axes = Axes {
            versions: Vec::new(),
            cuda: args.cuda.clone(),
            torch: args.torch.clone(),
            python: args.python.clone(),
            architectures: args.arch.clone(),
        };
        let mill = Mill::new(settings, session.recipes()?, project)?;
        Ok(Self { wishes, axes, images, mill })
    }

    /// The plan of all of them, once versions are known.
    ///
    /// # Errors
    /// A recipe or the matrix is wrong, or files or the store cannot be read.
    pub(crate) fn plan(&self, wishes: &[PackageWish]) -> Result<Plan, CliError> {
        let mut plan = self.mill.plan(wishes, &self.axes)?;
        plan.cells.extend(self.mill.plan_images(&self.images)?);
        Ok(plan)
    }
}

/// Which packages are meant, and which images, if any: all of them where no name is given. Where no
/// project file says what is built, every name is one of an image, unless it has a recipe there.
fn wished(
    args: &CellArgs,
    project: Option<&Project>,
    layout: Option<&Layout>,
) -> (Vec<PackageWish>, Option<Vec<PackageWish>>) {
    let named = args.packages.clone();
    match (layout, project) {
        (None, Some(project)) if named.is_empty() => (project.matrix.packages.clone(), None),
        (None, _) => (named, None),
        (Some(_), None) => (Vec::new(), Some(named)),
        (Some(_), Some(project)) if named.is_empty() => {
            (project.matrix.packages.clone(), Some(Vec::new()))
        }
        (Some(layout), Some(project)) => {
            let is_package = |wish: &PackageWish| {
                let has_recipe = project.recipes.contains_key(&wish.name);
                // A slip must not build a package of somebody's in the place of an image.
                has_recipe || project.says_what_to_build() && !layout.resembles(&wish.name)
            };
            let (images, others): (Vec<_>, Vec<_>) =
                named.into_iter().partition(|wish| layout.has(&wish.name) || !is_package(wish));
            (others, (!images.is_empty()).then_some(images))
        }
    }
}

/// Tells of packages whose names Dockerfiles of the folder have, too, where a project file says what
/// is built and names no images.
fn warn_of_hidden(args: &CellArgs, session: &Session, project: Option<&Project>) {
    let folder = project.and_then(|project| project.file.parent());
    // What is wrong with images that are not built is nobody's matter.
    let hidden = folder.and_then(|folder| Layout::find(folder).ok().flatten());
    let Some(hidden) = hidden else { return };
    for wish in args.packages.iter().filter(|wish| hidden.has(&wish.name)) {
        let message = format!(
            "the package `{}` is meant, not the Dockerfiles of that name: wheelmill.toml has a \
             `[matrix]` and no `[layout]`",
            wish.name
        );
        session.printer.warn(&message, Some("`wheelmill init` adds the Dockerfiles to that file"));
    }
}

/// The images that are meant by names and CUDA releases, of a folder or project file. What such an
/// image decides cannot be chosen; where packages are meant as well, it is chosen for these.
fn images(
    args: &CellArgs,
    session: &Session,
    layout: &Layout,
    names: &[PackageWish],
    alone: bool,
) -> Result<Vec<PlannedLayout>, CliError> {
    let typed = [
        ("--torch", !args.torch.is_empty()),
        ("--python", !args.python.is_empty()),
        ("--arch", args.arch.is_some()),
        ("--base", args.base.is_some()),
        ("--isolation", args.isolation.is_some()),
    ];
    if let Some((option, _)) = typed.iter().find(|(_, typed)| *typed && alone) {
        let message = format!("`{option}` has no say here: the Dockerfiles of the images do");
        return Err(CliError::usage(message).hint("leave it out"));
    }
    if let EngineWish::Embedded = engine_wish(args, session)? {
        let message = "the embedded engine builds no images from Dockerfiles, as are meant here";
        return Err(CliError::usage(message).hint(
            "let Docker or Podman do it: leave `--engine` and WHEELMILL_ENGINE out, or name one \
             of the two",
        ));
    }
    // They may tell why something is not found.
    for remark in &layout.remarks {
        session.printer.warn(remark, None);
    }
    let mut cells = layout.select(names, if alone { &args.cuda } else { &[] })?;
    cells.retain(|found| args.cuda.is_empty() || args.cuda.contains(&found.cell.cuda));
    Ok(cells)
}

fn mill_settings(
    args: &CellArgs,
    session: &Session,
    project: Option<&Project>,
) -> Result<MillSettings, CliError> {
    let cpus = session.setting(args.cpus, environment::CPUS, |build| {
        build.cpus.map(|cpus| CpuCount(f64::from(cpus.get())))
    })?;
    let cache = session.cache()?;
    let isolation = session.setting(args.isolation, environment::ISOLATION, |build| {
        build.isolation.map(isolation_of)
    })?;
    let gpus = session.setting(args.gpus.clone(), environment::GPUS, |build| build.gpus.clone())?;
    let (engine, sockets) = engine(args, session, isolation, &cache)?;
    let command_line: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let bases = bases(args.base.as_ref(), session)?;
    fits(engine, isolation, gpus.as_ref(), &bases)?;
    let offline = args.offline || session.switch(environment::OFFLINE)?;
    Ok(MillSettings {
        home: session.home()?,
        cache,
        program: own_program()?,
        hidden: session.environment.home_folder().into_iter().collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        options: kept_options(&command_line),
        command_line,
        project: project.map(|project| project.file.clone()),
        network: session.environment.network(offline),
        engine,
        sockets,
        cdi: cdi_folders(&session.environment),
        gpus: gpus.unwrap_or_default(),
        isolation,
        bases,
        memory: session.setting(args.memory, environment::MEMORY, |build| build.memory)?,
        cpus: cpus.map(|CpuCount(cpus)| cpus),
        timeout: session.setting(args.timeout, environment::TIMEOUT, |build| build.timeout)?,
        compile_cache: compile_cache(args, session)?,
        anew: args.no_cache,
        refresh: args.refresh,
    })
}

/// What the cache of compiles may take when nobody says.
const COMPILE_CACHE_SIZE: ByteSize = ByteSize(10 << 30);

/// What the cache of compiles may take; none when it is off.
fn compile_cache(args: &CellArgs, session: &Session) -> Result<Option<ByteSize>, CliError> {
    let set =
        session.setting(None, environment::COMPILE_CACHE_SIZE, |build| build.compile_cache_size)?;
    let size = set.unwrap_or(COMPILE_CACHE_SIZE);
    Ok((!args.no_cache && size > ByteSize(0)).then_some(size))
}

/// Options that a command which is suggested must have as well, or it would build something else.
const KEPT: [&str; 6] = ["--base", "--engine", "--gpus", "--memory", "--cpus", "--project"];

/// These options as they were typed: `--base IMAGE` or `--base=IMAGE`.
fn kept_options(command_line: &[String]) -> Vec<(String, String)> {
    let mut words = command_line.iter();
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').map_or((&word[..], None), |(n, v)| (n, Some(v)));
        if !KEPT.contains(&name) {
            continue;
        }
        if let Some(value) = value.or_else(|| words.next().map(String::as_str)) {
            options.push((name.to_owned(), value.to_owned()));
        }
    }
    options
}

/// Whether what was chosen can be had together.
fn fits(
    engine: EngineKind,
    isolation: Option<Isolation>,
    gpus: Option<&GpuWish>,
    bases: &Bases,
) -> Result<(), CliError> {
    if let (EngineKind::Embedded, Some(GpuWish::Only(_))) = (engine, gpus) {
        let message = "the embedded engine gives builds no GPU, and `--gpus` asks for one";
        return Err(CliError::usage(message).hint(
            "let Docker or Podman build (`--engine docker`), or leave `--gpus` out: no GPU is needed \
             to compile",
        ));
    }
    let Some(isolation) = isolation else { return Ok(()) };
    if engine != EngineKind::Embedded {
        let message = format!("`--isolation` is for the embedded engine, and {engine} is chosen");
        return Err(
            CliError::usage(message).hint("leave `--isolation` out, or add `--engine embedded`")
        );
    }
    let images = bases.by_cuda.values().chain(&bases.default);
    let image = images.into_iter().find(|base| !matches!(base, Base::Host { .. }));
    match image {
        Some(image) if !isolation.has_layers() => Err(CliError::usage(format!(
            "the base `{image}` needs the isolation `overlay`, and `{isolation}` is chosen"
        ))
        .hint("leave one of the two out")),
        _ => Ok(()),
    }
}

/// The engine that was asked for.
fn engine_wish(args: &CellArgs, session: &Session) -> Result<EngineWish, CliError> {
    let wish =
        session.setting(args.engine, environment::ENGINE, |build| build.engine.map(EngineArg))?;
    Ok(wish.map_or_else(EngineWish::default, |EngineArg(wish)| wish))
}

/// The engine, and where it may answer.
fn engine(
    args: &CellArgs,
    session: &Session,
    isolation: Option<Isolation>,
    cache: &Utf8Path,
) -> Result<(EngineKind, Vec<Utf8PathBuf>), CliError> {
    let kind = match engine_wish(args, session)? {
        // Whoever chooses an isolation means the engine that has several.
        EngineWish::Auto if isolation.is_some() => EngineKind::Embedded,
        EngineWish::Auto => best_engine(session, cache),
        EngineWish::Embedded => EngineKind::Embedded,
        EngineWish::Docker => EngineKind::Docker,
        EngineWish::Podman => EngineKind::Podman,
    };
    Ok((kind, sockets(kind, &session.environment)?))
}

/// The first engine that answers; the own one always does.
fn best_engine(session: &Session, cache: &Utf8Path) -> EngineKind {
    let answers = |kind: &EngineKind| {
        let settings = sockets(*kind, &session.environment).map(|sockets| DaemonSettings {
            kind: *kind,
            sockets,
            images: cache.to_owned(),
            cdi: Vec::new(),
            network: NetworkSettings::default(),
        });
        settings.is_ok_and(|settings| DaemonEngine::new(settings).answers())
    };
    let daemons = [EngineKind::Docker, EngineKind::Podman];
    let Some(found) = daemons.into_iter().find(answers) else { return EngineKind::Embedded };
    session.printer.say(format_args!(
        "{found} answers on this machine, and runs the builds; `--engine embedded` does without it"
    ));
    found
}

/// The file of this very program, which the engine starts again inside a container's namespaces.
pub(super) fn own_program() -> Result<Utf8PathBuf, CliError> {
    let file = std::env::current_exe()
        .map_err(|source| CliError::new(Ending::Defect, OwnProgramError { source }))?;
    Utf8PathBuf::from_path_buf(file)
        .map_err(|file| CliError::usage(format!("the program's path {file:?} is not UTF-8")))
}

#[derive(Debug, thiserror::Error)]
#[error("could not find the program's own file")]
struct OwnProgramError {
    source: std::io::Error,
}

/// An engine by its word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineArg(pub(super) EngineWish);

impl EngineArg {
    const ALL: [EngineWish; 4] =
        [EngineWish::Auto, EngineWish::Embedded, EngineWish::Docker, EngineWish::Podman];
}

impl FromStr for EngineArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|wish| wish.as_str() == text);
        known.map(Self).ok_or_else(|| {
            format!("`{text}` is not an engine: write `auto`, `embedded`, `docker` or `podman`")
        })
    }
}

pub(super) fn engine_parser() -> impl clap::builder::TypedValueParser<Value = EngineArg> {
    PossibleValuesParser::new(EngineArg::ALL.map(EngineWish::as_str))
        .map(|word| word.parse().expect("it is one of the words of engines"))
}

fn isolation_parser() -> impl clap::builder::TypedValueParser<Value = Isolation> {
    PossibleValuesParser::new(Isolation::ALL.map(Isolation::as_str))
        .map(|word| word.parse().expect("it is one of the words of isolations"))
}

const fn isolation_of(wish: IsolationWish) -> Isolation {
    match wish {
        IsolationWish::Overlay => Isolation::Overlay,
        IsolationWish::ReadOnly => Isolation::ReadOnly,
        IsolationWish::Landlock => Isolation::Landlock,
        IsolationWish::Process => Isolation::Process,
    }
}

/// A number of processors: positive, and no more than any machine has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuCount(f64);

impl FromStr for CpuCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(cpus) if cpus > 0.0 && cpus <= 65_536.0 => Ok(Self(cpus)),
            _ => Err(format!("`{text}` is not a number of processors: write it as `8` or `1.5`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_kept_in_both_their_forms() {
        let line = "wheelmill build x==1 --cuda 13.0 --base=a/b:1 --json --memory 4GiB --arch 9.0";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let kept: Vec<String> = kept_options(&words)
            .into_iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        assert_eq!(kept, ["--base a/b:1", "--memory 4GiB"]);
    }
}
