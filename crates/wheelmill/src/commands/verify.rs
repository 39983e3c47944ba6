//! `wheelmill verify`: whether a wheel would serve its users.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::json;
use wheelmill_model::{ArchError, ArchList, PythonVersion};
use wheelmill_recipe::{ArchWish, CellName, Recipes};
use wheelmill_wheel::{EarnedPlatform, Environment, Inspection, Verdict, Wishes};

use super::{findings, inspect};
use crate::error::{CliError, Ending};
use crate::output::{Page, safe, style, talk};
use crate::settings::Session;

/// Judge wheels: fails when one would fail its users
///
/// A wheel is judged by itself, and by what is wanted of it: with `--against CELL` it must also hold
/// the modules and the GPU code that the recipe of its package speaks of.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Files, or names of wheels in the store: a cell, a package, the beginning of a digest
    #[arg(required = true, value_name = "WHEEL", value_hint = clap::ValueHint::FilePath)]
    wheels: Vec<Utf8PathBuf>,

    /// The cell that it must serve, as `plan` names it, or parts of that: `cu130-torch2.11-cp311`
    #[arg(long, value_name = "CELL")]
    against: Option<CellName>,

    /// GPU architectures that every part must hold code for, as `8.0,9.0+PTX`
    #[arg(long, value_name = "LIST", value_parser = arch_list)]
    arch: Option<ArchList>,

    /// The Python that it must fit, as `3.11`
    #[arg(long, value_name = "V", value_parser = PythonVersion::wished)]
    python: Option<PythonVersion>,

    /// The oldest glibc that it must run with, as `2.28`
    #[arg(long, value_name = "V", value_parser = glibc)]
    glibc: Option<u16>,

    /// A folder with what it is to run beside: a virtual environment, or what `pip install --target`
    /// filled. Every symbol of its modules is looked for there
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    env: Option<Utf8PathBuf>,

    /// A module that it must hold, by the name it is imported under; may be given several times
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,

    /// Also unpack and check every piece of GPU code
    #[arg(long)]
    deep: bool,
}

/// Reads architectures. The words that builds take say nothing of a wheel.
fn arch_list(text: &str) -> Result<ArchList, ArchError> {
    let instead = match text.parse::<ArchWish>() {
        Ok(ArchWish::List(list)) => return Ok(list),
        Ok(ArchWish::Native { .. }) => {
            "list what the wheel is to serve, as `8.0,9.0+PTX`; this machine's GPUs are told by `nvidia-smi --query-gpu=compute_cap --format=csv`"
        }
        Ok(ArchWish::AllMajor { .. }) | Err(ArchError::Word { .. }) => {
            "list what the wheel is to serve, as `8.0,9.0+PTX`; without `--arch` each generation is judged and none is demanded"
        }
        Err(error) => return Err(error),
    };
    Err(ArchError::Word { word: text.to_owned(), instead })
}

