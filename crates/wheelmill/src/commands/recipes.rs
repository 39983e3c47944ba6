//! `wheelmill recipes`: the packages whose building is known.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use wheelmill_model::PackageName;
use wheelmill_recipe::{Origin, Recipe};

use crate::error::{CliError, Ending};
use crate::output::{Field, Table, style};
use crate::settings::Session;

/// The packages whose building is known
#[derive(Debug, Args)]
pub(crate) struct RecipesArgs {
    #[command(subcommand)]
    command: Option<RecipesCommand>,
}

#[derive(Debug, Subcommand)]
enum RecipesCommand {
    /// List the recipes: the project's own and those of the catalogue
    Ls,
    /// Show one recipe as a recipe file; a package without one shows the default
    Show {
        /// The package
        name: PackageName,
    },
    /// Print the JSON schema of recipe files or project files, for editors
    Schema {
        /// Of which kind of file
        #[arg(default_value = "project")]
        kind: SchemaKind,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SchemaKind {
    /// `wheelmill.toml`
    Project,
    /// A recipe file of its own
    Recipe,
}

/// Does what was asked for; without a word, the list.
pub(crate) fn recipes(args: &RecipesArgs, session: &Session) -> Result<Ending, CliError> {
    match &args.command {
        None | Some(RecipesCommand::Ls) => list(session),
        Some(RecipesCommand::Show { name }) => show(name, session),
        Some(RecipesCommand::Schema { kind }) => schema(*kind, session),
    }
}

fn list(session: &Session) -> Result<Ending, CliError> {
    let recipes = session.recipes()?.all()?;
    let printer = session.printer;
    if printer.json {
        printer.document(json!({ "recipes": recipes }))?;
    } else if printer.quiet {
        printer
            .data(&recipes.iter().map(|recipe| format!("{}\n", recipe.name)).collect::<String>())?;
    } else {
        let mut table =
            Table::new(["PACKAGE", "?VERSION READ", "?BUILT", "?WRITTEN IN", "SUMMARY"]);
        for recipe in &recipes {
            let built = if recipe.built.is_some() { "yes" } else { "" };
            table.row([
                Field::styled(recipe.name.as_str(), style::strong()),
                Field::plain(recipe.read_from.as_deref().unwrap_or_default()),
                Field::styled(built, style::good()),
                Field::styled(origin(recipe), style::dim()),
                Field::plain(&recipe.summary),
            ]);
        }
        printer.data(&table.render())?;
    }
    Ok(Ending::Done)
}

fn origin(recipe: &Recipe) -> &str {
    match &recipe.origin {
        Origin::Catalogue => "catalogue",
        Origin::Default => "default",
        Origin::File(file) | Origin::Project(file) => file.as_str(),
    }
}

fn show(name: &PackageName, session: &Session) -> Result<Ending, CliError> {
    let recipes = session.recipes()?;
    let recipe = recipes.get(name)?;
    let printer = session.printer;
    if !recipes.known(name) {
        let suggestions = recipes.suggestions(name.as_str());
        let hint = suggestions.first().map(|near| format!("did you mean `{near}`?"));
        printer.warn(
            &format!("`{name}` has no recipe of its own; it would be built with the default one"),
            hint.as_deref(),
        );
    }
    if printer.json {
        printer.document(json!({ "recipe": recipe }))?;
    } else {
        printer.data(&recipe.to_toml())?;
    }
    Ok(Ending::Done)
}

fn schema(kind: SchemaKind, session: &Session) -> Result<Ending, CliError> {
    let schema = match kind {
        SchemaKind::Project => wheelmill_recipe::json_schema_project(),
        SchemaKind::Recipe => wheelmill_recipe::json_schema_recipe(),
    };
    session.printer.data(&format!("{schema:#}\n"))?;
    Ok(Ending::Done)
}
