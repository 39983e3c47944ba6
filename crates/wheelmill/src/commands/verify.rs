//! `wheelmill verify`: whether a wheel would serve its users.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::json;
use wheelmill_model::{ArchError, ArchList, PythonVersion};
use wheelmill_recipe::{ArchWish, Recipes};
use wheelmill_wheel::{Inspection, Verdict, Wishes};

use super::{findings, inspect};
use crate::error::{CliError, Ending};
use crate::output::{Page, safe, style, talk};
use crate::settings::Session;

/// Judge wheels: fails when one would fail its users
///
/// Beside what every wheel must be, a wheel whose package has a recipe must hold the modules and
/// the GPU code that the recipe speaks of.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The wheels
    #[arg(required = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    files: Vec<Utf8PathBuf>,

    /// GPU architectures that every part must hold code for, as `8.0,9.0+PTX`
    #[arg(long, value_name = "LIST", value_parser = arch_list)]
    arch: Option<ArchList>,

    /// The Python that it must fit, as `3.11`
    #[arg(long, value_name = "V", value_parser = PythonVersion::wished)]
    python: Option<PythonVersion>,

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
    let (mut judged, mut errors) = (Vec::new(), Vec::new());
    let mut ending = Ending::Done;
    for file in &args.files {
        match judge(file, args, &recipes) {
            Ok(verdict) => {
                if !verdict.passed {
                    ending = Ending::Failed;
                }
                judged.push(Judged { file: file.clone(), verdict });
            }
            Err(error) if args.files.len() == 1 => return Err(error),
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
    } else if !printer.quiet {
        let mut page = Page::new();
        judged.iter().for_each(|judged| add(&mut page, judged));
        printer.page(&page.finish())?;
    }
    Ok(ending)
}

fn judge(file: &Utf8Path, args: &VerifyArgs, recipes: &Recipes) -> Result<Verdict, CliError> {
    let inspection = inspect::read(file, args.deep)?;
    Ok(wheelmill_wheel::judge(&inspection, &wishes(&inspection, args, recipes)?))
}

/// What is wanted: what was typed, and what the recipe of the package knows. That a wheel's name,
/// version and tags agree with each other is judged in any case.
fn wishes(
    inspection: &Inspection,
    args: &VerifyArgs,
    recipes: &Recipes,
) -> Result<Wishes, CliError> {
    let name = &inspection.file_name.name;
    let recipe = if recipes.known(name) { Some(recipes.get(name)?) } else { None };
    let known_modules = recipe.iter().flat_map(|recipe| &recipe.test.modules);
    Ok(Wishes {
        python: args.python,
        device_code: args.arch.is_some() || recipe.as_ref().is_some_and(|recipe| recipe.build.cuda),
        architectures: args.arch.clone(),
        modules: known_modules.chain(&args.modules).cloned().collect(),
        ..Wishes::default()
    })
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
    for check in &verdict.not_checked {
        let text = format!("{} ({})", check.what, check.why);
        page.remark("not checked:", style::dim(), &text);
    }
}
