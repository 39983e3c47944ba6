//! What `build` and `plan` have in common: which cells are meant, and what they are built with.

use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use wheelmill_engine::{DaemonEngine, DaemonSettings, EngineKind, Isolation};
use wheelmill_mill::{Mill, MillError, MillSettings};
use wheelmill_model::{ByteSize, CudaVersion, NetworkSettings, PythonVersion, TorchVersion};
use wheelmill_recipe::{ArchWish, Axes, EngineWish, IsolationWish, PackageWish, Project};

use crate::base::{BaseWish, bases};
use crate::environment;
use crate::error::{CliError, Ending};
use crate::settings::Session;
use crate::sockets::sockets;

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

    /// What the build starts from: `host`, an image of a registry, or the file of one
    /// [env: WHEELMILL_BASE] [default: host]
    #[arg(long, value_name = "IMAGE|FILE.tar", help_heading = "Machine")]
    pub base: Option<BaseWish>,

    /// The memory that one build may use, as `16GB` [env: WHEELMILL_MEMORY] [default: what is free]
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub memory: Option<ByteSize>,

    /// The processors that one build may use, as `8` [env: WHEELMILL_CPUS] [default: all]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    pub cpus: Option<CpuCount>,

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
    pub mill: Mill,
}

impl CellSettings {
    /// Brings flags, environment and files together.
    ///
    /// # Errors
    /// One of them is wrong, or no package is named anywhere.
    pub(crate) fn resolve(args: &CellArgs, session: &Session) -> Result<Self, CliError> {
        let project = session.project()?;
        let settings = mill_settings(args, session, project)?;
        let wishes = match (&args.packages[..], project) {
            ([], Some(project)) => project.matrix.packages.clone(),
            (named, _) => named.to_vec(),
        };
        if wishes.is_empty() {
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
        Ok(Self { wishes, axes, mill })
    }
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
    let (engine, sockets) = engine(args, session, &cache)?;
    let command_line: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
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
        isolation: session.setting(args.isolation, environment::ISOLATION, |build| {
            build.isolation.map(isolation_of)
        })?,
        bases: bases(args.base.as_ref(), session)?,
        memory: session.setting(args.memory, environment::MEMORY, |build| build.memory)?,
        cpus: cpus.map(|CpuCount(cpus)| cpus),
        refresh: args.refresh,
    })
}

/// Options that a command which is suggested must have as well, or it would build something else.
const KEPT: [&str; 5] = ["--base", "--engine", "--memory", "--cpus", "--project"];

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

/// The engine, and where it may answer.
fn engine(
    args: &CellArgs,
    session: &Session,
    cache: &Utf8Path,
) -> Result<(EngineKind, Vec<Utf8PathBuf>), CliError> {
    let wish =
        session.setting(args.engine, environment::ENGINE, |build| build.engine.map(EngineArg))?;
    let kind = match wish.map_or_else(EngineWish::default, |EngineArg(wish)| wish) {
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
fn own_program() -> Result<Utf8PathBuf, CliError> {
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
pub(crate) struct EngineArg(EngineWish);

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

fn engine_parser() -> impl clap::builder::TypedValueParser<Value = EngineArg> {
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