/// The minor number of a glibc.
fn glibc(text: &str) -> Result<u16, String> {
    let minor = text.strip_prefix("2.").and_then(|minor| minor.parse().ok());
    minor.ok_or_else(|| "write it as `2.28`; `ldd --version` tells a machine's own".to_owned())
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Judged {
    file: Utf8PathBuf,
    #[serde(flatten)]
    verdict: Verdict,
}

/// Prints a verdict for each, and fails when one is bad.
pub(crate) fn verify(args: &VerifyArgs, session: &Session) -> Result<Ending, CliError> {
    let recipes = session.recipes()?;
    let environment = args.env.as_deref().map(Environment::read).transpose()?;
    let (mut judged, mut errors) = (Vec::new(), Vec::new());
    let mut ending = Ending::Done;
    for wheel in &args.wheels {
        match judge(wheel, args, environment.as_ref(), &recipes, session) {
            Ok(one) => {
                // That some could not be judged weighs more than that some are bad.
                if !one.verdict.passed && errors.is_empty() {
                    ending = Ending::Failed;
                }
                judged.push(one);
            }
            Err(error) if args.wheels.len() == 1 => return Err(error),
            Err(error) => {
                talk(error.render().trim_end());
                ending = error.ending;
                errors.push(error);
            }
        }
    }
    let printer = session.printer;
    if printer.json {
        let errors: Vec<_> = errors.iter().map(CliError::body).collect();
        printer.document(json!({ "wheels": judged, "errors": errors }))?;
    } else {
        let mut page = Page::new();
        let shown = |judged: &&Judged| !printer.quiet || !judged.verdict.passed;
        judged.iter().filter(shown).for_each(|judged| add(&mut page, judged));
        printer.page(&page.finish())?;
    }
    Ok(ending)
}

fn judge(
    wheel: &Utf8Path,
    args: &VerifyArgs,
    environment: Option<&Environment>,
    recipes: &Recipes,
    session: &Session,
) -> Result<Judged, CliError> {
    let (file, inspection) = inspect::read(wheel, args.deep, session)?;
    let wishes =
        Wishes { environment: environment.cloned(), ..wishes(&inspection, args, recipes)? };
    let verdict = wheelmill_wheel::judge(&inspection, &wishes);
    Ok(Judged { file, verdict })
}

/// What is wanted: what was typed, and for a cell what the recipe of the package knows. Wheels that
/// others made need not be what our recipe would make. That a wheel's name, version and tags agree
/// with each other is judged in any case.
fn wishes(
    inspection: &Inspection,
    args: &VerifyArgs,
    recipes: &Recipes,
) -> Result<Wishes, CliError> {
    let name = &inspection.file_name.name;
    let is_known = args.against.is_some() && recipes.known(name);
    let recipe = if is_known { Some(recipes.get(name)?) } else { None };
    let known_modules = recipe.iter().flat_map(|recipe| &recipe.test.modules);
    let cell = args.against.clone().unwrap_or_default();
    let architectures = args.arch.clone().or(cell.architectures);
    let has_device_code = recipe.as_ref().is_some_and(|recipe| recipe.build.cuda);
    let modules = known_modules.chain(&args.modules).cloned().collect();
    Ok(Wishes {
        name: cell.package,
        version: cell.version,
        python: args.python.or(cell.python),
        device_code: architectures.is_some() || has_device_code,
        architectures,
        modules,
        cuda: cell.cuda,
        torch: cell.torch,
        glibc: args.glibc,
        elsewhere: recipe.map(|recipe| recipe.wheel.exclude).unwrap_or_default(),
        environment: None,
    })
}

/// `systems with glibc 2.17 or newer (manylinux_2_17_x86_64)`, and what decides.
fn system(platform: &EarnedPlatform) -> String {
    let systems = match &platform.glibc {
        Some(glibc) => format!("systems with glibc {glibc} or newer ({})", platform.tag),
        None => "systems that have what it needs, not on every one".to_owned(),
    };
    match &platform.because[..] {
        [] => systems,
        [only] => format!("{systems}: {only}"),
        [first, rest @ ..] => format!("{systems}: {first}, and {} more", rest.len()),
    }
}

fn add(page: &mut Page, judged: &Judged) {
    let verdict = &judged.verdict;
    let name = judged.file.file_name().unwrap_or(judged.file.as_str());
    let (word, word_style) =
        if verdict.passed { ("good", style::good()) } else { ("bad", style::bad()) };
    page.line(format_args!(
        "{}  {}  {}",
        safe(name).style(style::strong()),
        word.style(word_style),
        safe(&verdict.summary)
    ));
    findings::add(page, &verdict.findings);
    if let Some(platform) = &verdict.platform {
        page.remark("runs on:", style::dim(), &system(platform));
    }
    for driver in &verdict.drivers {
        let text = format!("{} or newer: {}", driver.version, driver.because);
        page.remark("driver:", style::dim(), &text);
    }
    for check in &verdict.not_checked {
        let text = format!("{} ({})", check.what, check.why);
        page.remark("not checked:", style::dim(), &text);
    }
}
