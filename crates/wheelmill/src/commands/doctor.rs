//! `wheelmill doctor`: whether this machine is ready, each check with its fix.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use owo_colors::OwoColorize as _;
use wheelmill_engine::program::Programs;
use wheelmill_engine::{EmbeddedSettings, EngineKind};
use wheelmill_host::doctor::{Check, Diagnosis, DoctorSettings, Facts, Need, TrialWish, diagnose};
use wheelmill_model::CheckState;
use wheelmill_recipe::{EngineWish, GpuWish};

use super::cells::{EngineArg, engine_parser, own_program};
use crate::environment;
use crate::error::{CliError, Ending};
use crate::output::{Page, human, safe, style};
use crate::settings::Session;
use crate::sockets::{cdi_folders, sockets};

/// How long a daemon or a program may take to answer. A healthy one takes a fraction of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where programs lie that a user's own `PATH` often leaves out.
const FOLDERS_OF_ROOT: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The volume of images with an installer, unless the project says another.
const VOLUME: &str = "build-vol";

/// Tell whether this machine is ready for builds: each check with its exact fix
///
/// Changes nothing and fetches nothing. Where there are GPUs, containers of an image that is there
/// try the three ways to ask for them, and are removed. What is a problem follows from the engine
/// that builds would run with, and from the GPUs that they are to have. Ends with 3 when there is a
/// problem; warnings do not count.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// What is to run builds, as for `build`: `auto`, `docker`, `podman`, `embedded` [env:
    /// WHEELMILL_ENGINE] [default: auto]
    #[arg(long, value_name = "ENGINE", value_parser = engine_parser(), hide_possible_values = true)]
    engine: Option<EngineArg>,

    /// The GPUs that builds are to have, as for `build`: with `all` or names, a machine that gives
    /// them none is not ready [env: WHEELMILL_GPUS] [default: auto]
    #[arg(long, value_name = "GPUS")]
    gpus: Option<GpuWish>,

    /// The image of the containers that ask for GPUs. It must be there and have a shell [default:
    /// one that is there]
    #[arg(long, value_name = "IMAGE")]
    gpu_image: Option<String>,

    /// Make no container: which ways to ask for GPUs work is then not checked
    #[arg(long, conflicts_with = "gpu_image")]
    no_containers: bool,
}

/// Looks, and prints what was found.
pub(crate) fn doctor(args: &DoctorArgs, session: &Session) -> Result<Ending, CliError> {
    let diagnosis = diagnose(&Facts::read(&settings(args, session)?));
    let printer = session.printer;
    if printer.json {
        printer.document(&diagnosis)?;
    } else {
        let worth = |check: &&Check| !printer.quiet || check.state <= CheckState::Warning;
        printer.page(&page(diagnosis.checks.iter().filter(worth)))?;
        printer.say(summary(&diagnosis));
    }
    Ok(if diagnosis.ready { Ending::Done } else { Ending::NotReady })
}

fn settings(args: &DoctorArgs, session: &Session) -> Result<DoctorSettings, CliError> {
    let environment = &session.environment;
    let cache = session.cache()?;
    let at = |kind| sockets(kind, environment).map_err(|error| error.message());
    Ok(DoctorSettings {
        need: need(args, session)?,
        root: "/".into(),
        programs: Programs { folders: folders(environment.get("PATH")), limit: PATIENCE },
        docker: at(EngineKind::Docker),
        podman: at(EngineKind::Podman),
        patience: PATIENCE,
        cdi: cdi_folders(environment),
        embedded: EmbeddedSettings {
            program: own_program()?,
            layers: cache.join("layers"),
            scratch: cache.join("scratch"),
            isolation: None,
            hidden: environment.home_folder().into_iter().collect(),
            network: environment.network(true),
        },
        folders: vec![(environment::CACHE, cache), (environment::HOME, session.home()?)],
        trial: match (args.no_containers, &args.gpu_image) {
            (true, _) => TrialWish::Never,
            (false, Some(image)) => TrialWish::Image(image.clone()),
            (false, None) => TrialWish::AnyImage,
        },
    })
}

/// What is wanted of this machine, as `build` would read it.
fn need(args: &DoctorArgs, session: &Session) -> Result<Need, CliError> {
    let engine =
        session.setting(args.engine, environment::ENGINE, |build| build.engine.map(EngineArg))?;
    let gpus = session.setting(args.gpus.clone(), environment::GPUS, |build| build.gpus.clone())?;
    let named = session.files()?.into_iter().find_map(|file| file.host.build_volume.clone());
    let layout = session.layout()?;
    let cells = layout.iter().flat_map(|layout| &layout.cells);
    let mut volumes: BTreeSet<String> =
        cells.map(|planned| planned.cell.volume.clone()).chain(named).collect();
    if volumes.is_empty() {
        volumes.insert(VOLUME.to_owned());
    }
    Ok(Need {
        engine: engine.and_then(|EngineArg(wish)| match wish {
            EngineWish::Auto => None,
            EngineWish::Docker => Some(EngineKind::Docker),
            EngineWish::Podman => Some(EngineKind::Podman),
            EngineWish::Embedded => Some(EngineKind::Embedded),
        }),
        images: layout.is_some(),
        gpus: matches!(gpus, Some(GpuWish::Only(_))),
        volumes: volumes.into_iter().collect(),
    })
}

fn folders(path: Option<&str>) -> Vec<Utf8PathBuf> {
    let of_user = path.into_iter().flat_map(|path| path.split(':')).filter(|it| !it.is_empty());
    of_user.chain(FOLDERS_OF_ROOT).map(Utf8PathBuf::from).collect()
}

/// One check a line, and below it what to do.
fn page<'a>(checks: impl Iterator<Item = &'a Check>) -> String {
    let mut page = Page::new();
    for check in checks {
        let (word, style) = style::state(check.state);
        let code = check.code.style(style::strong());
        page.line(format_args!("{} {code}: {}", word.style(style), safe(&check.message)));
        if let Some(fix) = &check.fix {
            page.remark("fix:", style::active(), fix);
        }
    }
    page.finish()
}

/// `ready: builds run with docker; 2 warnings, 1 not checked`.
fn summary(diagnosis: &Diagnosis) -> String {
    let count = |state| diagnosis.checks.iter().filter(|check| check.state == state).count();
    let parts = [(CheckState::Problem, "problem"), (CheckState::Warning, "warning")];
    let mut told: Vec<String> = parts
        .into_iter()
        .map(|(state, noun)| (count(state), noun))
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| human::count(count, noun))
        .collect();
    let unchecked = count(CheckState::NotChecked);
    told.extend((unchecked > 0).then(|| format!("{unchecked} not checked")));
    let verdict = match diagnosis.ready {
        true => format!("ready: builds run with {}", diagnosis.engine),
        false => "not ready".to_owned(),
    };
    [&[verdict], &told[..]].concat().join(", ")
}
