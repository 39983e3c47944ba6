//! The command line as it is typed.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anstream::ColorChoice;
use camino::Utf8PathBuf;
use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::{
    build, clean, completions, doctor, generate_docs, host, images, init, inspect, man, plan,
    recipes, runs, shell, verify, wheels,
};
use crate::environment::{self, Environment};
use crate::error::{CliError, Ending};
use crate::logging;
use crate::output::{Color, Printer, talk, width};
use crate::settings::Session;
use crate::suggestion::suggest;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Builds GPU Python wheels from source, proves each one good and keeps it
#[derive(Debug, Parser)]
#[command(
    name = "wheelmill",
    bin_name = "wheelmill",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = EXIT_CODES,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,

    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 a build or a verification failed, 2 wrong usage or configuration,
3 the machine is not ready, 4 a defect of wheelmill, 130 interrupted";

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Print one JSON document to stdout; its `schema` is its version
    #[arg(long, global = true)]
    pub json: bool,

    /// Say nothing on stderr but warnings and errors; lists and `build` print names or paths alone
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Say more of what is done: `build` shows the build's own output; twice for still more
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// When to colour the output
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help = "When to colour the output: auto, always, never"
    )]
    pub color: Color,

    /// The folder whose `wheelmill.toml`, or whose images, are used [default: this folder or the
    /// nearest above it that has some]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub project: Option<Utf8PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Build(build::BuildArgs),
    Plan(plan::PlanArgs),
    Shell(shell::ShellArgs),
    Init(init::InitArgs),
    Runs(runs::RunsArgs),
    Wheels(wheels::WheelsArgs),
    Images(images::ImagesArgs),
    Clean(clean::CleanArgs),
    Doctor(doctor::DoctorArgs),
    Host(host::HostArgs),
    Recipes(recipes::RecipesArgs),
    Inspect(inspect::InspectArgs),
    Verify(verify::VerifyArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    GenerateDocs(generate_docs::GenerateDocsArgs),
}

/// Reads the command line, runs the command, prints what went wrong.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> Ending {
    let arguments: Vec<OsString> = arguments.collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let error = suggest(error);
            let json =
                arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
            if json && error.use_stderr() {
                let printer = Printer { json, quiet: false, verbose: false };
                drop(printer.document(CliError::from(&error).document()));
            }
            // Help and versions come as errors of a kind that succeeds.
            drop(error.print());
            return if error.use_stderr() { Ending::Usage } else { Ending::Done };
        }
    };
    cli.global.color.apply();
    let printer =
        Printer { json: cli.global.json, quiet: cli.global.quiet, verbose: cli.global.verbose > 0 };
    let result = catch_unwind(AssertUnwindSafe(|| execute(&cli, printer)));
    match result {
        Ok(Ok(ending)) => ending,
        Ok(Err(error)) => {
            if printer.json {
                drop(printer.document(error.document()));
            }
            talk(error.render().trim_end());
            error.ending
        }
        Err(_) => {
            if printer.json {
                let error = CliError::new(Ending::Defect, "a defect of wheelmill stopped it");
                drop(printer.document(error.document()));
            }
            talk(
                "This is a defect of wheelmill. Please report it, with the message above and the \
                 command that led to it.",
            );
            Ending::Defect
        }
    }
}

fn execute(cli: &Cli, printer: Printer) -> Result<Ending, CliError> {
    let environment = Environment::of_process();
    width::begin(environment.get(environment::COLUMNS));
    logging::start(&environment, cli.global.verbose, ColorChoice::global())?;
    let session = Session::new(&cli.global, environment, printer);
    match &cli.command {
        Command::Build(args) => build::build(args, &session),
        Command::Plan(args) => plan::plan(args, &session),
        Command::Shell(args) => shell::shell(args, &session),
        Command::Runs(args) => runs::runs(args, &session),
        Command::Wheels(args) => wheels::wheels(args, &session),
        Command::Images(args) => images::images(args, &session),
        Command::Clean(args) => clean::clean(args, &session),
        Command::Doctor(args) => doctor::doctor(args, &session),
        Command::Host(args) => host::host(args, &session),
        Command::Recipes(args) => recipes::recipes(args, &session),
        Command::Init(args) => init::init(args, &session),
        Command::Inspect(args) => inspect::inspect(args, &session),
        Command::Verify(args) => verify::verify(args, &session),
        Command::Completions(args) => completions::completions(args, &session),
        Command::Man(args) => man::man(args, &session),
        Command::GenerateDocs(args) => generate_docs::generate_docs(args),
    }
}
